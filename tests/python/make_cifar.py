"""Writes pictures in CIFAR-100's binary form: a few with coloured stripes, so that small nets learn them in seconds.

usage: make_cifar.py FOLDER TRAIN TEST      so many pictures of each of the 100 classes
"""
import pathlib
import sys

import numpy

CLASSES, SIZE = 100, 32
folder, counts = pathlib.Path(sys.argv[1]), dict(zip(("train", "test"), map(int, sys.argv[2:4]), strict=True))
generator = numpy.random.default_rng(100)
# Each class has a colour and a direction of its stripes; classes that follow each other look alike.
colours = generator.uniform(60, 200, (CLASSES // 5, 3)).repeat(5, axis=0)
y, x = numpy.mgrid[:SIZE, :SIZE]
folder.mkdir(parents=True, exist_ok=True)
for name, count in counts.items():
    records = []
    for label in generator.permutation(numpy.repeat(numpy.arange(CLASSES), count)):
        angle = numpy.pi * (label % 5) / 5
        stripes = numpy.sin((x * numpy.cos(angle) + y * numpy.sin(angle)) * 0.7 + generator.uniform(0, 6))
        pixels = colours[label][:, None, None] + 40 * stripes + generator.normal(0, 12, (3, SIZE, SIZE))
        records.append(bytes([label // 5, label]) + pixels.clip(0, 255).astype(numpy.uint8).tobytes())
    (folder / f"{name}.bin").write_bytes(b"".join(records))
