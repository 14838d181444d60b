"""Training, computed again with numpy from the formulas: logits, loss, every gradient, ten optimiser steps.

tests/tools/nn_dump.c runs one random batch through the library and writes its inputs and results. Here the same is
computed in double precision by independent code, which has its own Philox. Prints TAP.
"""
import os
import subprocess
import sys
import tempfile

import numpy as np

SEED = 42
STEPS = 10
MOMENTUM, BETA1, BETA2, EPSILON = 0.9, 0.9, 0.999, 1e-8
DROPOUT_USE = 64

# name: architecture, samples, optimiser, rate, decay, max_norm, drop_input, drop_hidden, hard, soft, T
CASES = {
    "SGD with hard targets": ("20-30-10", 16, "sgd", 0.05, 0, 0, 0, 0, 1, 0, 1),
    "SGD with soft targets at T = 20": ("20-30-25-10", 16, "sgd", 0.02, 0, 0, 0, 0, 0, 1, 20),
    "SGD with hard and soft targets, decay and max-norm": ("33-17-9-5", 13, "sgd", 0.05, 0.01, 1.2, 0, 0, 0.3, 0.7, 4),
    "Nesterov with hard and soft targets": ("20-30-25-10", 16, "nesterov", 0.02, 0, 0, 0, 0, 0.5, 0.5, 3),
    "Nesterov with decay": ("7-5-3", 1, "nesterov", 0.02, 0.1, 0, 0, 0, 1, 0.5, 2),
    "Adam with hard and soft targets": ("20-30-25-10", 16, "adam", 0.01, 0, 0, 0, 0, 0.5, 0.5, 3),
    "Adam with decoupled decay and max-norm": ("20-30-25-10", 16, "adam", 0.01, 0.1, 1.0, 0, 0, 1, 0, 1),
    "SGD with dropout of inputs and hidden units": ("150-130-40-10", 20, "sgd", 0.02, 0, 0, 0.2, 0.5, 1, 0.5, 5),
    "Adam with dropout of hidden units": ("20-130-40-10", 20, "adam", 0.01, 0.01, 2.0, 0, 0.3, 1, 0, 1),
    "one layer": ("50-10", 8, "sgd", 0.1, 0.01, 0.1, 0.5, 0.5, 1, 1, 2),
}


def splitmix(value):
    mask = (1 << 64) - 1
    value = (value ^ value >> 30) * 0xBF58476D1CE4E5B9 & mask
    value = (value ^ value >> 27) * 0x94D049BB133111EB & mask
    return value ^ value >> 31


def random_key(seed, use):
    mask = (1 << 64) - 1
    mixed = splitmix((splitmix((seed + 0x9E3779B97F4A7C15) & mask) + use) & mask)
    return mixed & 0xFFFFFFFF, mixed >> 32


def philox(counter, key):
    """Philox4x32-10 (Salmon et al. 2011) of one counter: four words."""
    low = 0xFFFFFFFF
    key = list(key)
    x = list(counter)
    for _ in range(10):
        first, second = 0xD2511F53 * x[0], 0xCD9E8D57 * x[2]
        x = [second >> 32 ^ x[1] ^ key[0], second & low, first >> 32 ^ x[3] ^ key[1], first & low]
        key = [key[0] + 0x9E3779B9 & low, key[1] + 0xBB67AE85 & low]
    return x


def dropout_factors(share, layer, epoch, ids, width):
    """The factors by which dropout multiplies a layer: [n, width]."""
    factors = np.ones((len(ids), width))
    if share == 0:
        return factors
    threshold = round(share * 65536)
    key = random_key(SEED, DROPOUT_USE + layer)
    for row, sample in enumerate(ids):
        sample = int(sample)
        words = [w for block in range((width + 7) // 8)
                 for w in philox((block, epoch, sample & 0xFFFFFFFF, sample >> 32), key)]
        bits = np.array(words, dtype="<u4").view("<u2")[:width]
        factors[row] = np.where(bits < threshold, 0, 65536 / (65536 - threshold))
    return factors


def log_softmax(z):
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


class Run:
    """One case in numpy."""

    def __init__(self, folder, case):
        (architecture, self.n, self.optimiser, self.rate, self.decay, self.max_norm, self.drop_input,
         self.drop_hidden, self.hard, self.soft, self.temperature) = case
        self.folder = folder
        self.widths = [int(width) for width in architecture.split("-")]
        self.layers = len(self.widths) - 1
        self.input = self.read("input.f32", (self.n, self.widths[0]))
        self.targets = self.read("targets.f32", (self.n, self.widths[-1]))
        self.labels = self.read("labels.i32", (self.n,))
        self.ids = np.fromfile(os.path.join(folder, "ids.u64"), "<u8")
        self.parameters = self.read_parameters("initial")
        self.first = {name: np.zeros_like(value) for name, value in self.parameters.items()}
        self.second = {name: np.zeros_like(value) for name, value in self.parameters.items()}

    def read(self, name, shape):
        kinds = {"f32": "<f4", "i32": "<i4", "f64": "<f8"}
        array = np.fromfile(os.path.join(self.folder, name), kinds[name.rsplit(".", 1)[1]])
        array = array.reshape(shape)
        return array if name.endswith("i32") else array.astype(np.float64)

    def read_parameters(self, prefix):
        parameters = {}
        for l in range(self.layers):
            shape = (self.widths[l + 1], self.widths[l])
            parameters[f"weight.{l}"] = self.read(f"{prefix}.weight.{l}.f32", shape)
            parameters[f"bias.{l}"] = self.read(f"{prefix}.bias.{l}.f32", shape[:1])
        return parameters

    def forward(self, epoch):
        self.values = [self.input * dropout_factors(self.drop_input, 0, epoch, self.ids, self.widths[0])]
        self.factors = []
        for l in range(self.layers):
            z = self.values[-1] @ self.parameters[f"weight.{l}"].T + self.parameters[f"bias.{l}"]
            if l < self.layers - 1:
                factors = dropout_factors(self.drop_hidden, l + 1, epoch, self.ids, self.widths[l + 1])
                self.factors.append(factors * (z > 0))
                z = z * self.factors[-1]
            self.values.append(z)
        return self.values[-1]

    def losses(self, logits):
        """Sums over samples: total, hard, soft; and the gradient of the mean with respect to the logits."""
        t = self.temperature
        hard_log, soft_log = log_softmax(logits), log_softmax(logits / t)
        hard = -hard_log[np.arange(self.n), self.labels].sum()
        soft = t * t * (self.targets * (np.log(self.targets) - soft_log)).sum()
        one_hot = np.eye(self.widths[-1])[self.labels]
        gradient = self.hard * (np.exp(hard_log) - one_hot) + self.soft * t * (np.exp(soft_log) - self.targets)
        return np.array([self.hard * hard + self.soft * soft, hard, soft]), gradient / self.n

    def backward(self, gradient):
        gradients = {}
        for l in reversed(range(self.layers)):
            gradients[f"weight.{l}"] = gradient.T @ self.values[l]
            gradients[f"bias.{l}"] = gradient.sum(axis=0)
            if l > 0:
                gradient = gradient @ self.parameters[f"weight.{l}"] * self.factors[l - 1]
        return gradients

    def update(self, gradients, step):
        for name, old in self.parameters.items():
            g, decay = gradients[name], self.decay if name.startswith("weight") else 0
            if self.optimiser == "adam":
                self.first[name] = BETA1 * self.first[name] + (1 - BETA1) * g
                self.second[name] = BETA2 * self.second[name] + (1 - BETA2) * g ** 2
                mean = self.first[name] / (1 - BETA1 ** step)
                square = self.second[name] / (1 - BETA2 ** step)
                new = old - self.rate * mean / (np.sqrt(square) + EPSILON) - self.rate * decay * old
            else:
                g = g + decay * old
                self.first[name] = MOMENTUM * self.first[name] + g
                direction = self.first[name] if self.optimiser == "sgd" else g + MOMENTUM * self.first[name]
                new = old - self.rate * direction
            if self.max_norm > 0 and name.startswith("weight") and name != f"weight.{self.layers - 1}":
                norm = np.linalg.norm(new, axis=1, keepdims=True)
                new = new * np.minimum(1, self.max_norm / norm)
            self.parameters[name] = new


def distance(measured, expected):
    """The largest difference as a share of the largest expected number."""
    largest = np.abs(expected).max()
    difference = np.abs(measured - expected).max()
    return difference / largest if largest > 0 else difference


def check(folder, case):
    """Compares one case; returns what differs as a list of lines."""
    program = os.path.join(os.environ.get("BUILD", "build"), "tests", "nn_dump")
    subprocess.run([program, folder, *map(str, case)], check=True)
    run = Run(folder, case)
    wrong = []

    def compare(name, measured, expected, tolerance):
        apart = distance(measured, expected)
        if not apart <= tolerance:
            wrong.append(f"{name} differs by {apart:.3g}, more than {tolerance:g} of the largest number")

    for step in range(STEPS):
        logits = run.forward(step)
        losses, logits_gradient = run.losses(logits)
        gradients = run.backward(logits_gradient)
        if step == 0:
            compare("logits", run.read("logits.f32", logits.shape), logits, 1e-5)
            for name, measured, expected in zip(("total", "hard", "soft"), run.read("losses.f64", (3,)), losses):
                compare(f"{name} loss", measured, expected, 1e-5)
            for name, measured in run.read_parameters("gradient").items():
                compare(f"gradient of {name}", measured, gradients[name], 2e-5)
        run.update(gradients, step + 1)
    for name, measured in run.read_parameters("final").items():
        compare(f"{name} after {STEPS} steps", measured, run.parameters[name], 1e-4)
    return wrong


def main():
    print(f"1..{len(CASES)}")
    failed = 0
    for number, (name, case) in enumerate(CASES.items(), 1):
        with tempfile.TemporaryDirectory() as folder:
            wrong = check(folder, case)
        print(f"{'not ok' if wrong else 'ok'} {number} - numpy agrees: {name}")
        for line in wrong:
            print(f"# {line}")
        failed += bool(wrong)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
