"""Writing a stream, to a file that appears when it is whole, or to a pipe."""
from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
import time
import typing

from .batch import Batch, as_array, fit_array
from .crc32c import crc32c
from .errors import BadData, TryAgain, Usage
from .format import Sums, pack_message, sample_hashes
from .header import Header, Tensor

MOST_PARTS = 64  # at a time; well below any IOV_MAX
SYNC_SECONDS = 5  # the first batch after this time since the last sync is synced to disk with all before it
MOST_RUNS = 32768  # runs of the index; all must fit into metadata


# ---- outputs -----------------------------------------------------------------------------------------------------------


class DescriptorOutput:
    """Writes to a descriptor, a pipe or a file, without a buffer."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def write(self, parts: list) -> None:
        """Writes all parts. Raises OSError; BrokenPipeError if the reader has left."""
        parts = [memoryview(part).cast("B") for part in parts if len(part)]
        while parts:
            done = os.writev(self.descriptor, parts[:MOST_PARTS])
            while parts and done >= len(parts[0]):
                done -= len(parts.pop(0))
            if done:
                parts[0] = parts[0][done:]

    def finish(self) -> None:
        """Completes the output."""

    def abandon(self) -> None:
        """Leaves the output as it is, without an end."""


class FileOutput(DescriptorOutput):
    """Writes NAME.part, locked against a second writer; it becomes NAME when it is whole and on disk."""

    def __init__(self, path: str, force: bool) -> None:
        """Raises Usage if the file is there; TryAgain if another run wrote or writes it; OSError."""
        self.path = os.path.realpath(path)
        mode = 0
        if os.path.isfile(self.path):
            mode = stat.S_IMODE(os.stat(self.path).st_mode)
            if os.path.getsize(self.path) > 0 and not force:
                raise Usage(f"{path}: there is a file of this name already; force (--force) replaces it")
            if not os.access(self.path, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        self.part = self.path + ".part"
        super().__init__(os.open(self.part, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666))
        try:
            self._claim(mode)
        except BaseException:
            os.close(self.descriptor)
            raise
        self.synced = time.monotonic()

    def write(self, parts: list) -> None:
        super().write(parts)
        if time.monotonic() - self.synced >= SYNC_SECONDS:
            os.fdatasync(self.descriptor)
            self.synced = time.monotonic()

    def _claim(self, mode: int) -> None:
        try:
            fcntl.flock(self.descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TryAgain(f"{self.part}: another process is writing it") from None
        except OSError:
            pass  # a file system without locks
        status = os.fstat(self.descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
            raise Usage(f"{self.part}: is not a regular file, or has another name; remove it")
        if status.st_size > 0:
            raise TryAgain(f"{self.part}: {status.st_size} bytes that an earlier run recorded are here; 'stream-repair "
                           f"{self.part}' makes them whole, or remove them")
        if mode:
            os.fchmod(self.descriptor, mode)

    def finish(self) -> None:
        os.fsync(self.descriptor)
        os.rename(self.part, self.path)
        self._close()
        folder = os.open(os.path.dirname(self.path), os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def abandon(self) -> None:
        """The recorded bytes stay in NAME.part, as if a stage fails, because a teacher's answers take long to make."""
        if self.descriptor < 0:
            return
        if os.fstat(self.descriptor).st_size == 0:
            os.unlink(self.part)
        self._close()

    def _close(self) -> None:
        descriptor, self.descriptor = self.descriptor, -1
        os.close(descriptor)


class ObjectOutput:
    """Writes to a file object of the caller's, which stays open."""

    def __init__(self, file: typing.Any) -> None:
        self.file = file

    def write(self, parts: list) -> None:
        for part in parts:
            self.file.write(memoryview(part).cast("B") if len(part) else b"")
        if hasattr(self.file, "flush"):
            self.file.flush()

    def finish(self) -> None:
        pass

    def abandon(self) -> None:
        pass


def open_output(target: str | os.PathLike | typing.Any, force: bool) -> typing.Any:
    """The output for a name, "-", or a file object."""
    if not isinstance(target, (str, os.PathLike)):
        return ObjectOutput(target)
    path = os.fspath(target)
    if path == "-":
        sys.stdout.flush()
        return DescriptorOutput(sys.stdout.fileno())
    if os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path):
        return DescriptorOutput(os.open(path, os.O_WRONLY | os.O_CLOEXEC))  # a named pipe, a device
    return FileOutput(path, force)


# ---- streams -----------------------------------------------------------------------------------------------------------


class Writer:
    """Writes a stream; see write(). Used in a `with`, it is completed at the end of the block, and if the block raises, the stream
    stays without a trailer, which every reader refuses."""

    def __init__(self, output: typing.Any, header: Header | None, **keys: typing.Any) -> None:
        self.header, self._keys, self._output = header, keys, output
        self._sums, self._bytes, self._runs, self.closed = Sums(), 0, [], False
        if header is not None:
            self._begin()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type | None, *_: typing.Any) -> None:
        if self.closed:
            return
        if kind is None:
            self.close()
        else:
            self.abandon()

    def _send(self, parts: list) -> int:
        self._output.write(parts)
        return sum(map(len, parts))

    def _begin(self) -> None:
        parts, _ = pack_message("header", self.header.to_meta())
        self._bytes = self._send(parts)
        self._run = crc32c(self.header.run.encode())

    def _part(self, tensor: Tensor, batch: typing.Mapping, n: int) -> tuple[typing.Any, int]:
        """A tensor's bytes and their checksum; bytes that are handed on keep theirs."""
        came = batch.part(tensor.name) if isinstance(batch, Batch) else None
        if came is not None:
            if len(came[0]) != n * tensor.sample_bytes:
                raise BadData(f"tensor '{tensor.name}' came with another type or shape than is declared")
            return came
        if tensor.name not in batch:
            raise BadData(f"batch {self._sums.batches}: there is no '{tensor.name}', which the header declares")
        if isinstance(batch, Batch) and tensor.origin and tensor.name in batch.header \
                and batch.header[tensor.name].origin == tensor.origin:
            raise BadData(f"tensor '{tensor.name}' was changed, and its origin was not; call header.replace()")
        data = fit_array(tensor, batch[tensor.name], n).reshape(-1).view("u1")
        return data, crc32c(data)

    def write(self, batch: typing.Mapping[str, typing.Any], epoch: int | None = None) -> None:
        """Writes a batch: arrays by name, one for each tensor of the header, and others, which are left out.

        A Batch that came from a stream keeps its epoch, and the bytes and checksum of each tensor that was not changed. epoch: for
        other mappings (0). Numbers are converted to the tensor's type if they fit. Raises BadData if they do not; OSError.
        """
        if self.header is None:
            tensors = [Tensor.like(name, as_array(array)) for name, array in batch.items()]
            self.header = Header(tensors, **self._keys)
            self._begin()
        epoch = (batch.epoch if isinstance(batch, Batch) else 0) if epoch is None else epoch
        tensors = self.header.tensors
        n = batch.n if isinstance(batch, Batch) else len(batch[tensors[0].name]) if tensors and tensors[0].name in batch else 0
        if n < 1:
            raise BadData("a batch without samples")
        data = [self._part(tensor, batch, n) for tensor in tensors]
        meta = {"seq": self.header.first + self._sums.batches, "epoch": epoch, "n": n, "run": self._run,
                "crcs": [crc for _, crc in data]}
        parts, crc = pack_message("batch", meta, [part for part, _ in data])
        size = self._send(parts)
        self._sums.add(crc, n, self._hashes(batch, epoch, [part for part, _ in data]))
        if self._runs and self._runs[-1][1:] == [size, n, epoch]:
            self._runs[-1][0] += 1
        elif len(self._runs) <= MOST_RUNS:
            self._runs.append([1, size, n, epoch])

    def _hashes(self, batch: typing.Mapping, epoch: int, data: list) -> int:
        if "id" not in self.header:
            return 0
        known = batch.hashes if isinstance(batch, Batch) and batch.epoch == epoch else None
        place = [tensor.name for tensor in self.header.tensors].index("id")
        return sample_hashes(epoch, data[place].view("<u8")) if known is None else known

    def close(self) -> None:
        """Writes the trailer and completes the output: a file gets its name now. Raises OSError."""
        if self.closed:
            return
        if self.header is None:
            self.abandon()
            raise BadData("nothing was written, so there is no header either; give write() one")
        meta = self._sums.to_meta()
        if len(self._runs) <= MOST_RUNS:
            runs = [number for run in self._runs for number in run]
            meta["index"] = {"run": self.header.run, "header": self._bytes, "runs": runs}
        try:
            self._send(pack_message("trailer", meta)[0])
            self._output.finish()
        except BaseException:
            self.abandon()
            raise
        self.closed = True

    def abandon(self) -> None:
        """Ends without a trailer, so every reader reports a truncated stream. A file does not get its name."""
        if not self.closed:
            self.closed = True
            self._output.abandon()


def write(target: str | os.PathLike | typing.Any, header: Header | None = None, *, force: bool = False,
          **keys: typing.Any) -> Writer:
    """Begins a stream: to a recording of this name, to "-" (standard output), or to a binary file that is open.

    header: a Header, such as a changed one of read(…). Without one the first batch's arrays decide which tensors there are, and keywords
    are Header's: write("a.pst", classes=10, class_names=[…]). force: replaces a recording of this name when the new one is whole.
    Returns a Writer, for a `with`. Raises Usage if the file is there, TryAgain if NAME.part is there or another process writes
    it, OSError.
    """
    if header is not None and keys:
        raise Usage("write() takes a header or its keys, not both")
    output = open_output(target, force)
    try:
        return Writer(output, header, **keys)
    except BaseException:
        output.abandon()
        raise
