"""The kinds of errors, each with the exit code that every stage has for it (see EXIT STATUS in pipestill(1))."""
from __future__ import annotations


class Error(Exception):
    """An error of pipestill; `code` is the exit code of a stage that ends with it."""

    code = 70


class Usage(Error):
    """The command line, or an argument, is wrong."""

    code = 64


class BadData(Error, ValueError):
    """A stream is damaged, truncated, or of the wrong kind; or a function's answer is wrong."""

    code = 65


class NoInput(Error):
    """An input cannot be opened."""

    code = 66


class Unavailable(Error):
    """Something that is needed is not there, such as a Python module."""

    code = 69


class Failed(Error):
    """An input or output fails."""

    code = 74


class TryAgain(Error):
    """Something is short or in use at the moment: memory, or a file that another process is writing."""

    code = 75


class ReaderLeft(Error):
    """The reader of the output has ended, as `head` does when it has enough. A stage ends with this code, without a message."""

    code = 141
