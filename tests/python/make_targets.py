#!/usr/bin/python3
"""Writes a stream of a made-up set to standard output, for students of numbers and of several labels a sample.

make_targets.py KIND SAMPLES EPOCHS SEED

KIND is what y holds: numbers (f32, two a sample), number (f32, one a sample, rank 0), bits (u8, three a sample) or classes
(i32, three classes, the first ten times as frequent as the last; the header has class_counts). Each is a smooth function of
x, f32 of six elements. The same seed gives the same samples for every kind; each epoch has its own order.
"""
import sys

import numpy as np

from pipestill_stream import stream

BATCH = 20


def targets(kind, x):
    first, second = x[:, 0] + np.sin(x[:, 1]), x[:, 2] * x[:, 3] - 0.5 * x[:, 4]
    if kind == "numbers":
        return np.stack([first, second], axis=1).astype("f4")
    if kind == "number":
        return first.astype("f4")
    if kind == "bits":
        return np.stack([first > 0.3, second > 0, first + second > 1], axis=1).astype("u1")
    return np.searchsorted([1, 2], first).astype("i4")


def main():
    kind, samples, epochs, seed = sys.argv[1], *map(int, sys.argv[2:])
    random = np.random.default_rng(seed)
    x = random.normal(0, 1, (samples, 6)).astype("f4")
    y = targets(kind, x)
    dtype = {"f": "f32", "u": "u8", "i": "i32"}[y.dtype.kind]
    tensors = [{"name": "x", "dtype": "f32", "shape": [6]}, {"name": "y", "dtype": dtype, "shape": list(y.shape[1:])},
               {"name": "id", "dtype": "u64", "shape": []}]
    batches = []
    for epoch in range(epochs):
        order = random.permutation(samples)
        for at in range(0, samples, BATCH):
            ids = order[at:at + BATCH]
            batches.append({"epoch": epoch, "x": x[ids], "y": y[ids], "id": ids})
    more = {"classes": 3, "class_counts": np.bincount(y, minlength=3).tolist()} if kind == "classes" else {}
    sys.stdout.buffer.write(stream(tensors, batches, samples=samples, epochs=epochs, batches=len(batches), **more))


if __name__ == "__main__":
    main()
