#!/usr/bin/python3
"""Makes data of every kind that loader may read, for bench/loaders and bench/peers, and prints a line for each set.

usage: loader_data.py FOLDER

A line is NAME KIND SAMPLES WORDS…: KIND is the name in `loader --help`, and WORDS are loader's arguments. Kinds that this
loader does not have are left out. The sets that MNIST_DIR, CIFAR100_DIR and TABULAR_DIR name are added.
"""
import os
import re
import subprocess
import sys

import numpy

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../tests/python"))
from pictures import png  # noqa: E402

FOLDER = os.path.abspath(sys.argv[1])
SAMPLES, ROWS, PICTURES, CIFAR = 20000, 50000, 4000, 10000
random = numpy.random.default_rng(1)
kinds = re.findall(r"^  (\w+)\W", subprocess.run(["loader", "--help"], check=True, capture_output=True, text=True).stdout, re.M)


def path(name):
    return os.path.join(FOLDER, name)


def tell(name, kind, samples, *words):
    """Prints the line of a set."""
    print(name, kind, samples, *words, flush=True)


def floats():
    """784 numbers a sample, as MNIST has them, and 10 classes."""
    return random.standard_normal((SAMPLES, 784), "f4"), random.integers(0, 10, SAMPLES, "i4")


def digits():
    tell("digits", "digits", SAMPLES, "digits")


def mnist():
    if os.environ.get("MNIST_DIR"):
        tell("mnist", "mnist", 60000, "mnist")


def idx():
    for name, array, code in zip(("f32.idx", "labels.idx"), floats(), (13, 12)):
        with open(path(name), "wb") as file:
            file.write(bytes([0, 0, code, array.ndim]) + numpy.array(array.shape, ">u4").tobytes())
            file.write(array.astype(array.dtype.newbyteorder(">")).tobytes())
    tell("idx_f32", "idx", SAMPLES, f"idx:{path('f32.idx')},{path('labels.idx')}")


def npy():
    x, y = floats()
    numpy.save(path("x.npy"), x)
    numpy.save(path("y.npy"), y)
    tell("npy_f32", "npy", SAMPLES, f"npy:{path('x.npy')},{path('y.npy')}")


def npz():
    x, y = floats()
    numpy.savez(path("f32.npz"), x=x, y=y)
    numpy.savez_compressed(path("u8.npz"), x=(64 * x).clip(0, 255).astype("u1"), y=y)
    tell("npz_f32", "npz", SAMPLES, f"npz:{path('f32.npz')}")
    tell("npz_u8_compressed", "npz", SAMPLES, f"npz:{path('u8.npz')}")


def csv():
    table = numpy.column_stack([random.standard_normal((ROWS, 54)), random.integers(0, 7, ROWS)])
    numpy.savetxt(path("table.csv"), table, "%.5g", ",", comments="",
                  header=",".join([f"c{i}" for i in range(54)] + ["label"]))
    tell("csv", "csv", ROWS, f"csv:{path('table.csv')}")
    folder = os.environ.get("TABULAR_DIR")
    for name, file, options in (("csv_adult", "adult-train.csv", "--label 15"),
                                ("csv_covtype", "covtype-15120.csv", "--label Cover_Type --id Id"),
                                ("csv_letter", "letter-recognition.data", "--label Letter")):
        if folder and os.path.exists(f"{folder}/{file}"):
            with open(f"{folder}/{file}", encoding="utf-8") as text:
                rows = sum(1 for line in text if line.strip()) - (name != "csv_adult")
            tell(name, "csv", rows, f"csv:{folder}/{file}", options)


def images():
    """Pictures of 32 by 32 pixels, of ten classes: a slope of colour with some noise, which compresses like photographs."""
    for i in range(PICTURES):
        slope = numpy.add.outer(numpy.arange(32), numpy.arange(32))[..., None] * random.uniform(0, 3, 3)
        folder = path(f"pictures/{i % 10}")
        os.makedirs(folder, exist_ok=True)
        with open(f"{folder}/{i}.png", "wb") as file:
            file.write(png((slope + random.integers(0, 16, (32, 32, 3))).clip(0, 255).astype("u1")))
    tell("images_png", "images", PICTURES, f"images:{path('pictures')}")
    tar = os.path.join(os.environ.get("CIFAR100_DIR", ""), "cifar-100-png.tar.gz")
    if os.path.exists(tar):
        tell("images_tar_cifar100", "images", 50000, f"images:{tar}")


def cifar10():
    """Five files of training pictures, and one of the test set."""
    os.makedirs(path("cifar10"), exist_ok=True)
    for name in [f"data_batch_{i}" for i in range(1, 6)] + ["test_batch"]:
        records = random.integers(0, 256, (CIFAR, 3073), "u1")
        records[:, 0] %= 10
        records.tofile(path(f"cifar10/{name}.bin"))
    tell("cifar10", "cifar10", 5 * CIFAR, f"cifar10:{path('cifar10')}")


os.makedirs(FOLDER, exist_ok=True)
for make in (digits, mnist, idx, npy, npz, csv, images, cifar10):
    if make.__name__ in kinds:
        make()
