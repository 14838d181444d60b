#!/usr/bin/python3
"""NumPy's files of every type, order and version, written by numpy, as loader reads them. Prints TAP."""
import io
import os
import subprocess
import tempfile
import zipfile

import numpy as np

import pst

TYPES = ("b1", "u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f2", "f4", "f8")
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def load(*arguments):
    """The header and the batches of loader's stream."""
    return pst.read(subprocess.run(["loader", *arguments], stdout=subprocess.PIPE, check=True).stdout)


def spec(header, name):
    return next((tensor for tensor in header["tensors"] if tensor["name"] == name), None)


def digest(header):
    return header["history"][0]["digest"]


def make(random, code, shape):
    """Elements of a type that use all of its range."""
    if code == "b1":
        return random.integers(0, 2, shape).astype(bool)
    if code[0] == "f":
        spread = {"f2": 3, "f4": 20, "f8": 20}[code]
        return (random.normal(size=shape) * 10.0 ** random.integers(-spread, spread + 1, shape)).astype(code)
    limits = np.iinfo(code)
    array = random.integers(limits.min, limits.max, shape, endpoint=True, dtype=code)
    array.flat[:2] = limits.min, limits.max
    return array


def write(path, array, version=None):
    with open(path, "wb") as file:
        np.lib.format.write_array(file, array, version=version, allow_pickle=False)
    return path


def numbers(array, scale, offset):
    """What elements stand for: scale · e + offset in double, rounded to f32."""
    return (array.astype(float) * scale + offset).astype("f4")


def good_samples(header, batches, array, shape, scale=0, offset=0):
    x = pst.column(batches, "x")
    array = array.reshape(len(array), *shape)
    said = spec(header, "x")
    if tuple(said["shape"]) != tuple(shape):
        return False
    if array.dtype.itemsize == 1 and array.dtype.kind in "ub":
        usual = 1 if array.dtype.kind == "b" else 1 / 255
        return (x.dtype == np.uint8 and (x == array.astype("u1")).all() and said.get("scale", 1) == (scale or usual)
                and said.get("offset", 0) == offset)
    return x.dtype == np.float32 and (x == numbers(array, scale or 1, offset)).all()


def test_elements(folder, random):
    """Each type, byte order, order of elements and version; all of the same content have one digest."""
    path = f"{folder}/x.npy"
    for code in TYPES:
        for shape in ((), (7,), (4, 5), (3, 4, 5), (2, 1, 3, 2, 2, 2, 2)):
            array = make(random, code, (9, *shape))
            digests, good = set(), True
            for i, order in enumerate("<>"):
                for j, turn in enumerate((np.ascontiguousarray, np.asfortranarray)):
                    version = 1 + (i + j + len(shape)) % 3, 0
                    write(path, turn(array.astype(order + code)).reshape(array.shape, order="A"), version)
                    header, batches = load(f"npy:{path}", "--no-shuffle", "--batch", "4")
                    good = good and good_samples(header, batches, array, shape or (1,))
                    digests.add(digest(header))
            check(f"elements {code} of shape {shape}", bool(good) and len(digests) == 1, (good, digests))
        header, batches = load(f"npy:{path}", "--no-shuffle", "--scale", "-2e-3", "--offset", "7")
        check(f"elements {code} with scale and offset",
              bool(good_samples(header, batches, array, shape, -2e-3, 7)))


def test_orders(folder, random):
    """Fortran order, also in many blocks, and samples in any order."""
    for shape in ((5000, 100), (70, 30, 200), (300_000, 3), (2, 100_000)):
        array = random.normal(size=shape).astype("f4")
        path = write(f"{folder}/x.npy", np.asfortranarray(array))
        header, batches = load(path)
        x, ids = pst.column(batches, "x"), pst.column(batches, "id")
        check(f"Fortran order of shape {shape}", bool((x == array[ids]).all()) and len(set(ids)) == len(array))
    pictures = random.integers(0, 256, (20, 6, 5, 3), dtype="u1")
    for code, turn in (("u1", np.ascontiguousarray), ("f4", np.asfortranarray), ("f8", np.ascontiguousarray)):
        path = write(f"{folder}/x.npy", turn(pictures.astype(code)))
        header, batches = load(path, "--channels-last", "--no-shuffle")
        check(f"channels of {code} are moved to the front",
              bool((pst.column(batches, "x") == pictures.transpose(0, 3, 1, 2)).all())
              and spec(header, "x")["shape"] == [3, 6, 5])


def test_labels(folder, random):
    """Whole numbers are classes, rows of them bits, and floats numbers, unless options change this."""
    x = write(f"{folder}/x.npy", random.normal(size=(30, 4)).astype("f4"))
    y = f"{folder}/y.npy"

    def labels(array, *options):
        write(y, array)
        header, batches = load(f"npy:{x},{y}", "--no-shuffle", *options)
        return header, pst.column(batches, "y")

    for code in TYPES[:9]:
        classes = random.integers(0, 2 if code == "b1" else 100, 30).astype(code)
        for order in "<>":
            for shape in (30,), (30, 1):
                header, got = labels(classes.astype(order + code).reshape(shape))
                check(f"classes of {order}{code} {shape}", got.dtype == np.int32 and (got == classes).all()
                      and header["classes"] == int(classes.max()) + 1)
        header, got = labels(classes, "--regression")
        check(f"whole numbers of {code} as numbers", got.dtype == np.float32 and (got == classes.astype("f4")).all()
              and spec(header, "y")["shape"] == [])
        rows = random.integers(0, 2, (30, 5)).astype(code)
        header, got = labels(np.asfortranarray(rows))
        check(f"rows of {code} are bits", got.dtype == np.uint8 and (got == rows).all() and spec(header, "y")["shape"] == [5])
        header, got = labels(rows, "--regression")
        check(f"rows of {code} as numbers", got.dtype == np.float32 and (got == rows.astype("f4")).all())
    header, got = labels(classes.astype("i8") - 5, "--first-label", "-5")
    check("labels may begin below 0", bool((got == classes).all()) and header["class_names"][0] == "-5")
    for code in "f2", "f4", "f8":
        for shape in (30,), (30, 3):
            values = random.normal(size=shape).astype(code)
            header, got = labels(values)
            check(f"numbers of {code} {shape}", got.dtype == np.float32 and (got == values.astype("f4")).all()
                  and spec(header, "y")["shape"] == list(shape[1:]))
    for code in TYPES:
        classes = random.integers(0, 6, 30)
        header, got = labels(np.eye(6)[classes].astype(code), "--one-hot")
        check(f"one-hot rows of {code} are classes",
              got.dtype == np.int32 and (got == classes).all() and header["classes"] == 6)


def test_archives(folder, random):
    """savez and savez_compressed, names of arrays, weights, test parts, and zip64."""
    x, y = random.integers(0, 256, (40, 3, 3), dtype="u1"), random.integers(0, 5, 40)
    plain = digest(load(f"npy:{write(folder + '/x.npy', x)},{write(folder + '/y.npy', y)}")[0])
    names = (("x_train", "y_train"), ("X", "y"), ("x", "Y"), ("data", "labels"), ("images", "targets"), ("arr_0", "arr_1"))
    for save in np.savez, np.savez_compressed:
        for name_x, name_y in names:
            path = f"{folder}/set.npz"
            save(path, **{name_x: x, name_y: y, "other": y})
            header, batches = load(path, "--no-shuffle")
            check(f"{save.__name__}: {name_x}, {name_y}", bool((pst.column(batches, "x") == x).all())
                  and bool((pst.column(batches, "y") == y).all()) and digest(header) == plain)
        weights = random.random(40)
        save(path, features=np.asfortranarray(x.astype(">f8")), kinds=y.astype(">u2"), importance=weights)
        header, batches = load(f"npz:{path}", "--no-shuffle", "--x", "features", "--y", "kinds", "--weight", "importance")
        check(f"{save.__name__}: arrays by name", bool((pst.column(batches, "x") == x.astype("f4")).all())
              and bool((pst.column(batches, "y") == y).all())
              and bool((pst.column(batches, "weight") == weights.astype("f4")).all()))
        header, batches = load(f"npz:{path}", "--x", "features", "--y", "-")
        check(f"{save.__name__}: no labels", spec(header, "y") is None)
        save(path, x_train=x, y_train=y, x_test=x[::2], y_test=y[::2])
        header, batches = load(path, "--split", "test")
        check(f"{save.__name__}: a test part", bool((pst.column(batches, "x") == x[::2]).all())
              and bool((pst.column(batches, "y") == y[::2]).all()))
        save(path, only=x)
        check(f"{save.__name__}: the only array", bool((pst.column(load(path, "--no-shuffle")[1], "x") == x).all()))
    for method in zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED:
        zipfile.ZIP64_LIMIT, usual = 100, zipfile.ZIP64_LIMIT
        zipfile.ZIP_FILECOUNT_LIMIT, usual_count = 1, zipfile.ZIP_FILECOUNT_LIMIT
        with zipfile.ZipFile(path, "w", method) as archive:
            for name, array in (("x.npy", x), ("y.npy", y)):
                buffer = io.BytesIO()
                np.save(buffer, array)
                archive.writestr(name, buffer.getvalue())
            archive.comment = b"a comment PK\5\6 of some length"
        zipfile.ZIP64_LIMIT, zipfile.ZIP_FILECOUNT_LIMIT = usual, usual_count
        with open(path, "rb") as file:
            zip64 = b"PK\6\6" in file.read()
        header, batches = load(path, "--no-shuffle")
        check(f"zip64, method {method}", zip64 and bool((pst.column(batches, "x") == x).all()) and digest(header) == plain)


def test_several(folder, random):
    """Several pairs are one set."""
    x, y = random.normal(size=(50, 3)).astype("f8"), random.integers(0, 3, 50)
    parts = []
    for i, part in enumerate((slice(0, 20), slice(20, 21), slice(21, 50))):
        turn = np.asfortranarray if i == 2 else np.ascontiguousarray
        write(f"{folder}/x{i}.npy", turn(x[part]))
        write(f"{folder}/y{i}.npy", y[part])
        np.savez(f"{folder}/{i}.npz", x=x[part], y=y[part])
        parts.append((f"npy:{folder}/x{i}.npy,{folder}/y{i}.npy", f"{folder}/{i}.npz"))
    for kind in zip(*parts):
        header, batches = load(*kind, "--no-shuffle")
        check(f"several parts: {kind[0][-5:]}", bool((pst.column(batches, "x") == x.astype("f4")).all())
              and bool((pst.column(batches, "y") == y).all()) and (pst.column(batches, "id") == np.arange(50)).all())


def test_large(folder):
    """An array larger than --max-memory is read from its file, and takes little memory."""
    path = f"{folder}/large.npy"
    large = np.lib.format.open_memmap(path, "w+", "u1", (200, 1_000_000))
    large[::3, ::1000] = np.arange(67)[:, None]
    large.flush()
    command = "import os, resource, subprocess, sys; subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, check=True); " \
              "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    peak = int(subprocess.run(["/usr/bin/python3", "-c", command, "loader", path, "--max-memory", "1M", "--batch", "1",
                               "--limit", "5"], stdout=subprocess.PIPE, check=True).stdout)
    checked = "SANITIZE" in os.environ or "VALGRIND" in os.environ
    check("200 MB are read from the file", peak < 40_000 or checked, f"{peak} kB")
    header, batches = load(path, "--max-memory", "1M", "--batch", "1", "--limit", "5")
    check("the right samples come", all((batch["x"][0] == large[batch["id"][0]]).all() for batch in batches))
    np.savez(f"{folder}/large.npz", x=large)
    header, batches = load(f"{folder}/large.npz", "--max-memory", "1M", "--batch", "1", "--limit", "5")
    check("an archive that is stored is read from the file, too",
          all((batch["x"][0] == large[batch["id"][0]]).all() for batch in batches))


def main():
    random = np.random.default_rng(14)
    with tempfile.TemporaryDirectory() as folder:
        test_elements(folder, random)
        test_orders(folder, random)
        test_labels(folder, random)
        test_archives(folder, random)
        test_several(folder, random)
        test_large(folder)
    print(f"1..{count}")


if __name__ == "__main__":
    main()
