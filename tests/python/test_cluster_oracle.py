"""class-cluster against numpy: its sets follow from the covariance of predictions. Prints TAP."""
import re
import subprocess

import numpy

from pipestill_stream import stream

count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def softmax(logits, temperature=1.0):
    powers = numpy.exp((logits.astype(float) - logits.max(axis=-1, keepdims=True)) / temperature)
    return powers / powers.sum(axis=-1, keepdims=True)


def make(rows, name="soft/g", batch=37):
    rows = rows.astype("f4")
    tensor = {"name": name, "dtype": "f32", "shape": [rows.shape[1]]} | ({"temperature": 1.0} if name[0] == "s" else {})
    return stream([tensor], [{name: rows[at:at + batch]} for at in range(0, len(rows), batch)], classes=rows.shape[1])


def cluster(data, *options):
    """The sets that class-cluster finds, each a sorted list."""
    done = subprocess.run(["class-cluster", *options], input=data, stdout=subprocess.PIPE, check=True)
    return [[int(c) for c in line.split("=")[1].split(",")] for line in done.stdout.decode().splitlines()
            if re.match(r"set-\d+ = ", line)]


def columns(rows):
    """The columns of the covariance, made of length 1, as rows."""
    covariance = numpy.cov(rows.astype("f4").astype(float).T, bias=True)
    return (covariance / numpy.linalg.norm(covariance, axis=0)).T


def distances(points, sets):
    """The distance of each point to the mean of each set."""
    centres = numpy.stack([points[s].mean(axis=0) for s in sets])
    return ((points[:, None] - centres[None]) ** 2).sum(axis=-1)


def cost(points, sets):
    away = distances(points, sets)
    return sum(away[s, k].sum() for k, s in enumerate(sets))


def lloyd(points, k, random):
    """The best of 20 runs, and the mean of all."""
    costs = []
    for _ in range(20):
        centres = points[random.choice(len(points), k, replace=False)]
        for _ in range(100):
            place = ((points[:, None] - centres[None]) ** 2).sum(axis=-1).argmin(axis=1)
            centres = numpy.stack([points[place == j].mean(axis=0) if (place == j).any() else centres[j]
                                   for j in range(k)])
        costs.append(((points - centres[place]) ** 2).sum())
    return min(costs), max(costs)


def is_partition(sets, classes):
    return sorted(c for s in sets for c in s) == list(range(classes)) and all(sets)


def planted(random, groups, rows=600):
    """Predictions that confuse the classes within a group, and no others."""
    group_of = numpy.array([g for g, size in enumerate(groups) for _ in range(size)])
    order = random.permutation(len(group_of))
    group_of = group_of[order]
    logits = random.normal(0, 1.5, (rows, len(group_of)))
    logits += 8.0 * (group_of[None] == random.integers(0, len(groups), rows)[:, None])
    return logits, sorted(sorted(numpy.flatnonzero(group_of == g).tolist()) for g in range(len(groups)))


def test_planted(random):
    logits, groups = planted(random, [5, 3, 7, 4])
    # Classes of one group compete, so their columns differ, but those of other groups are farther away.
    confused = softmax(logits, 6.0)
    for options in ([], ["--lloyd"]):
        best = min((cluster(make(confused), "-k", "4", "-s", str(seed), *options) for seed in range(8)),
                   key=lambda sets: cost(columns(confused), sets))
        check(f"groups that were planted are found {options}", sorted(best) == groups, f"{best} {groups}")


def test_fixed_point(random):
    rows = softmax(random.normal(0, 3, (500, 8)) @ random.normal(0, 1, (8, 40)))
    points = columns(rows)
    best, worst = lloyd(points, 6, random)
    for seed in range(4):
        sets = cluster(make(rows), "-k", "6", "--lloyd", "-s", str(seed))
        away = distances(points, sets)
        own = numpy.array([[k for k, s in enumerate(sets) if c in s][0] for c in range(40)])
        check(f"Lloyd ends where each class is nearest to the mean of its set, seed {seed}",
              is_partition(sets, 40) and (away[numpy.arange(40), own] <= away.min(axis=1) + 1e-9).all())
        check(f"Lloyd's cost is within that of numpy's runs, seed {seed}", best - 1e-9 <= cost(points, sets) <= worst + 1e-9,
              f"{cost(points, sets)} {best} {worst}")
        online = cost(points, cluster(make(rows), "-k", "6", "-s", str(seed)))
        check(f"the online K-means is about as good, seed {seed}", best - 1e-9 <= online <= 1.25 * worst, f"{online} {worst}")


def test_sizes(random):
    rows = softmax(random.normal(0, 3, (300, 5)) @ random.normal(0, 1, (5, 30)))
    data = make(rows)
    for size in (8, 10, 30):
        sets = cluster(data, "-k", "4", "-n", str(size), "--lloyd")
        check(f"at most {size} classes a set, all classes once", is_partition(sets, 30) and max(map(len, sets)) <= size)
        filled = cluster(data, "-k", "4", "-n", str(size), "--lloyd", "--fill")
        check(f"filled up to {size}, with what was there before", all(len(f) == size for f in filled)
              and all(set(s) <= set(f) for s, f in zip(sets, filled, strict=True)))


def test_kinds(random):
    logits = random.normal(0, 2, (200, 12)).astype("f4")
    of_logits = cluster(make(logits, "logits/g"), "-k", "3", "-T", "3")
    check("logits are softened", of_logits == cluster(make(softmax(logits, 3.0)), "-k", "3"))
    rows = softmax(logits)
    check("the sizes of batches change nothing", len({str(cluster(make(rows, batch=n), "-k", "3")) for n in (1, 7, 200)}) == 1)


generator = numpy.random.default_rng(18)
test_planted(generator)
test_fixed_point(generator)
test_sizes(generator)
test_kinds(generator)
print(f"1..{count}")
