"""compactor against numpy, through the bytes of streams: its tensors, what they are restored to, the losses that it reports,
and the bytes of a sample. Restoring is written here again, from docs/stream-format.md. Prints TAP.
"""
import json
import os
import subprocess
import tempfile

import numpy

import pst
from pipestill_stream import crc32c, stream

LOADER = [{"stage": "loader", "version": "0", "data": "made", "digest": "0" * 64}]
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def softmax(logits, temperature=1.0):
    powers = numpy.exp((logits - logits.max(axis=1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def targets_stream(name, rows, size, **header):
    """Rows with inputs of 12 bytes, labels and ids, in batches of that size, two epochs of them."""
    random = numpy.random.default_rng(len(rows))
    n, classes = rows.shape
    more = {} if name.startswith("logits") else {"temperature": 4.0}
    tensors = [{"name": "x", "dtype": "u8", "shape": [3, 4], "scale": 0.5}, {"name": "y", "dtype": "i32", "shape": []},
               {"name": "id", "dtype": "u64", "shape": []}, {"name": name, "dtype": "f32", "shape": [classes], **more}]
    x, y = random.integers(0, 256, (n, 3, 4)), random.integers(0, classes, n)
    batches = [{"x": x[at:at + size], "y": y[at:at + size], "id": numpy.arange(at, n)[:size] + 2**33,
                name: rows[at:at + size], "epoch": int(2 * at >= n)} for at in range(0, n, size)]
    return stream(tensors, batches, history=LOADER, classes=classes, **header)


def compact(data, *options):
    """The compact stream, its header and batches, and the figures of --error in the log."""
    with tempfile.TemporaryDirectory() as folder:
        log = os.path.join(folder, "log")
        done = subprocess.run(["compactor", "--error", "--log", log, *options], input=data, capture_output=True, check=True)
        with open(log, encoding="utf-8") as lines:
            said = [event for event in map(json.loads, lines) if event["event"] == "compact"]
    header, batches = pst.read(done.stdout)
    return done.stdout, header, batches, {**said[0], "text": done.stderr.decode()}


# ---- restoring, from docs/stream-format.md -----------------------------------------------------------------------------

def restore(header, batches):
    (target,) = header["compact"]["targets"]
    name, form, classes = target["name"], target["form"], target["classes"]

    def all_of(tensor):
        return pst.column(batches, tensor).astype(float)

    if form == "f32":
        return all_of(name)
    if form == "u8":
        down = all_of(f"u8/{name}") * all_of(f"u8/{name}/step")[:, None]
        if name.startswith("logits"):
            return all_of(f"u8/{name}/max")[:, None] - down
        return numpy.exp(-down) / numpy.exp(-down).sum(axis=1, keepdims=True)
    if form == "top-k":
        kept, logs, tail = all_of(f"top/{name}").astype(int), all_of(f"top/{name}/log"), all_of(f"top/{name}/tail")
        rows = numpy.repeat(numpy.exp(tail)[:, None] / (classes - target["top"]), classes, axis=1)
        numpy.put_along_axis(rows, kept, numpy.exp(logs), axis=1)
        return rows / rows.sum(axis=1, keepdims=True)
    rows = numpy.zeros((sum(len(batch[f"sampled/{name}"]) for batch in batches), classes))
    for row, drawn in zip(rows, pst.column(batches, f"sampled/{name}")):
        numpy.add.at(row, drawn, 1 / target["draws"])
    return rows


def divergences(full, restored):
    full = full.astype(float) / full.sum(axis=1, keepdims=True, dtype=float)
    with numpy.errstate(divide="ignore", invalid="ignore"):
        terms = numpy.where(full > 0, full * numpy.log(full / numpy.maximum(restored, 2.0**-126)), 0)
    return terms.sum(axis=1)


# ---- the forms, made with numpy ----------------------------------------------------------------------------------------

def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011)."""
    counter, key = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [b >> 32 ^ counter[1] ^ key[0], b & 0xFFFFFFFF, a >> 32 ^ counter[3] ^ key[1], a & 0xFFFFFFFF]
        key = [key[0] + 0x9E3779B9 & 0xFFFFFFFF, key[1] + 0xBB67AE85 & 0xFFFFFFFF]
    return counter


def offset_of(seed, epoch, sample):
    """The uniform number of use 8, as docs/training.md says."""
    mask = 2**64 - 1

    def mix(value):
        value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & mask
        value = (value ^ value >> 27) * 0x94D049BB133111EB & mask
        return value ^ value >> 31

    key = mix(mix(seed + 0x9E3779B97F4A7C15 & mask) + 8 & mask)
    words = philox([0, epoch, sample & 0xFFFFFFFF, sample >> 32], [key & 0xFFFFFFFF, key >> 32])
    return ((words[0] << 32 | words[1]) >> 11) * 2.0**-53


def systematic(row, offset, draws):
    edges = numpy.cumsum(row.astype(float)) * (draws / row.sum(dtype=float))
    return numpy.searchsorted(edges, offset + numpy.arange(draws), side="right")


def check_form(what, name, rows, *options):
    made, header, batches, said = compact(targets_stream(name, rows, 50), "--inputs", "digest", *options)
    restored = restore(header, batches)
    kept, full_header, back, _ = compact(targets_stream(name, rows, 50), *options)
    again = pst.read(subprocess.run(["compactor", "--restore"], input=kept, stdout=subprocess.PIPE, check=True).stdout)
    found = pst.column(again[1], name).astype(float)
    away = (abs(found - restored) / (abs(restored) + 1e-30)).max()
    check(f"{what}: restored as the page says", found.shape == rows.shape and away < 3e-7, f"{away:g}")
    check(f"{what}: the restored header describes the original's tensors",
          [t["name"] for t in again[0]["tensors"]] == ["x", "y", "id", name] and again[0]["tensors"][3].get("temperature")
          == (None if name.startswith("logits") else 4.0) and "compact" not in again[0])
    lost = divergences(softmax(rows.astype(float)), softmax(restored)) if name.startswith("logits") \
        else divergences(rows, restored)
    near = abs(said["mean_kl"] - lost.mean()) < 1e-7 + 1e-4 * lost.mean() and \
        abs(said["largest_kl"] - lost.max()) < 1e-6 + 1e-4 * lost.max()
    check(f"{what}: --error says the divergence", near, f"{said} {lost.mean():g} {lost.max():g}")
    check(f"{what}: --error says the bytes, all but the trailer's",
          0 <= len(made) / len(rows) - said["bytes_per_sample"] < 300 / len(rows), said)
    return header, batches, lost


def test_forms(random):
    logits = random.normal(0, 6, (230, 10))
    logits[0, :5], logits[1] = 60, 0
    rows, raw = softmax(logits, 4).astype("f4"), logits.astype("f4")
    sharp = softmax(logits, 0.2).astype("f4")
    check_form("f32", "soft", rows, "--targets", "f32")
    for what, name, given in (("", "soft", rows), (" at a low T", "soft", sharp), (" of logits", "logits/t", raw)):
        header, batches, lost = check_form(f"u8{what}", name, given, "--targets", "u8")
        check(f"u8{what}: little is lost", lost.mean() < 3e-3 and pst.column(batches, f"u8/{name}").min(axis=1).max() == 0,
              lost.mean())
        levels, step = pst.column(batches, f"u8/{name}").astype(float), pst.column(batches, f"u8/{name}/step").astype(float)
        with numpy.errstate(divide="ignore"):
            down = given.max(axis=1, keepdims=True) - given.astype(float) if name[0] == "l" \
                else numpy.minimum(-numpy.log((given / given.max(axis=1, keepdims=True)).astype(float)), 12 + numpy.log(10))
        if name[0] == "s":
            check(f"u8{what}: the nearest of 256 levels", (abs(down - levels * step[:, None]) <= step[:, None] / 2 + 1e-6).all())
    header, batches, _ = check_form("top-k", "soft/t", rows, "--targets", "top-k", "--top", "3")
    order = numpy.argsort(-rows, axis=1, kind="stable")
    check("top-k: the likeliest, of equal ones the lower first", numpy.array_equal(pst.column(batches, "top/soft/t"), order[:, :3]))
    tails = numpy.log(numpy.take_along_axis(rows.astype(float), order[:, 3:], axis=1).sum(axis=1))
    check("top-k: the tail is the sum of the others", abs(pst.column(batches, "top/soft/t/tail") - tails).max() < 2e-3)
    check("top-k: the header has its kind", header["compact"]["targets"] ==
          [{"name": "soft/t", "form": "top-k", "classes": 10, "temperature": 4.0, "top": 3}], header["compact"])
    header, batches, _ = check_form("sampled", "soft", rows, "--targets", "sampled", "--draws", "7", "--seed", "5")
    expected = [systematic(row, offset_of(5, int(i // 50 * 100 >= 230), i + 2**33), 7) for i, row in enumerate(rows)]
    check("sampled: the classes are those of the documented draws", numpy.array_equal(pst.column(batches, "sampled/soft"), expected))


def test_digest(random):
    data = targets_stream("soft", softmax(random.normal(0, 1, (20, 3))).astype("f4"), 8)
    _, originals = pst.read(data)
    expected = [crc32c(x.tobytes() + y.tobytes() + i.tobytes()) & 0xFFFFFF
                for batch in originals for x, y, i in zip(batch["x"], batch["y"], batch["id"])]
    _, header, batches, _ = compact(data, "--targets", "f32", "--inputs", "digest")
    digests = pst.column(batches, "digest/x").astype(int) @ [1, 256, 65536]
    check("the digest of x, y and id", digests.tolist() == expected)
    check("the tensors that the digest replaces are gone",
          [t["name"] for t in header["tensors"]] == ["y", "id", "soft", "digest/x"] and header["compact"]["inputs"] == "digest")


def test_many_classes():
    """32,768 classes, p ∝ 1 / rank^1.1, in an order of each sample's own."""
    classes, n = 32768, 512
    random = numpy.random.default_rng(4)
    tail = numpy.arange(1, classes + 1) ** -1.1
    rows = numpy.empty((n, classes), "f4")
    for row in rows:
        row[:] = random.permutation(tail / tail.sum())
    data = targets_stream("soft", rows, 128)
    made, header, batches, said = compact(data, "--targets", "sampled", "--draws", "16", "--inputs", "digest")
    size = len(made) / n
    check("32,768 classes, 16 draws, inputs left out: at most 52 bytes a sample", size <= 52, size)
    print(f"# {size:.2f} bytes a sample of {len(data) / n:.0f}")
    drawn = pst.column(batches, "sampled/soft").astype(int)
    expected = 16 * numpy.take_along_axis(rows, drawn, axis=1)
    counts = (drawn[:, :, None] == drawn[:, None, :]).sum(axis=2)
    check("32,768 classes: the count of each class differs from the expected one by less than one",
          (abs(counts - expected) < 1 + 1e-4).all())
    made, header, batches, said = compact(data, "--targets", "top-k", "--top", "50")
    check("32,768 classes: top-k loses what its tail's shape is", 0 < said["mean_kl"] < 1, said)


test_forms(numpy.random.default_rng(3))
test_digest(numpy.random.default_rng(5))
test_many_classes()
print(f"1..{count}")
