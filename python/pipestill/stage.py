"""Stages of Python functions: filters, teachers, sources and sinks."""
from __future__ import annotations

import argparse
import inspect
import math
import os
import sys
import typing

import numpy

from . import frame, lineage
from .batch import Batch, as_array
from .errors import BadData, Usage
from .header import Header, Tensor

TOLERANCE = 1e-3  # by how much the sum of probabilities may differ from 1


class Stage:
    """A function that is a stage: call it as before, or call `main()` to run it between standard input and output."""

    reads = writes = True

    def __init__(self, function: typing.Callable, stage: str, digest: str | None = None, files: typing.Any = None,
                 **history: typing.Any) -> None:
        """digest, files: what decides the stage's answers, as a text or as names of files; one of them, or neither."""
        if digest is not None and files is not None:
            raise Usage("a digest and files both say what the stage works with; give one of them")
        self.function, self.stage, self.digest, self.files = function, stage, digest, files
        self.history = {key: value for key, value in history.items() if value is not None}
        self.__doc__, self.__name__ = function.__doc__, getattr(function, "__name__", stage)
        if self.writes and frame.is_program(function):
            frame.guard_stdout()

    def __call__(self, *arguments: typing.Any, **named: typing.Any) -> typing.Any:
        return self.function(*arguments, **named)

    def parser(self) -> frame.Parser:
        """The options of this stage, to which a program may add its own before it calls run()."""
        return frame.Parser(inspect.getdoc(self.function) or f"A stage of the kind {self.stage}.", self.reads, self.writes,
                            formatter_class=argparse.RawDescriptionHelpFormatter)

    def run(self, args: argparse.Namespace) -> None:
        """Runs the stage with parsed options. Raises Error; frame.run() makes exit codes of errors."""
        raise NotImplementedError

    def identify(self, key: str) -> None:
        """Sets the digest by the files, and notes it in the history under this key. Raises OSError."""
        if self.files is not None:
            files = [self.files] if isinstance(self.files, (str, os.PathLike)) else list(self.files)
            digests = [lineage.file_digest(file) for file in files]
            self.digest = digests[0] if len(digests) == 1 else digests
        if self.digest is not None:
            self.history[key] = self.digest

    def main(self, argv: list[str] | None = None) -> typing.NoReturn:
        """Parses the command line, runs the stage, and ends the program with the exit code of its kind of error."""
        sys.exit(frame.run(lambda: self.run(self.parser().parse_args(argv))))


# ---- filters -----------------------------------------------------------------------------------------------------------


class Filter(Stage):
    """See filter()."""

    def __init__(self, function: typing.Callable, stage: str, effect: str, header: typing.Callable | None,
                 **more: typing.Any) -> None:
        super().__init__(function, stage, **more)
        self.effect, self.header = effect, header

    def declare(self, header: Header) -> None:
        """Changes the header that goes out."""
        if self.effect == "selects":
            header.more.pop("class_counts", None)
            header.samples = header.batches = 0
        if self.header is not None:
            with frame.calling("header"):
                self.header(header)

    def answer(self, batch: Batch) -> Batch:
        """The outgoing batch for an incoming one."""
        answer = self.function(batch)
        if isinstance(answer, Batch):
            return answer
        batch.update(answer or {})
        return batch

    def _answer(self, batch: Batch) -> Batch:
        try:
            with frame.calling(f"batch {batch.seq}"):
                return self.answer(batch)
        except BadData as error:
            raise BadData(f"batch {batch.seq}: {error}") from None

    def run(self, args: argparse.Namespace) -> None:
        frame.guard_stdout()
        with frame.open_reader(args) as reader:
            header = reader.header.copy()
            self.declare(header)
            header.add_history(self.stage, self.effect, **self.history)
            with frame.open_writer(args, header) as writer:
                for batch in reader:
                    answer = self._answer(batch)
                    if answer.n > 0:
                        writer.write(answer)


def filter(*, stage: str = "python-filter", effect: str = "adds", header: typing.Callable[[Header], None] | None = None
           ) -> typing.Callable[[typing.Callable], Filter]:
    """A decorator that makes a filter of a function from a Batch to its changes.

    The function returns None (the batch is handed on unchanged), a mapping from names to arrays (tensors that are added or
    changed), or a Batch, such as batch.take(rows). header: a function that declares this in the outgoing header by header.add(),
    .replace() and .drop(). effect: "adds", "selects" (leaves samples out) or "reorders". stage: the program's name in the history.
    """
    return lambda function: Filter(function, stage, effect, header)


# ---- teachers ----------------------------------------------------------------------------------------------------------


class Teacher(Filter):
    """See teacher()."""

    def __init__(self, function: typing.Callable, classes: int, name: str, stage: str, digest: str | None, model: typing.Any,
                 probabilities: bool, temperature: float, raw: bool, shape: tuple[int, ...] | None, inputs: str,
                 settings: dict) -> None:
        super().__init__(function, stage, "adds", None, digest=digest, files=model, name=name, **settings)
        self.classes, self.name, self.settings = classes, name, settings
        self.probabilities, self.temperature, self.raw, self.shape, self.inputs = probabilities, temperature, raw, shape, inputs

    @property
    def tensor(self) -> str:
        """The name of the tensor that it adds."""
        return f"{'soft' if self.probabilities else 'logits'}/{self.name}"

    def parser(self) -> frame.Parser:
        parser = super().parser()
        parser.add_argument("-n", "--name", default=self.name, help=f"add the tensor {self.tensor.split('/')[0]}/NAME ({self.name})")
        return parser

    def run(self, args: argparse.Namespace) -> None:
        self.name = self.history["name"] = getattr(args, "name", self.name)
        self.identify("model")
        super().run(args)

    def declare(self, header: Header) -> None:
        x = header[self.inputs]
        if not self.raw and x.dtype not in ("u8", "f16", "f32"):
            raise BadData(f"tensor '{x.name}' is {x.dtype}; u8, f16 or f32 is needed")
        if self.shape is not None and math.prod(self.shape) != math.prod(x.shape):
            raise BadData(f"a sample of '{x.name}' has the shape {list(x.shape)}, and this teacher takes {list(self.shape)}")
        if header.classes not in (0, self.classes):
            raise BadData(f"the stream has {header.classes} classes, and this teacher gives {self.classes} outputs")
        entry = None
        if self.digest is not None:
            entry = header.entry(self.stage, self.tensor.split("/")[0], [x.name], model=self.digest, **self.settings)
        header.add(Tensor(self.tensor, "f32", (self.classes,), temperature=self.temperature if self.probabilities else 0), entry)

    def answer(self, batch: Batch) -> Batch:
        x = batch[self.inputs] if self.raw else batch.numbers(self.inputs)
        rows = as_array(self.function(x if self.shape is None else x.reshape(batch.n, *self.shape)))
        if rows.shape != (batch.n, self.classes) or rows.dtype.kind not in "fiu":
            raise BadData(f"the teacher's answer is {rows.dtype} {list(rows.shape)}; it must be numbers "
                          f"[{batch.n}, {self.classes}], a row for each sample")
        with numpy.errstate(over="ignore"):
            rows = rows.astype("f4", copy=False)  # numbers too large for float32 become infinite, and are refused
        self._check(rows)
        batch[self.tensor] = rows
        return batch

    def _check(self, rows: numpy.ndarray) -> None:
        bad = ~numpy.isfinite(rows).all(axis=1)
        if self.probabilities:
            bad |= (rows < 0).any(axis=1) | (abs(rows.sum(axis=1, dtype="f8") - 1) > TOLERANCE)
        if bad.any():
            what = "probabilities from 0 that add up to 1" if self.probabilities else "finite numbers"
            raise BadData(f"the teacher's answer to sample {int(bad.argmax())} of the batch is not {what}")


def teacher(*, classes: int, name: str | None = None, digest: str | None = None,
            model: str | os.PathLike | typing.Sequence[str | os.PathLike] | None = None, probabilities: bool = False,
            temperature: float = 1, raw: bool = False, shape: typing.Sequence[int] | None = None, inputs: str = "x",
            stage: str = "python-teacher", **settings: typing.Any) -> typing.Callable[[typing.Callable], Teacher]:
    """A decorator that makes a teacher of a function from inputs to logits.

    The function gets x, float32 [n, *shape of a sample], the numbers that the stream's elements stand for (pixels of the loader: from 0
    to 1), in an array that it may change. It returns logits [n, classes], as an array or a PyTorch tensor, row i for sample i. The
    stage adds them as logits/NAME. name: the function's unless it is given here or by --name. raw: the function gets the elements
    themselves, such as bytes, read-only. shape: of a sample for the function, such as (1, 28, 28). inputs: another tensor than x.

    probabilities: the function returns probabilities. They become soft/NAME, with `temperature`, the T that they are at;
    `temperature-softmax --from-probs` makes logits of them.

    model: the file, or files, that decide what it answers; or digest: a text that names them, such as a SHA-256. With one of them the
    tensor gets an origin, by which recordings and workers are compared. So everything that changes the answers must be named: further
    files (`model=[__file__, "cnn.pt"]`), or settings (`crop="center"`). Without both the tensor has no origin: it is not known what
    made it, and nothing is compared.
    """
    def make(function: typing.Callable) -> Teacher:
        return Teacher(function, classes, name or function.__name__, stage, digest, model, probabilities, temperature,
                       raw, None if shape is None else tuple(shape), inputs, settings)
    return make


# ---- sources -----------------------------------------------------------------------------------------------------------


class Source(Stage):
    """See source()."""

    reads = False

    def __init__(self, function: typing.Callable, stage: str, epochs: int, digest: str | None, data: typing.Any,
                 tensors: typing.Sequence[Tensor], settings: dict, keys: dict) -> None:
        super().__init__(function, stage, digest, data, **settings)
        self.epochs, self.settings, self.keys = epochs, settings, keys
        self.tensors = {tensor.name: tensor for tensor in tensors}

    def parser(self) -> frame.Parser:
        parser = super().parser()
        parser.add_argument("--epochs", type=int, default=self.epochs, metavar="N",
                            help=f"how often all samples come ({self.epochs})")
        return parser

    def _declare(self, arrays: dict, epochs: int) -> Header:
        """The header, from the arrays of the first batch."""
        header = Header(epochs=epochs, **self.keys)
        for name, array in arrays.items():
            entry = None
            if self.digest is not None:
                entry = header.entry(self.stage, name, digest=self.digest, **self.settings)
            header.add(self.tensors.get(name) or Tensor.like(name, array), entry)
        header.add_history(self.stage, None, **self.history)
        return header

    def _batches(self, epochs: int) -> typing.Iterator[tuple[int, dict]]:
        takes_epoch = bool(inspect.signature(self.function).parameters)
        for epoch in range(epochs):
            count = 0
            with frame.calling(f"epoch {epoch}"):
                for item in self.function(epoch) if takes_epoch else self.function():
                    arrays = dict(item) if isinstance(item, typing.Mapping) else dict(zip(("x", "y", "id"), item))
                    arrays = {name: as_array(array) for name, array in arrays.items()}
                    n = len(next(iter(arrays.values())))
                    if "id" not in arrays and epochs > 1:
                        raise BadData("with more than one epoch each batch must bring 'id', by which a sample is known in all of "
                                      "them: yield x, y, id")
                    arrays.setdefault("id", numpy.arange(count, count + n, dtype="u8"))
                    count += n
                    yield epoch, arrays

    def run(self, args: argparse.Namespace) -> None:
        if args.epochs < 1:
            raise Usage("--epochs must be 1 or more")
        self.identify("digest")
        frame.guard_stdout()
        batches = self._batches(args.epochs)
        first = next(batches, None)
        if first is None:
            raise BadData("the source gave no batch")
        with frame.open_writer(args, self._declare(first[1], args.epochs)) as writer:
            writer.write(first[1], first[0])
            for epoch, arrays in batches:
                writer.write(arrays, epoch)


def source(*, classes: int = 0, epochs: int = 1, digest: str | None = None,
           data: str | os.PathLike | typing.Sequence[str | os.PathLike] | None = None, tensors: typing.Sequence[Tensor] = (),
           stage: str = "python-source", samples: int = 0, batches: int = 0, class_names: typing.Sequence[str] | None = None,
           **settings: typing.Any) -> typing.Callable[[typing.Callable], Source]:
    """A decorator that makes a source of a generator.

    The generator yields batches: tuples (x, y) or (x, y, id), or dicts of arrays by name, all with the samples as the first dimension.
    It is called once for each epoch, with the epoch's number if it takes one. id is the sample's own number in its set, the same in
    every epoch; without it samples are counted, which is allowed with one epoch only. tensors: descriptions with more than the
    arrays have, such as Tensor("x", "u8", (28, 28), scale=1 / 255). data: the file, or files, that the samples come
    from; or digest: a text that names them. With one of them tensors get origins, so it and `settings` must name everything that
    decides what they hold. classes, samples (of an epoch), batches, class_names: for the header.
    """
    keys = {"classes": classes, "samples": samples, "batches": batches}
    if class_names is not None:
        keys["class_names"] = list(class_names)
    return lambda function: Source(function, stage, epochs, digest, data, tensors, settings, keys)


# ---- sinks -------------------------------------------------------------------------------------------------------------


class Sink(Stage):
    """See sink()."""

    writes = False

    def run(self, args: argparse.Namespace) -> None:
        with frame.open_reader(args) as reader:
            with frame.calling(self.__name__):
                self.function(reader)
            for _ in reader:
                pass  # the stream is whole, or this is an error


def sink(*, stage: str = "python-sink") -> typing.Callable[[typing.Callable], Sink]:
    """A decorator that makes a sink of a function that takes a Reader and iterates over its batches.

    The code after its loop runs only if the whole stream came and is valid. What it prints goes to standard output. If it
    returns before the end, the rest is read and checked.
    """
    return lambda function: Sink(function, stage)
