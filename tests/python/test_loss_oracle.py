"""Every type of loss, computed again with numpy from its formula: value and gradient. Prints TAP.

tests/tools/loss_dump.c runs the library. An oracle is a function of the network's outputs z, a row of numbers in double
precision, of the target, and of the type's keys by name; it returns the loss of the row and its gradient.
"""
import itertools
import os
import subprocess
import sys

import numpy as np

DUMP = os.path.join(os.environ.get("BUILD", "build"), "tests", "loss_dump")
ORACLES = {}


def oracle(name, **keys):
    """Adds an oracle to the table. keys: the numbers to try for each of the type's keys."""
    def enter(function):
        ORACLES[name] = function, keys
        return function
    return enter


def softmax(z):
    powers = np.exp(z - z.max())
    return powers / powers.sum()


# ---- the oracles ----

@oracle("kl", T=(1, 2.5, 20))
def kl(z, t, T):
    loss, gradient = cross_entropy(z, t, T)
    return loss + T**2 * ((t[t > 0] * np.log(t[t > 0])).sum() - t.sum() * np.log(t.sum())), gradient


@oracle("cross-entropy", T=(0.5, 4))
def cross_entropy(z, t, T):
    q = softmax(z / T)
    return -(T**2) * (t * np.log(q)).sum(), T * (q * t.sum() - t)


@oracle("labels", smoothing=(0, 0.1, 0.7))
def labels(z, y, smoothing):
    t = (1 - smoothing) * np.eye(len(z))[y] + smoothing / len(z)
    p = softmax(z)
    return -(t * np.log(p)).sum(), p - t


@oracle("logits")
def logits(z, v):
    return 0.5 * np.square(z - v).mean(), (z - v) / len(z)


@oracle("mse")
def mse(z, v):
    return np.square(z - v).mean(), 2 * (z - v) / len(z)


@oracle("bce")
def bce(z, t):
    p = 1 / (1 + np.exp(-z))
    return -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(), (p - t) / len(z)


@oracle("brier", T=(1, 2.5, 20))
def brier(z, t, T):
    q = softmax(z / T)
    return T**2 * np.square(q - t).sum(), 2 * T * (np.diag(q) - np.outer(q, q)) @ (q - t)


@oracle("features")
def features(p, h):
    return mse(p, h)


@oracle("attention")
def attention(a, h):
    """For one channel; maps of several channels are compared with PyTorch's."""
    q, k = np.square(a) / np.linalg.norm(np.square(a)), np.square(h) / np.linalg.norm(np.square(h))
    slope = 4 * a * ((q - k) - q * (q @ (q - k))) / np.linalg.norm(np.square(a))
    return np.square(q - k).sum(), slope


# ---- the test ----

def draw(kind, n, count, T=1.0):
    """Targets of a kind for n samples."""
    random = np.random.default_rng(7)
    numbers = random.normal(0, 4, (n, count))
    soft = np.array([softmax(row / T) for row in numbers])
    soft[0] = np.eye(count)[0]
    return {"labels": np.arange(n, dtype="<i4") % count, "distribution": soft.astype("<f4"),
            "logits": numbers.astype("<f4"), "numbers": numbers.astype("<f4"), "hint": numbers.astype("<f4"),
            "bits": np.where(numbers > 3, 0.25, numbers > 0).astype("<f4")}[kind]


def compare(name, kind, keys, n, count, from_logits=False):
    """The differences of one term, or nothing. from_logits: the target is given as a teacher's logits."""
    outputs = np.random.default_rng(3).normal(0, 3, (n, count)).astype("<f4")
    targets = draw("logits" if from_logits else kind, n, count, keys.get("T", 1.0))
    term = ",".join([f"{name}::0.5", *(f"{key}={value}" for key, value in keys.items())])
    said = subprocess.run([DUMP, term, str(n), str(count), *(["logits"] if from_logits else [])],
                          input=outputs.tobytes() + targets.tobytes(), stdout=subprocess.PIPE, check=True).stdout
    total, gradient = np.frombuffer(said[:8], "<f8")[0], np.frombuffer(said[8:], "<f4").reshape(n, count)
    if from_logits:
        targets = np.array([softmax(row / keys["T"]) for row in targets.astype(float)])
        if name == "brier":  # it gets probabilities in single precision
            targets = targets.astype("<f4")
    rows = [ORACLES[name][0](z, t, **keys)
            for z, t in zip(outputs.astype(float), targets if kind == "labels" else targets.astype(float))]
    expected = 0.5 * sum(loss for loss, _ in rows)
    slopes = 0.5 * np.array([slope for _, slope in rows]) / n
    if not abs(total - expected) <= 1e-9 * (1 + abs(expected)):
        return f"the loss is {total}, not {expected}"
    if not np.abs(gradient - slopes).max() <= 1e-6 * np.abs(slopes).max():
        return f"the gradient is {gradient}, not {slopes}"
    return ""


def main():
    listed = subprocess.run([DUMP], stdout=subprocess.PIPE, check=True, text=True).stdout
    types = {name: (kind, keys) for name, kind, *keys in map(str.split, listed.splitlines())}
    print(f"1..{1 + len(types)}")
    failed = types.keys() != ORACLES.keys()
    print(f"{'not ok' if failed else 'ok'} 1 - every type of loss has an oracle")
    for number, (name, (kind, keys)) in enumerate(types.items(), 2):
        tried = ORACLES.get(name, (None, {}))[1]
        wrong = [] if sorted(keys) == sorted(tried) else [f"its keys are {keys}, not {list(tried)}"]
        for values in itertools.product(*tried.values()) if not wrong else []:
            for n, count in (1, 2), (5, 10), (3, 101):
                wrong.append(compare(name, kind, dict(zip(tried, values)), n, count))
                if kind == "distribution":
                    wrong.append(compare(name, kind, dict(zip(tried, values)), n, count, from_logits=True))
        wrong = list(filter(None, wrong))
        print(f"{'not ok' if wrong else 'ok'} {number} - numpy agrees: {name}{' # ' + wrong[0] if wrong else ''}")
        failed |= bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
