"""The stream in Python against docs/stream-format.md and the C library: the package pipestill, and the teacher in Python. Prints TAP."""
import io
import json
import os
import re
import signal
import tempfile

import numpy
import pst
from pipestill_stream import stream
from tap import ROOT, check, run

import pipestill
from pipestill import crc32c, format
from pipestill.lineage import origin_of

TEACHER = os.path.join(ROOT, "pipelines", "python-teacher.py")
PASSTHROUGH = os.path.join(os.environ.get("BUILD", "build"), "tests", "passthrough")
PAGE = open(os.path.join(ROOT, "docs", "stream-format.md"), encoding="utf-8").read()


def documented_bytes():
    """The example in the page: the hexadecimal digits of its dump."""
    dump = re.search(r"```\n(0000000 .*?)```", PAGE, re.S).group(1)
    lines = re.findall(r"^\d{7} (.*?)  +>", dump, re.M)
    return bytes.fromhex("".join(lines))


def documented_command():
    """The Python that the page says writes its example."""
    return re.search(r"PYTHONPATH=python python3 -c '(.*?)' \|", PAGE, re.S).group(1).replace("\n    ", "\n")


def read(data):
    with pipestill.read(io.BytesIO(data)) as reader:
        return reader.header, list(reader)


# ---- the page's numbers ------------------------------------------------------------------------------------------------

example = documented_bytes()
environment = {**os.environ, "PYTHONPATH": os.path.join(ROOT, "python")}
check("the page's command writes the page's bytes", run("/usr/bin/python3", "-c", documented_command(), env=environment)[1] == example)
header, batches = read(example)
check("the package reads the page's bytes", header.classes == 10 and batches[0]["y"].tolist() == [3, 1]
      and batches[0]["id"].tolist() == [7, 8])
status, _, said = run("stream-inspect", "--check", data=example)
check("C reads the page's bytes as a whole stream", status == 0, said)
for size in range(0, len(example), 7):
    status, _, said = run("stream-inspect", "--check", data=example[:size])
    if status != 65:
        break
check("C refuses the page's bytes if they are cut", status == 65, f"{size} bytes: {said}")
check("CRC-32C gives the page's answer", crc32c.crc32c_numpy(b"123456789") == int(re.search(r"`123456789`[^`]*?(0x\w+)", PAGE)[1], 16))
check("CRC-32C gives the page's checksum of the example's labels", f"{crc32c.crc32c_numpy(batches[0]['y'].tobytes()):X}" in PAGE)
hashes = re.search(r"epoch 0, id 1 .*?(0x\w+); .*?epoch 1, id 0 .*?(0x\w+)\.", PAGE)
check("the sample hash gives the page's answers", [format.sample_hashes(epoch, numpy.array([i], "u8")) for epoch, i in ((0, 1), (1, 0))]
      == [int(value, 16) for value in hashes.groups()])

# ---- what C writes, Python reads ---------------------------------------------------------------------------------------

_, recorded, _ = run("loader", "digits", "--samples", "10", "--batch", "4", "--epochs", "2")
expected_header, expected = pst.read(recorded)
header, batches = read(recorded)
check("the package reads what loader writes, and loses nothing of the header", header.to_meta() == expected_header and len(batches) == 6)
check("the package's arrays are those of the stream", all(
    all(numpy.array_equal(batch[name], other[name]) for name in batch) for batch, other in zip(batches, expected)))
check("the last batch of an epoch has the rest", [batch.n for batch in batches] == [4, 4, 2] * 2)
check("an epoch has each id once", all(
    sorted(numpy.concatenate([b["id"] for b in batches if b.epoch == epoch]).tolist()) == list(range(10)) for epoch in (0, 1)))
ends = pst.message_ends(recorded)
inlet, outlet = os.pipe()
os.write(outlet, recorded[:ends[1]])  # the pipe stays open
signal.alarm(60)
with os.fdopen(inlet, "rb") as slow, pipestill.read(slow) as coming:
    check("the package yields a batch before the next one is in the pipe", next(coming).n == 4)
signal.alarm(0)
os.close(outlet)
check("every entry of a lineage has the digest that is its key, and every tensor has an origin in it",
      all(origin_of(entry) == key for key, entry in header.lineage.items())
      and all(tensor.origin in header.lineage for tensor in header.tensors))
old = stream([{"name": "y", "dtype": "i32", "shape": []}], [{"y": [3, 1]}], format=1)
status, _, said = run("stream-inspect", "--check", data=old)
check("a stream of version 1 is read by C", status == 0, said)
check("a stream of version 1 is read by Python", read(old)[1][0]["y"].tolist() == [3, 1])

# ---- what Python writes, C reads ---------------------------------------------------------------------------------------

kinds = {"u8": 200, "u16": 40000, "u64": 2**40, "i32": -7, "f16": -0.375, "f32": 1e-20}
tensors = [pipestill.Tensor(kind, kind, (2,)) for kind in kinds]
typed = io.BytesIO()
with pipestill.write(typed, pipestill.Header(tensors)) as writer:
    writer.write({kind: numpy.array([[value, value]], format.DTYPES[kind]) for kind, value in kinds.items()})
_, (again,) = read(run(PASSTHROUGH, data=typed.getvalue())[1])
check("every dtype passes through C unchanged", all(
    again[kind].tolist() == numpy.array([[value, value]], format.DTYPES[kind]).tolist() for kind, value in kinds.items()))
shown = run("stream-inspect", "--summary", "--json", data=typed.getvalue())[1].decode().splitlines()
found = json.loads(shown[-1])["tensors"]
check("stream-inspect reads every dtype", all(
    abs(found[kind]["mean"] - value) <= 1e-7 * abs(value) for kind, value in kinds.items()), found)
status, again, said = run(PASSTHROUGH, data=recorded)
check("a filter in C that does nothing hands on every byte of every tensor",
      status == 0 and [data for _, _, data in pst.messages(again)] == [data for _, _, data in pst.messages(recorded)])
handed = io.BytesIO()
with pipestill.read(io.BytesIO(recorded)) as reader, pipestill.write(handed, reader.header.copy()) as writer:
    for batch in reader:
        writer.write(batch)
ours, theirs = ([message for message in pst.messages(data)][1:] for data in (handed.getvalue(), again))
for messages in ours, theirs:
    messages[-1][1].pop("index")
check("a filter in Python writes the same batches and sums as C, to the byte", ours == theirs)

# ---- a teacher in Python -----------------------------------------------------------------------------------------------


def with_teacher(folder):
    model = os.path.join(folder, "a.safetensors")
    _, data, _ = run("loader", "digits", "--samples", "1000", "--batch", "100")
    status, _, said = run("student-trainer", "--arch", "784-40-30-10", "--seed", "1", "-q", "-o", model, data=data)
    check("a model is trained", status == 0, said)
    _, in_c, _ = run("teacher-forward", model, "--name", "t", data=data)
    status, in_python, said = run(TEACHER, model, "t", data=data)
    check("the teacher in Python answers", status == 0 and said == "", said)
    c_header, c_batches = pst.read(in_c)
    header, batches = pst.read(in_python)
    c_logits, logits = pst.column(c_batches, "logits/t"), pst.column(batches, "logits/t")
    away = abs(logits - c_logits).max() / abs(c_logits).max()
    check("the logits of the teacher in Python are teacher-forward's", logits.shape == (1000, 10) and away < 1e-5, f"{away:g}")
    check("the teacher in Python hands on every other tensor", all(
        numpy.array_equal(a[name], b[name]) for a, b in zip(batches, c_batches) for name in ("seq", "epoch", "x", "y", "id")))
    entry = header["lineage"][header["tensors"][-1]["origin"]]
    check("the teacher in Python adds an entry to the lineage",
          entry["stage"] == "python-teacher" and origin_of(entry) == header["tensors"][-1].pop("origin"))
    c_header["tensors"][-1].pop("origin")
    made = {"history": 0, "lineage": 0}
    check("the header of the teacher in Python is teacher-forward's but for history and lineage",
          {**header, **made} == {**c_header, **made} and header["history"][-1]["stage"] == "python-teacher")
    check("C reads the stream of the teacher in Python as a whole one", run("stream-inspect", "--check", data=in_python)[0] == 0)
    status, soft, said = run("temperature-softmax", "-T", "5", data=in_python)
    rows = pst.column(pst.read(soft)[1], "soft/t")
    check("temperature-softmax softens the logits of the teacher in Python", status == 0 and abs(rows.sum(axis=1) - 1).max() < 1e-5, said)
    old_header, old_batches = pst.read(data)
    more = stream(old_header["tensors"], old_batches, later={"a": [1, None]})
    header, _ = pst.read(run(TEACHER, model, data=more)[1])
    check("unknown keys pass through the teacher in Python", header["later"] == {"a": [1, None]})
    refusals(model, data)


def refusals(model, data):
    ends = pst.message_ends(data)
    codes = [run(TEACHER, model, data=data[:end])[0] for end in (0, 10, ends[0], ends[3], ends[-2])]
    check("the teacher in Python refuses a stream that is cut", codes == [65] * 5, codes)
    cut = run(TEACHER, model, data=data[:ends[3]])[1]
    status, _, said = run("stream-inspect", "--check", data=cut)
    check("the output for a stream that is cut is truncated for the next stage", status == 65 and "truncated" in said, said)
    damaged = bytearray(data)
    damaged[ends[2] - 5] ^= 4
    check("the teacher in Python refuses a damaged tensor", run(TEACHER, model, data=bytes(damaged))[0] == 65)
    check("the teacher in Python refuses more after the trailer", run(TEACHER, model, data=data + data)[0] == 65)
    twice = run(TEACHER, model, "t", data=run(TEACHER, model, "t", data=data)[1])
    check("the teacher in Python refuses a name that is in the stream already", twice[0] == 65 and "already" in twice[2], twice[2])
    check("the teacher in Python reports a missing model", run(TEACHER, model + "x", data=data)[0] == 66)
    status, _, said = run(TEACHER, model, "t", "u", data=data)
    check("the teacher in Python refuses a third argument", status == 64 and "--help" in said, said)


with tempfile.TemporaryDirectory() as made:
    with_teacher(made)
