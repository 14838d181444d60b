"""Stages that are Python functions: in pipes, when they fail, and when they are stopped. Prints TAP."""
import hashlib
import io
import os
import signal
import subprocess
import sys
import tempfile
import time

import numpy
from pipestill_stream import stream
from tap import ROOT, check, run

import pipestill

os.chdir(tempfile.mkdtemp())
os.environ["PYTHONPATH"] = os.path.join(ROOT, "python")
PYTHON = "/usr/bin/python3"
TEACHER = """
import os, sys
import numpy, pipestill
pipestill.guard_stdout()
print("loading")
WEIGHTS = numpy.random.default_rng(1).normal(0, 1, (784, 10)).astype("f4")

@pipestill.teacher(classes=10, name="flat", {more})
def answer(x):
    "Says something of every picture."
    print("answering", len(x))
    {body}
    return x.reshape(len(x), -1) @ WEIGHTS

if __name__ == "__main__":
    answer.main()
"""


def script(name, text):
    with open(name, "w", encoding="utf-8") as file:
        file.write(text)


def teacher(name, more="", body=""):
    script(name, TEACHER.format(more=more, body=body))


def read(data):
    with pipestill.read(io.BytesIO(data)) as reader:
        return reader.header, list(reader)


def python(name, *arguments, data=b"", **more):
    return run(PYTHON, name, *arguments, data=data, **more)


digits = run("loader", "digits", "--samples", "300", "--batch", "100", "--epochs", "2")[1]

# ---- teachers ----------------------------------------------------------------------------------------------------------

script("weights", "here")
teacher("t.py", 'model="weights", crop=True', 'os.system("echo from a command")')
status, out, said = python("t.py", data=digits)
header, batches = read(out)
check("a teacher answers although its code prints", status == 0 and batches[0]["logits/flat"].shape == (100, 10), said)
check("what a teacher and its commands print goes to standard error", all(f"{word}\n" in said for word in ("loading", "from a command"))
      and "answering 100" in said)
check("C reads a teacher's stream as a whole one", run("stream-inspect", "--check", data=out)[0] == 0)
check("a teacher changes no other tensor", [b["x"].tobytes() for b in batches] == [b["x"].tobytes() for b in read(digits)[1]])
numbers = batches[0].numbers("x")
weights = numpy.random.default_rng(1).normal(0, 1, (784, 10)).astype("f4")
check("a teacher gets x as numbers", numpy.allclose(numbers.reshape(100, -1) @ weights, batches[0]["logits/flat"], atol=1e-4))
entry = header.lineage[header["logits/flat"].origin]
check("a teacher's entry names the file's digest, settings and x", entry == {
    "stage": "python-teacher", "makes": "logits", "model": hashlib.sha256(b"here").hexdigest(), "crop": "true",
    "from": [header["x"].origin]})
check("a teacher's history says that it adds", header.history[-1]["effect"] == "adds" and header.history[-1]["name"] == "flat")
check("--name names the tensor, and does not change its origin",
      read(python("t.py", "--name", "other", data=digits)[1])[0]["logits/other"].origin == header["logits/flat"].origin)
teacher("nameless.py")
check("without a digest there is no origin", read(python("nameless.py", data=digits)[1])[0]["logits/flat"].origin is None)
soft = run("temperature-softmax", "-T", "3", data=out)
check("C softens a teacher's logits", soft[0] == 0 and abs(read(soft[1])[1][0]["soft/flat"].sum(axis=1) - 1).max() < 1e-5, soft[2])
teacher("p.py", 'probabilities=True, digest="1"', "return numpy.full((len(x), 10), 0.1)")
status, probable, said = python("p.py", data=digits)
made = read(probable)[0]["soft/flat"]
check("probabilities become soft targets at temperature 1", (status, made.temperature) == (0, 1)
      and read(probable)[0].lineage[made.origin]["temperature"] == "1", said)
status, again, said = run("sh", "-c", "temperature-softmax --from-probs | stream-select --drop 'soft/*' | temperature-softmax -T 4",
                          data=probable)
check("C softens a teacher's probabilities by way of logits", status == 0 and read(again)[0]["soft/flat"].temperature == 4, said)
teacher("raw.py", "raw=True", "assert x.dtype == 'u1' and not x.flags.writeable; x = x.astype('f4')")
check("a teacher with raw gets the bytes", python("raw.py", data=digits)[0] == 0)
teacher("shape.py", "shape=(1, 28, 28)", "assert x.shape[1:] == (1, 28, 28); x -= 1")
shaped = python("shape.py", data=digits)
check("a teacher gets x in another shape, and may change it", shaped[0] == 0 and run("stream-inspect", "--check", data=shaped[1])[0] == 0)
status, out, said = python("t.py", "-i", "nowhere.pst")
check("a missing input ends it with 66", (status, out) == (66, b"") and said.endswith("t: nowhere.pst: cannot be opened: No such file or "
                                                                                     "directory\n"), said)
status, out, said = python("t.py", "--help")
check("--help prints the function's text", status == 0 and b"Says something of every picture" in out and b"--name" in out, said)
status, _, said = python("t.py", "--nonsense", data=digits)
check("an unknown option ends a stage with 64", status == 64 and "--help" in said.splitlines()[-1], said)
with open("digits.pst", "wb") as file:
    file.write(digits)
status, _, said = python("t.py", "-i", "digits.pst", "-o", "made.pst")
check("a stage records a file", status == 0 and run("stream-inspect", "--check", "made.pst")[0] == 0, said)
check("a stage does not replace a file", python("t.py", "-i", "digits.pst", "-o", "made.pst")[0] == 64)
check("a stage with --force replaces a file", python("t.py", "-i", "digits.pst", "-o", "made.pst", "--force")[0] == 0)
check("a stage does not write the file that it reads", python("t.py", "-i", "digits.pst", "-o", "digits.pst", "--force")[0] == 64)

# ---- failures ----------------------------------------------------------------------------------------------------------


def fails(what, code, words, name, data=digits, lines=1):
    """A stage's failure: exit code, one line that holds the words, and no trailer."""
    status, out, said = python(name, data=data)
    own = [line for line in said.splitlines() if line.startswith(name.removesuffix(".py") + ": ")]
    whole = run("stream-inspect", "--check", data=out)[0] == 0
    check(what, (status, len(own), whole) == (code, lines, False) and words in own[0], f"{status}: {said[-600:]}")
    return said


fails("a stream that is cut is 65, told once", 65, "truncated", "t.py", digits[:90000])
fails("an input of nothing is 65", 65, "empty", "t.py", b"")
fails("a flipped bit is 65", 65, "checksum of tensor 'x'", "t.py", digits[:3000] + bytes([digits[3000] ^ 1]) + digits[3001:])
fails("a stream without x is 65", 65, "no tensor 'x'", "t.py", stream([{"name": "y", "dtype": "i32", "shape": []}], [{"y": [1]}]))
other = stream([{"name": "x", "dtype": "u8", "shape": [4]}], [{"x": [[1, 2, 3, 4]]}])
fails("a stream of another shape is 65", 65, "takes [1, 28, 28]", "shape.py", other)
fails("a stream of another number of classes is 65", 65, "3 classes",
      "t.py", stream([{"name": "x", "dtype": "u8", "shape": [784]}], [{"x": [[0] * 784]}], classes=3))
for what, body, words in (("of another shape", "return x", "a row for each sample"),
                          ("that is not finite", "return numpy.full((len(x), 10), numpy.nan)", "sample 0"),
                          ("of texts", "return numpy.full((len(x), 10), 'a')", "must be numbers")):
    teacher("bad.py", body=body)
    fails(f"an answer {what} is 65", 65, words, "bad.py")
teacher("bad.py", "probabilities=True", "return numpy.full((len(x), 10), 0.2)")
fails("probabilities that do not add up to 1 are 65", 65, "add up to 1", "bad.py")
teacher("bug.py", body="if print.count(1): pass")
said = fails("an exception in the function is 70, with its traceback", 70, "batch 0: AttributeError", "bug.py")
check("the traceback names the line", 'bug.py", line' in said)
teacher("mine.py", body='raise pipestill.Unavailable("no card")')
fails("an error of the package has its own exit code", 69, "no card", "mine.py")
teacher("short.py", body="raise MemoryError")
fails("a shortage of memory is 75", 75, "out of memory", "short.py")
teacher("model.py", 'model="no such weights"')
fails("a model that is not there is 66", 66, "no such weights", "model.py")
if os.path.exists("/dev/full"):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([PYTHON, "t.py"], input=digits, stdout=full, stderr=subprocess.PIPE, check=False)
    check("a full output ends a stage with 74", done.returncode == 74 and b"No space" in done.stderr, done.stderr)
done = subprocess.run(f"{PYTHON} t.py <digits.pst 2>said | head -c 100 >head; echo ${{PIPESTATUS[0]}}", shell=True, executable="/bin/bash",
                      capture_output=True, check=False)
check("a reader that leaves ends a stage with 141, without a message",
      done.stdout == b"141\n" and "t: " not in open("said").read(), done.stdout)


def interrupted(name, number):
    """Starts a teacher, gives it a part of a stream, and sends a signal. Returns its exit code and what it said."""
    process = subprocess.Popen([PYTHON, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(digits[:100_000])
    process.stdin.flush()
    process.stdout.read(1000)  # the header and more, so the stage is running
    process.send_signal(number)
    try:
        process.wait(60)  # its input is still open, so only the signal can end it
    except subprocess.TimeoutExpired:
        process.kill()
    _, said = process.communicate()
    return process.returncode, said.decode()


for number in signal.SIGINT, signal.SIGTERM:
    code, said = interrupted("nameless.py", number)  # t.py calls system(), which ignores SIGINT while it runs
    check(f"{number.name} ends a stage by that signal, without a message",
          code == -number and "Traceback" not in said and "t: " not in said, said)

# ---- a pipe that waits for answers -------------------------------------------------------------------------------------

ends = [0]
with pipestill.read(io.BytesIO(digits)) as reader:
    ends += [reader._source.offset] + [reader._source.offset for _ in reader]
signal.alarm(120)
process = subprocess.Popen([PYTHON, "t.py"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
process.stdin.write(digits[:ends[1]])
process.stdin.flush()
answered = 0
with pipestill.read(process.stdout) as reader:
    for begin, end in zip(ends[1:], ends[2:]):
        process.stdin.write(digits[begin:end])
        process.stdin.flush()
        answered += next(reader).n
    process.stdin.write(digits[ends[-1]:])
    process.stdin.close()
    check("each batch is answered before the next one comes", answered == 600 and list(reader) == [] and process.wait() == 0)
signal.alarm(0)

# ---- filters, sources, sinks -------------------------------------------------------------------------------------------

script("filter.py", """
import pipestill
def declare(header):
    header.add(pipestill.Tensor("mean", "f32"), header.entry("filter", "mean", ["x"]))
@pipestill.filter(stage="filter", header=declare)
def mean(batch):
    return {"mean": batch.numbers("x").reshape(batch.n, -1).mean(axis=1)}
mean.main()
""")
status, out, said = python("filter.py", data=digits)
header, batches = read(out)
check("a filter adds what it declares", status == 0 and header.lineage[header["mean"].origin]["makes"] == "mean"
      and numpy.allclose(batches[0]["mean"], batches[0].numbers("x").mean(axis=(1, 2))), said)
script("select.py", """
import pipestill
@pipestill.filter(effect="selects")
def odd(batch):
    return batch.take(batch["y"] % 2 == 1)
odd.main()
""")
status, out, said = python("select.py", data=digits)
header, batches = read(out)
check("a filter selects samples", status == 0 and {int(y) % 2 for b in batches for y in b["y"]} == {1} and header.class_counts is None
      and run("stream-inspect", "--check", data=out)[0] == 0, said)
script("source.py", """
import numpy, pipestill
X = numpy.arange(40, dtype="u1").reshape(10, 4)
@pipestill.source(classes=2, class_names=["even", "odd"], samples=10, digest="one", {more})
def numbers({argument}):
    print("noise")
    for rows in numpy.split({order}, 2):
        yield {{"x": X[rows], "y": rows % 2, "id": rows}} if {named} else (X[rows], rows % 2)
numbers.main()
""")
text = open("source.py").read()
tensors = 'tensors=[pipestill.Tensor("x", "u8", (4,), scale=1 / 255)]'
script("source.py", text.format(more=tensors, argument="epoch", order="numpy.random.default_rng(epoch).permutation(10)", named=True))
status, out, said = python("source.py", "--epochs", "3")
header, batches = read(out)
check("a source gives epochs of samples", status == 0 and [b.epoch for b in batches] == [0, 0, 1, 1, 2, 2]
      and (header.classes, header.epochs, header.samples, header["x"].scale) == (2, 3, 10, 1 / 255), said)
check("each sample has its id", all((b["x"][:, 0] == 4 * b["id"]).all() for b in batches))
check("a source's tensors have origins", header.lineage[header["y"].origin] == {"stage": "python-source", "makes": "y", "digest": "one"})
trained = run("student-trainer", "-a", "4-4-2", "-q", "-o", "student.safetensors", data=out)
check("C trains on it", trained[0] == 0, trained[2])
script("counted.py", text.format(more="", argument="", order="numpy.arange(10)", named=False))
status, out, said = python("counted.py")
check("samples are counted if a source has no ids", [b["id"].tolist() for b in read(out)[1]] == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], said)
status, _, said = python("counted.py", "--epochs", "2")
check("a source without ids is refused with several epochs", status == 65 and "yield x, y, id" in said, said)
script("sink.py", """
import pipestill
@pipestill.sink()
def count(stream):
    "Counts."
    print(sum(batch.n for batch in stream) {more})
count.main()
""")
text = open("sink.py").read()
script("sink.py", text.format(more=""))
check("a sink prints to standard output", python("sink.py", data=digits)[:2] == (0, b"600\n"))
status, out, said = python("sink.py", data=digits[:-1])
check("a sink prints nothing for a stream that is cut", (status, out) == (65, b"") and len(said.splitlines()) == 1, said)
script("first.py", text.replace("sum(batch.n for batch in stream) {more}", "next(stream).n"))
check("the rest of the stream is checked if a sink returns early",
      [python("first.py", data=data)[0] for data in (digits, digits[:-1])] == [0, 65])
done = subprocess.run(f"{PYTHON} sink.py <digits.pst | true", shell=True, capture_output=True, check=False)
check("a sink whose reader leaves says nothing", b"sink" not in done.stderr, done.stderr)
sys.path.insert(0, ".")
import nameless  # noqa: E402 (it was made above)

check("a teacher is still a function", nameless.answer(numpy.zeros((2, 784), "f4")).shape == (2, 10))

# ---- a pool ------------------------------------------------------------------------------------------------------------

dispatcher = subprocess.Popen(["dispatcher", "ipc://pool.socket", "-i", "digits.pst", "-o", "answered.pst"], stderr=subprocess.PIPE)
time.sleep(0.2)
status, _, said = run("worker", "ipc://pool.socket", "--", PYTHON, "t.py")
check("a worker gives its answers to a dispatcher", (status, dispatcher.wait(120)) == (0, 0), said[-500:])
plain, pooled = (read(open(name, "rb").read()) for name in ("made.pst", "answered.pst"))
check("a pool's answers are those of a plain pipe", all(
    (one["logits/flat"] == other["logits/flat"]).all() and one["id"].tolist() == other["id"].tolist()
    for one, other in zip(plain[1], pooled[1])) and plain[0]["logits/flat"].origin == pooled[0]["logits/flat"].origin)
