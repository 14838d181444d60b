#!/usr/bin/python3
"""Prints a stream as one line of JSON for the header and one for each batch; ends with 65 if it is not whole.

read_stream.py [FIELD…] <STREAM    fields of a batch: seq epoch n x y id digest (of x), or any tensor; all but x without any
"""
import hashlib
import json
import pathlib
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "python"))
import pipestill  # noqa: E402 (its place is known only now)


def field(batch, name):
    """What is printed of a batch under this name; None if it has no such tensor."""
    if name in ("seq", "epoch", "n"):
        return getattr(batch, name)
    if name == "digest":
        return [hashlib.sha256(sample.tobytes()).hexdigest()[:16] for sample in batch["x"]] if "x" in batch else None
    return batch[name].tolist() if name in batch else None


def main():
    fields = sys.argv[1:] or ["seq", "epoch", "n", "y", "id", "digest"]
    with pipestill.read("-") as reader:
        print(json.dumps(reader.header.to_meta(), sort_keys=True))
        for batch in reader:
            print(json.dumps({name: field(batch, name) for name in fields}))


sys.exit(pipestill.run(main))
