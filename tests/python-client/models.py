"""What the tests with models share: digits, scripts, pipes, and a pool."""
import io
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy

sys.path.append(str(pathlib.Path(__file__).resolve().parent.parent / "python"))  # at the end, because it has another safetensors
from tap import check, run  # noqa: E402 (its place is known only now)

import pipestill  # noqa: E402

PYTHON = sys.executable
os.chdir(tempfile.mkdtemp())


def script(name, text):
    """Writes a script."""
    pathlib.Path(name).write_text(text, encoding="utf-8")


def read(data):
    """A whole stream: its header and its batches."""
    with pipestill.read(io.BytesIO(data)) as reader:
        return reader.header, list(reader)


def column(data, name):
    """One tensor of all batches."""
    return numpy.concatenate([batch[name] for batch in read(data)[1]])


def pipe(line, data=b""):
    """Runs a command line; every part must succeed. Returns its output."""
    done = subprocess.run(["bash", "-o", "pipefail", "-c", line], input=data, capture_output=True, check=False, timeout=300)
    if done.returncode != 0:
        raise SystemExit(f"{line}: {done.returncode}: {done.stderr.decode()[-2000:]}")
    return done.stdout


def pool(stream, *command):
    """The answers of two workers that run a command."""
    pathlib.Path("asked.pst").write_bytes(stream)
    pathlib.Path("answered.pst").unlink(missing_ok=True)
    dispatcher = subprocess.Popen(["dispatcher", "ipc://pool.socket", "-i", "asked.pst", "-o", "answered.pst"])
    time.sleep(0.2)
    workers = [subprocess.Popen(["worker", "ipc://pool.socket", "--", *command]) for _ in range(2)]
    if dispatcher.wait(120) != 0:
        raise SystemExit("the dispatcher failed")
    for worker in workers:
        worker.wait(60)
    return pathlib.Path("answered.pst").read_bytes()


def accuracy(stream, name):
    """The share of samples whose largest output is that of the label."""
    return float((column(stream, name).argmax(axis=1) == column(stream, "y")).mean())


def same_answers(one, other, name):
    """Whether two streams hold the same rows of a tensor, with the same origin."""
    return read(one)[0][name].origin == read(other)[0][name].origin and numpy.array_equal(column(one, name), column(other, name))


__all__ = ["PYTHON", "accuracy", "check", "column", "numpy", "pathlib", "pipe", "pipestill", "pool", "read", "run", "same_answers",
           "script"]
