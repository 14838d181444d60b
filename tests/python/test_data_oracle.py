#!/usr/bin/python3
"""IDX files of every type, written by numpy, as loader reads them. Prints TAP."""
import subprocess
import tempfile

import numpy as np

import pst

TYPES = {"u1": 0x08, "i1": 0x09, "i2": 0x0B, "i4": 0x0C, "f4": 0x0D, "f8": 0x0E}
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def write(path, array):
    """Writes an array as an IDX file of its own type."""
    code = array.dtype.str[1:]
    sizes = np.array(array.shape, ">u4").tobytes()
    with open(path, "wb") as file:
        file.write(bytes([0, 0, TYPES[code], array.ndim]) + sizes + array.astype(">" + code).tobytes())
    return path


def load(*arguments):
    """The header and the batches of loader's stream."""
    return pst.read(subprocess.run(["loader", *arguments], stdout=subprocess.PIPE, check=True).stdout)


def spec(header, name):
    return next((tensor for tensor in header["tensors"] if tensor["name"] == name), None)


def make(random, code, shape):
    """Elements of a type that use all of its range, fractions too."""
    if code[0] == "f":
        return (random.normal(size=shape) * 10.0 ** random.integers(-20, 20, shape)).astype(code)
    limits = np.iinfo(code)
    array = random.integers(limits.min, limits.max, shape, endpoint=True, dtype=code)
    array.flat[:2] = limits.min, limits.max
    return array


def test_elements(folder, random):
    """Bytes stay bytes; all other elements come as f32 numbers, scale · e + offset in double."""
    for code in TYPES:
        for shape in ((7,), (4, 5), (3, 4, 5), (2, 2, 2, 2)):
            array = make(random, code, (9, *shape))
            path = write(f"{folder}/x", array)
            for scale, offset in ((0, 0), (0.5, -3), (-2e-3, 7)):
                header, batches = load("idx", "--images", path, "--no-shuffle", "--batch", "4", "--scale", str(scale),
                                       "--offset", str(offset))
                x = pst.column(batches, "x")
                if code == "u1":
                    good = x.dtype == np.uint8 and (x == array).all()
                    said = spec(header, "x")
                    good = good and said["scale"] == (scale or 1 / 255) and said.get("offset", 0) == offset
                else:
                    numbers = (array.astype(float) * (scale or 1) + offset).astype("f4")
                    good = x.dtype == np.float32 and (x == numbers).all()
                check(f"elements {code} of shape {shape}, scale {scale}, offset {offset}", bool(good))


def test_labels(folder, random):
    """Whole numbers are classes, fractions are numbers, and rows of bytes are bits."""
    images = write(f"{folder}/x", random.integers(0, 255, (30, 2, 2), dtype="u1"))
    for code in ("u1", "i1", "i2", "i4"):
        first = 0 if code == "u1" else -5
        labels = random.integers(first, 100, 30, dtype=code)
        write(f"{folder}/y", labels)
        header, batches = load(f"idx:{images},{folder}/y", "--no-shuffle", f"--first-label={first}")
        y = pst.column(batches, "y")
        counts = np.bincount(labels.astype(int) - first)
        check(f"labels of type {code}", y.dtype == np.int32 and (y == labels.astype(int) - first).all()
              and header["classes"] == len(counts) and header["class_counts"] == counts.tolist())
        names = [str(first + k) for k in range(len(counts))] if first else None
        check(f"names of classes of type {code}", header.get("class_names") == names)
    for code in ("f4", "f8"):
        for shape in ((30,), (30, 3)):
            labels = make(random, code, shape)
            write(f"{folder}/y", labels)
            header, batches = load(f"idx:{images},{folder}/y", "--no-shuffle")
            y = pst.column(batches, "y")
            check(f"numbers of type {code}, shape {shape}", y.dtype == np.float32 and header.get("classes", 0) == 0
                  and y.shape == shape and (y == labels.astype("f4")).all())
    bits = random.integers(0, 2, (30, 5), dtype="u1")
    write(f"{folder}/y", bits)
    _, batches = load(f"idx:{images},{folder}/y", "--no-shuffle")
    y = pst.column(batches, "y")
    check("rows of bits", y.dtype == np.uint8 and (y == bits).all())


def test_pairs(folder, random):
    """Several pairs are one set, however they are named; and a file is recognised by its first bytes."""
    arrays = [random.normal(size=(n, 4)).astype("f4") for n in (5, 1, 11)]
    labels = [random.integers(0, 4, len(array), dtype="i2") for array in arrays]
    images = [write(f"{folder}/x{i}", array) for i, array in enumerate(arrays)]
    names = [write(f"{folder}/y{i}", array) for i, array in enumerate(labels)]
    pairs = [f"{a},{b}" for a, b in zip(images, names)]
    for name, arguments in (
        ("options", ["idx", "--images", ",".join(images), "--labels", ",".join(names)]),
        ("options alone", ["--images", ",".join(images), "--labels", ",".join(names)]),
        ("arguments", [f"idx:{pair}" for pair in pairs]),
        ("arguments of one name", ["idx:" + pairs[0], *pairs[1:]]),
    ):
        header, batches = load(*arguments, "--no-shuffle")
        check(f"pairs as {name}", (pst.column(batches, "x") == np.concatenate(arrays)).all()
              and (pst.column(batches, "y") == np.concatenate(labels)).all()
              and (pst.column(batches, "id") == np.arange(17)).all() and header["samples"] == 17)
    _, batches = load(images[2], "--labels", names[2], "--no-shuffle")
    check("a file without a name of a set", (pst.column(batches, "x") == arrays[2]).all()
          and (pst.column(batches, "y") == labels[2]).all())
    subprocess.run(["gzip", images[2]], check=True)
    _, batches = load(images[2] + ".gz", "--no-shuffle")
    check("the same as gzip", (pst.column(batches, "x") == arrays[2]).all())


def test_shift(folder, random):
    """A shift moves all channels by the same step, and moves in the number of an element of 0."""
    array = random.integers(1, 1000, (40, 3, 6, 7), dtype="i2")
    path = write(f"{folder}/x", array)
    _, batches = load(path, "--no-shuffle", "--shift", "2", "--scale", "0.5", "--offset", "-1")
    moved = pst.column(batches, "x")
    steps = set()
    for before, after in zip(array.astype("f4") * 0.5 - 1, moved):
        padded = np.pad(before, ((0, 0), (2, 2), (2, 2)), constant_values=-1)
        steps |= {(down, right) for down in range(5) for right in range(5)
                  if (padded[:, 4 - down:10 - down, 4 - right:11 - right] == after).all()}
        if not any((padded[:, 4 - down:10 - down, 4 - right:11 - right] == after).all()
                   for down in range(5) for right in range(5)):
            check("planes of numbers are shifted", False)
            return
    check("planes of numbers are shifted", len(steps) > 15, steps)


with tempfile.TemporaryDirectory() as temporary:
    generator = np.random.default_rng(11)
    for test in (test_elements, test_labels, test_pairs, test_shift):
        test(temporary, generator)
print(f"1..{count}")
