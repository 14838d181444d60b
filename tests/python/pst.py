#!/usr/bin/python3
"""Whole streams as lists of batches, and their changes, by the package and without most of its checks.

As a program: pst.py EDIT <STREAM >STREAM runs the Python statements EDIT once for each batch. They see `batch`, a dict
from names to arrays with "seq" and "epoch"; `header`, a dict; `spec`, a function from a name to its entry in the header;
`add(name, array, **more)` and `drop(name)`, which change both; and numpy as `np`.
"""
import sys

import msgpack
import numpy

from pipestill_stream import DTYPES, crc32c, stream

from pipestill.format import unpack_meta
from pipestill.header import Tensor


class Damaged(Exception):
    """The bytes are not a whole stream."""


def _messages(data):
    """The messages of a stream, unchecked, each with the offset of its end."""
    unpacker = msgpack.Unpacker(max_buffer_size=max(1, len(data)))
    unpacker.feed(data)
    for message in unpacker:
        yield message, unpacker.tell()


def messages(data):
    """The messages of a stream: kind, metadata, and in a batch the tensors' bytes; checksums are checked."""
    for message, _ in _messages(data):
        if crc32c(message["meta"]) != message["crc"]:
            raise Damaged(f"checksum of a {message['kind']}")
        yield message["kind"], unpack_meta(message["meta"], 2**64 - 1), message.get("data")


def message_ends(data):
    """Where each message of a stream ends, in bytes."""
    return [end for _, end in _messages(data)]


def arrays(header, meta, parts):
    """The tensors of a batch: pairs of a name and an array."""
    for spec, part in zip(header["tensors"], parts, strict=True):
        yield spec["name"], numpy.frombuffer(part, DTYPES[spec["dtype"]]).reshape([meta["n"], *spec["shape"]])


def read(data):
    """A whole stream: its header, and a list of batches, dicts from a tensor's name to an array, with seq and epoch."""
    header, batches, whole = None, [], False
    for kind, meta, parts in messages(data):
        if kind == "header":
            header = meta
        elif kind == "batch":
            batch = {"seq": meta["seq"], "epoch": meta["epoch"]}
            batch |= {name: array.copy() for name, array in arrays(header, meta, parts)}
            batches.append(batch)
        else:
            whole = meta["batches"] == len(batches)
    if not whole:
        raise Damaged("there is no trailer")
    return header, batches


def column(batches, name):
    """One tensor of all batches."""
    return numpy.concatenate([batch[name] for batch in batches])


def write(header, batches):
    """The bytes of a stream with this header; all that depends on the batches is computed again."""
    rest = {key: value for key, value in header.items() if key not in ("format", "tensors")}
    return stream(header["tensors"], batches, **rest)


def change(data, edit):
    """Runs statements for each batch of a stream, as said above."""
    header, batches = read(data)
    code = compile(edit, "EDIT", "exec")

    def spec(name):
        return next(tensor for tensor in header["tensors"] if tensor["name"] == name)

    for batch in batches:
        def add(name, array, batch=batch, **more):
            array = numpy.asarray(array)
            if all(tensor["name"] != name for tensor in header["tensors"]):
                header["tensors"].append(Tensor.like(name, array).to_meta() | more)
            batch[name] = array

        def drop(name, batch=batch):
            header["tensors"] = [tensor for tensor in header["tensors"] if tensor["name"] != name]
            batch.pop(name)

        exec(code, {"np": numpy, "header": header, "batch": batch, "spec": spec, "add": add, "drop": drop})
    return write(header, batches)


if __name__ == "__main__":
    sys.stdout.buffer.write(change(sys.stdin.buffer.read(), sys.argv[1]))
