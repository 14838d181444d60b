"""Writes safetensors files by hand, for tests: a length, a header in JSON, the tensors' bytes."""
import json

DTYPES = {"F16": "<f2", "F32": "<f4", "F64": "<f8"}


def to_bytes(array, dtype):
    """An array in a dtype of the format."""
    if dtype == "BF16":
        return (array.astype("<f4").view("<u4") >> 16).astype("<u2").tobytes()
    return array.astype(DTYPES[dtype]).tobytes()


def write(path, tensors, dtype="F32", **metadata):
    """Writes named arrays, in this order, and metadata, a text for each key."""
    header, parts, at = {"__metadata__": metadata} if metadata else {}, [], 0
    for name, array in tensors.items():
        part = to_bytes(array, dtype)
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [at, at + len(part)]}
        parts.append(part)
        at += len(part)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(parts))
