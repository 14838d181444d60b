"""Teachers from other tools against numpy: activations, precisions, and inputs scaled by channel. Prints TAP."""
import math
import os
import subprocess
import tempfile

import numpy

import pst
import safetensors
from pipestill_stream import stream

ERF = numpy.vectorize(math.erf)
ACTIVATIONS = {
    "relu": lambda z: numpy.maximum(z, 0),
    "leaky": lambda z: numpy.where(z < 0, 0.01 * z, z),
    "leaky0.2": lambda z: numpy.where(z < 0, 0.2 * z, z),
    "tanh": numpy.tanh,
    "sigmoid": lambda z: 1 / (1 + numpy.exp(-z)),
    "gelu": lambda z: 0.5 * z * (1 + ERF(z / math.sqrt(2))),
    "silu": lambda z: z / (1 + numpy.exp(-z)),
    "none": lambda z: z,
}
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def from_bytes(data, dtype, shape):
    if dtype == "BF16":
        return (numpy.frombuffer(data, "<u2").astype("<u4") << 16).view("<f4").reshape(shape)
    return numpy.frombuffer(data, safetensors.DTYPES[dtype]).reshape(shape)


def write_model(path, layers, dtype="F32", **metadata):
    """Writes a state dict as other tools do, 0.weight, 0.bias, 2.weight …; returns the layers rounded to its dtype."""
    tensors = {f"{2 * number}.{name}": array
               for number, pair in enumerate(layers) for name, array in zip(("weight", "bias"), pair)}
    safetensors.write(path, tensors, dtype, **metadata)
    return [[from_bytes(safetensors.to_bytes(array, dtype), dtype, array.shape).astype(float) for array in pair]
            for pair in layers]


def forward(layers, x, activation):
    for number, layer in enumerate(layers):
        x = x @ layer[0].T + (layer[1] if len(layer) > 1 else 0)
        if number + 1 < len(layers):
            x = ACTIVATIONS[activation](x)
    return x


def ask(data, *arguments):
    """The logits that teacher-forward adds to a stream."""
    done = subprocess.run(["teacher-forward", "--name", "t", *arguments], input=data, stdout=subprocess.PIPE, check=True)
    return pst.column(pst.read(done.stdout)[1], "logits/t")


def random_layers(random, *widths):
    return [(random.normal(0, 0.7, (outputs, inputs)), random.normal(0, 1, outputs))
            for inputs, outputs in zip(widths[:-1], widths[1:])]


def test_activations(random, path):
    x = random.normal(0, 1, (9, 6)).astype("f4")
    data = stream([{"name": "x", "dtype": "f32", "shape": [6]}], [{"x": x[:4]}, {"x": x[4:]}], classes=3)
    layers = write_model(path, random_layers(random, 6, 8, 5, 3))
    for activation in ACTIVATIONS:
        away = abs(ask(data, "--activation", activation, path) - forward(layers, x.astype(float), activation)).max()
        check(f"a teacher with {activation} gives numpy's logits", away < 1e-5, f"{away:g}")
    layers = write_model(path, [layer[:1] for layer in random_layers(random, 6, 8, 3)], activation="tanh")
    away = abs(ask(data, path) - forward(layers, x.astype(float), "tanh")).max()
    check("a teacher without biases that names its activation gives numpy's logits", away < 1e-5, f"{away:g}")
    for dtype in ("F16", "BF16", "F64"):
        layers = write_model(path, random_layers(random, 6, 8, 3), dtype)
        away = abs(ask(data, "--activation", "relu", path) - forward(layers, x.astype(float), "relu")).max()
        check(f"a teacher with weights in {dtype} gives numpy's logits", away < 1e-5, f"{away:g}")


def test_scales(random, path):
    pixels = random.integers(0, 256, (7, 3, 2, 2)).astype("u1")
    data = stream([{"name": "x", "dtype": "u8", "shape": [3, 2, 2], "scale": 1 / 255}], [{"x": pixels}], classes=3)
    mean, deviation = numpy.array([0.5, 0.25, 0.125]), numpy.array([0.5, 2, 0.75])
    by_channel = (pixels / 255 - mean[:, None, None]) / deviation[:, None, None]
    layers = write_model(path, random_layers(random, 12, 3))
    cases = {"one mean and deviation": (["--mean", "0.5", "--deviation", "0.25"], (pixels / 255 - 0.5) / 0.25),
             "a mean and a deviation for each channel":
                 (["--mean", "0.5,0.25,0.125", "--deviation", "0.5,2,0.75"], by_channel)}
    for name, (options, numbers) in cases.items():
        away = abs(ask(data, *options, path) - forward(layers, numbers.reshape(7, 12), "relu")).max()
        check(f"inputs with {name} give numpy's logits", away < 1e-5, f"{away:g}")
    for channels, numbers in ((1, pixels * 0.02 - 0.7), (12, None)):
        scales = [0.02] if channels == 1 else list(random.uniform(0.01, 0.03, channels))
        offsets = [-0.7] if channels == 1 else list(random.normal(0, 1, channels))
        if numbers is None:
            numbers = pixels.reshape(7, 12) * numpy.array(scales) + numpy.array(offsets)
        layers = write_model(path, random_layers(random, 12, 3), input_scale=",".join(map(repr, map(float, scales))),
                             input_offset=",".join(map(repr, map(float, offsets))))
        away = abs(ask(data, path) - forward(layers, numbers.reshape(7, 12), "relu")).max()
        check(f"bytes are scaled by a model with {channels} scales", away < 1e-4, f"{away:g}")


os.environ["OPENBLAS_NUM_THREADS"] = "1"
generator = numpy.random.default_rng(11)
with tempfile.TemporaryDirectory() as scratch:
    test_activations(generator, f"{scratch}/model.safetensors")
    test_scales(generator, f"{scratch}/model.safetensors")
print(f"1..{count}")
