#!/usr/bin/python3
"""Prints a stream as one line of JSON for the header and one for each batch, with plain msgpack and numpy.

read_stream.py [FIELD…] <STREAM    fields of a batch: seq epoch n x y id digest (of x); all but x without any
"""
import hashlib
import json
import sys

import msgpack
import numpy

DTYPES = {"u8": "<u1", "i32": "<i4", "u64": "<u8", "f32": "<f4", "f16": "<f2", "u16": "<u2"}
fields = sys.argv[1:] or ["seq", "epoch", "n", "y", "id", "digest"]
tensors = None
ended = False
for message in msgpack.Unpacker(sys.stdin.buffer, max_buffer_size=1 << 30):
    meta = msgpack.unpackb(message["meta"])
    if message["kind"] == "header":
        tensors = meta["tensors"]
        print(json.dumps(meta, sort_keys=True))
    elif message["kind"] == "batch":
        batch = dict(meta, n=meta["n"])
        for tensor, data in zip(tensors, message["data"]):
            array = numpy.frombuffer(data, DTYPES[tensor["dtype"]]).reshape([meta["n"]] + tensor["shape"])
            if tensor["name"] == "x":
                batch["digest"] = [hashlib.sha256(sample.tobytes()).hexdigest()[:16] for sample in array]
            batch[tensor["name"]] = array.tolist() if tensor["name"] in fields else None
        print(json.dumps({field: batch.get(field) for field in fields}))
    else:
        ended = True
sys.exit(0 if ended else 65)
