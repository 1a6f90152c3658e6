"""DUMP payloads made by hand: what old and new servers write, and what nobody should.

Written from the published RDB format, apart from the server's code, so that the two check each other.
"""
import struct

RDB_VERSION = 10

_TABLE = []
for _byte in range(256):
    for _ in range(8):
        _byte = _byte >> 1 ^ (0x95AC9329AC4BC9B5 if _byte & 1 else 0)
    _TABLE.append(_byte)


def crc64(data):
    crc = 0
    for byte in data:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc


def payload(kind, body, version=RDB_VERSION):
    data = bytes([kind]) + body + struct.pack("<H", version)
    return data + struct.pack("<Q", crc64(data))


def length(n):
    if n < 1 << 6:
        return bytes([n])
    if n < 1 << 14:
        return struct.pack(">H", n | 0x4000)
    return b"\x80" + struct.pack(">I", n) if n < 1 << 32 else b"\x81" + struct.pack(">Q", n)


def string(data):
    return length(len(data)) + data


def strings(*items):
    return b"".join(string(item) for item in items)


def old_double(text):
    special = {b"nan": b"\xfd", b"inf": b"\xfe", b"-inf": b"\xff"}
    return special.get(text) or bytes([len(text)]) + text


def double(value):
    return struct.pack("<d", value)


def ms(value):
    return struct.pack("<q", value)


def intset(width, *numbers):
    return struct.pack("<II", width, len(numbers)) + b"".join(n.to_bytes(width, "little", signed=True) for n in numbers)


def _back(size):
    """The length behind a listpack entry."""
    out = [size & 0x7F]
    while size > 0x7F:
        size >>= 7
        out.insert(0, size & 0x7F)
    return bytes(byte | (0x80 if i else 0) for i, byte in enumerate(out))


class raw(bytes):
    """Of a listpack: an entry without the length behind it, in whatever form."""


def _pack_entry(item):
    if isinstance(item, raw):
        data = bytes(item)
    elif isinstance(item, int):
        if 0 <= item < 128:
            data = bytes([item])
        elif -4096 <= item < 4096:
            data = struct.pack(">H", 0xC000 | item & 0x1FFF)
        else:
            data = b"\xf4" + struct.pack("<q", item)
    elif len(item) < 64:
        data = bytes([0x80 | len(item)]) + item
    elif len(item) < 4096:
        data = struct.pack(">H", 0xE000 | len(item)) + item
    else:
        data = b"\xf0" + struct.pack("<I", len(item)) + item
    return data + _back(len(data))


def listpack(*items, count=None):
    body = b"".join(map(_pack_entry, items))
    return struct.pack("<IH", len(body) + 7, len(items) if count is None else count) + body + b"\xff"


def stream_node(flags):
    """A stream with the entry 5-0 f v, and no groups. `flags`: what stands for the entry's flags, 2."""
    node = listpack(1, 0, 1, b"f", 0, flags, 0, 0, b"v", 4)
    last_id = length(5) + length(0)
    return length(1) + string(struct.pack(">QQ", 5, 0)) + string(node) + length(1) + last_id * 2 + length(0) * 2 + length(1) + length(0)


def _ziplist_data(item):
    if isinstance(item, int):
        for first, size in ((0xFE, 1), (0xC0, 2), (0xF0, 3), (0xD0, 4), (0xE0, 8)):
            if 0 <= item <= 12:
                return bytes([0xF1 + item])
            if -1 << (8 * size - 1) <= item < 1 << (8 * size - 1):
                return bytes([first]) + item.to_bytes(size, "little", signed=True)
    if len(item) < 64:
        return bytes([len(item)]) + item
    if len(item) < 1 << 14:
        return struct.pack(">H", 0x4000 | len(item)) + item
    return b"\x80" + struct.pack(">I", len(item)) + item


def ziplist(*items):
    body, before, last = b"", 0, 10
    for item in items:
        last = 10 + len(body)
        entry = (bytes([before]) if before < 254 else b"\xfe" + struct.pack("<I", before)) + _ziplist_data(item)
        body += entry
        before = len(entry)
    return struct.pack("<IIH", len(body) + 11, last, len(items)) + body + b"\xff"


def zipmap(*pairs):
    def size(n):
        return bytes([n]) if n < 254 else b"\xfe" + struct.pack("<I", n)
    body = b"".join(size(len(k)) + k + size(len(v)) + b"\0" + v for k, v in pairs)
    return bytes([len(pairs)]) + body + b"\xff"
