#!/usr/bin/python3
"""Makes small data for the recipes of docs/cookbook.md in the present folder: the named sets.

usage: recipe_data.py SET...
"""
import os
import struct
import sys

import numpy

random = numpy.random.default_rng(11)


def write(name, header, rows):
    with open(name, "w", encoding="utf-8") as file:
        for row in [header, *rows]:
            print(*row, sep=",", file=file)


def customers():
    """Whether a customer leaves depends on age, city and income."""
    def rows(count, first):
        for number in range(first, first + count):
            age, income = int(random.integers(18, 80)), round(float(random.normal(3000, 900)), 2)
            city = str(random.choice(["Bern", "Graz", "Oslo"]))
            leaves = (age - 45) / 12 + (3000 - income) / 900 + {"Bern": 2, "Graz": 0, "Oslo": -2}[city] > 0
            yield age, number, city, income, "yes" if leaves else "no"
    write("customers.csv", ["age", "number", "city", "income", "left"], rows(600, 1000))
    write("new.csv", ["city", "number", "age", "income"], ([row[2], row[1], row[0], row[3]] for row in rows(50, 5000)))


def houses():
    def rows():
        for _ in range(400):
            area, garden = round(float(random.uniform(40, 200)), 1), int(random.integers(0, 2))
            yield area, ["no", "yes"][garden], round(2000 * area + 60000 * garden + float(random.normal(0, 3000)))
    write("houses.csv", ["area", "garden", "price"], rows())


def films():
    def rows():
        for i in range(400):
            laughs, tears = int(random.integers(0, 50)), int(random.integers(0, 50))
            yield f'"Film, {i}"', laughs, tears, int(laughs > 25), int(tears > 20)
    write("films.csv", ["title", "laughs", "tears", "comedy", "drama"], rows())


def picture(kind):
    """Bars, or dots, in colour, 20 x 24."""
    image = random.integers(0, 60, (20, 24, 3))
    if kind == "bars":
        image[:, :: random.integers(3, 5)] += 150
    else:
        image[::4, ::4] += 190
    return image.astype("u1")


def pictures():
    for kind in ("bars", "dots"):
        os.makedirs(f"pictures/{kind}")
        for i in range(60):
            with open(f"pictures/{kind}/{i:02}.ppm", "wb") as file:
                file.write(b"P6 24 20 255\n" + picture(kind).tobytes())
    os.makedirs("new")
    for i in range(6):
        with open(f"new/{i}.ppm", "wb") as file:
            file.write(b"P6 24 20 255\n" + picture("bars" if i < 3 else "dots").tobytes())


def arrays():
    y = numpy.arange(400) % 3
    x = random.normal(size=(3, 5))[y] * 2 + random.normal(size=(400, 5)) * 0.4 + 100
    numpy.save("x.npy", x.astype("f4"))
    numpy.save("y.npy", y)


def fashion():
    os.makedirs("fashion")
    for part, count in (("train", 300), ("t10k", 100)):
        y = (numpy.arange(count) % 10).astype("u1")
        x = random.integers(0, 100, (count, 28, 28)).astype("u1")
        for i, label in enumerate(y):
            x[i, 2 * label : 2 * label + 4] += 150
        for name, array in ((f"{part}-images-idx3-ubyte", x), (f"{part}-labels-idx1-ubyte", y)):
            with open(f"fashion/{name}", "wb") as file:
                file.write(struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes())


for name in sys.argv[1:]:
    {"customers": customers, "houses": houses, "films": films, "pictures": pictures, "arrays": arrays, "fashion": fashion}[name]()
