"""The bytes of a stream: messages, their metadata, and sums. docs/stream-format.md is the definition."""
from __future__ import annotations

import math
import typing

import msgpack
import numpy

from .crc32c import crc32c
from .errors import BadData

FORMAT = 2
MAX_MESSAGE = 256 << 20
MOST_META = 1 << 20
MOST_VALUES, MOST_CONTAINERS, DEEPEST = 1 << 19, 1 << 16, 15

DTYPES = {name: numpy.dtype(code) for name, code in (
    ("u8", "<u1"), ("i32", "<i4"), ("u64", "<u8"), ("f32", "<f4"), ("f16", "<f2"), ("u16", "<u2"))}
KEYS = {"header": 3, "batch": 4, "trailer": 3}  # keys of each kind of message


# ---- metadata ----------------------------------------------------------------------------------------------------------


def _check_value(value: typing.Any, depth: int, most: int) -> int:
    """Checks whether metadata may hold this. Returns the number of its values."""
    if isinstance(value, (dict, list)):
        if depth > DEEPEST:
            raise BadData(f"containers are nested more than {DEEPEST} deep")
        inner = value.values() if isinstance(value, dict) else value
        return 1 + (len(value) if isinstance(value, dict) else 0) + sum(_check_value(item, depth + 1, most) for item in inner)
    good = value is None or isinstance(value, (bool, str)) or (isinstance(value, float) and math.isfinite(value))
    if not good and not (type(value) is int and value <= most):
        raise BadData("a value that JSON does not have, or a number that is not finite or too large")
    return 1


class _Containers:
    """Counts maps and lists while they come, so that a few bytes cannot become many objects."""

    def __init__(self) -> None:
        self.count = 0

    def list(self, items: list) -> list:
        self.count += 1
        if self.count > MOST_CONTAINERS:
            raise BadData("too many maps and arrays")
        return items

    def map(self, pairs: list) -> dict:
        made = dict(self.list(pairs))
        if len(made) != len(pairs) or not all(isinstance(key, str) and "\0" not in key for key in made):
            raise BadData("a key is not a text, or comes twice")
        return made


def unpack_meta(data: bytes, most: int = 2**63 - 1) -> dict:
    """The one map in a message's metadata, checked as the format says. most: the largest integer. Raises BadData."""
    containers = _Containers()
    try:
        meta = msgpack.unpackb(data, object_pairs_hook=containers.map, list_hook=containers.list, max_array_len=MOST_VALUES,
                               max_map_len=MOST_VALUES)
    except BadData:
        raise
    except (ValueError, TypeError, OverflowError, RecursionError, msgpack.UnpackException) as error:
        raise BadData(f"not one map of values that JSON has ({error})") from None
    if not isinstance(meta, dict):
        raise BadData("not a map")
    if _check_value(meta, 1, most) > MOST_VALUES:
        raise BadData("too many values")
    return meta


def take_count(meta: dict, key: str, least: int = 0, most: int = 2**63 - 1) -> int:
    """An integer that metadata must have. Raises BadData."""
    value = meta.get(key)
    if type(value) is not int or not least <= value <= most:
        raise BadData(f"'{key}' is {'missing' if value is None else repr(value)[:80]}, and not a whole number from {least}")
    return value


# ---- messages ----------------------------------------------------------------------------------------------------------


def _bin_head(size: int) -> bytes:
    if size < 1 << 8:
        return b"\xc4" + size.to_bytes(1, "big")
    return b"\xc5" + size.to_bytes(2, "big") if size < 1 << 16 else b"\xc6" + size.to_bytes(4, "big")


def pack_message(kind: str, meta: dict, data: typing.Sequence | None = None) -> tuple[list, int]:
    """A message as parts that are written one after the other, and the checksum of its metadata.

    data: in a batch the tensors' bytes, in the header's order; each is a part and is not copied.
    """
    packed = msgpack.packb(meta, default=lambda value: value.tolist())  # numpy's numbers and arrays
    if len(packed) > MOST_META:
        raise BadData(f"a {kind}'s metadata would take {len(packed)} bytes; {MOST_META} are allowed")
    crc = crc32c(packed)
    head = msgpack.packb({"kind": kind, "meta": packed, "crc": crc})
    if data is None:
        return [head], crc
    head = b"\x84" + head[1:] + b"\xa4data" + msgpack.Packer().pack_array_header(len(data))
    parts: list = []
    for part in data:
        parts += [head + _bin_head(len(part)), part]
        head = b""
    return parts or [head], crc


# ---- sums --------------------------------------------------------------------------------------------------------------


def sample_hashes(epoch: int, ids: numpy.ndarray) -> int:
    """The sum of the sample hashes of some ids (u64), modulo 2^64, because numpy's integers wrap."""
    value = ids * numpy.uint64(0x9E3779B97F4A7C15) + numpy.uint64(epoch)
    for _ in range(2):
        value = (value ^ value >> numpy.uint64(32)) * numpy.uint64(0xD6E8FEB86659FD93)
    return int((value ^ value >> numpy.uint64(32)).sum(dtype="u8"))


class Sums:
    """The contents of a trailer, counted batch by batch."""

    def __init__(self) -> None:
        self.batches = self.samples = self.batch_checksum = self.sample_checksum = 0

    def add(self, crc: int, n: int, hashes: int) -> None:
        """Counts a batch: the checksum of its metadata, its samples, and the sum of their hashes."""
        self.batches += 1
        self.samples += n
        self.batch_checksum = (self.batch_checksum + crc) % 2**64
        self.sample_checksum = (self.sample_checksum + hashes) % 2**64

    def to_meta(self) -> dict:
        """The four keys of a trailer."""
        return dict(vars(self))

    def check(self, said: dict) -> None:
        """Compares with a trailer's metadata. Raises BadData."""
        for key in vars(self):
            take_count(said, key, most=2**64 - 1)
        if (said["batches"], said["samples"]) != (self.batches, self.samples):
            raise BadData(f"the trailer tells of {said['batches']} batches and {said['samples']} samples, but "
                          f"{self.batches} and {self.samples} came")
        if any(said[key] != value for key, value in vars(self).items()):
            raise BadData("the trailer's checksums do not fit what came")
