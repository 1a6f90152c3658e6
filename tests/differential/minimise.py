"""The shortest list of commands that still shows a difference, by leaving pieces out (delta debugging)."""


def minimise(batch, differs, most_runs=400):
    """`differs(batch)` runs it and tells. Gives back a batch for which it still did."""
    runs, size = 0, max(len(batch) // 2, 1)
    while batch and runs < most_runs:
        at, shorter = 0, False
        while at < len(batch) and runs < most_runs:
            without = batch[:at] + batch[at + size:]
            runs += 1
            if without and differs(without):
                batch, shorter = without, True
            else:
                at += size
        if size == 1 and not shorter:
            break
        size = max(size // 2, 1)
    return batch
