"""temperature-softmax, averager and teacher-forward against numpy, through the bytes of streams. Prints TAP."""
import os
import subprocess
import tempfile

import numpy

import pst
import safetensors
from pipestill_stream import stream

CLASSES = 10
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def run(command, data):
    """What a stage makes of a stream."""
    done = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True)
    return pst.read(done.stdout)


def softmax(logits, temperature):
    shifted = (logits.astype(float) - logits.max(axis=1, keepdims=True)) / temperature
    powers = numpy.exp(shifted)
    return powers / powers.sum(axis=1, keepdims=True)


def farthest(found, expected):
    """The largest error, relative to the precision of float32."""
    found = found.astype(float)
    return float((abs(found - expected) / (2.0**-126 + 2.0**-23 * abs(expected))).max())


def matches(name, found, expected, most=2.0):
    away = farthest(found, expected)
    check(name, found.shape == expected.shape and away <= most, f"{away:g} units in the last place away")


def rows_stream(temperature=None, **columns):
    """A stream of f32 rows in two batches."""
    more = {} if temperature is None else {"temperature": temperature}
    tensors = [{"name": name, "dtype": "f32", "shape": [rows.shape[1]], **more} for name, rows in columns.items()]
    half = len(next(iter(columns.values()))) // 2
    return stream(tensors, [{name: rows[part] for name, rows in columns.items()}
                            for part in (slice(0, half), slice(half, None))])


def some_logits(random):
    """Ordinary logits, and rows that overflow an exponential: ±1e4 alone, together and everywhere."""
    logits = random.normal(0, 5, (24, CLASSES))
    logits[0], logits[1], logits[2, 3], logits[3, 4] = 1e4, -1e4, 1e4, -1e4
    logits[4, :5], logits[4, 5:] = 1e4, -1e4
    logits[5] = 0
    return logits.astype(numpy.float32)


def test_softmax(random):
    a, b = some_logits(random), some_logits(random)[:, ::-1]
    for temperature in ("0.1", "1", "20", "1000"):
        header, batches = run(["temperature-softmax", "-T", temperature],
                              rows_stream(**{"logits/a": a, "logits/b": b}))
        for name, logits in (("a", a), ("b", b)):
            soft = pst.column(batches, f"soft/{name}")
            # The exponents come from float32 logits, so an error of 2^-23 of an exponent of 100 becomes 100 times that.
            matches(f"softmax at T = {temperature} is numpy's, teacher {name}", soft,
                    softmax(logits, float(temperature)))
            check(f"the logits at T = {temperature} go through untouched, teacher {name}",
                  pst.column(batches, f"logits/{name}").tobytes() == logits.tobytes())
        said = {tensor["name"]: tensor.get("temperature") for tensor in header["tensors"]}
        check(f"the stream says T = {temperature}",
              said == {"logits/a": None, "logits/b": None, "soft/a": float(temperature), "soft/b": float(temperature)},
              said)


def test_from_probabilities(random):
    given = softmax(random.normal(0, 4, (12, CLASSES)), 1).astype(numpy.float32)
    given[0] = numpy.eye(CLASSES)[3]
    for temperature in ("1", "20"):
        _, batches = run(["temperature-softmax", "--from-probs", "-T", temperature],
                         rows_stream(temperature=float(temperature), **{"soft/a": given}))
        logits = pst.column(batches, "logits/a")
        expected = float(temperature) * numpy.log(numpy.maximum(given.astype(float), 2.0**-126))
        matches(f"--from-probs gives T log p at T = {temperature}", logits, expected)
        header = [{"name": "logits/a", "dtype": "f32", "shape": [CLASSES]}]
        _, again = run(["temperature-softmax", "-T", temperature], stream(header, [{"logits/a": logits}]))
        away = abs(pst.column(again, "soft/a") - given).max()
        check(f"softmax at T = {temperature} of these logits gives the probabilities back", away < 1e-5, f"{away:g}")


def geometric_mean(members, shares):
    logs = sum(share * numpy.log(numpy.maximum(rows.astype(float), 2.0**-126)) for rows, share in zip(members, shares))
    return softmax(logs, 1)


def test_averager(random):
    a, b, c = (softmax(random.normal(0, 5, (13, CLASSES)), 1).astype(numpy.float32) for _ in range(3))
    a[0] = numpy.eye(CLASSES)[1]  # a teacher with probabilities of 0
    data = rows_stream(temperature=2.0, **{"soft/a": a, "soft/b": b, "soft/c": c})
    third, weighted = [1 / 3] * 3, [0.25, 0.125, 0.625]
    cases = [
        ("arithmetic mean", [], sum(rows.astype(float) for rows in (a, b, c)) / 3),
        ("geometric mean", ["--geometric"], geometric_mean((a, b, c), third)),
        ("weighted mean", ["-w", "a=2", "-w", "c=5"],
         sum(share * rows.astype(float) for rows, share in zip((a, b, c), weighted))),
        ("weighted geometric mean", ["-g", "--weight", "a=2", "--weight=c=5"], geometric_mean((a, b, c), weighted)),
        ("a weight of 0 leaves a teacher out", ["-w", "b=0"], (a.astype(float) + c) / 2),
    ]
    for name, options, expected in cases:
        header, batches = run(["averager", *options], data)
        matches(f"averager: {name}", pst.column(batches, "soft"), expected)
        check(f"averager: {name} stays at the teachers' T", header["tensors"][-1].get("temperature") == 2.0)
    logits = {f"logits/{name}": random.normal(0, 50, (7, CLASSES)).astype(numpy.float32) for name in "ab"}
    _, batches = run(["averager", "--logits", "-w", "a=3"], rows_stream(**logits))
    matches("averager: --logits is the weighted mean of logits", pst.column(batches, "logits"),
            0.75 * logits["logits/a"].astype(float) + 0.25 * logits["logits/b"], 4.0)


def test_geometric_identity(random):
    a, b = (random.normal(0, 5, (9, CLASSES)).astype(numpy.float32) for _ in range(2))
    softened = subprocess.run(["temperature-softmax", "-T", "4"], input=rows_stream(**{"logits/a": a, "logits/b": b}),
                              stdout=subprocess.PIPE, check=True).stdout
    _, batches = run(["averager", "-g"], softened)
    away = abs(pst.column(batches, "soft") - softmax((a.astype(float) + b) / 2, 4)).max()
    check("the geometric mean of softmaxes is the softmax of the mean logits", away < 1e-6, f"{away:g}")


def write_model(path, layers):
    """A safetensors file of dense layers, by hand: weights [outputs, inputs] and biases."""
    tensors = {f"layers.{number}.{name}": array
               for number, pair in enumerate(layers) for name, array in zip(("weight", "bias"), pair)}
    safetensors.write(path, tensors, activation="relu")


def forward(layers, x):
    for number, (weight, bias) in enumerate(layers):
        x = x @ weight.T.astype(float) + bias
        if number + 1 < len(layers):
            x = numpy.maximum(x, 0)
    return x


def test_teachers(random, folder):
    shapes = {"small": (6, 4, 3), "deep": (6, 8, 5, 3), "flat": (6, 3)}
    teachers = {name: [(random.normal(0, 1, (outputs, inputs)).astype(numpy.float32),
                        random.normal(0, 1, outputs).astype(numpy.float32))
                       for inputs, outputs in zip(widths[:-1], widths[1:])] for name, widths in shapes.items()}
    for name, layers in teachers.items():
        write_model(f"{folder}/{name}.safetensors", layers)
    pixels = random.integers(0, 256, (11, 2, 3)).astype(numpy.uint8)
    scale = 1 / 255
    numbers = scale * pixels.reshape(11, 6).astype(float) - 0.5
    tensors = {"u8": {"name": "x", "dtype": "u8", "shape": [2, 3], "scale": scale, "offset": -0.5},
               "f32": {"name": "x", "dtype": "f32", "shape": [6]}}
    for dtype, x in (("u8", pixels), ("f32", numbers)):
        data = stream([tensors[dtype]], [{"x": x[:7]}, {"x": x[7:]}], classes=3)
        for name in teachers:
            data = subprocess.run(["teacher-forward", f"{folder}/{name}.safetensors"], input=data,
                                  stdout=subprocess.PIPE, check=True).stdout
        header, batches = pst.read(data)
        check(f"a chain of three teachers adds three tensors to {dtype} inputs",
              [tensor["name"] for tensor in header["tensors"]] == ["x", *(f"logits/{name}" for name in teachers)])
        for name, layers in teachers.items():
            away = abs(pst.column(batches, f"logits/{name}") - forward(layers, numbers)).max()
            check(f"teacher {name} gives numpy's logits for {dtype} inputs", away < 1e-5, f"{away:g}")


os.environ["OPENBLAS_NUM_THREADS"] = "1"
generator = numpy.random.default_rng(7)
test_softmax(generator)
test_from_probabilities(generator)
test_averager(generator)
test_geometric_identity(generator)
with tempfile.TemporaryDirectory() as scratch:
    test_teachers(generator, scratch)
print(f"1..{count}")
