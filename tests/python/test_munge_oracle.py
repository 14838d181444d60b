"""munge against numpy: neighbours in the changing copy, and statistics of what is drawn. Prints TAP."""
import subprocess

import numpy

import pst
from pipestill_stream import stream

count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def table(rows, columns=None, batch=11, **more):
    rows = rows.astype("f4")
    tensors = [{"name": "x", "dtype": "f32", "shape": [rows.shape[1]]}, {"name": "id", "dtype": "u64", "shape": []}]
    batches = [{"x": rows[at:at + batch], "id": numpy.arange(at, min(at + batch, len(rows))).astype("u8")}
               for at in range(0, len(rows), batch)]
    inputs = {} if columns is None else {"inputs": {"columns": columns} | more}
    return stream(tensors, batches, **inputs)


def munge(data, *options):
    done = subprocess.run(["munge", *options], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    batches = pst.read(done.stdout)[1]
    return pst.column(batches, "x"), pst.column(batches, "id")


COLUMNS = [{"name": "a"}, {"name": "kind", "categories": ["p", "q", "r"]}, {"name": "constant"}, {"name": "b"}]


def make(random, rows):
    """Numbers of different ranges, a category, and a column that is constant."""
    kind = numpy.eye(3)[random.integers(0, 3, rows)]
    kind[random.integers(0, rows, 2)] = 0  # a category that is not known
    return numpy.column_stack([random.normal(0, 100, rows), kind, numpy.full(rows, 7), random.uniform(0, 0.01, rows)]).astype("f4")


def coded(rows, first):
    """The numbers for distances; ranges are those of the table."""
    code = numpy.zeros(rows.shape, "f4")
    for c in (0, 5):
        least, most = first[:, c].astype(float).min(), first[:, c].astype(float).max()
        code[:, c] = (rows[:, c].astype(float) - least) / (most - least)
    code[:, 1:4] = rows[:, 1:4] * numpy.float32(numpy.sqrt(0.5))
    return code.astype(float)


def nearest(code, i):
    away = ((code - code[i]) ** 2).sum(axis=1)
    away[i] = numpy.inf
    return int(away.argmin())


def test_neighbours(random, rows):
    """With p = 1 and no noise, MUNGE exchanges each row with its nearest one, in the changing copy."""
    first = make(random, rows)
    found, ids = munge(table(first, COLUMNS), "-p", "1", "-s", "1e30", "--times", "2")
    copy, places = first.copy(), []
    code = coded(copy, first)
    for i in range(rows):
        j = nearest(code, i)
        places.append(j)
        copy[[i, j]] = copy[[j, i]]
        code[[i, j]] = code[[j, i]]
    check(f"neighbours are those of the changing copy, {rows} rows", (found[:rows] == copy).all(),
          (found[:rows] != copy).any(axis=1).sum())
    check(f"each pass begins with the table, {rows} rows", (found[rows:] == copy).all())
    check(f"ids are its own, {rows} rows", (ids == numpy.arange(2 * rows)).all())
    found, _ = munge(table(first, COLUMNS), "-m", "autogluon", "-p", "1", "-s", "1e30", "--times", "1")
    code = coded(first, first)
    check(f"autogluon takes the neighbours of the table, {rows} rows",
          (found == first[[nearest(code, i) for i in range(rows)]]).all())


def test_standardised(random):
    """Standardised columns have the same neighbours, and categories stay what they are."""
    first = make(random, 60)
    mean, deviation = [5.0, 0.3, 0.3, 0.4, 7.0, 0.005], [90.0, 0.5, 0.4, 0.6, 1.0, 0.003]
    moved = ((first - mean) / deviation).astype("f4")
    found, _ = munge(table(moved, COLUMNS, mean=mean, deviation=deviation), "-p", "1", "-s", "1e30", "--times", "1")
    plain, _ = munge(table(first, COLUMNS), "-p", "1", "-s", "1e30", "--times", "1")
    check("a standardised table has the same neighbours", abs(found * deviation + mean - plain).max() < 1e-4)


def test_statistics():
    """Two rows are each other's neighbours, so the distribution of the draws is known."""
    first = numpy.array([[0.0, 10.0, 1, 0], [4.0, 30.0, 0, 1]])
    columns = [{"name": "a"}, {"name": "b"}, {"name": "c", "categories": ["p", "q"]}]
    for method in ("munge", "autogluon"):
        found, _ = munge(table(first, columns), "-m", method, "-p", "0.3", "-s", "2", "--size", "40000", "--seed", "4")
        x = found[0::2] if method == "munge" else found[1::2]
        if method == "autogluon":
            changed = x[:, 0] != 4
            check("autogluon changes a column with probability p", abs(changed.mean() - 0.3) < 0.01, changed.mean())
            drawn = x[changed, 0]
            check("the new number is around the neighbour's, with their distance divided by s",
                  abs(drawn.mean()) < 0.1 and abs(drawn.std() - 2) < 0.1, (drawn.mean(), drawn.std()))
            check("a category is changed to the neighbour's", abs((x[:, 2] == 1).mean() - 0.3) < 0.01)
            both = (changed & (x[:, 1] != 30)).mean()
            check("columns change independently", abs(both - 0.09) < 0.01, both)
        else:
            # The second row's turn changes the first row again. With p it goes back, so 2p(1 - p) of the categories differ.
            check("MUNGE changes both partners", abs((x[:, 3] == 1).mean() - 0.42) < 0.01, (x[:, 3] == 1).mean())
            check("a category stays one-hot", (found[:, 2:].sum(axis=1) == 1).all())
            check("numbers stay if no turn changes them", abs((x[:, 0] == 0).mean() - 0.49) < 0.01, (x[:, 0] == 0).mean())
    again, _ = munge(table(first, columns), "-p", "0.3", "-s", "2", "--size", "100", "--seed", "4")
    more, _ = munge(table(first, columns, batch=1), "-p", "0.3", "-s", "2", "--size", "400", "--seed", "4", "-b", "7")
    other, _ = munge(table(first, columns), "-p", "0.3", "-s", "2", "--size", "100", "--seed", "5")
    check("the seed alone decides, not sizes of batches or how many are made", (again == more[:100]).all() and (again != other).any())


def test_rivals(random):
    """Two clusters: RANDOM keeps each column, NBE the clusters as well."""
    side = random.integers(0, 2, 300)
    first = numpy.column_stack([random.normal(10 * side, 1), random.normal(-5 * side, 1), numpy.eye(2)[side]]).astype("f4")
    columns = [{"name": "a"}, {"name": "b"}, {"name": "c", "categories": ["p", "q"]}]
    found, _ = munge(table(first, columns), "-m", "random", "--size", "20000")
    check("random takes every number from its column", all(numpy.isin(found[:, c], first[:, c]).all() for c in range(4)))
    check("random takes each number equally often", abs(found.mean(axis=0) - first.mean(axis=0)).max() < 0.2)
    check("the columns of random are independent", abs(numpy.corrcoef(found[:, :3].T)[0, 1:]).max() < 0.03)
    found, _ = munge(table(first, columns), "-m", "nbe", "--components", "6", "--size", "20000")
    check("nbe keeps means and covariances", abs(found.mean(axis=0) - first.mean(axis=0)).max() < 0.3
          and abs(numpy.corrcoef(found[:, :3].T) - numpy.corrcoef(first[:, :3].T)).max() < 0.05,
          abs(numpy.corrcoef(found[:, :3].T) - numpy.corrcoef(first[:, :3].T)).max())
    check("a category of nbe is one of two", (found[:, 2:].sum(axis=1) == 1).all())


generator = numpy.random.default_rng(18)
for size in (2, 3, 40, 300):
    test_neighbours(generator, size)
test_standardised(generator)
test_statistics()
test_rivals(generator)
print(f"1..{count}")
