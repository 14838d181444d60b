"""Headers: the tensors of a stream's batches, and all that holds for the whole stream."""
from __future__ import annotations

import copy
import dataclasses
import math
import secrets
import typing

import numpy

from . import lineage as lines
from .errors import BadData
from .format import DTYPES, FORMAT, take_count

COUNTS = ("classes", "samples", "epochs", "batches", "first")
NAMES = {dtype: name for name, dtype in DTYPES.items()}
NEAREST = {"f": "f32", "i": "i32", "u": "i32", "b": "u8"}  # for arrays of other types, by numpy's kind


@dataclasses.dataclass
class Tensor:
    """One tensor of a stream.

    name: unique in the stream. dtype: u8, u16, u64, i32, f16 or f32. shape: of one sample; () is one element a sample.
    scale, offset: an element e of a u8 tensor stands for scale · e + offset. temperature: of soft targets, the T that they
    were softened at; 0 if it does not apply. origin: what made it, 64 hexadecimal digits; None if that is not known.
    more: other keys of its description, kept as they are.
    """

    name: str
    dtype: str = "f32"
    shape: tuple[int, ...] = ()
    scale: float = 1
    offset: float = 0
    temperature: float = 0
    origin: str | None = None
    more: dict = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        self.shape = tuple(int(size) for size in self.shape)
        for key in ("scale", "offset", "temperature"):
            number = getattr(self, key)
            setattr(self, key, number if type(number) is int else float(number))
        if not isinstance(self.name, str) or not 1 <= len(self.name.encode(errors="replace")) <= 127 or "\0" in self.name:
            raise BadData(f"header: a tensor's 'name' is {self.name!r:.80}, and not a text of 1 to 127 bytes")
        if self.dtype not in DTYPES:
            raise BadData(f"header: tensor '{self.name}': 'dtype' is {self.dtype!r:.80}, and not one of {', '.join(DTYPES)}")
        if len(self.shape) > 7 or any(size < 1 for size in self.shape) or self.sample_bytes >= 2**62:
            raise BadData(f"header: tensor '{self.name}': 'shape' is {list(self.shape)!r:.80}, and not at most 7 sizes from 1")
        if not all(math.isfinite(number) for number in (self.scale, self.offset, self.temperature)) or self.temperature < 0:
            raise BadData(f"header: tensor '{self.name}': scale, offset or temperature is not a number that it may be")
        if self.name == "id" and (self.dtype, self.shape) != ("u64", ()):
            raise BadData(f"header: tensor 'id' must be one u64 a sample, and is {self.dtype} {list(self.shape)}")

    @property
    def sample_bytes(self) -> int:
        """Bytes of one sample."""
        return DTYPES[self.dtype].itemsize * math.prod(self.shape)

    @classmethod
    def like(cls, name: str, array: typing.Any, **more: typing.Any) -> Tensor:
        """The description of a tensor that is to hold arrays like this one, whose first dimension is the samples."""
        array = numpy.asarray(array)
        dtype = "u64" if name == "id" else NAMES.get(array.dtype) or NEAREST.get(array.dtype.kind)
        if dtype is None or array.ndim == 0:
            raise BadData(f"tensor '{name}': an array of {array.dtype} with {array.ndim} dimensions cannot be in a stream")
        return cls(name, dtype, array.shape[1:], **more)

    @classmethod
    def from_meta(cls, meta: typing.Any) -> Tensor:
        """A tensor from its description in a header. Raises BadData."""
        if not isinstance(meta, dict):
            raise BadData("header: a tensor's description is not a map")
        more = dict(meta)
        shape, numbers = more.pop("shape", None), [more.pop(key, 0) for key in ("scale", "offset", "temperature")]
        origin = more.pop("origin", None)
        name = more.pop("name", None)
        if not isinstance(shape, list) or any(type(size) is not int for size in shape):
            raise BadData(f"header: tensor {name!r:.80}: 'shape' is not a list of at most 7 sizes from 1")
        if not all(type(number) in (int, float) for number in numbers):
            raise BadData(f"header: tensor {name!r:.80}: scale, offset or temperature is not a number")
        if origin is not None and not (isinstance(origin, str) and lines.ORIGIN.fullmatch(origin)):
            raise BadData(f"header: tensor {name!r:.80}: 'origin' is not 64 hexadecimal digits")
        dtype = more.pop("dtype", None)
        if not isinstance(dtype, str):
            raise BadData(f"header: tensor {name!r:.80}: there is no 'dtype'")
        return cls(name, dtype, tuple(shape), numbers[0] or 1, numbers[1], numbers[2], origin, more)

    def to_meta(self) -> dict:
        """Its description as a header holds it."""
        meta = {"name": self.name, "dtype": self.dtype, "shape": list(self.shape)}
        usual = {"scale": 1, "offset": 0, "temperature": 0, "origin": None}
        meta |= {key: getattr(self, key) for key, value in usual.items() if getattr(self, key) != value}
        return meta | self.more


class Header:
    """What holds for a whole stream: tensors, counts, history, lineage, and keys for all later stages.

    tensors: a list of Tensor. classes, samples, epochs, batches, first: counts, 0 if unknown (samples of one epoch, batches of
    all; first: seq of the first batch). run: names the run of the source; drawn if it is not given. history: what the stream
    went through, for people. lineage: entries by origin. more: every other key, also those that are unknown to this version;
    all are handed on. `header["x"]` is the tensor of that name, and `"x" in header` says whether there is one.
    """

    def __init__(self, tensors: typing.Iterable[Tensor] = (), *, run: str | None = None, classes: int = 0, samples: int = 0,
                 epochs: int = 0, batches: int = 0, first: int = 0, history: list | None = None, lineage: dict | None = None,
                 **more: typing.Any) -> None:
        self.tensors: list[Tensor] = []
        self.run = secrets.token_hex(16) if run is None else run
        self.classes, self.samples, self.epochs, self.batches, self.first = classes, samples, epochs, batches, first
        self.history, self.lineage, self.more = history or [], lineage or {}, more
        self.encoding: str | None = None  # of the stream that it came with; writers write plain ones
        for tensor in tensors:
            self._append(tensor)

    # ---- looking ----

    def __contains__(self, name: str) -> bool:
        return any(tensor.name == name for tensor in self.tensors)

    def __getitem__(self, name: str) -> Tensor:
        for tensor in self.tensors:
            if tensor.name == name:
                return tensor
        raise BadData(f"the stream has no tensor '{name}'; it has: {', '.join(tensor.name for tensor in self.tensors)}")

    @property
    def class_names(self) -> list[str] | None:
        """The names of the classes, in their order; None if they are not known."""
        return self.more.get("class_names")

    @property
    def class_counts(self) -> list[int] | None:
        """How many samples there are of each class; None if that is not known."""
        return self.more.get("class_counts")

    @property
    def inputs(self) -> dict | None:
        """What the elements of x are: `mean`, `deviation`, `columns`; None if that is not known."""
        return self.more.get("inputs")

    @property
    def output_names(self) -> list[str] | None:
        """The names of the outputs that are predicted; None if they are not known."""
        return self.more.get("output_names")

    # ---- changing ----

    def copy(self) -> Header:
        """A separate header with all that this one has. A stage hands on a changed copy."""
        return copy.deepcopy(self)

    def _append(self, tensor: Tensor) -> None:
        if tensor.name in self:
            raise BadData(f"tensor '{tensor.name}' is in the stream already; choose another name")
        if len(self.tensors) == 4096:
            raise BadData("more than 4096 tensors in a stream")
        self.tensors.append(tensor)

    def entry(self, stage: str, makes: str, made_from: typing.Iterable[str] = (), **settings: typing.Any) -> dict | None:
        """An entry of the lineage: what `stage` made, from which tensors of this header, with which settings.

        settings: everything that decides what the tensor holds, such as model="SHA-256 of the file". Returns None if the
        origin of a tensor that it was made from is not known: then that of the new one is not known either.
        """
        origins = [self[name].origin for name in made_from]
        if None in origins:
            return None
        return {"stage": stage, "makes": makes, **lines.entry_texts(settings), **({"from": origins} if origins else {})}

    def _enter(self, tensor: Tensor, entry: dict | None) -> Tensor:
        """The tensor with the origin that this entry gives it; without one if there is no entry."""
        if entry is None:
            return dataclasses.replace(tensor, origin=None)
        if tensor.temperature != 0:
            entry = {**entry, "temperature": lines.number_text(tensor.temperature)}
        origin = lines.origin_of(entry)
        self.lineage[origin] = entry
        return dataclasses.replace(tensor, origin=origin)

    def add(self, tensor: Tensor, entry: dict | None = None) -> None:
        """Adds a tensor at the end. entry: what made it, as entry() returns it; None: not known, so it gets no origin."""
        self._append(self._enter(tensor, entry))

    def replace(self, name: str, tensor: Tensor, entry: dict | None = None) -> None:
        """Puts another tensor in the place of `name`. It may have the same name; then each batch must have new values for it."""
        place = self.tensors.index(self[name])
        if tensor.name != name and tensor.name in self:
            raise BadData(f"tensor '{tensor.name}' is in the stream already; choose another name")
        self.tensors[place] = self._enter(tensor, entry)

    def drop(self, name: str) -> None:
        """Leaves a tensor out."""
        self.tensors.remove(self[name])

    def add_history(self, stage: str, effect: str | None, version: str = "1", **details: typing.Any) -> None:
        """Appends an entry to the history. effect: "adds", "selects" or "reorders"; None for a source."""
        self.history.append({"stage": stage, "version": version, **({"effect": effect} if effect else {}), **details})

    # ---- as metadata ----

    def to_meta(self) -> dict:
        """The metadata of a header's message."""
        meta = {"format": FORMAT, "run": self.run, "tensors": [tensor.to_meta() for tensor in self.tensors],
                "history": self.history}
        if self.lineage:
            meta["lineage"] = self.lineage
        return meta | {key: getattr(self, key) for key in COUNTS if getattr(self, key)} | self.more

    @classmethod
    def from_meta(cls, meta: dict) -> Header:
        """A header from its metadata, checked as the format says. Raises BadData."""
        more = dict(meta)
        version, run, tensors = (more.pop(key, None) for key in ("format", "run", "tensors"))
        if type(version) is not int or version < 1:
            raise BadData("header: there is no format version")
        if version > FORMAT:
            raise BadData(f"header: format version {version} is newer than this package's {FORMAT}; use a newer pipestill")
        if not isinstance(run, str) or not 1 <= len(run.encode()) <= 32 or "\0" in run:
            raise BadData(f"header: 'run' is {run!r:.80}, and not a text of 1 to 32 bytes")
        counts = {}
        for key in COUNTS:
            more.setdefault(key, 0)
            counts[key] = take_count(more, key, most=2**53)
            del more[key]
        history, lineage, encoding = more.pop("history", None), more.pop("lineage", {}), more.pop("encoding", None)
        if not isinstance(history, list) or not isinstance(tensors, list):
            raise BadData("header: there is no list of tensors, or none of history")
        lines.check_lineage(lineage)
        if encoding not in (None, "zstd"):
            raise BadData(f"header: encoding {encoding!r:.80} of tensors is not known; use a newer pipestill")
        header = cls(run=run, history=history, lineage=lineage, **counts)
        header.more, header.encoding = more, encoding
        for tensor in map(Tensor.from_meta, tensors):
            header._append(tensor)
            header._check_temperature(tensor)
        return header

    def _check_temperature(self, tensor: Tensor) -> None:
        """Refuses a tensor whose temperature differs from that of its origin's entry."""
        said = self.lineage.get(tensor.origin, {}).get("temperature")
        try:
            differs = tensor.temperature != 0 and isinstance(said, str) and float(said) != tensor.temperature
        except ValueError:
            return
        if differs:
            raise BadData(f"header: tensor '{tensor.name}' says that it is at temperature {tensor.temperature:g}, but its "
                          "lineage says another one")
