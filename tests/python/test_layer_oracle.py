"""Every type of layer, computed again with numpy: what teacher-forward says of a network that has it. Prints TAP.

An oracle is a function of the inputs x, [n, …] in double precision, of the word's match, and of `learned`, which makes
a parameter of a name and shape, known to the network under that name. It returns the outputs.
"""
import math
import os
import re
import subprocess
import tempfile

import numpy as np

import pst
import safetensors
from pipestill_stream import stream

ORACLES, EXAMPLES = [], {}
ERF = np.vectorize(math.erf)


def oracle(name, word, *examples):
    """Enters an oracle for the words that match, with architectures to try, in which every activation is named."""
    def enter(function):
        ORACLES.append((re.compile(word), function))
        EXAMPLES[name] = examples
        return function
    return enter


# ---- the oracles ----

@oracle("dense", r"(\d+)(nobias)?", "6-4", "6-8-relu-7-none-3", "6-8nobias-tanh-3nobias")
def dense(x, match, learned):
    units = int(match[1])
    y = x @ learned("weight", units, x.shape[1]).T
    return y if match[2] else y + learned("bias", units)


@oracle("flatten", "flatten", "2x3x2-flatten-4", "2x6-flatten-5-relu-flatten-3")
def flatten(x, match, learned):
    return x.reshape(len(x), -1)


@oracle("dropout", r"drop[\d.]+", "6-drop0.2-8-relu-drop0.5-3")
def dropout(x, match, learned):
    return x  # in use nothing is dropped


@oracle("activation", r"(relu|leaky|tanh|sigmoid|gelu|silu|none)([\d.]*)", "6-8-leaky-3-sigmoid", "6-8-leaky0.3-3",
        "2x3-gelu-flatten-8-silu-5-sigmoid-3-tanh")
def activation(x, match, learned):
    slope = float(match[2] or 0.01)
    return {"relu": lambda: np.maximum(x, 0), "leaky": lambda: np.where(x < 0, slope * x, x), "tanh": lambda: np.tanh(x),
            "sigmoid": lambda: 1 / (1 + np.exp(-x)), "gelu": lambda: 0.5 * x * (1 + ERF(x / math.sqrt(2))),
            "silu": lambda: x / (1 + np.exp(-x)), "none": lambda: x}[match[1]]()


# ---- the test ----

def compute(architecture, x, random):
    """What numpy says of a network with random parameters, and these by their names in a model file."""
    tensors, number = {}, 0
    for word in architecture.split("-")[1:]:
        match, function = next((found, function) for pattern, function in ORACLES if (found := pattern.fullmatch(word)))
        before = len(tensors)

        def learned(name, *shape):
            value = random.normal(0, 0.7, shape).astype("f4")
            tensors[f"layers.{number}.{name}"] = value
            return value.astype(float)

        x = function(x, match, learned)
        number += len(tensors) > before
    return x.reshape(len(x), -1), tensors


def main():
    count = 0
    random = np.random.default_rng(3)
    with open(os.path.join(os.path.dirname(__file__), "../../lib/nn/layers/table.c"), encoding="utf-8") as table:
        names = re.findall(r"\bROW\((\w+)\)", table.read())
    for name in names:
        for architecture in EXAMPLES.get(name, [None]):
            count += 1
            if architecture is None:
                print(f"not ok {count} - layer {name} has an oracle")
                continue
            shape = [int(size) for size in architecture.split("-")[0].split("x")]
            x = random.normal(0, 1, (5, *shape)).astype("f4")
            expected, tensors = compute(architecture, x.astype(float), random)
            with tempfile.TemporaryDirectory() as folder:
                path = f"{folder}/t.safetensors"
                safetensors.write(path, tensors, format="pipestill-model-1", architecture=architecture)
                data = stream([{"name": "x", "dtype": "f32", "shape": shape}], [{"x": x[:2]}, {"x": x[2:]}])
                done = subprocess.run(["teacher-forward", path], input=data, stdout=subprocess.PIPE, check=False)
            good = done.returncode == 0
            away = abs(pst.column(pst.read(done.stdout)[1], "logits/t") - expected).max() if good else math.inf
            print(f"{'ok' if away < 1e-5 else 'not ok'} {count} - layer {name} in {architecture} is what numpy says # {away:g}")
    print(f"1..{count}")


os.environ["OPENBLAS_NUM_THREADS"] = "1"
main()
