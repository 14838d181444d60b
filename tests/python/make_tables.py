#!/usr/bin/env python3
"""Writes small tables in the form of those that the experiments with munge read: adult, covtype, letter and magic.

    make_tables.py FOLDER [--rows N] [--seed N]

Classes follow from the numbers, with some noise, so there is something to learn.
"""

import argparse
import csv
import pathlib
import random


def numbers(chance, count):
    return [chance.randint(0, 15) for _ in range(count)]


def adult(chance):
    """14 columns, eight of them categories, and the class."""
    row = numbers(chance, 14)
    rich = row[0] + row[4] + chance.gauss(0, 3) > 15
    for place in (1, 3, 5, 6, 7, 8, 9, 13):
        row[place] = "?abc"[row[place] % 4]
    return [*row, ">50K" if rich else "<=50K"]


def covtype(chance):
    """Id, 10 measures, 4 and 40 columns of 0 and 1, and the class from 1 to 7."""
    row, wild, soil = numbers(chance, 10), chance.randrange(4), chance.randrange(40)
    kind = 2 if row[0] + 4 * (wild == 1) + chance.gauss(0, 2) > 9 else chance.choice((1, 3, 4, 5, 6, 7))
    return [*row, *(int(i == wild) for i in range(4)), *(int(i == soil) for i in range(40)), kind]


def letter(chance):
    """A capital letter, and 16 numbers."""
    row = numbers(chance, 16)
    return [chr(ord("A") + (3 * row[0] + row[1] // 2) % 26), *row]


def magic(chance):
    """10 numbers, and the class."""
    row = numbers(chance, 10)
    return [*(value + chance.random() for value in row), "g" if row[0] + chance.gauss(0, 3) > 6 else "h"]


def write(path, rows, names=()):
    with open(path, "w", encoding="utf-8", newline="") as text:
        csv.writer(text, lineterminator="\n").writerows([names] * bool(names) + rows)


parser = argparse.ArgumentParser()
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--rows", type=int, default=400)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args()
chance = random.Random(args.seed)
args.folder.mkdir(parents=True, exist_ok=True)
for part, rows in (("train", args.rows * 3 // 4), ("test", args.rows // 4)):
    end = "." if part == "test" else ""
    write(args.folder / f"adult-{part}.csv", [[*row[:-1], row[-1] + end] for row in (adult(chance) for _ in range(rows))])
columns = [*(f"Measure{i}" for i in range(10)), *(f"Wilderness_Area{i + 1}" for i in range(4)), *(f"Soil_Type{i + 1}" for i in range(40))]
write(args.folder / "covtype-15120.csv", [[i + 1, *covtype(chance)] for i in range(args.rows)], ["Id", *columns, "Cover_Type"])
write(args.folder / "letter-recognition.data", [letter(chance) for _ in range(args.rows)], ["Letter", *range(1, 17)])
write(args.folder / "magic04.data", [magic(chance) for _ in range(args.rows)])
