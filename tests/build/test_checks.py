"""The quick parts of ./dev check. (The release build that these tests run on is the check of gcc's warnings.)"""
import pytest


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("part", ["format", "layers", "headers", "clang"])
def test_check(dev, part):
    dev("check", part)


def test_the_layer_check_sees_a_breach(tmp_path):
    """The check itself: each rule once, broken on purpose."""
    from scripts import check_layers
    files = {
        "src/base/a.h": "#ifndef TARN_BASE_A_H\n#include \"store/b.h\"\n#endif\n",
        "src/base/a.c": "#include <stdio.h>\n#include \"base/c.h\"\n#include \"base/a.h\"\n",
        "src/base/c.h": "#ifndef WRONG_H\n#endif\n",
        "src/store/b.h": "#ifndef TARN_STORE_B_H\n#include \"base/a.h\"\n#include \"base/x_private.h\"\n#endif\n",
        "src/tools/t.c": "#include \"base/a.h\"\n#include \"store/b.h\"\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    findings, _ = check_layers.check(tmp_path)
    seen = {(str(path), line, text.split(";")[0].split(",")[0]) for path, line, text in findings}
    assert seen == {
        ("src/base/a.h", 2, "base/ lies below store/ and may not include from it"),
        ("src/base/a.c", 2, 'the first include is to be "base/a.h"'),
        ("src/base/c.h", 1, "the include guard is to be TARN_BASE_C_H"),
        ("src/store/b.h", 3, '"base/x_private.h" is for its own folder only'),
        ("src/tools/t.c", 2, "tools include only base"),
        ("src/base/a.h", 2, "headers in a circle: base/a.h -> store/b.h -> base/a.h"),
    }
