"""pipestill in Python: read, write and change streams, and write stages. docs/python.md is the manual."""
from .batch import Batch
from .errors import BadData, Error, Failed, NoInput, ReaderLeft, TryAgain, Unavailable, Usage
from .frame import Parser, guard_stdout, run
from .header import Header, Tensor
from .reader import Reader, read
from .stage import Filter, Sink, Source, Stage, Teacher, filter, sink, source, teacher
from .writer import Writer, write

__version__ = "0.1.0"

__all__ = ["BadData", "Batch", "Error", "Failed", "Filter", "Header", "NoInput", "Parser", "Reader", "ReaderLeft", "Sink", "Source",
           "Stage", "Teacher", "Tensor", "TryAgain", "Unavailable", "Usage", "Writer", "filter", "guard_stdout", "read", "run", "sink",
           "source", "teacher", "write"]
