"""The stream in Python, from docs/stream-format.md alone, against the C library. Prints TAP.

The reader is the one that stands in that page, taken from there; so is the example, byte by byte.
"""
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import tempfile

import numpy

import pst
from pipestill_stream import crc32c, stream

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
TEACHER = os.path.join(ROOT, "pipelines", "python-teacher.py")
PASSTHROUGH = os.path.join(os.environ.get("BUILD", "build"), "tests", "passthrough")
PAGE = open(os.path.join(ROOT, "docs", "stream-format.md"), encoding="utf-8").read()
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def run(*command, data=b""):
    """Runs a program. Returns its exit code, what it wrote, and what it said."""
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def documented_reader():
    """The functions of the Python in the page."""
    space = {}
    exec(re.search(r"```python\n(.*?)```", PAGE, re.S).group(1), space)
    return space


def documented_bytes():
    """The example in the page: the hexadecimal digits of its dump."""
    dump = re.search(r"```\n(0000000 .*?)```", PAGE, re.S).group(1)
    lines = re.findall(r"^\d{7} (.*?)  +>", dump, re.M)
    return bytes.fromhex("".join(lines))


def fails(function, *arguments):
    try:
        list(function(*arguments))
    except Exception:  # any error will do: the reader in the page is short
        return True
    return False


reader = documented_reader()
_, recorded, _ = run("loader", "digits", "--samples", "10", "--batch", "4", "--epochs", "2")
expected_header, expected = pst.read(recorded)

# ---- what C writes, Python reads ---------------------------------------------------------------------------------------

header, *batches = reader["read"](io.BytesIO(recorded))
check("the reader in the page reads what loader writes", header == expected_header and len(batches) == 6)
check("its arrays are those of the stream", all(
    all(numpy.array_equal(tensors[name], other[name]) for name in tensors)
    for (_, tensors), other in zip(batches, expected)))
check("the last batch of an epoch has the rest", [meta["n"] for meta, _ in batches] == [4, 4, 2] * 2)
check("an epoch has each id once", all(
    sorted(numpy.concatenate([t["id"] for m, t in batches if m["epoch"] == epoch]).tolist()) == list(range(10))
    for epoch in (0, 1)))
ends = pst.message_ends(recorded)
check("it refuses a stream that is cut between two messages",
      all(fails(reader["read"], io.BytesIO(recorded[:end])) for end in ends[:-1]))
inlet, outlet = os.pipe()
os.write(outlet, recorded[:ends[1]])  # and the pipe stays open
signal.alarm(60)
with os.fdopen(inlet, "rb") as slow:
    coming = reader["read"](slow)
    check("it yields what a slow pipe has brought", next(coming) == header and next(coming)[0]["n"] == 4)
signal.alarm(0)
os.close(outlet)
damaged = bytearray(recorded)
damaged[ends[2] - 5] ^= 4
check("it refuses a stream with a damaged tensor", fails(reader["read"], io.BytesIO(damaged)))
check("the page's CRC-32C gives the page's answer", reader["crc32c"](b"123456789") == 0xE3069283)



def origin(entry):
    """As docs/stream-format.md says."""
    text = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


check("every entry of a lineage has the digest that is its key, and every tensor has an origin in it",
      all(origin(entry) == key for key, entry in header["lineage"].items())
      and all(spec["origin"] in header["lineage"] for spec in header["tensors"]))
old = stream([{"name": "y", "dtype": "i32", "shape": []}], [{"y": [3, 1]}], format=1)
status, _, said = run("stream-inspect", "--check", data=old)
check("a stream of version 1 is read", status == 0, said)
changed = {**header, "lineage": {key: {**entry, "digest": "another"} for key, entry in header["lineage"].items()}}
status, _, said = run("stream-inspect", "--check", data=pst.write(changed, expected))
check("a lineage that was changed is refused", status == 65 and "it was changed" in said, said)

# ---- what Python writes, C reads ---------------------------------------------------------------------------------------

example = stream([{"name": "y", "dtype": "i32", "shape": []}, {"name": "id", "dtype": "u64", "shape": []}],
                 [{"y": [3, 1], "id": [7, 8]}], classes=10)
check("the example is what the page shows", documented_bytes() == example)
status, _, said = run("stream-inspect", "--check", data=documented_bytes())
check("the example is a whole stream to C", status == 0, said)
for size in range(0, len(example), 7):
    status, _, said = run("stream-inspect", "--check", data=example[:size])
    if status != 65:
        break
check("and is none where it is cut", status == 65, f"{size} bytes: {said}")
status, again, said = run(PASSTHROUGH, data=recorded)
check("a filter that does nothing hands on every byte of every tensor",
      status == 0 and [data for _, _, data in pst.messages(again)] == [data for _, _, data in pst.messages(recorded)])
kinds = list(pst.messages(again)), list(pst.messages(recorded))
check("and the sums of its trailer are as they were", all(
    kinds[0][-1][1][key] == kinds[1][-1][1][key] for key in ("batches", "samples", "batch_checksum", "sample_checksum")))
check("and its header has one entry of history more",
      {**kinds[0][0][1], "history": kinds[0][0][1]["history"][:-1]} == kinds[1][0][1])
one_id = stream([{"name": "id", "dtype": "u64", "shape": []}], [{"id": [1]}])
sums = list(pst.messages(run(PASSTHROUGH, data=one_id)[1]))[-1][1]
check("the page's sample hash is the library's",
      sums["sample_checksum"] == int(re.search(r"Of epoch 0, id 1 it is (0x\w+);", PAGE).group(1), 16))

kinds = {"u8": 200, "u16": 40000, "u64": 2**40, "i32": -7, "f16": -0.375, "f32": 1e-20}
typed = stream([{"name": kind, "dtype": kind, "shape": [2]} for kind in kinds],
               [{kind: [[value, value]] for kind, value in kinds.items()}])
_, (_, again) = reader["read"](io.BytesIO(run(PASSTHROUGH, data=typed)[1]))
check("every dtype passes through C unchanged", all(
    again[kind].tolist() == numpy.array([[value, value]], reader["DTYPES"][kind]).tolist() for kind, value in kinds.items()))
shown = run("stream-inspect", "--summary", "--json", data=typed)[1].decode().splitlines()
found = json.loads(shown[-1])["tensors"]
check("stream-inspect reads every dtype", all(
    abs(found[kind]["mean"] - value) <= 1e-7 * abs(value) for kind, value in kinds.items()), found)

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
    check("its logits are teacher-forward's", logits.shape == (1000, 10) and away < 1e-5, f"{away:g}")
    check("it hands on every other tensor", all(
        numpy.array_equal(a[name], b[name]) for a, b in zip(batches, c_batches) for name in ("seq", "epoch", "x", "y", "id")))
    entry = header["lineage"][header["tensors"][-1]["origin"]]
    check("it enters what it made", entry["stage"] == "python-teacher" and origin(entry) == header["tensors"][-1].pop("origin"))
    c_header["tensors"][-1].pop("origin")
    made = {"history": 0, "lineage": 0}
    check("its header is teacher-forward's but for history and lineage",
          {**header, **made} == {**c_header, **made} and header["history"][-1]["stage"] == "python-teacher")
    check("C takes it for a whole stream", run("stream-inspect", "--check", data=in_python)[0] == 0)
    status, soft, said = run("temperature-softmax", "-T", "5", data=in_python)
    rows = pst.column(pst.read(soft)[1], "soft/t")
    check("temperature-softmax softens its logits", status == 0 and abs(rows.sum(axis=1) - 1).max() < 1e-5, said)
    more = stream(*pst_parts(data), later={"a": [1, None]})
    header, _ = pst.read(run(TEACHER, model, data=more)[1])
    check("keys that it does not know pass through it", header["later"] == {"a": [1, None]})
    refusals(model, data)


def pst_parts(data):
    header, batches = pst.read(data)
    return header["tensors"], batches


def refusals(model, data):
    ends = pst.message_ends(data)
    codes = [run(TEACHER, model, data=data[:end])[0] for end in (0, 10, ends[0], ends[3], ends[-2])]
    check("it refuses a stream that is cut", codes == [65] * 5, codes)
    cut = run(TEACHER, model, data=data[:ends[3]])[1]
    status, _, said = run("stream-inspect", "--check", data=cut)
    check("and what it wrote till then is truncated to the next stage", status == 65 and "truncated" in said, said)
    damaged = bytearray(data)
    damaged[ends[2] - 5] ^= 4
    check("it refuses a damaged tensor", run(TEACHER, model, data=bytes(damaged))[0] == 65)
    check("it refuses more after the trailer", run(TEACHER, model, data=data + data)[0] == 65)
    twice = run(TEACHER, model, "t", data=run(TEACHER, model, "t", data=data)[1])
    check("it refuses a name that is taken", twice[0] == 65 and "already" in twice[2], twice[2])
    check("it misses a model that is not there", run(TEACHER, model + "x", data=data)[0] == 66)


with tempfile.TemporaryDirectory() as made:
    with_teacher(made)
with open(TEACHER, encoding="utf-8") as file:
    space = {"__name__": "teacher"}
    exec(compile(file.read(), TEACHER, "exec"), space)
random = numpy.random.default_rng(1).integers(0, 256, 1100, dtype="u1").tobytes()
check("its CRC-32C is the plain one at every length",
      all(space["crc32c"](random[:size]) == crc32c(random[:size]) for size in range(1100)))
print(f"1..{count}")
