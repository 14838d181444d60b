#!/usr/bin/python3
"""Prints a stream as one line of JSON for the header and one for each batch; ends with 65 where it is not whole.

read_stream.py [FIELD…] <STREAM    fields of a batch: seq epoch n x y id digest (of x), or any tensor; all but x without any
"""
import hashlib
import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "python"))
import pst  # noqa: E402 (its place is known only now)

fields = sys.argv[1:] or ["seq", "epoch", "n", "y", "id", "digest"]
header, ended = None, False
for kind, meta, parts in pst.messages(sys.stdin.buffer.read()):
    if kind == "header":
        header = meta
        print(json.dumps(header, sort_keys=True))
    elif kind == "batch":
        batch = dict(meta)
        for name, array in pst.arrays(header, meta, parts):
            if name == "x" and "digest" in fields:
                batch["digest"] = [hashlib.sha256(sample.tobytes()).hexdigest()[:16] for sample in array]
            if name in fields:
                batch[name] = array.tolist()
        print(json.dumps({field: batch.get(field) for field in fields}))
    else:
        ended = True
sys.exit(0 if ended else 65)
