#!/usr/bin/python3
"""Tables that Python's csv module wrote, as loader reads them, against numpy. Prints TAP."""
import csv
import gzip
import hashlib
import os
import subprocess
import tempfile

import numpy as np

import pst

count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def load(*arguments):
    """The header and the batches of loader's stream."""
    return pst.read(subprocess.run(["loader", *arguments, "--no-shuffle"], stdout=subprocess.PIPE, check=True).stdout)


def write(path, rows, **dialect):
    """Writes rows by the csv module; gzip if the name ends so."""
    with (gzip.open if path.endswith(".gz") else open)(path, "wt", newline="", encoding="utf-8") as file:
        csv.writer(file, **dialect).writerows(rows)
    return path


def write_number(random, number):
    """A number in one of the ways in which programs write them."""
    forms = [repr(float(number)), f"{number:.3e}", f"{number:+.17g}", f"{number:.20f}", f"{number:E}", f"{int(number)}.",
             f"{int(number)}", f"-.{abs(int(number)) % 1000}5", f" {number:.6g} ", f"{number:012.4f}"]
    return forms[random.integers(len(forms))]


def one_hot(texts):
    """Categories in the order of their bytes, and an element for each."""
    names = sorted(set(texts), key=str.encode)
    return names, np.array([[text == name for name in names] for text in texts], "f4")


def test_numbers(folder, random):
    """Every way to write a number gives the nearest f32 of the nearest f64, as Python's float does."""
    numbers = random.normal(size=(400, 5)) * 10.0 ** random.integers(-12, 13, (400, 5))
    texts = [[write_number(random, number) for number in row] for row in numbers]
    path = write(f"{folder}/numbers.csv", [list("abcde"), *texts])
    x = pst.column(load(path)[1], "x")
    expected = np.array([[float(text) for text in row] for row in texts]).astype("f4")
    check("numbers in all their forms", (x == expected).all(), np.argwhere(x != expected)[:3])


WORDS = ["red", "blue", "a,b", 'say "so"', "two\nlines", "two\r\nlines", "tab\there", "ä", "Ä", "Z", "z", "日本", ";", "x y", "1.2.3", "-"]


def make_table(random, rows):
    """Columns of all kinds, with their expected names, values as text, and elements."""
    colours = [WORDS[i] for i in random.integers(len(WORDS), size=rows)]
    sizes = random.integers(-5, 6, rows)
    weights = random.normal(size=rows)
    columns = {"size": [str(size) for size in sizes], "colour": colours, "weight, kg": [repr(float(w)) for w in weights]}
    x = np.column_stack([sizes.astype("f4"), one_hot(colours)[1], weights.astype("f4")])
    return columns, x


def test_tables(folder, random):
    """Quotes, delimiters, line ends, gzip and parts in any combination change nothing."""
    for trial in range(24):
        columns, x = make_table(random, 50)
        kinds = [["p", "q", "r s"][i] for i in random.integers(3, size=50)]
        order = random.permutation(4)
        table = {**columns, "kind": kinds}
        names = [list(table)[i] for i in order]
        rows = list(zip(*(table[name] for name in names)))
        dialect = {"delimiter": ",;\t"[trial % 3], "lineterminator": ["\n", "\r\n"][trial // 3 % 2],
                   "quoting": [csv.QUOTE_MINIMAL, csv.QUOTE_ALL][trial // 6 % 2]}
        end = [".csv", ".csv.gz"][trial // 12]
        parts = [write(f"{folder}/{trial}-{part}{end}", [names, *rows[part::2]], **dialect) for part in range(2)]
        header, batches = load(*(f"csv:{part}" for part in parts), "--label", "kind", "--delimiter",
                               ["comma", "semicolon", "tab"][trial % 3])
        both = [*range(0, 50, 2), *range(1, 50, 2)]
        # Elements stand in the order of the columns.
        width = {"size": [0], "colour": list(range(1, x.shape[1] - 1)), "weight, kg": [x.shape[1] - 1]}
        elements = [element for name in names if name != "kind" for element in width[name]]
        good = (pst.column(batches, "x") == x[both][:, elements]).all()
        classes = sorted(set(kinds))
        good = good and pst.column(batches, "y").tolist() == [classes.index(kinds[i]) for i in both]
        check(f"table {trial}: {dialect}", bool(good) and header["class_names"] == classes)


def test_missing(folder, random):
    """A missing value becomes the mean of the numbers that are there, over all files."""
    values = random.normal(size=(60, 3)) * 100
    gaps = random.random((60, 3)) < 0.3
    rows = [["NA" if gap and i % 2 else "" if gap else repr(float(v)) for i, (v, gap) in enumerate(zip(row, holes))]
            for row, holes in zip(values, gaps)]
    parts = [write(f"{folder}/gaps{part}.csv", [list("abc"), *rows[30 * part:30 * part + 30]]) for part in range(2)]
    x = pst.column(load(*parts, "--missing", "mean", "--missing-values", "NA,?")[1], "x")
    means = np.nanmean(np.where(gaps, np.nan, values), axis=0)
    check("missing values are the mean", np.allclose(x, np.where(gaps, means, values), rtol=1e-6, atol=0))
    check("values that are there stay", (x == values.astype("f4"))[~gaps].all())


def test_digest(folder, random):
    """The digest is of the content: that of one file, or of the lines of digests."""
    rows = [["a", "y"], *[[str(i), str(i % 2)] for i in range(10)]]
    first, second = write(f"{folder}/first.csv", rows), write(f"{folder}/second.csv.gz", rows[:5])
    texts = [open(first, "rb").read(), gzip.open(second).read()]
    lines = "".join(hashlib.sha256(text).hexdigest() + "\n" for text in texts)

    def digest(*files):
        return next(entry["digest"] for entry in load(*files)[0]["history"] if "digest" in entry)

    check("digest of one file", digest(first) == hashlib.sha256(texts[0]).hexdigest())
    check("digest of two files", digest(first, second) == hashlib.sha256(lines.encode()).hexdigest())


def elements_of(column):
    """A column as numbers, or as categories if it has none."""
    try:
        return np.array(column, "f8").astype("f4")[:, None]
    except ValueError:
        return one_hot(column)[1]


def test_public_sets(folder, random):
    """Tables of the UCI repository, if they are here, as Python reads them."""
    tabular = os.environ.get("TABULAR_DIR", "")
    sets = {"magic04.data": ("11", []), "letter-recognition.data": ("Letter", []), "adult-train.csv": ("15", []),
            "adult-test.csv": ("15", ["--strip-label", "."]), "covtype-15120.csv": ("Cover_Type", ["--id", "Id"])}
    for name, (label, more) in sets.items():
        path = f"{tabular}/{name}"
        if not os.path.exists(path):
            check(f"{name} # SKIP TABULAR_DIR does not have it", True)
            continue
        rows = [row for row in csv.reader(open(path, encoding="utf-8"), skipinitialspace=True) if row]
        names = rows.pop(0) if not label.isdigit() else [str(i + 1) for i in range(len(rows[0]))]
        table = dict(zip(names, zip(*rows)))
        labels = [text.rstrip(".") for text in table.pop(label)]
        ids = np.array(table.pop("Id", range(len(rows))), "u8")
        x = np.column_stack([elements_of(column) for column in table.values()])
        header, batches = load(path, "--label", label, *more)
        classes = sorted(set(labels), key=lambda text: (int(text), "") if text.isdigit() else (0, text))
        good = (pst.column(batches, "x") == x).all() and (pst.column(batches, "id") == ids).all()
        good = good and [classes[y] for y in pst.column(batches, "y")] == labels and header["class_names"] == classes
        check(name, bool(good))


with tempfile.TemporaryDirectory() as folder:
    for test in (test_numbers, test_tables, test_missing, test_digest, test_public_sets):
        test(folder, np.random.default_rng(11))
print(f"1..{count}")
