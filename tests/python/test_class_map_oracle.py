"""class-map against numpy, through the bytes of streams. Prints TAP."""
import os
import subprocess
import tempfile

import numpy

import pst
from pipestill_stream import stream

CLASSES = 12
ROWS = 40
NAMES = [f"class {chr(97 + i)}" for i in range(CLASSES)]
DEPTH = 10000.0
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def run(options, data):
    """What class-map makes of a stream: header, batches, its messages."""
    done = subprocess.run(["class-map", *options], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    return *pst.read(done.stdout), done.stderr.decode()


def softmax(logits, temperature=1.0):
    powers = numpy.exp((logits.astype(float) - logits.max(axis=-1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def log_sum_exp(logits):
    largest = logits.max(axis=-1, keepdims=True)
    return (largest + numpy.log(numpy.exp(logits - largest).sum(axis=-1, keepdims=True)))[..., 0]


def matches(name, found, expected, most=2.0):
    """Equal but for rounding to float32."""
    away = float((abs(found.astype(float) - expected) / (2.0**-126 + 2.0**-23 * abs(expected))).max())
    check(name, found.shape == expected.shape and away <= most, f"{away:g} units in the last place away")


def make(random, temperature=4.0):
    """A stream of three batches with logits, soft targets and labels; some rows overflow a plain exponential."""
    logits = random.normal(0, 5, (ROWS, CLASSES))
    logits[0], logits[1], logits[2, 3] = 1e4, -1e4, 1e4
    logits = logits.astype("f4")
    columns = {"x": random.integers(0, 255, (ROWS, 3)).astype("u1"), "y": random.integers(0, CLASSES, ROWS).astype("i4"),
               "id": numpy.arange(ROWS).astype("u8"), "logits/a": logits,
               "soft/a": softmax(logits, temperature).astype("f4")}
    tensors = [{"name": "x", "dtype": "u8", "shape": [3]}, {"name": "y", "dtype": "i32", "shape": []},
               {"name": "id", "dtype": "u64", "shape": []}, {"name": "logits/a", "dtype": "f32", "shape": [CLASSES]},
               {"name": "soft/a", "dtype": "f32", "shape": [CLASSES], "temperature": temperature}]
    counts = numpy.bincount(columns["y"], minlength=CLASSES).tolist()
    batches = [{name: values[part] for name, values in columns.items()}
               for part in (slice(0, 15), slice(15, 16), slice(16, ROWS))]
    return columns, stream(tensors, batches, classes=CLASSES, class_names=NAMES, class_counts=counts), counts


def some_groups(random, dropped):
    """Classes in random groups, some left out."""
    order = random.permutation(CLASSES)[dropped:]
    cuts = numpy.sort(random.choice(numpy.arange(1, len(order)), random.integers(1, 5), replace=False))
    return [sorted(int(c) for c in group) for group in numpy.split(order, cuts)]


def text_of(groups, random):
    """A map in one of its possible texts: by number or name, in any order."""
    lines = ["# a map", ""]
    for number, group in enumerate(groups):
        words = [str(c) if random.integers(2) else f'"{NAMES[c]}"' for c in random.permutation(group)]
        lines.append(f"new {number} = " + ", ".join(words) + "  # so")
    return "\n".join(lines) + "\n"


def map_file(text):
    path = os.path.join(tempfile.mkdtemp(), "map")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def merged(columns, groups):
    soft = columns["soft/a"].astype(float)
    kept = numpy.stack([soft[:, group].sum(axis=1) for group in groups], axis=1)
    logits = columns["logits/a"].astype(float)
    probabilities = kept / numpy.maximum(kept.sum(axis=1, keepdims=True), 1e-300)
    return probabilities, numpy.stack([log_sum_exp(logits[:, group]) for group in groups], axis=1)


def test_forward(random, dropped):
    columns, data, counts = make(random)
    groups = some_groups(random, dropped)
    label = {old: new for new, group in enumerate(groups) for old in group}
    left = columns["soft/a"][:, sorted(label)].sum(axis=1)
    keep = numpy.array([int(y) in label for y in columns["y"]]) & (left > 0)
    path = map_file(text_of(groups, random))
    header, batches, said = run(["--map", path, *(["--drop-samples"] if dropped else [])], data)
    soft, logits = merged(columns, groups)
    title = f"{len(groups)} new classes, {dropped} left out"
    matches(f"merged soft targets, {title}", pst.column(batches, "soft/a"), soft[keep])
    matches(f"merged logits, {title}", pst.column(batches, "logits/a"), logits[keep])
    check(f"labels, {title}", pst.column(batches, "y").tolist() == [label[int(y)] for y in columns["y"][keep]])
    check(f"inputs and ids go with their samples, {title}", (pst.column(batches, "x") == columns["x"][keep]).all()
          and (pst.column(batches, "id") == columns["id"][keep]).all())
    check(f"header, {title}", header["classes"] == len(groups)
          and header["class_names"] == [f"new {i}" for i in range(len(groups))]
          and header.get("class_counts", None) == (None if dropped else [sum(counts[c] for c in g) for g in groups])
          and [t.get("temperature") for t in header["tensors"]][-1] == 4.0, header)
    check(f"batches are counted without a gap, {title}", [b["seq"] for b in batches] == list(range(len(batches))))
    if dropped:
        lost = 1 - columns["soft/a"].astype(float)[keep][:, sorted(label)].sum(axis=1).mean()
        check(f"what was left out is reported, {title}", f"had {100 * lost:.3g} %" in said, f"{lost}: {said}")


def test_softmax_of_merged(random):
    _, data, _ = make(random, temperature=1.0)
    groups = some_groups(random, 0)
    _, batches, _ = run(["--map", map_file(text_of(groups, random))], data)
    logits, soft = pst.column(batches, "logits/a"), pst.column(batches, "soft/a")
    away = abs(softmax(logits) - soft)[3:].max()  # float32 carries differences between logits of 1e4 to 1e-3 only
    check("softmax at T = 1 of merged logits is the merged softmax", away < 1e-5, away)


def test_inverse(random):
    _, data, _ = make(random)
    groups = some_groups(random, 2)
    weights = random.uniform(0.5, 3, CLASSES)
    text = "".join(f"g{i} = " + ", ".join(f"{c}:{float(weights[c])!r}" for c in map(int, group)) + "\n"
                   for i, group in enumerate(groups))
    path = map_file(text)
    done = subprocess.run(["class-map", "--map", path, "--drop-samples"], input=data, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, check=True).stdout
    _, there = pst.read(done)
    header, back, _ = run(["--map", path, "--inverse", "--old-classes", str(CLASSES), "--drop-samples"], done)
    single = {i: group[0] for i, group in enumerate(groups) if len(group) == 1}
    keep = numpy.array([int(y) in single for y in pst.column(there, "y")], dtype=bool)
    soft = numpy.zeros((len(keep), CLASSES))
    logits = numpy.tile(pst.column(there, "logits/a").astype(float).max(axis=1, keepdims=True) - DEPTH, (1, CLASSES))
    for i, group in enumerate(groups):
        shares = weights[group] / weights[group].sum()
        soft[:, group] = pst.column(there, "soft/a")[:, [i]] * shares
        logits[:, group] = pst.column(there, "logits/a")[:, [i]] + numpy.log(shares)
    check("the inverse gives the header of the old classes", header["classes"] == CLASSES and "class_names" not in header)
    if keep.any():
        matches("probabilities are spread by weights", pst.column(back, "soft/a"), soft[keep])
        matches("logits get the logarithm of the share, or the depth", pst.column(back, "logits/a"), logits[keep])
        check("labels of single classes come back", pst.column(back, "y").tolist() ==
              [single[int(y)] for y in pst.column(there, "y")[keep]])


def test_round_trip(random):
    columns, data, _ = make(random)
    order = ",".join(str(c) for c in random.permutation(CLASSES))
    done = subprocess.run(["class-map", "--classes", order], input=data, stdout=subprocess.PIPE, check=True).stdout
    header, back, _ = run(["--classes", order, "--inverse", "--old-classes", str(CLASSES)], done)
    check("a map to another order and back is exact", header["class_names"] == NAMES and
          all(pst.column(back, name).tobytes() == columns[name].tobytes() for name in columns))


def test_origins():
    """Two texts of one map give one origin; another map gives another."""
    digits = subprocess.run(["loader", "digits", "--samples", "40"], stdout=subprocess.PIPE, check=True).stdout
    ways = [["--classes", "a=0,1,2;7"], ["--classes", "b = 2,0-1; 7"], ["--map", map_file("x=0-2\n# seven\ny = 7\n")],
            ["--classes", "7;0-2"]]
    origins = [{tensor["name"]: tensor["origin"] for tensor in run([*way, "--drop-samples"], digits)[0]["tensors"]}
               for way in ways]
    check("a map in another text gives the same origin", origins[0] == origins[1] == origins[2])
    check("another order gives y another origin, and x the same one", origins[0]["y"] != origins[3]["y"]
          and origins[0]["x"] == origins[3]["x"])


random = numpy.random.default_rng(18)
for left_out in (0, 0, 1, 3, 8):
    test_forward(random, left_out)
test_softmax_of_merged(random)
for _ in range(3):
    test_inverse(random)
test_round_trip(random)
test_origins()
print(f"1..{count}")
