"""Streams for PyTorch: `pipestill.torch.Stream` is an IterableDataset over a recording or over what a command writes."""
from __future__ import annotations

import itertools
import os
import subprocess
import typing

import numpy
import torch
from torch.utils import data

from .batch import Batch
from .errors import BadData, Usage
from .header import Header
from .reader import Reader, read

INTEGERS = {"i32": "i8", "u64": "i8", "u16": "i4"}  # for PyTorch labels are int64, and it lacks most unsigned types


class Stream(data.IterableDataset):
    """The batches of a stream as dicts from names to tensors; give it to a DataLoader with batch_size=None, or iterate over it.

        for batch in Stream("transfer.pst"): …                                  # a recording; every loop reads it anew
        for batch in Stream(["loader", "mnist", "--epochs", "20"]): …           # a command; every loop starts it anew
        for batch in Stream("loader mnist | teacher-forward t.safetensors"…, shell=True)

    source: a recording's name; or a list, the words of a command; or with shell=True a command line. x, and whatever else is of u8, f16
    or f32, becomes the float32 numbers that its elements stand for; names in `raw` are given as they are. Whole numbers become
    int64. names: only these tensors. samples: give single samples instead, so that a DataLoader can make batches of
    another size. epoch: only the samples of this epoch.

    Several workers of a DataLoader share out a recording's batches, and each batch comes once. A command's output cannot be
    shared out; the error says what to do.
    """

    def __init__(self, source: str | os.PathLike | typing.Sequence[str], *, shell: bool = False,
                 names: typing.Sequence[str] | None = None, raw: typing.Sequence[str] = (), samples: bool = False,
                 epoch: int | None = None) -> None:
        self.command = source if shell or not isinstance(source, (str, os.PathLike)) else None
        self.source, self.shell, self.names, self.raw = source, shell, names, tuple(raw)
        self.samples, self.epoch = samples, epoch

    @property
    def header(self) -> Header:
        """The header of a recording."""
        if self.command is not None:
            raise Usage("a command's header is not known before it runs; use by_epoch(), or read() on its output")
        with read(self.source) as reader:
            return reader.header

    def __iter__(self) -> typing.Iterator[dict[str, torch.Tensor]]:
        for batch in self._batches():
            tensors = self._tensors(batch)
            if not self.samples:
                yield tensors
            for i in range(batch.n if self.samples else 0):
                yield {name: tensor[i] for name, tensor in tensors.items()}

    def by_epoch(self) -> typing.Iterator[tuple[int, typing.Iterator[dict[str, torch.Tensor]]]]:
        """Pairs of an epoch and its batches, as they come; not for a DataLoader."""
        for epoch, batches in itertools.groupby(self._batches(), key=lambda batch: batch.epoch):
            yield epoch, map(self._tensors, batches)

    # ---- batches ----

    def _batches(self) -> typing.Iterator[Batch]:
        share, shares = self._share()
        for batch in self._command_batches() if self.command is not None else self._recorded_batches():
            if batch.seq % shares == share and self.epoch in (None, batch.epoch):
                yield batch

    def _share(self) -> tuple[int, int]:
        """The number of this process's part, and the number of parts."""
        worker = data.get_worker_info()
        if worker is None:
            return 0, 1
        if self.command is not None and worker.num_workers > 1:
            raise Usage(f"what a command writes cannot be shared out to {worker.num_workers} workers, for each would start it and give "
                        "every sample: use num_workers=1 or 0, or record it first (-o FILE) and name the recording")
        return worker.id, worker.num_workers

    def _recorded_batches(self) -> typing.Iterator[Batch]:
        with read(self.source) as reader:
            yield from reader

    def _command_batches(self) -> typing.Iterator[Batch]:
        process = subprocess.Popen(self.command, shell=self.shell, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
        name = self.command if self.shell else " ".join(self.command)
        try:
            yield from Reader(process.stdout, name)
            process.stdout.close()
            if process.wait() != 0:
                raise BadData(f"{name}: ended with exit code {process.returncode}")
        finally:
            process.stdout.close()  # ends a command that still writes
            process.wait()

    # ---- tensors ----

    def _tensors(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {name: torch.from_numpy(self._array(batch, name)) for name in (self.names or sorted(batch))}

    def _array(self, batch: Batch, name: str) -> numpy.ndarray:
        """A tensor's array, which PyTorch may write to."""
        dtype = batch.header[name].dtype
        if name in self.raw:
            return batch[name].copy()
        return batch[name].astype(INTEGERS[dtype]) if dtype in INTEGERS else batch.numbers(name)
