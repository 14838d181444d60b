"""Every type of layer, computed again with numpy, and compared with teacher-forward's logits. Prints TAP.

An oracle is a function of the inputs x, [n, …] in double precision, of the word's match, and of `learned`, which makes
a parameter of a name and shape; the network has it under that name. It returns the outputs. `learned.chain` computes
the layers in the parentheses of a word.
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
    """Adds an oracle for the words that match, with architectures to try, which name all of their activations."""
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
    return x  # nothing is dropped outside of training


@oracle("activation", r"(relu|leaky|tanh|sigmoid|gelu|silu|none)([\d.]*)", "6-8-leaky-3-sigmoid", "6-8-leaky0.3-3",
        "2x3-gelu-flatten-8-silu-5-sigmoid-3-tanh")
def activation(x, match, learned):
    slope = float(match[2] or 0.01)
    return {"relu": lambda: np.maximum(x, 0), "leaky": lambda: np.where(x < 0, slope * x, x), "tanh": lambda: np.tanh(x),
            "sigmoid": lambda: 1 / (1 + np.exp(-x)), "gelu": lambda: 0.5 * x * (1 + ERF(x / math.sqrt(2))),
            "silu": lambda: x / (1 + np.exp(-x)), "none": lambda: x}[match[1]]()


def pair(text, default):
    """The numbers of "3" or "3x5"; text may be None."""
    return default if text is None else tuple(int(number) for number in (text.split("x") * 2)[:2])


def windows(x, kernel, stride, pad, dilation=(1, 1), outside=0.0):
    """What is under a window: [n, channels, out high, out wide, kernel high, kernel wide]."""
    x = np.pad(x, ((0, 0), (0, 0), (pad[0], pad[0]), (pad[1], pad[1])), constant_values=outside)
    span = [d * (k - 1) + 1 for d, k in zip(dilation, kernel)]
    found = np.lib.stride_tricks.sliding_window_view(x, span, (2, 3))
    return found[:, :, ::stride[0], ::stride[1], ::dilation[0], ::dilation[1]]


def key(match, name, default):
    found = re.search(rf",{name}=([\d.x]+)", match[0])
    return default if found is None else found[1]


@oracle("conv", r"(?:conv([\dx]+):(\d+)|depthwise([\dx]+))(,.*)?", "3x7x6-conv3x3:4,bias", "1x9x8-conv5:6,stride=2x3-relu-conv1x1:2-tanh",
        "4x8x7-conv2x3:6,groups=2,pad=1,nobias-relu-depthwise3x3,dilation=2", "6x5x5-depthwise3,stride=2,pad=0",
        "2x1x12-conv1x5:3,dilation=1x2-relu", "2x16x20-conv3x3:5,stride=1-conv3x3:5,groups=1,pad=2x0")
def conv(x, match, learned):
    channels = x.shape[1]
    kernel, maps = pair(match[1] or match[3], None), int(match[2] or channels)
    groups = channels if match[3] else int(key(match, "groups", 1))
    stride, dilation = pair(key(match, "stride", None), (1, 1)), pair(key(match, "dilation", None), (1, 1))
    pad = pair(key(match, "pad", None), tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel)))
    weight = learned("weight", maps, channels // groups, *kernel)
    found = windows(x, kernel, stride, pad, dilation)
    y = np.concatenate([np.einsum("nchwij,ocij->nohw", part, own)
                        for part, own in zip(np.split(found, groups, 1), np.split(weight, groups))], axis=1)
    return y if ",nobias" in match[0] else y + learned("bias", maps)[:, None, None]


@oracle("maxpool", r"maxpool([\dx]+)(,.*)?", "2x6x7-maxpool2-flatten-3", "3x7x6-ln-maxpool3x2,stride=2x1,pad=1",
    "1x9x9-ln-maxpool3,stride=2")
def maxpool(x, match, learned):
    kernel = pair(match[1], None)
    return windows(x, kernel, pair(key(match, "stride", None), kernel), pair(key(match, "pad", None), (0, 0)),
                   outside=-np.inf).max((4, 5))


@oracle("avgpool", r"avgpool([\dx]+)(,.*)?", "2x6x7-avgpool2-flatten-3", "3x7x6-ln-avgpool3x2,stride=2x1,pad=1",
    "1x9x9-ln-avgpool3,stride=2")
def avgpool(x, match, learned):
    kernel = pair(match[1], None)
    return windows(x, kernel, pair(key(match, "stride", None), kernel), pair(key(match, "pad", None), (0, 0))).mean((4, 5))


@oracle("gap", "gap", "3x5x4-gap-4", "2x7-gap-4")
def gap(x, match, learned):
    return x.reshape(*x.shape[:2], -1).mean(2)


@oracle("bn", r"bn(,.*)?", "3x5x4-bn-relu", "6-8-none-bn-tanh-3", "2x4x4-conv3x3:3,bias-bn,epsilon=0.1", "2x4x4-conv3x3:3,nobias-bn")
def bn(x, match, learned):
    columns = (x.shape[1],) + (1,) * (x.ndim - 2)
    weight, bias = learned("weight", x.shape[1]).reshape(columns), learned("bias", x.shape[1]).reshape(columns)
    mean, var = learned("running_mean", x.shape[1]), learned("running_var", x.shape[1], positive=True)
    var = var.reshape(columns) + float(key(match, "epsilon", 1e-5))
    return (x - mean.reshape(columns)) / np.sqrt(var) * weight + bias


@oracle("ln", r"ln(,.*)?", "7-ln", "3x5x4-ln,epsilon=0.01-relu", "6-8-none-ln-gelu-3")
def ln(x, match, learned):
    axes = tuple(range(1, x.ndim))
    away = x - x.mean(axes, keepdims=True)
    scale = np.sqrt((away ** 2).mean(axes, keepdims=True) + float(key(match, "epsilon", 1e-5)))
    return away / scale * learned("weight", *x.shape[1:]) + learned("bias", *x.shape[1:])


@oracle("shuffle", r"shuffle(\d+)", "6x3x2-shuffle3-gap-4", "6-shuffle2-4",
        "4x3x3-conv1x1:6,groups=2,bias-relu-shuffle2-conv1x1:3,groups=3,bias-gap-3")
def shuffle(x, match, learned):
    groups = int(match[1])
    parted = x.reshape(len(x), groups, x.shape[1] // groups, *x.shape[2:])
    return parted.swapaxes(1, 2).reshape(x.shape)


@oracle("res", r"res\((.*)\)", "3x5x4-res(conv3x3:3,nobias-bn-relu-conv3x3:3,nobias-bn)-relu-gap-4",
        "3x6x5-conv1x1:2-res(conv3x3:4,stride=2|conv1x1:4,stride=2,nobias-bn)-relu-res(res(conv3x3:4,bias)-tanh)",
        "6-res(8-relu-6-none|6nobias-tanh)-silu-4")
def res(x, match, learned):
    chain, *shortcut = split(match[1], "|")
    y = learned.chain(chain, x, "layers")
    return y + (learned.chain(shortcut[0], x, "layers2") if shortcut else x)


# ---- the test ----

def split(text, mark):
    """The parts of a text between marks that are outside of parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == mark and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def compute_chain(words, x, prefix, tensors, random):
    """The outputs of a chain of layers. tensors: receives their parameters, whose names begin with the prefix."""
    number = 0
    for word in split(words, "-"):
        match, function = next((found, function) for pattern, function in ORACLES if (found := pattern.fullmatch(word)))
        before = len(tensors)

        def learned(name, *shape, positive=False):
            value = random.normal(0, 0.7, shape).astype("f4")
            tensors[f"{prefix}.{number}.{name}"] = value = abs(value) + 0.1 if positive else value
            return value.astype(float)

        learned.chain = lambda inner, x, name: compute_chain(inner, x, f"{prefix}.{number}.{name}", tensors, random)
        x = function(x, match, learned)
        number += len(tensors) > before
    return x


def compute(architecture, x, random):
    """numpy's outputs of a network with random parameters, and these by their names in a model file."""
    tensors = {}
    x = compute_chain(architecture.partition("-")[2], x, "layers", tensors, random)
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
            away /= max(1, abs(expected).max())
            print(f"{'ok' if away < 1e-5 else 'not ok'} {count} - layer {name} in {architecture} is what numpy says # {away:g}")
    print(f"1..{count}")


os.environ["OPENBLAS_NUM_THREADS"] = "1"
main()
