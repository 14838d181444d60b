"""specialist-combine against numpy: gradient descent on the logits of q, and closed forms. Prints TAP."""
import subprocess

import numpy

import pst
from pipestill_stream import stream

CLASSES = 12
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def softmax(logits):
    powers = numpy.exp(logits.astype(float) - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def combine(columns, *options, batch=17):
    """The soft targets that specialist-combine makes of columns, and its messages."""
    rows = len(next(iter(columns.values())))
    tensors = [{"name": name, "dtype": "u8" if values.dtype.kind == "u" else "f32", "shape": list(values.shape[1:])}
               for name, values in columns.items()]
    data = stream(tensors, [{name: values[at:at + batch] for name, values in columns.items()} for at in range(0, rows, batch)],
                  classes=CLASSES)
    done = subprocess.run(["specialist-combine", *options], input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.decode())
    return pst.column(pst.read(done.stdout)[1], "soft").astype(float), done.stderr.decode()


def others_of(classes):
    return numpy.setdiff1d(numpy.arange(CLASSES), classes)


def loss(q, generalist, opinions):
    """Eq. 5 of each row, without the terms that do not depend on q. opinions: classes, probabilities (the dustbin last),
    and whether they count for a row."""
    total = -(generalist * numpy.log(q)).sum(axis=1)
    for classes, p, heard in opinions:
        others = others_of(classes)
        total -= heard * (p[:, :len(classes)] * numpy.log(q[:, classes])).sum(axis=1)
        total -= heard * p[:, -1] * numpy.log(q[:, others].sum(axis=1)) if len(others) else 0
    return total


def descend(generalist, opinions):
    """Gradient descent on z, q = softmax(z): the gradient of eq. 5 is (1 + M) q less what each expects. It is divided by
    (1 + M) q, because plain descent is very slow if q is small, and no step is larger than 0.3."""
    z = numpy.log(generalist)
    many = 1 + sum(heard for _, _, heard in opinions)[:, None]
    for _ in range(600):
        q = softmax(z)
        expected = generalist.copy()
        for classes, p, heard in opinions:
            others = others_of(classes)
            expected[:, classes] += heard[:, None] * p[:, :len(classes)]
            if len(others):
                expected[:, others] += (heard * p[:, -1])[:, None] * q[:, others] / q[:, others].sum(axis=1, keepdims=True)
        z -= 0.3 * numpy.clip(1 - expected / (many * q), -1, 1)
    return softmax(z)


def make(random, sets, rows=30, scale=2.0):
    """Logits of a generalist and of specialists, the dustbin last."""
    columns = {"logits/g": random.normal(0, scale, (rows, CLASSES)).astype("f4")}
    for m, classes in enumerate(sets):
        dustbin = len(classes) < CLASSES
        columns[f"logits/s{m}"] = random.normal(0, scale, (rows, len(classes) + dustbin)).astype("f4")
    return columns


def said(sets):
    return [word for m, classes in enumerate(sets)
            for word in ("--specialist", f"s{m}=" + ",".join(str(c) for c in classes))]


def expectation(columns, sets, top, asked=None):
    """The generalist's probabilities, and the opinions."""
    order = numpy.argsort(-columns["logits/g"], kind="stable", axis=1)[:, :top]
    opinions = [(numpy.array(classes), softmax(columns[f"logits/s{m}"]),
                 (numpy.isin(order, classes).any(axis=1) & (asked is None or asked[m] == 1)).astype(float))
                for m, classes in enumerate(sets)]
    return softmax(columns["logits/g"]), opinions


def test_descent(random, sets, top):
    columns = make(random, sets)
    found, _ = combine(columns, "-g", "logits/g", "-n", str(top), *said(sets))
    generalist, opinions = expectation(columns, sets, top)
    descended = descend(generalist, opinions)
    title = f"{len(sets)} specialists, top {top}, {sum(h.sum() for _, _, h in opinions):g} opinions"
    away = abs(found - descended).max()
    check(f"EM ends where gradient descent ends: {title}", away < 2e-6, away)
    worse = (loss(found / found.sum(axis=1, keepdims=True), generalist, opinions) - loss(descended, generalist, opinions)).max()
    check(f"eq. 5 is no larger there: {title}", worse < 1e-6, worse)
    check(f"rows are distributions: {title}", abs(found.sum(axis=1) - 1).max() < 1e-5)


def test_order(random):
    """Columns of a specialist in another order than the classes."""
    sets = [[7, 2, 9], [9, 7, 0, 1]]
    columns = make(random, sets)
    found, _ = combine(columns, "-g", "logits/g", *said(sets))
    descended = descend(*expectation(columns, sets, 1))
    check("a specialist's columns stand in the order of its list", abs(found - descended).max() < 2e-6)


def test_closed_forms(random):
    full = [list(range(CLASSES))] * 3
    columns = make(random, full)
    found, _ = combine(columns, "-g", "logits/g", *said(full))
    mean = numpy.mean([softmax(columns[name]) for name in columns], axis=0)
    check("if all have all classes, the result is their arithmetic mean", abs(found - mean).max() < 1e-6)
    sets = [[0, 3, 4]]
    columns = make(random, sets)
    found, said_of = combine(columns, "-g", "logits/g", "-n", str(CLASSES), *said(sets))
    g, s = softmax(columns["logits/g"]), softmax(columns["logits/s0"])
    others = numpy.setdiff1d(numpy.arange(CLASSES), sets[0])
    expected = numpy.empty_like(g)
    expected[:, sets[0]] = (g[:, sets[0]] + s[:, :3]) / 2
    share = g[:, others] / g[:, others].sum(axis=1, keepdims=True)
    expected[:, others] = share * (g[:, others].sum(axis=1) + s[:, 3])[:, None] / 2
    check("with one specialist the result is the mean, with the generalist's ratios among the others", abs(found - expected).max() < 1e-6)
    check("all specialists count with --top of all classes", "heard 1 of 1 specialists a sample" in said_of, said_of)


def test_untrained(random):
    """Specialists with the generalist's logits, whose other logits stand for the dustbin."""
    sets = [[0, 3, 4], [3, 4, 5, 11], [1]]
    logits = random.normal(0, 4, (200, CLASSES)).astype("f4")
    whole = {"logits/g": logits} | {f"logits/s{m}": logits for m in range(3)}
    parts = {"logits/g": logits} | {f"logits/s{m}": logits[:, classes] for m, classes in enumerate(sets)}
    tensors = [{"name": "logits/g", "dtype": "f32", "shape": [CLASSES]}]
    soft = subprocess.run(["temperature-softmax"], input=stream(tensors, [{"logits/g": logits}], classes=CLASSES),
                          stdout=subprocess.PIPE, check=True).stdout
    softened = pst.column(pst.read(soft)[1], "soft/g").astype(float)
    for name, columns in (("all logits", whole), ("logits of its classes", parts)):
        found, _ = combine(columns, "-g", "logits/g", "-n", "4", *said(sets))
        check(f"an untrained specialist is the generalist, difference 0: {name}", (found == softened).all())
    changed = dict(parts)
    changed["logits/s0"] = parts["logits/s0"] + 1
    found, _ = combine(changed, "-g", "logits/g", "-n", str(CLASSES), *said(sets[:1]), "-s", "s1=3,4,5,11")
    mixed = logits.copy()
    mixed[:, sets[0]] += 1
    generalist, heard = softmax(logits), numpy.ones(len(logits))
    opinions = [(numpy.array(classes), numpy.column_stack([p[:, classes], p[:, others_of(classes)].sum(axis=1)]), heard)
                for classes, p in ((sets[0], softmax(mixed)), (sets[1], generalist))]
    check("a trained one's dustbin is the log-sum-exp of the generalist's other logits",
          abs(found - descend(generalist, opinions)).max() < 2e-6)


def test_asked(random):
    sets = [[0, 3, 4, 5], [4, 5, 6, 7, 8]]
    columns = make(random, sets)
    asked = random.integers(0, 2, (2, 30)).astype("u1")
    for m in range(2):
        columns[f"logits/s{m}"] *= asked[m][:, None]
        columns[f"asked/s{m}"] = asked[m]
    found, said_of = combine(columns, "-g", "logits/g", "-n", "3", *said(sets))
    generalist, opinions = expectation(columns, sets, 3, asked)
    check("a specialist that was not asked does not count", abs(found - descend(generalist, opinions)).max() < 2e-6)
    heard = sum(h for _, _, h in opinions)
    check("the number of specialists that count is printed", f"heard {heard.mean():.3g} of 2" in said_of
          and f"answers {100 * (heard == 0).mean():.3g} %" in said_of and "set fits was not asked" in said_of, said_of)


def test_extremes():
    """A generalist with probabilities of 0 and 1, and specialists that differ."""
    soft = numpy.zeros((2, CLASSES), "f4")
    soft[:, 3] = 1
    special = numpy.array([[0, 1], [0.5, 0.5]], "f4")
    found, _ = combine({"soft/g": soft, "soft/s0": special}, "-g", "soft/g", "-s", "s0=3")
    expected = numpy.zeros((2, CLASSES))
    expected[0], expected[1] = 0.5 / 11, 0.25 / 11
    expected[:, 3] = [0.5, 0.75]
    check("if the generalist's probabilities are 0, a dustbin's share is spread evenly", abs(found - expected).max() < 1e-6, found)
    soft[:, 3], soft[:, 5] = 0, 1
    found, _ = combine({"soft/g": soft, "soft/s0": special}, "-g", "soft/g", "-s", "s0=3")
    check("a sample that no specialist covers is the generalist's, to the bit", (found == soft).all())


generator = numpy.random.default_rng(18)
for number, likeliest in ((1, 1), (2, 1), (3, 2), (6, 3), (6, 12)):
    test_descent(generator, [sorted(generator.choice(CLASSES, generator.integers(2, 7), replace=False).tolist())
                             for _ in range(number)], likeliest)
test_order(generator)
test_closed_forms(generator)
test_untrained(generator)
test_asked(generator)
test_extremes()
print(f"1..{count}")
