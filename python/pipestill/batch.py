"""A batch: some samples, as arrays by the names of their tensors."""
from __future__ import annotations

import collections.abc
import typing

import numpy

from .crc32c import crc32c
from .errors import BadData
from .format import DTYPES
from .header import Header, Tensor


def as_array(value: typing.Any) -> numpy.ndarray:
    """An array of what a user gives: arrays, lists, and PyTorch's tensors on any device."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().numpy()
    return numpy.asarray(value)


def fit_array(tensor: Tensor, value: typing.Any, n: int | None = None) -> numpy.ndarray:
    """A value as an array in one piece that the tensor can hold. n: samples that it must have. Raises BadData."""
    array, target = as_array(value), DTYPES[tensor.dtype]
    if array.shape[1:] != tensor.shape or array.ndim == 0 or (n is not None and len(array) != n):
        raise BadData(f"tensor '{tensor.name}' has the shape {list(array.shape)}; it must be "
                      f"{['samples' if n is None else n, *tensor.shape]}")
    if array.dtype == target:
        return numpy.ascontiguousarray(array)
    if target.kind == "f":
        good = array.dtype.kind in "fiub"
    else:
        limits = numpy.iinfo(target)
        good = array.dtype.kind == "b" or (array.dtype.kind in "iu" and array.size > 0
                                           and limits.min <= int(array.min()) and int(array.max()) <= limits.max)
    if not good:
        raise BadData(f"tensor '{tensor.name}': numbers of {array.dtype} do not fit into {tensor.dtype}")
    return numpy.ascontiguousarray(array, dtype=target)


class Batch(collections.abc.MutableMapping):
    """Some samples. `batch["x"]` is an array whose first dimension is the samples; `batch.seq`, `batch.epoch` and `batch.n` are
    the batch's number, its epoch, and its number of samples.

    Arrays that came from a stream are read-only, because they are handed on with the checksums that came with them. To change a
    tensor, assign another array (`batch["x"] = 255 - batch["x"]`), and say in the header what made it.
    """

    def __init__(self, header: Header, seq: int, epoch: int, n: int) -> None:
        self.header, self.seq, self.epoch, self.n = header, seq, epoch, n
        self._parts: dict[str, tuple[numpy.ndarray, int]] = {}  # bytes as they came, and their checksums
        self._arrays: dict[str, typing.Any] = {}
        self.hashes: int | None = None  # the sum of the sample hashes, if it is known

    # ---- as a mapping ----

    def __getitem__(self, name: str) -> numpy.ndarray:
        if name not in self._arrays:
            if name not in self._parts:
                raise KeyError(name)
            tensor = self.header[name]
            self._arrays[name] = self._parts[name][0].view(DTYPES[tensor.dtype]).reshape(self.n, *tensor.shape)
        return self._arrays[name]

    def __setitem__(self, name: str, value: typing.Any) -> None:
        self._arrays[name] = value
        self._parts.pop(name, None)
        self.hashes = None if name == "id" else self.hashes

    def __delitem__(self, name: str) -> None:
        self[name]
        del self._arrays[name]
        self._parts.pop(name, None)

    def __iter__(self) -> typing.Iterator[str]:
        return iter(self._parts.keys() | self._arrays.keys())

    def __len__(self) -> int:
        return len(self._parts.keys() | self._arrays.keys())

    def __repr__(self) -> str:
        return f"<Batch {self.seq} of epoch {self.epoch}, {self.n} samples: {', '.join(sorted(self))}>"

    # ---- more than arrays ----

    def numbers(self, name: str) -> numpy.ndarray:
        """A tensor as the float32 numbers that its elements stand for by scale and offset, in a new array."""
        tensor, array = self.header[name], self[name]
        if tensor.dtype == "u8":
            if abs(tensor.scale) * 255 + abs(tensor.offset) > numpy.finfo("f4").max:
                raise BadData(f"tensor '{name}': scale {tensor.scale:g} and offset {tensor.offset:g} lead beyond f32")
            return numpy.float32(tensor.scale) * array.astype("f4") + numpy.float32(tensor.offset)
        if tensor.dtype not in ("f16", "f32"):
            raise BadData(f"tensor '{name}' is {tensor.dtype}; u8, f16 or f32 is needed")
        numbers = array.astype("f4")
        if not numpy.isfinite(numbers).all():
            sample = int(numpy.argmin(numpy.isfinite(numbers.reshape(self.n, -1)).all(axis=1)))
            raise BadData(f"tensor '{name}', sample {sample} of the batch: a number is NaN or infinite")
        return numbers

    def inputs(self, name: str = "x") -> numpy.ndarray:
        """What a network learns from: numbers(), and bytes standardised with the mean and deviation of the header."""
        numbers, said = self.numbers(name), self.header.inputs or {}
        if self.header[name].dtype != "u8" or "mean" not in said:
            return numbers
        mean, deviation = (numpy.array(said[key], "f8") for key in ("mean", "deviation"))
        rows = numbers.reshape(self.n, len(mean), -1)
        return ((rows - mean[:, None]) / deviation[:, None]).astype("f4").reshape(numbers.shape)

    def take(self, rows: typing.Any) -> Batch:
        """A batch of some of the samples. rows: any index for an array's first dimension, such as a mask."""
        ids = numpy.arange(self.n)[rows]
        taken = Batch(self.header, self.seq, self.epoch, len(ids))
        for name in self:
            array = numpy.ascontiguousarray(as_array(self[name])[ids])
            if name in self._parts:
                data = array.reshape(-1).view("u1")
                taken.put_part(name, data, crc32c(data))
            else:
                taken[name] = array
        return taken

    def part(self, name: str) -> tuple[numpy.ndarray, int] | None:
        """A tensor's bytes as they came, and the checksum that came with them; None if it was changed or added."""
        return self._parts.get(name)

    def put_part(self, name: str, data: numpy.ndarray, crc: int) -> None:
        """Keeps a tensor's bytes with their checksum, which was checked."""
        data.flags.writeable = False
        self._parts[name] = data, crc
