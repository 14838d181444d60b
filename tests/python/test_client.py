"""The package pipestill: checksums, reading, writing, changing streams, and hostile ones. Prints TAP."""
import io
import os
import resource
import tempfile

import msgpack
import numpy
import pst
from pipestill_stream import message, stream
from tap import ROOT, check, refusal, run

import pipestill
from pipestill import crc32c
from pipestill.lineage import origin_of

TENSORS = [{"name": "x", "dtype": "u8", "shape": [3], "scale": 0.5, "offset": -1}, {"name": "y", "dtype": "i32", "shape": []},
           {"name": "id", "dtype": "u64", "shape": []}]
BATCHES = [{"x": [[0, 1, 2], [3, 4, 255]], "y": [1, 0], "id": [5, 6]}, {"x": [[7, 8, 9]], "y": [1], "id": [7]}]
SMALL = stream(TENSORS, BATCHES, classes=2, class_names=["no", "yes"], later=[1, {"a": None}])


def read(data, **more):
    with pipestill.read(io.BytesIO(bytes(data)), **more) as reader:
        return reader.header, list(reader)


def said_of(data, **more):
    """The reader's message for a stream that it must refuse; "" if it reads it."""
    return refusal(pipestill.BadData, read, data, **more)


# ---- checksums ---------------------------------------------------------------------------------------------------------


def plain(data):
    """CRC-32C bit by bit."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


random = numpy.random.default_rng(1).integers(0, 256, 3 << 20, dtype="u1")
sizes = [*range(40), 1023, 1024, 1025, 1027, 2049, 5684, 5685, 5686, 11369, 11371, 22741, 45481, 100352]
check("CRC-32C by numpy is that bit by bit at many sizes",
      [crc32c.crc32c_numpy(random[:size]) for size in sizes] == [plain(random[:size].tolist()) for size in sizes])
joined = crc32c.crc32c_numpy(random[: (1 << 20) + 3])
whole = pst.messages(run("loader", "digits", "--samples", "3000", "--batch", "3000")[1])
_, (_, meta, parts), _ = whole
check("CRC-32C by numpy is that of C for a tensor of two megabytes", [crc32c.crc32c_numpy(part) for part in parts] == meta["crcs"])
check("CRC-32C takes bytes, arrays and views alike", len({crc32c.crc32c(form) for form in (
    random[:5000].tobytes(), random[:5000], bytearray(random[:5000]), memoryview(random[:5000]))}) == 1)

with open(os.path.join(ROOT, "include", "pipestill", "base.h"), encoding="utf-8") as file:
    check("the package has the version of the tree", f'PST_VERSION "{pipestill.__version__}"' in file.read())

# ---- reading -----------------------------------------------------------------------------------------------------------

header, batches = read(SMALL)
check("a header has tensors, classes and names", header["x"].shape == (3,) and header["x"].scale == 0.5
      and (header.classes, header.class_names, header.class_counts) == (2, ["no", "yes"], None))
check("keys that the package does not know are kept", header.more["later"] == [1, {"a": None}])
check("a missing tensor is an error that lists the tensors", "x, y, id" in refusal(pipestill.BadData, lambda: header["z"]))
check("batches hold arrays by name", [sorted(batch) for batch in batches] == [["id", "x", "y"]] * 2
      and batches[0]["x"].tolist() == BATCHES[0]["x"] and batches[1]["id"].tolist() == [7])
check("batches have their number, epoch and size", [(batch.seq, batch.epoch, batch.n) for batch in batches] == [(0, 0, 2), (1, 0, 1)])
numbers = batches[0].numbers("x")
check("numbers are what elements stand for", numbers.dtype == "f4" and numbers[1].tolist() == [0.5, 1, 126.5])
check("arrays of a batch are read-only, because their checksums are handed on",
      "read-only" in refusal(ValueError, batches[0]["x"].__setitem__, 0, 1))
batches[0]["x"].tobytes()
check("arrays begin at aligned places",
      all(batch[name].ctypes.data % batch[name].itemsize == 0 for batch in batches for name in batch))


class Dribble(io.RawIOBase):
    """A file that gives a byte at a time."""

    def __init__(self, data):
        self.data = io.BytesIO(data)

    def readinto(self, room):
        return self.data.readinto(memoryview(room)[:1])


class OnlyRead:
    """A file with read alone."""

    def __init__(self, data):
        self.read = io.BytesIO(data).read


for kind in Dribble, OnlyRead:
    with pipestill.read(kind(SMALL)) as reader:
        check(f"a stream is read from a file of the kind {kind.__name__}", [batch.n for batch in reader] == [2, 1])
check("a recording that is not there is FileNotFoundError", refusal(FileNotFoundError, pipestill.read, "/nowhere/a.pst") != "")
wide = msgpack.packb({"seq": 0, "epoch": 0, "n": 2, "crcs": [plain(b"\1\2")]})
odd = b"".join([
    stream([{"name": "u", "dtype": "u8", "shape": []}], [])[: pst.message_ends(stream([{"name": "u", "dtype": "u8", "shape": []}], []))[0]],
    b"\xdf\0\0\0\4\xd9\4kind\xda\0\5batch\xa4meta\xc6", len(wide).to_bytes(4, "big"), wide, b"\xdb\0\0\0\3crc\xcf\0\0\0\0",
    plain(wide).to_bytes(4, "big"), b"\xa4data\xdc\0\1\xc5\0\2\1\2"])
with pipestill.read(io.BytesIO(odd)) as reader:
    check("lengths and integers may be of any width", next(reader)["u"].tolist() == [1, 2])

# ---- hostile streams ---------------------------------------------------------------------------------------------------

cuts = [said_of(SMALL[:size]) for size in range(len(SMALL))]
check("a stream that is cut at any byte is refused with its place", all("stream, byte " in said for said in cuts)
      and "truncated" in cuts[-1] and "empty" in cuts[0], cuts)
flips = []
for at in range(len(SMALL)):
    changed = bytearray(SMALL)
    changed[at] ^= 1 << at % 8
    flips.append(said_of(changed))
check("a bit that is flipped anywhere is found", all(flips), [at for at, said in enumerate(flips) if not said])
check("what follows the trailer is refused", "follows the trailer" in said_of(SMALL + b"\0") and "follows" in said_of(SMALL + SMALL))
ends = pst.message_ends(SMALL)
one, two = SMALL[ends[0]:ends[1]], SMALL[ends[1]:ends[2]]
check("a missing batch is reported as a gap", "a gap" in said_of(SMALL[:ends[0]] + two + SMALL[ends[2]:]))
check("a batch that comes twice is reported as a repeat", "a repeat" in said_of(SMALL[:ends[1]] + one + SMALL[ends[1]:]))
check("a second header is refused", "second header" in said_of(SMALL[:ends[0]] + SMALL))
check("a stream without a header is refused", "does not begin with a header" in said_of(SMALL[ends[0]:]))
check("a trailer with other sums is refused", "the trailer" in said_of(SMALL[:ends[1]] + SMALL[ends[2]:]))
check("a text is refused as a stream", "not a pipestill stream" in said_of(b"x,y\n1,2\n"))
run_mark = {"seq": 0, "epoch": 0, "n": 1, "crcs": [crc32c.crc32c(b"\1")], "run": 77}
head = stream([{"name": "u", "dtype": "u8", "shape": []}], [])
head = head[:pst.message_ends(head)[0]]
check("a batch of another run is refused", "another run" in said_of(head + message("batch", run_mark, [b"\1"])[0]))


def header_of(**changes):
    """A header's message with some keys changed; None takes one away."""
    meta = {"format": 2, "run": "one", "tensors": [], "history": []} | changes
    return message("header", {key: value for key, value in meta.items() if value is not None})[0]


def tensor_of(**changes):
    meta = {"name": "a", "dtype": "f32", "shape": [2]} | changes
    return header_of(tensors=[{key: value for key, value in meta.items() if value is not None}])


entry = {"stage": "made", "makes": "x", "temperature": "4"}
false_headers = {
    "format": [header_of(format=3), header_of(format=0), header_of(format=True), header_of(format=None)],
    "run": [header_of(run=""), header_of(run="a" * 33), header_of(run=7), header_of(run=None)],
    "tensors": [header_of(tensors=None), header_of(tensors={}), header_of(tensors=[1])],
    "history": [header_of(history=None), header_of(history={})],
    "counts": [header_of(classes=-1), header_of(samples=2**53 + 1), header_of(first="0"), header_of(epochs=1.0), header_of(batches=True)],
    "encoding": [header_of(encoding="lz4"), header_of(encoding=1)],
    "name": [tensor_of(name=""), tensor_of(name="a" * 128), tensor_of(name=None), tensor_of(name=1)],
    "dtype": [tensor_of(dtype="f64"), tensor_of(dtype=None), tensor_of(dtype=1), tensor_of(dtype=[])],
    "shape": [tensor_of(shape=[0]), tensor_of(shape=[1] * 8), tensor_of(shape=None), tensor_of(shape=[1.0]), tensor_of(shape=[2**62]),
              tensor_of(shape=[2**31] * 7), tensor_of(shape=[True])],
    "scale": [tensor_of(scale="1"), tensor_of(offset=[]), tensor_of(temperature=-1), tensor_of(scale=True)],
    "origin": [tensor_of(origin="A" * 64), tensor_of(origin="a" * 63), tensor_of(origin=1), tensor_of(origin="a" * 64 + "\n")],
    "twice": [header_of(tensors=[{"name": "a", "dtype": "u8", "shape": []}] * 2)],
    "id": [tensor_of(name="id"), tensor_of(name="id", dtype="u64")],
    "many": [header_of(tensors=[{"name": f"{i}", "dtype": "u8", "shape": []} for i in range(4097)])],
    "lineage": [header_of(lineage=[]), header_of(lineage={"a" * 64: entry}), header_of(lineage={"a" * 64: {"stage": 1}}),
                header_of(lineage={origin_of(entry): entry | {"makes": "y"}})],
    "temperature": [header_of(lineage={origin_of(entry): entry}, tensors=[
        {"name": "soft", "dtype": "f32", "shape": [2], "temperature": 5.0, "origin": origin_of(entry)}])],
    "depth": [header_of(other=[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]])],
    "kind": [header_of(other=b"1"), header_of(other=float("nan")), header_of(other=2**63), header_of(other=msgpack.ExtType(1, b"")),
             header_of(other=msgpack.Timestamp(1)), header_of(other={"a\0": 1}), header_of(other={1: 2})],
    "parts": [header_of(other=[{}] * 66_000), header_of(other=[1] * 600_000)],
}
for what, headers in false_headers.items():
    check(f"a header is refused for its {what}", all(said_of(false) for false in headers), [said_of(false) for false in headers])
twice = b"\x82\xa1a\x01\xa1a\x01"
framed = b"\x83\xa4kind\xa6header\xa4meta\xc4" + bytes([len(twice)]) + twice + b"\xa3crc\xce" + plain(twice).to_bytes(4, "big")
check("a key that comes twice is refused", "twice" in said_of(framed), said_of(framed))

false_batches = [{"n": 0}, {"n": -1}, {"n": 2**62}, {"n": 1.0}, {"n": None}, {"crcs": []}, {"crcs": {}}, {"crcs": [0]}, {"crcs": [True]},
                 {"seq": -1}, {"seq": "0"}, {"epoch": None}, {"epoch": -1}, {"run": None}]
good = {"seq": 0, "epoch": 0, "n": 1, "crcs": [crc32c.crc32c(b"\1")]}
said = [said_of(head + message("batch", good | change, [b"\1"])[0]) for change in false_batches]
check("a batch's metadata are refused if they break the format", all(said) and "truncated" not in "".join(said), said)
check("bins of another length are refused", all("bytes" in said_of(head + message("batch", good, [data])[0]) for data in (b"", b"\1\2")))
check("too many or too few bins are refused",
      all("does not hold" in said_of(head + message("batch", good, parts)[0]) for parts in ([], [b"\1"] * 2)))

usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
absurd = [b"\xdf\xff\xff\xff\xff", b"\x83\xdb\xff\xff\xff\xff", b"\x83\xa4kind\xa6header\xa4meta\xc6\xff\xff\xff\xff",
          b"\x83\xa4kind\xa6header\xa4meta\xc6\x00\x10\x00\x01", b"\xdd\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff",
          head + b"\x84\xa4kind\xa5batch\xa4meta\xc6\x7f\xff\xff\xff", head + message("batch", good | {"n": 2**40}, [b"\1"])[0],
          tensor_of(shape=[2**61]) + message("batch", good | {"n": 1}, [b"\1"])[0]]
said = [said_of(data) for data in absurd]
big = msgpack.packb([None] * (1 << 20))[:1 << 20]
said.append(said_of(absurd[2][:-4] + len(big).to_bytes(4, "big") + big + b"\xa3crc\xce" + plain(b"").to_bytes(4, "big")))
grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - usage) >> 10
check("absurd lengths are refused, and take no memory", all(said) and grown < 16, f"{grown} MiB; {said}")
check("the limit for a message can be set", "--max-message" in said_of(SMALL, max_message=6) or "allowed" in said_of(SMALL, max_message=6))
compressed = run("loader", "digits", "--samples", "4", "--zstd", "1")[1]
try:
    import zstandard  # noqa: F401 (checks only whether it is there)
    check("a compressed stream is read", read(compressed)[1][0].n == 4)
except ImportError:
    check("a compressed stream is refused without zstandard, and the error says what to do",
          "install" in refusal(pipestill.Unavailable, read, compressed))

# ---- writing -----------------------------------------------------------------------------------------------------------

os.chdir(tempfile.mkdtemp())
with pipestill.write("made.pst", classes=2, class_names=["no", "yes"]) as writer:
    writer.write({"x": numpy.zeros((3, 2, 2)), "y": [0, 1, 0], "id": [4, 5, 6]}, epoch=1)
    check("a file has no name before it is whole", os.listdir() == ["made.pst.part"])
status, _, said = run("stream-inspect", "--check", "made.pst")
check("a whole file has its name, and C reads it as a whole stream", os.listdir() == ["made.pst"] and status == 0, said)
header, (batch,) = read(open("made.pst", "rb").read())
check("without a header the arrays say what the tensors are", [(t.name, t.dtype, t.shape) for t in header.tensors]
      == [("x", "f32", (2, 2)), ("y", "i32", ()), ("id", "u64", ())] and (batch.epoch, header.class_names) == (1, ["no", "yes"]))
check("C reads samples of the recording by its index", run("replay", "made.pst", "--shuffle", "--batch", "1")[0] == 0)
check("an existing file is not replaced without force", "force" in refusal(pipestill.Usage, pipestill.write, "made.pst", classes=2))
with pipestill.write("made.pst", classes=3, force=True) as writer:
    writer.write({"y": [2]})
check("an existing file is replaced with force", read(open("made.pst", "rb").read())[0].classes == 3)
try:
    with pipestill.write("broken.pst", classes=2) as writer:
        writer.write({"y": [0]})
        raise RuntimeError("the user's")
except RuntimeError:
    pass
check("after an exception there is no file, and no trailer", sorted(os.listdir()) == ["broken.pst.part", "made.pst"]
      and "truncated" in said_of(open("broken.pst.part", "rb").read()))
check("what was recorded is not overwritten", "stream-repair" in refusal(pipestill.TryAgain, pipestill.write, "broken.pst", classes=2))
check("stream-repair makes a broken recording whole", run("stream-repair", "broken.pst.part")[0] == 0)
with pipestill.write("first.pst", classes=2) as writer:
    writer.write({"y": [0]})
    check("two writers cannot write one file", "another process" in refusal(pipestill.TryAgain, pipestill.write, "first.pst", classes=2))
out = io.BytesIO()
tensors = [pipestill.Tensor("y", "i32"), pipestill.Tensor("h", "f16", (2,)), pipestill.Tensor("b", "u8")]
writer = pipestill.write(out, pipestill.Header(tensors))
right = {"y": [1, 2], "h": [[1, 2], [3, 4]], "b": [True, False]}
wrong = {"another shape": {"h": [1, 2]}, "too few samples": {"h": [[1, 2]]}, "numbers that do not fit": {"b": [1, 256]},
         "fractions for whole numbers": {"y": [1.5, 2]}, "texts": {"y": ["a", "b"]}, "no samples": {"y": []}}
for what, change in wrong.items():
    check(f"the writer refuses {what}", refusal(pipestill.BadData, writer.write, right | change) != "")
check("the writer refuses a missing tensor", "'h'" in refusal(pipestill.BadData, writer.write, {"y": [1]}))
writer.write(right | {"more": [1]})
writer.close()
check("the writer's output is right after refusals", read(out.getvalue())[1][0]["h"].tolist() == [[1, 2], [3, 4]])
many = io.BytesIO()
with pipestill.write(many, pipestill.Header([])) as writer:
    pass
check("a stream without batches is whole", run("stream-inspect", "--check", data=many.getvalue())[0] == 0)

# ---- changing ----------------------------------------------------------------------------------------------------------

source = run("loader", "digits", "--samples", "6", "--batch", "4")[1]
out = io.BytesIO()
with pipestill.read(io.BytesIO(source)) as reader:
    header = reader.header.copy()
    header.add(pipestill.Tensor("logits/t", "f32", (2,)), header.entry("mine", "logits", ["x"], model="ab", cut=0.1))
    header.add(pipestill.Tensor("soft/t", "f32", (2,), temperature=4), header.entry("mine", "soft", ["logits/t"]))
    header.add(pipestill.Tensor("unknown", "u8"))
    header.replace("y", pipestill.Tensor("y", "i32"), header.entry("mine", "y", ["y"], plus=1))
    header.drop("x")
    header.add_history("mine", "adds", version="3", cut=0.1)
    with pipestill.write(out, header) as writer:
        for batch in reader:
            batch.update({"logits/t": numpy.ones((batch.n, 2)), "soft/t": numpy.full((batch.n, 2), 0.5), "unknown": [1] * batch.n})
            batch["y"] = batch["y"] + 1
            writer.write(batch)
status, _, said = run("stream-inspect", "--check", data=out.getvalue())
check("a stream that was changed is whole to C", status == 0, said)
header, batches = read(out.getvalue())
came, given = (list(pst.messages(data))[1] for data in (source, out.getvalue()))
check("tensors that pass keep their bytes and checksums", (given[2][1], given[1]["crcs"][1]) == (came[2][2], came[1]["crcs"][2]))
entries = {tensor.name: header.lineage.get(tensor.origin) for tensor in header.tensors}
x_origin = read(source)[0]["x"].origin
check("a tensor that was added has its origin", entries["logits/t"] == {"stage": "mine", "makes": "logits", "model": "ab",
                                                              "cut": "0.10000000000000001", "from": [x_origin]}
      and entries["soft/t"]["temperature"] == "4" and entries["soft/t"]["from"] == [header["logits/t"].origin])
check("a tensor without an entry has no origin", header["unknown"].origin is None)
check("a tensor that is made from one without an origin has no entry", header.entry("mine", "y", ["unknown"]) is None)
check("the history has one entry more", header.history[-1] == {"stage": "mine", "version": "3", "effect": "adds", "cut": 0.1})
with pipestill.read(io.BytesIO(source)) as reader, pipestill.write(io.BytesIO(), reader.header.copy()) as writer:
    batch = next(reader)
    batch["x"] = 255 - batch["x"]
    check("a change that the header does not declare is refused", "replace" in refusal(pipestill.BadData, writer.write, batch))
out = io.BytesIO()
with pipestill.read(io.BytesIO(source)) as reader, pipestill.write(out, reader.header.copy()) as writer:
    for batch in reader:
        writer.write(batch.take(batch["id"] != 0))
check("some samples of a batch can be taken",
      sorted(numpy.concatenate([b["id"] for b in read(out.getvalue())[1]]).tolist()) == [1, 2, 3, 4, 5]
      and run("stream-inspect", "--check", data=out.getvalue())[0] == 0)
