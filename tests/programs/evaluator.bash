# What the tests of evaluator share; `load evaluator` brings it in.
# shellcheck shell=bash

# make_stream FILE PYTHON: writes a stream of two batches; PYTHON sets columns (name to array), and may set more (name to
# what else its entry in the header says), header (more of its keys) and batches (slices). y is i32 and id u64; other tensors are f32, but arrays of
# numpy's types u8 and f32 are as they are.
make_stream() {
    PYTHONPATH=tests/python /usr/bin/python3 -B - "$1" <<END
import sys
import numpy as np
from pipestill_stream import stream
nan, more, header, batches = np.nan, {}, {}, None
$2
def dtype(name, column):
    typed = {"uint8": "u8", "float32": "f32"}.get(str(getattr(column, "dtype", "")))
    return typed or {"y": "i32", "id": "u64"}.get(name, "f32")
specs = [dict(name=n, dtype=dtype(n, c), shape=list(np.shape(c)[1:])) | more.get(n, {}) for n, c in columns.items()]
half = len(next(iter(columns.values()))) // 2
parts = [slice(0, half), slice(half, None)] if batches is None else batches
open(sys.argv[1], "wb").write(stream(specs, [{n: c[p] for n, c in columns.items()} for p in parts], **header))
END
}
