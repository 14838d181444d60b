#!/usr/bin/python3
"""Pictures in folders, lists and tar files, written by numpy, as loader reads them. Prints TAP."""
import hashlib
import os
import subprocess
import tarfile
import tempfile

import numpy as np

import pictures
import pst

count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def load(*arguments):
    """The header and the batches of loader's stream."""
    return pst.read(subprocess.run(["loader", *arguments], stdout=subprocess.PIPE, check=True).stdout)


def write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def planes(array):
    return array.transpose(2, 0, 1) if array.ndim == 3 else array


def grey(array):
    """Pillow's luma."""
    r, g, b = (array[..., k].astype("i8") for k in range(3))
    return ((19595 * r + 38470 * g + 7471 * b + 0x8000) >> 16).astype("u1")


def resized(array, size, axis):
    """One direction of a bilinear change of size with antialiasing, in floating point."""
    old = array.shape[axis]
    scale = old / size
    reach = max(scale, 1)
    centres = (np.arange(size) + 0.5) * scale
    weights = np.maximum(0, 1 - np.abs(np.arange(old)[None] + 0.5 - centres[:, None]) / reach)
    weights /= weights.sum(1, keepdims=True)
    return np.moveaxis(np.tensordot(weights, array.astype(float), (1, axis)), 0, axis)


def one(folder, name, data, *options):
    """The sample that one file becomes."""
    path = f"{folder}/one-{name}/a/{name}"
    write(path, data)
    return pst.column(load(f"images:{folder}/one-{name}", "--no-shuffle", *options)[1], "x")[0]


def adam7(array):
    """The rows of an interlaced PNG."""
    for y, x, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        for row in array[y::dy, x::dx]:
            if row.size:
                yield b"\0" + row.tobytes()


def test_png(folder, random):
    """Every kind of PNG: depths, greys, palettes, transparency, filters, interlacing."""
    height, width = 13, 10
    for channels, name in ((1, "grey"), (2, "grey with transparency"), (3, "colour"), (4, "colour with transparency")):
        for dtype in ("u1", "u2"):
            array = random.integers(0, np.iinfo(dtype).max, (height, width, channels), dtype=dtype, endpoint=True)
            x = one(folder, f"{channels}{dtype}.png", pictures.png(array))
            kept = array[..., :1 if channels < 3 else 3]
            kept = (kept >> 8).astype("u1") if dtype == "u2" else kept
            check(f"PNG, {name}, {dtype}", (x == (kept[..., 0] if channels < 3 else planes(kept))).all())
    for depth in (1, 2, 4):
        levels = random.integers(0, 1 << depth, (height, width), dtype="u1")
        bits = np.unpackbits(levels[..., None], axis=2)[..., 8 - depth:].reshape(height, -1)
        rows = [b"\0" + np.packbits(row).tobytes() for row in bits]
        x = one(folder, f"g{depth}.png", pictures.png_of_rows(width, height, depth, 0, rows))
        check(f"PNG, grey of {depth} bits", (x == levels * (255 // ((1 << depth) - 1))).all())
        palette = random.integers(0, 256, (1 << depth, 3), dtype="u1")
        x = one(folder, f"p{depth}.png",
                pictures.png_of_rows(width, height, depth, 3, rows, pictures.chunk(b"PLTE", palette.tobytes()),
                                     pictures.chunk(b"tRNS", b"\0\x80")))
        check(f"PNG, a palette of {depth} bits", (x == planes(palette[levels])).all())
    array = random.integers(0, 256, (height, width, 3), dtype="u1")
    x = one(folder, "adam7.png", pictures.png_of_rows(width, height, 8, 2, adam7(array), interlace=1))
    check("PNG, interlaced", (x == planes(array)).all())
    up = np.diff(array.astype("i2"), axis=0, prepend=0).astype("u1")
    x = one(folder, "up.png", pictures.png_of_rows(width, height, 8, 2, [b"\2" + row.tobytes() for row in up]))
    check("PNG, filtered", (x == planes(array)).all())


def test_pnm(folder, random):
    for shape in ((5, 7), (5, 7, 3)):
        for most in (1, 7, 100, 254, 255):
            array = random.integers(0, most + 1, shape, dtype="u1")
            x = one(folder, f"{len(shape)}-{most}.ppm", pictures.pnm(array, most))
            check(f"PNM of {len(shape)} dimensions up to {most}", (x == planes(np.rint(array.astype(float) * 255 / most))).all())


def test_jpeg(folder):
    """JPEG files give Pillow's pixels."""
    for name, (_, shape, digest) in pictures.JPEGS.items():
        x = one(folder, f"{name}.jpg", pictures.jpeg(name))
        x = x.transpose(1, 2, 0) if x.ndim == 3 else x
        check(f"JPEG, {name}", x.shape == shape and hashlib.sha256(x.tobytes()).hexdigest() == digest)


def test_colours(folder, random):
    """Grey and colour in one set, as --colour says."""
    arrays = [random.integers(0, 256, shape, dtype="u1") for shape in ((6, 5, 3), (6, 5), (6, 5, 3))]
    for i, array in enumerate(arrays):
        write(f"{folder}/mixed/a/{i}.png", pictures.png(array))
    for options in ([], ["--colour", "rgb"]):
        x = pst.column(load(f"images:{folder}/mixed", "--no-shuffle", *options)[1], "x")
        wanted = [planes(a if a.ndim == 3 else np.dstack([a, a, a])) for a in arrays]
        check(f"grey becomes colour, {options}", (x == np.array(wanted)).all())
    x = pst.column(load(f"images:{folder}/mixed", "--no-shuffle", "--colour", "grey")[1], "x")
    check("colour becomes grey", (x == np.array([a if a.ndim == 2 else grey(a) for a in arrays])).all())


def test_resize(folder, random):
    """Resizing is within one level of floating point, in either direction, and for any number of decoders."""
    arrays = [random.integers(0, 256, (*size, 3), dtype="u1") for size in ((9, 14), (31, 8), (1, 1), (64, 70), (12, 16))]
    for i, array in enumerate(arrays):
        write(f"{folder}/sizes/a/{i}.ppm", pictures.pnm(array))
    for width, height in ((16, 12), (5, 3), (1, 1), (40, 90)):
        outcomes = []
        for decoders in ("1", "3"):
            x = pst.column(load(f"images:{folder}/sizes", "--no-shuffle", "--resize", f"{width}x{height}", "--decoders",
                                decoders)[1], "x")
            outcomes.append(x)
        wanted = [planes(resized(resized(a, width, 1), height, 0)) for a in arrays]
        off = max(np.abs(x - w).max() for x, w in zip(outcomes[0].astype(float), wanted))
        check(f"resized to {width}x{height}", off <= 1.01 and (outcomes[0] == outcomes[1]).all(), off)
    x = pst.column(load(f"images:{folder}/sizes", "--no-shuffle", "--resize", "16x12")[1], "x")
    check("a picture that has the size stays as it is", (x[4] == planes(arrays[4])).all())


def make_files(random, classes, parts=("train", "test")):
    """Names and PNG files of parts and classes, in any order; and the same sorted as a set has them."""
    files = [(part, name, f"{name}/{'deep/' if i % 5 == 0 else ''}{i:03}.png", random.integers(0, 256, (4, 3, 3), dtype="u1"))
             for part in parts for name in classes for i in range(random.integers(1, 9))]
    # The end of a folder's name sorts before every letter, so "a" and all in it comes before "a-b".
    files.sort(key=lambda file: (file[0] != "train", file[2].replace("/", "\x01")))
    return files


def test_sources(folder, random):
    """A folder, tar files of all kinds, and a list of the same pictures are the same set."""
    classes = ["b", "a-b", "a", "Z", "é", "c" * 120]
    files = make_files(random, classes)
    order = sorted(classes, key=str.encode)
    named = [(f"{part}/{path}", pictures.png(array)) for part, _, path, array in files]
    random.shuffle(named)
    for path, data in named:
        write(f"{folder}/set/{path}", data)
    write(f"{folder}/set/README", b"no picture")
    write(f"{folder}/set/train/a/.hidden.png", b"no picture")
    sources = {"folder": f"{folder}/set"}
    for name, mode, form in (("ustar", "w", tarfile.USTAR_FORMAT), ("gnu", "w", tarfile.GNU_FORMAT),
                             ("pax", "w", tarfile.PAX_FORMAT), ("pax.gz", "w:gz", tarfile.PAX_FORMAT)):
        deep = "" if form == tarfile.USTAR_FORMAT else "./above/" + "d" * 90 + "/"
        sources[name] = f"{folder}/{name}.tar"
        pictures.tar(sources[name], [("x/.y/z.png", b""), *((deep + path, data) for path, data in named)], mode, form)
    digests = {}
    for split in ("train", "test"):
        part = [file for file in files if file[0] == split]
        lines = "".join(f"{hashlib.sha256(pictures.png(array)).hexdigest()}  {path}\n" for _, _, path, array in part)
        for name, source in sources.items():
            header, batches = load(f"images:{source}", "--split", split, "--no-shuffle")
            digests[split, name] = header["history"][0]["digest"]
            first = 0 if split == "train" else len(files) - len(part)
            good = (pst.column(batches, "x") == np.array([planes(array) for _, _, _, array in part])).all()
            good = good and pst.column(batches, "y").tolist() == [order.index(name) for _, name, _, _ in part]
            good = good and pst.column(batches, "id").tolist() == list(range(first, first + len(part)))
            good = good and header["class_names"] == order and header["classes"] == len(order)
            good = good and digests[split, name] == hashlib.sha256(lines.encode()).hexdigest()
            check(f"{split} of a {name}", bool(good))


def test_list(folder, random):
    """Lists keep their order; labels are numbers or names."""
    arrays = [random.integers(0, 256, (4, 3), dtype="u1") for _ in range(5)]
    for i, array in enumerate(arrays):
        write(f"{folder}/list/p {i}.png", pictures.png(array))
    for name, labels, wanted, names in (("numbers", ["3", "0", "1", "3", "0"], [3, 0, 1, 3, 0], None),
                                        ("names", ["a dog", "cat", "1", "cat", "a dog"], [1, 2, 0, 2, 1], ["1", "a dog", "cat"])):
        order = [4, 0, 2, 1, 3]
        write(f"{folder}/list/{name}.txt", ("# a list\n" + "".join(f"p {i}.png\t{label}\r\n\n" for i, label in zip(order, labels)))
              .encode())
        header, batches = load(f"images:{folder}/list/{name}.txt", "--no-shuffle")
        good = (pst.column(batches, "x") == np.array([arrays[i] for i in order])).all()
        check(f"a list with {name}", good and pst.column(batches, "y").tolist() == wanted
              and header.get("class_names") == names and pst.column(batches, "id").tolist() == list(range(5)))
    header, batches = load(f"images:{folder}/list", "--no-shuffle")
    check("a flat folder has no labels", "y" not in batches[0] and (pst.column(batches, "x") == np.array(arrays)).all())


def test_order(folder, random):
    """Every order and number of decoders gives the same samples."""
    arrays = {i: random.integers(0, 256, (20, 30, 3), dtype="u1") for i in range(400)}
    pictures.tar(f"{folder}/many.tar.gz", [(f"{i % 7}/{i:04}.png", pictures.png(array)) for i, array in arrays.items()], "w:gz")
    order = sorted(arrays, key=lambda i: (i % 7, i))
    plain = pst.column(load(f"images:{folder}/many.tar.gz", "--no-shuffle")[1], "x")
    check("many pictures in order", (plain == np.array([planes(arrays[i]) for i in order])).all())
    for decoders in ("1", "2", "5", "64"):
        _, batches = load(f"images:{folder}/many.tar.gz", "--epochs", "3", "--batch", "37", "--decoders", decoders, "--limit", "300")
        x, ids = pst.column(batches, "x"), pst.column(batches, "id")
        check(f"shuffled, {decoders} decoders", len(x) == 900 and (x == plain[ids]).all())


def test_cifar(folder, random):
    """The published binary form, and augmentations of it."""
    records = random.integers(0, 256, (60, 3072), dtype="u1")
    labels = random.integers(0, 10, 60, dtype="u1")
    rows = np.hstack([labels[:, None], records])
    for i in range(5):
        write(f"{folder}/ten/cifar-10-batches-bin/data_batch_{i + 1}.bin", rows[10 * i:10 * i + 10].tobytes())
    write(f"{folder}/ten/cifar-10-batches-bin/test_batch.bin", rows[50:].tobytes())
    write(f"{folder}/ten/cifar-10-batches-bin/batches.meta.txt", "\n".join("abcdefghij").encode() + b"\n\n")
    x = records.reshape(60, 3, 32, 32)
    for split, part, first in (("train", slice(0, 50), 0), ("test", slice(50, 60), 50000)):
        header, batches = load(f"cifar10:{folder}/ten", "--split", split, "--no-shuffle")
        check(f"cifar10, {split}", (pst.column(batches, "x") == x[part]).all()
              and (pst.column(batches, "y") == labels[part]).all() and header["class_names"] == list("abcdefghij")
              and pst.column(batches, "id")[0] == first)
    both = np.stack([labels // 2, labels * 7], 1)
    write(f"{folder}/hundred/train.bin", np.hstack([both, records]).tobytes())
    for options, column, classes in (([], 1, 100), (["--coarse"], 0, 20)):
        header, batches = load(f"cifar100:{folder}/hundred", "--no-shuffle", *options)
        check(f"cifar100 {options}", (pst.column(batches, "x") == x).all() and header["classes"] == classes
              and (pst.column(batches, "y") == both[:, column]).all())
    _, batches = load(f"cifar10:{folder}/ten", "--no-shuffle", "--flip", "--crop", "2")
    moved = pst.column(batches, "x")
    padded = np.pad(x, ((0, 0), (0, 0), (2, 2), (2, 2)))
    seen = set()
    for before, after in zip(padded, moved):
        seen |= {(flip, down, right) for flip in (1, -1) for down in range(5) for right in range(5)
                 if (before[:, down:down + 32, right:right + 32][:, :, ::flip] == after).all()}
    check("pictures are cropped and mirrored", len(moved) == 50 and len(seen) > 25 and len({flip for flip, _, _ in seen}) == 2,
          len(seen))


def main():
    random = np.random.default_rng(20)
    with tempfile.TemporaryDirectory() as folder:
        test_png(folder, random)
        test_pnm(folder, random)
        test_jpeg(folder)
        test_colours(folder, random)
        test_resize(folder, random)
        test_sources(folder, random)
        test_list(folder, random)
        test_order(folder, random)
        test_cifar(folder, random)
    print(f"1..{count}")


if __name__ == "__main__":
    main()
