"""Reading a stream; everything in it is checked."""
from __future__ import annotations

import os
import sys
import typing

import numpy

from .batch import Batch
from .crc32c import crc32c
from .errors import BadData, Unavailable
from .format import KEYS, MAX_MESSAGE, MOST_META, Sums, sample_hashes, take_count, unpack_meta
from .header import Header

ROOM = 16 << 10  # bytes that are read ahead of a message's head

WIDE = {0xC4: ("bin", 1), 0xC5: ("bin", 2), 0xC6: ("bin", 4), 0xCC: ("uint", 1), 0xCD: ("uint", 2), 0xCE: ("uint", 4),
        0xCF: ("uint", 8), 0xD0: ("int", 1), 0xD1: ("int", 2), 0xD2: ("int", 4), 0xD3: ("int", 8), 0xD9: ("text", 1),
        0xDA: ("text", 2), 0xDB: ("text", 4), 0xDC: ("array", 2), 0xDD: ("array", 4), 0xDE: ("map", 2), 0xDF: ("map", 4)}
TOKENS = [("uint", head) if head < 0x80 else ("map", head & 15) if head < 0x90 else ("array", head & 15) if head < 0xA0
          else ("text", head & 31) if head < 0xC0 else ("other", 0) for head in range(256)]


class Source:
    """The bytes of an input: tokens of messages through a small buffer, and large parts directly to their destination.

    Never waits for more than is needed, so a stage in a pipe can answer a batch before the next one is written.
    """

    def __init__(self, file: typing.Any) -> None:
        self._read = getattr(file, "readinto1", None) or getattr(file, "readinto", None) or self._by_read(file)
        self._bytes = bytearray(ROOM)
        self._view = memoryview(self._bytes)
        self._at = self._end = 0
        self.offset = 0  # bytes that were taken

    @staticmethod
    def _by_read(file: typing.Any) -> typing.Callable[[memoryview], int]:
        read = getattr(file, "read1", file.read)

        def readinto(room: memoryview) -> int:
            data = read(len(room))
            room[:len(data)] = data
            return len(data)
        return readinto

    def fill(self, count: int) -> bool:
        """Reads until `count` bytes, at most ROOM, are in the buffer. Returns False if the input ends before the first one."""
        if self._at + count > ROOM or self._at == self._end:
            left = self._end - self._at
            self._bytes[:left] = self._bytes[self._at:self._end]
            self._at, self._end = 0, left
        while self._end - self._at < count:
            got = self._read(self._view[self._end:])
            if not got:
                if self._end == self._at:
                    return False
                raise BadData("truncated: the input ends within a message")
            self._end += got
        return True

    def take(self, count: int) -> bytes:
        """The next few bytes."""
        if self._end - self._at < count and not self.fill(count):
            raise BadData("truncated: the input ends within a message")
        data = self._bytes[self._at:self._at + count]
        self._at += count
        self.offset += count
        return data

    def take_into(self, room: memoryview) -> None:
        """Fills `room` with the next bytes."""
        size, done = len(room), min(len(room), self._end - self._at)
        room[:done] = self._view[self._at:self._at + done]
        self._at += done
        while done < size:
            got = self._read(room[done:])
            if not got:
                raise BadData("truncated: the input ends within a message")
            done += got
        self.offset += size

    def token(self, kind: str) -> int:
        """The number in a token of this kind: its value, its length, or its count of elements. Raises BadData."""
        head = self.take(1)[0]
        found, number = TOKENS[head]
        if head in WIDE:
            found, width = WIDE[head]
            number = int.from_bytes(self.take(width), "big", signed=found == "int")
            found = "uint" if found == "int" and number >= 0 else found
        if found != kind:
            raise BadData("damaged: not what is due in a message of a pipestill stream")
        return number

    def word(self) -> bytes:
        """A short text."""
        size = self.token("text")
        if size > 15:
            raise BadData("damaged: a long text where a short one is due")
        return bytes(self.take(size))

    def key(self, name: bytes) -> None:
        """Takes the key that a message must have next. Raises BadData."""
        if self.word() != name:
            raise BadData(f"damaged: not the key '{name.decode()}' that is due")


def _unpacker() -> typing.Callable[[numpy.ndarray, int], numpy.ndarray]:
    """A function that unpacks a zstd frame of so many bytes of content."""
    try:
        import zstandard
    except ImportError:
        raise Unavailable("the stream is compressed, and Python's module zstandard is not installed: install it, or leave --zstd "
                          "away in the stage before") from None
    context = zstandard.ZstdDecompressor()

    def unpack(frame: numpy.ndarray, size: int) -> numpy.ndarray:
        try:
            content = context.decompress(frame, allow_extra_data=False) if zstandard.frame_content_size(frame) == size else b""
        except zstandard.ZstdError:
            content = b""
        if len(content) != size:
            raise BadData(f"not one zstd frame of {size} bytes")
        return numpy.frombuffer(content, "u1")
    return unpack


class Reader:
    """A stream: its `header`, and its batches by iteration. All that docs/stream-format.md asks of a reader is checked.

    The loop over a reader ends when the trailer has come and fits; otherwise BadData says what is wrong, in which input, at which byte
    and batch. So code after the loop runs only for a whole stream. A batch is given as soon as it is there, in
    memory of its own.
    """

    def __init__(self, file: typing.Any, name: str = "stream", max_message: int = MAX_MESSAGE, owned: bool = False) -> None:
        """file: a binary file with readinto, read1 or read. owned: close() closes it. Raises BadData, Unavailable, OSError."""
        self.name, self.max_message, self.ended = name, max_message, False
        self._file, self._owned = file, owned
        self._source, self._sums, self._unpack = Source(file), Sums(), None
        try:
            self.header = self._read_header()
        except BadData as error:
            self.close()
            raise BadData(f"{name}, byte {self._source.offset}: {error}") from None
        except Exception:
            self.close()
            raise
        self._run = crc32c(self.header.run.encode())

    # ---- as an iterator and a context ----

    def __iter__(self) -> Reader:
        return self

    def __next__(self) -> Batch:
        if self.ended:
            raise StopIteration
        try:
            batch = self._next()
        except BadData as error:
            self.ended = True
            raise BadData(f"{self.name}, byte {self._source.offset}, batch {self.next_seq}: {error}") from None
        if batch is None:
            self.ended = True
            raise StopIteration
        return batch

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, *_: typing.Any) -> None:
        self.close()

    def close(self) -> None:
        """Closes the file, if read() opened it."""
        self.ended = True
        if self._owned:
            self._file.close()

    @property
    def next_seq(self) -> int:
        """The number that the next batch must have."""
        return self.header.first + self._sums.batches

    @property
    def samples(self) -> int:
        """How many samples have come so far."""
        return self._sums.samples

    # ---- messages ----

    def _envelope(self) -> tuple[str, bytes, int] | None:
        """A message up to its data: kind, metadata and their checksum. None at the end of the input."""
        source = self._source
        if not source.fill(1):
            return None
        keys = source.token("map")
        source.key(b"kind")
        kind = source.word().decode(errors="replace")
        if KEYS.get(kind) != keys:
            raise BadData("damaged: a message of an unknown kind")
        source.key(b"meta")
        size = source.token("bin")
        if not 1 <= size <= min(MOST_META, self.max_message):
            raise BadData(f"metadata of {size} bytes is none, or more than is allowed")
        meta = bytearray(size)
        source.take_into(memoryview(meta))
        source.key(b"crc")
        crc = source.token("uint")
        meta = bytes(meta)
        if crc != crc32c(meta):
            raise BadData("damaged: the checksum of the metadata does not fit")
        return kind, meta, crc

    def _read_header(self) -> Header:
        try:
            message = self._envelope()
        except BadData as error:
            if self._source.offset < 8:
                raise BadData(f"not a pipestill stream ({error})") from None
            raise
        if message is None:
            raise BadData("empty: not even a header came; did the stage before fail?")
        if message[0] != "header":
            raise BadData("the stream does not begin with a header")
        header = Header.from_meta(unpack_meta(message[1]))
        if header.encoding is not None:
            self._unpack = _unpacker()
        self._sizes = [(tensor.name, tensor.sample_bytes) for tensor in header.tensors]
        self._sample_bytes = sum(size for _, size in self._sizes)
        self._has_id = "id" in header
        return header

    def _next(self) -> Batch | None:
        message = self._envelope()
        if message is None:
            raise BadData("truncated: the stream ends without a trailer; did the stage before fail?")
        kind, meta, crc = message
        if kind == "batch":
            return self._batch(meta, crc)
        if kind != "trailer":
            raise BadData("a second header")
        self._trailer(meta)
        return None

    def _batch(self, packed: bytes, crc: int) -> Batch:
        meta = unpack_meta(packed)
        n, crcs = take_count(meta, "n", 1), meta.get("crcs")
        batch = Batch(self.header, take_count(meta, "seq"), take_count(meta, "epoch"), n)
        if "run" in meta and meta["run"] != self._run:
            raise BadData("a batch of another run than the header's; two streams in one file?")
        if n > self.max_message or n * self._sample_bytes > self.max_message:
            raise BadData(f"{n} samples exceed the limit of {self.max_message} bytes (--max-message)")
        if batch.seq != self.next_seq:
            raise BadData(f"batch {batch.seq} came, a {'gap' if batch.seq > self.next_seq else 'repeat'}")
        self._source.key(b"data")
        if not isinstance(crcs, list) or not len(crcs) == self._source.token("array") == len(self._sizes):
            raise BadData("the batch does not hold the tensors that the header declares")
        for (name, sample_bytes), due in zip(self._sizes, crcs):
            data = self._tensor(name, n * sample_bytes)
            if crc32c(data) != due or type(due) is not int:
                raise BadData(f"damaged: the checksum of tensor '{name}' does not fit")
            batch.put_part(name, data, due)
        batch.hashes = sample_hashes(batch.epoch, batch["id"]) if self._has_id else 0
        self._sums.add(crc, n, batch.hashes)
        return batch

    def _tensor(self, name: str, content: int) -> numpy.ndarray:
        """The bytes of a tensor; its bin's size is checked before memory is taken for it."""
        size = self._source.token("bin")
        packed = self._unpack is not None
        good = max(1, content // (128 << 10) * 4) <= size <= content + content // 256 + 64 if packed else size == content
        if not good:
            raise BadData(f"tensor '{name}' has {size} bytes; its shape asks for {content}")
        data = numpy.empty(size, "u1")
        self._source.take_into(memoryview(data))
        if not packed:
            return data
        try:
            return self._unpack(data, content)
        except BadData as error:
            raise BadData(f"damaged: tensor '{name}': {error}") from None

    def _trailer(self, packed: bytes) -> None:
        said = unpack_meta(packed, most=2**64 - 1)
        self._sums.check(said)
        index = said.get("index")
        if isinstance(index, dict) and index.get("run") != self.header.run:
            raise BadData("the trailer's index belongs to another run than the header; two streams in one file?")
        if self._source.fill(1):
            raise BadData("something follows the trailer; two streams in one file?")


def read(source: str | os.PathLike | typing.Any, max_message: int = MAX_MESSAGE) -> Reader:
    """Opens a stream: a recording's name, "-" for standard input, or a binary file that is open (a pipe, a BytesIO).

    max_message: bytes that a batch may have. Returns a Reader whose header was read; use it in a `with`, or close it. Raises
    OSError if the file cannot be opened or read; BadData if its data are not a stream; Unavailable if it is compressed and
    zstandard is not installed.
    """
    if not isinstance(source, (str, os.PathLike)):
        return Reader(source, str(getattr(source, "name", "stream")), max_message)
    if os.fspath(source) == "-":
        return Reader(sys.stdin.buffer, "standard input", max_message)
    return Reader(open(source, "rb", buffering=0), os.fspath(source), max_message, owned=True)
