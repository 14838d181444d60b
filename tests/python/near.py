#!/usr/bin/env python3
"""Compares the output that a page shows with the real output; if they differ, ends with 1 and prints where.

usage: near.py SHOWN HAPPENED

Digests and names of runs are not compared. If the name of SHOWN ends in .near, numbers may differ as much as between kinds of
processors: counts by 30 % and 10, shares by 30 % and 20 points, other numbers by 30 % and 0.1. Words must be the same.
"""
import itertools
import pathlib
import re
import sys

shown, happened = (pathlib.Path(name) for name in sys.argv[1:])
near = shown.suffix == ".near"


def slack(number, word, words):
    """How far a number may be from the one that is shown."""
    least = 10 if word.isdigit() else 20 if "%" in words else 0.1
    return 0.3 * abs(number) + least


def alike(a, b, words):
    """Whether two words are the same, or numbers that are near each other."""
    if a == b:
        return True
    try:
        return near and abs(float(a) - float(b)) <= slack(float(a), a, words)
    except ValueError:
        return False


def words_of(line):
    return re.split(r"[\s,]+", re.sub(r"\b[0-9a-f]{12,64}\b", "DIGEST", line).strip())


for number, (a, b) in enumerate(itertools.zip_longest(*(path.read_text().splitlines() for path in (shown, happened)), fillvalue=""), 1):
    x, y = words_of(a), words_of(b)
    if len(x) != len(y) or not all(alike(*pair, x) for pair in zip(x, y)):
        sys.exit(f"line {number} of the output is not as shown:\n  shown:    {a}\n  happened: {b}")
