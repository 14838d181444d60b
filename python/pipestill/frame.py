"""What all stages share: options, standard input and output, messages, and exit codes."""
from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
import traceback
import typing

from .errors import Error, Failed, NoInput, ReaderLeft, TryAgain, Usage
from .format import MAX_MESSAGE
from .header import Header
from .reader import Reader
from .writer import DescriptorOutput, Writer, open_output

PIPE_BYTES = 1 << 20  # the most that Linux gives to every user; a batch of some hundred images fits
SHORTAGES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)
_guarded: list[int] = []  # the descriptor that standard output was moved to


def program_name() -> str:
    """The name of this program, for messages."""
    return os.path.basename(sys.argv[0]).removesuffix(".py") or "pipestill"


def guard_stdout() -> int:
    """Moves standard output away, so that print() and what libraries print go to standard error and not into the stream.

    The decorators of stages that write streams do it in the program that is run. Call it right after `import pipestill` if code
    before the decorator prints, for example when it loads a model. Returns the descriptor of the output.
    """
    if not _guarded:
        try:
            _guarded.append(os.dup(1))
        except OSError as error:
            raise Failed(f"standard output: cannot be written: {error.strerror}") from None
        os.dup2(2, 1)
        if sys.stdout is not None:
            sys.stdout.flush()  # what was printed and is not written yet
    return _guarded[0]


def is_program(function: typing.Callable) -> bool:
    """Whether a function belongs to the script that is run, so the program's standard output is the stream."""
    main = sys.modules.get("__main__")
    return getattr(function, "__module__", None) == "__main__" and hasattr(main, "__file__")


def _take_stdin() -> int:
    """Moves standard input away, so that nothing else reads from the stream."""
    descriptor = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return descriptor


# ---- options -----------------------------------------------------------------------------------------------------------


class Parser(argparse.ArgumentParser):
    """argparse with the options and errors that every stage has. reads, writes: whether there are options for input and output."""

    def __init__(self, purpose: str, reads: bool = True, writes: bool = True, **more: typing.Any) -> None:
        super().__init__(prog=program_name(), description=purpose, allow_abbrev=False, **more)
        if reads:
            self.add_argument("-i", "--input", metavar="FILE", default="-", help="where to read (-, standard input)")
            self.add_argument("--max-message", metavar="BYTES", type=_bytes, default=MAX_MESSAGE,
                              help="refuse batches that are larger (256M)")
        if writes:
            self.add_argument("-o", "--output", metavar="FILE", default="-",
                              help="where to write (-, standard output); a file appears when it is whole")
            self.add_argument("--force", action="store_true", help="replace the file of --output")
        self.add_argument("-q", "--quiet", action="store_true", help="as of the other stages; there is no progress line")
        self.add_argument("--version", action="version", version=f"{self.prog}, of pipestill {_version()}")

    def _print_message(self, message: str, file: typing.Any = None) -> None:
        """Help and version go to the original standard output, even if it was moved away."""
        if file is not sys.stdout or not _guarded:
            super()._print_message(message, file)
        else:
            os.write(_guarded[0], message.encode())

    def error(self, message: str) -> typing.NoReturn:
        raise Usage(message)


def _bytes(text: str) -> int:
    number, factor = text[:-1], {"k": 1 << 10, "M": 1 << 20, "G": 1 << 30}.get(text[-1:])
    return int(text) if factor is None else int(number) * factor


def _version() -> str:
    from . import __version__
    return __version__


# ---- input and output --------------------------------------------------------------------------------------------------


def _enlarge_pipe(descriptor: int) -> None:
    """Makes a pipe larger, for speed only. Not every process may do this, so failure is ignored."""
    with contextlib.suppress(OSError, AttributeError, ImportError):
        import fcntl
        if fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) < PIPE_BYTES:
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, PIPE_BYTES)


class _Input:
    """A descriptor that is read; errors have the input's name."""

    def __init__(self, descriptor: int, name: str) -> None:
        self.name, self._file = name, open(descriptor, "rb", buffering=0)
        _enlarge_pipe(descriptor)

    def readinto(self, room: memoryview) -> int:
        try:
            return self._file.readinto(room)
        except OSError as error:
            raise Failed(f"{self.name}: cannot be read: {error.strerror}") from None


class _Output:
    """An output whose errors have its name. A reader that has gone is ReaderLeft."""

    def __init__(self, output: typing.Any, name: str) -> None:
        self._output, self._name, self.abandon = output, name, output.abandon

    def write(self, parts: list) -> None:
        try:
            self._output.write(parts)
        except BrokenPipeError:
            raise ReaderLeft(f"{self._name}: the reader has left") from None
        except OSError as error:
            raise Failed(f"{self._name}: cannot be written: {error.strerror}") from None

    def finish(self) -> None:
        try:
            self._output.finish()
        except OSError as error:
            raise Failed(f"{self._name}: cannot be completed: {error.strerror}") from None


def open_reader(args: argparse.Namespace) -> Reader:
    """The stream that --input names. Raises Error."""
    name = args.input
    if name == "-" and os.isatty(0):
        raise Usage("standard input is a terminal; pipe a stream in, or name a file with -i")
    try:
        descriptor = _take_stdin() if name == "-" else os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        if name != "-" and os.path.isdir(name):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        kind = TryAgain if error.errno in SHORTAGES else Failed if name == "-" else NoInput
        raise kind(f"{'standard input' if name == '-' else name}: cannot be opened: {error.strerror}") from None
    source = _Input(descriptor, "standard input" if name == "-" else name)
    return Reader(source, source.name, args.max_message)


def open_writer(args: argparse.Namespace, header: Header | None, **keys: typing.Any) -> Writer:
    """Begins the stream that --output names, with this header. Raises Error."""
    name = args.output
    same = name != "-" and getattr(args, "input", "-") != "-" and os.path.exists(name) and os.path.samefile(name, args.input)
    if same:
        raise Usage(f"{name}: would be written, and is read with --input; name another file")
    if name == "-":
        descriptor = guard_stdout()
        if os.isatty(descriptor):
            raise Usage("standard output is a terminal, a stream is not text; pipe it on, or name a file with -o")
        _enlarge_pipe(descriptor)
        output = _Output(DescriptorOutput(descriptor), "standard output")
    else:
        guard_stdout()
        try:
            output = _Output(open_output(name, args.force), name)
        except OSError as error:
            kind = TryAgain if error.errno in SHORTAGES else Failed
            raise kind(f"{name}: cannot be written: {error.strerror}") from None
    try:
        return Writer(output, header, **keys)
    except BaseException:
        output.abandon()
        raise


# ---- messages and exit codes -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def calling(what: str) -> typing.Iterator[None]:
    """Around a call of a user's function: an exception from it is shown with its traceback, and ends the stage with 70. Errors of
    this package pass unchanged, and so does a reader that has left."""
    try:
        yield
    except BrokenPipeError:
        raise ReaderLeft("standard output: the reader has left") from None
    except Error:
        raise
    except (MemoryError, KeyboardInterrupt, GeneratorExit):
        raise
    except SystemExit as error:
        if error.code in (0, None):  # the stream is not whole, so this is no success
            raise Error(f"{what}: it ended the program before the stream ended") from None
        raise
    except BaseException as error:
        traceback.print_exc()
        raise Error(f"{what}: {type(error).__name__}: {error}") from None


def say(message: object) -> None:
    """Prints a message on standard error, in one line, after the program's name and without control characters."""
    line = "".join(letter if letter.isprintable() else "?" for letter in f"{program_name()}: {message}")
    with contextlib.suppress(OSError, AttributeError, ValueError):
        sys.stderr.write(line + "\n")
        sys.stderr.flush()


def _as_error(error: BaseException) -> Error:
    """An error of any kind as an Error, which has a message and an exit code."""
    if isinstance(error, Error):
        return error
    if isinstance(error, MemoryError):
        return TryAgain("out of memory")
    if isinstance(error, OSError):
        missing = error.errno in (errno.ENOENT, errno.EACCES, errno.EISDIR, errno.ENOTDIR, errno.ELOOP)
        kind = TryAgain if error.errno in SHORTAGES else NoInput if missing else Failed
        return kind(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    traceback.print_exc()
    return Error(f"{type(error).__name__}: {error}")


def run(body: typing.Callable[[], typing.Any]) -> int:
    """Runs the body of a program as a stage's main does. Returns the exit code; an error is one line on standard error.

    Ctrl-C ends the program at once and by that signal, unless the parent process made it ignore that signal; a reader that has
    left ends it with 141 and without a message.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        body()
        if sys.stdout is not None:
            sys.stdout.flush()
    except SystemExit:
        raise
    except BaseException as caught:
        error = ReaderLeft() if isinstance(caught, BrokenPipeError) else _as_error(caught)
        if isinstance(error, ReaderLeft):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # for what Python writes when it ends
        else:
            say(error)
        if isinstance(error, Usage):
            say(f"'{program_name()} --help' shows all options")
        return error.code
    return 0
