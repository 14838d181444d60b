"""Writes and reads safetensors files by hand, for tests: a length, a header in JSON, the tensors' bytes."""
import json

import numpy

DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


def to_bytes(array, dtype):
    """An array in a dtype of the format."""
    if dtype == "BF16":
        return (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return array.astype(DTYPES[dtype]).tobytes()


def write(path, tensors, dtype="F32", **metadata):
    """Writes named arrays, in this order, and metadata with a text for each key."""
    header, parts, at = {"__metadata__": metadata} if metadata else {}, [], 0
    for name, array in tensors.items():
        part = to_bytes(array, dtype)
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(part)]}
        parts.append(part)
        at += len(part)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(parts))


def read(path):
    """The arrays of a file in F32, by their names."""
    with open(path, "rb") as file:
        data = file.read()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    header.pop("__metadata__", None)
    return {name: numpy.frombuffer(data, "<f4", (tensor["data_offsets"][1] - tensor["data_offsets"][0]) // 4,
                                   begin + tensor["data_offsets"][0]).reshape(tensor["shape"]) for name, tensor in header.items()}
