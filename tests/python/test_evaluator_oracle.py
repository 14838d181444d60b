"""evaluator's figures against numpy, over random predictions in streams written by Python. Prints TAP."""
import json
import subprocess
import sys

import numpy

from pipestill_stream import stream

CLASSES = 5
count = 0
failed = 0


def check(name, good, detail=""):
    global count, failed
    count += 1
    failed += not good
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def softmax(logits, temperature=1.0):
    shifted = (logits - logits.max(axis=1, keepdims=True)) / temperature
    powers = numpy.exp(shifted)
    return powers / powers.sum(axis=1, keepdims=True)


def calibration_error(p, y):
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    edges = numpy.linspace(0, 1, 16)
    error = 0.0
    for low, high in zip(edges[:-1], edges[1:]):
        inside = (confidence > low) & (confidence <= high)
        if inside.any():
            error += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    return error


def difference(a, b):
    """The difference of two tensors' numbers as they are in the stream."""
    distance = numpy.abs(a.astype(float) - b.astype(float))
    return {"rms_difference": (distance ** 2).mean() ** 0.5, "largest_difference": distance.max()}


def regression(predicted, y):
    """RMSE, MAE and R squared; y: [n, outputs]."""
    errors = predicted.astype(float) - y
    spread = ((y - y.mean(axis=0)) ** 2).sum()
    return {"rmse": (errors ** 2).mean() ** 0.5, "mae": numpy.abs(errors).mean(),
            "r2": 1 - (errors ** 2).sum() / spread if spread > 0 else None}


def area(scores, positive):
    """AUC: over all pairs of a positive and a negative, how often the positive has the higher score; ties count half."""
    above, below = scores[positive][:, None], scores[~positive][None, :]
    return ((above > below) + 0.5 * (above == below)).mean() if positive.any() and not positive.all() else None


def mean_defined(values):
    defined = [value for value in values if value is not None]
    return sum(defined) / len(defined) if defined else None


def with_macro(rows, whole):
    """Means over labels: an undefined figure counts as 0, but an undefined AUC leaves its label out."""
    means = {f"macro_{name}": sum(row[name] or 0 for row in rows) / len(rows) for name in ("precision", "recall", "f1")}
    return whole | means | {"macro_auc": mean_defined([row["auc"] for row in rows]), "per_label": rows}


def bit_quality(predicted, y):
    true = (predicted & y).sum()
    return {name: true * times / whole if whole > 0 else None for name, times, whole in
            (("precision", 1, predicted.sum()), ("recall", 1, y.sum()), ("f1", 2, predicted.sum() + y.sum()))}


def class_row(number, confusion):
    right, samples, predicted = confusion[number, number], confusion[number].sum(), confusion[:, number].sum()
    return {"class": number, "samples": int(samples), "errors": int(samples - right),
            "accuracy": right / samples if samples else None, "precision": right / predicted if predicted else None,
            "f1": 2 * right / (samples + predicted) if samples + predicted else None}


def top_accuracy(p, y, top):
    """If classes are equally probable, the first counts."""
    order = numpy.argsort(-p, axis=1, kind="stable")
    return (order[:, :top] == y[:, None]).any(axis=1).mean()


def expected(p, y=None, other=None, top=None, scores=None):
    figures = {"samples": len(p)}
    log_p = numpy.log(p)
    classes = p.shape[1]
    if y is not None:
        predicted, one_hot = p.argmax(axis=1), numpy.eye(classes)[y]
        confusion = numpy.zeros((classes, classes), int)
        numpy.add.at(confusion, (y, predicted), 1)
        figures["errors"] = int((predicted != y).sum())
        figures["accuracy"] = (predicted == y).mean()
        figures["negative_log_likelihood"] = -log_p[numpy.arange(len(y)), y].mean()
        figures["brier_score"] = ((p - one_hot) ** 2).sum(axis=1).mean()
        figures["expected_calibration_error"] = calibration_error(p, y)
        figures["confusion"] = confusion.tolist()
        rows = figures["per_class"] = [class_row(c, confusion) for c in range(classes)]
        # As scikit-learn's balanced_accuracy_score and f1_score(average="macro", zero_division=0).
        figures["balanced_accuracy"] = mean_defined([row["accuracy"] for row in rows])
        figures["macro_f1"] = mean_defined([row["f1"] for row in rows])
        if top is not None:
            figures[f"top_{top}_accuracy"] = top_accuracy(p, y, top)
        if scores is not None:
            figures["auc"] = area(scores, y == 1)
    if other is not None:
        figures["agreement"] = (p.argmax(axis=1) == other.argmax(axis=1)).mean()
        figures["kl"] = (other * (numpy.log(other) - log_p)).sum(axis=1).mean()
    return figures


def differences(a, b, path=""):
    """Where two JSON values differ, numbers by more than rounding of f32 explains."""
    if isinstance(a, dict) and isinstance(b, dict):
        if a.keys() != b.keys():
            return [f"{path}: {sorted(a)} and {sorted(b)}"]
        return [d for key in a for d in differences(a[key], b[key], f"{path}/{key}")]
    if isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        return [d for i in range(len(a)) for d in differences(a[i], b[i], f"{path}/{i}")]
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return [] if abs(a - b) <= 1e-6 * max(1, abs(b)) else [f"{path}: {a} and {b}"]
    return [] if a == b else [f"{path}: {a} and {b}"]


def evaluate(tensors, columns, sizes, *options):
    specs = [{"name": n, "dtype": "i32" if n == "y" else "f32", "shape": list(columns[n].shape[1:]), **more}
             for n, more in tensors]
    ends = numpy.cumsum(sizes)
    batches = [{n: columns[n][end - size:end] for n in columns} for size, end in zip(sizes, ends)]
    done = subprocess.run(["evaluator", "--json", *options], input=stream(specs, batches),
                          capture_output=True, check=False)
    if done.returncode != 0:
        return {"failed": done.stderr.decode()}, done
    return json.loads(done.stdout), done


def main():
    random = numpy.random.default_rng(7)
    sizes = [64, 64, 64, 31]  # the last batch is shorter: means are over samples, not over batches
    n = sum(sizes)
    y = random.integers(0, CLASSES - 1, n)  # class 4 has no samples
    logits = (random.normal(0, 2, (n, CLASSES)) + 2 * numpy.eye(CLASSES)[y]).astype(numpy.float32)
    teacher = (logits + random.normal(0, 1, (n, CLASSES))).astype(numpy.float32)
    exact = logits.astype(float)
    soft = softmax(exact, 3).astype(numpy.float32)
    t = softmax(teacher.astype(float))

    def compare(name, got, want):
        wrong = differences(got[0], want)
        check(name, not wrong, "; ".join(wrong[:3]))

    got = evaluate([("y", {}), ("logits/s", {})], {"y": y, "logits/s": logits}, sizes)
    compare("logits are evaluated as their softmax", got, expected(softmax(exact), y))
    check("evaluator prints no warning for valid predictions", got[1].stderr == b"", got[1].stderr)

    columns = {"y": y, "logits/s": logits, "logits/t": teacher}
    got = evaluate([("y", {}), ("logits/s", {}), ("logits/t", {})], columns, sizes,
                   "--of", "logits/s", "--against", "logits/t")
    compare("agreement and KL are of the predictions from the other tensor", got,
            expected(softmax(exact), y, t) | difference(logits, teacher))

    got = evaluate([("logits/s", {}), ("logits/t", {})], columns | {}, sizes,
                   "--of", "logits/s", "--against", "logits/t")
    want = expected(softmax(exact), None, t) | difference(logits, teacher)
    compare("without labels only the comparison is reported", got, want)

    got = evaluate([("y", {}), ("soft/s", {"temperature": 3.0})], {"y": y, "soft/s": soft}, sizes)
    compare("softened probabilities are used as they are", got, expected(soft.astype(float), y))
    check("softened probabilities give a warning", b"T = 3" in got[1].stderr, got[1].stderr)

    bias = numpy.array([0, 2.5, 0, -1, 0])
    options = ["--class-bias", "1=+2.5", "--class-bias=3=-1"]
    got = evaluate([("y", {}), ("logits/s", {})], {"y": y, "logits/s": logits}, sizes, *options)
    compare("a class's bias is added to its logit", got, expected(softmax(exact + bias), y))

    got = evaluate([("y", {}), ("soft", {"temperature": 1.0})], {"y": y, "soft": t}, sizes, *options)
    want = expected(softmax(numpy.log(t.astype(numpy.float32).astype(float)) + bias), y)
    compare("a class's bias is added to its log-probability", got, want)

    far = logits * 1000
    got = evaluate([("y", {}), ("logits/s", {})], {"y": y, "logits/s": far}, sizes)
    exactly = far.astype(float)
    log_p = exactly - exactly.max(axis=1, keepdims=True)
    log_p -= numpy.log(numpy.exp(log_p).sum(axis=1, keepdims=True))
    nll = -log_p[numpy.arange(n), y].mean()
    check("a likelihood beyond f32 is exact from logits", abs(got[0]["negative_log_likelihood"] - nll) < 1e-6 * nll,
          got[0])

    scales = numpy.array([1e-3, 1, 5, 1e5, 1])
    numbers = (random.normal(7, 2, (n, CLASSES)) * scales).astype(numpy.float32)
    numbers[:, 4] = 0.1
    guesses = (numbers + random.normal(0, 0.5, (n, CLASSES)) * scales).astype(numpy.float32)
    typed = ("y", {"dtype": "f32", "shape": [CLASSES]})
    exactly = numbers.astype(float)
    exactly[:, 4] = exactly[0, 4]  # numpy's mean would leave a spread
    got = evaluate([typed, ("logits/s", {}), ("logits/t", {})],
                   {"y": numbers, "logits/s": guesses, "logits/t": logits}, sizes,
                   "--of", "logits/s", "--against", "logits/t")
    rows = [{"output": j} | regression(guesses[:, j:j + 1], exactly[:, j:j + 1]) for j in range(CLASSES)]
    rows[4]["r2"] = None
    mean = mean_defined([row["r2"] for row in rows])
    compare("numbers are scored as a regression", got, {"samples": n, "per_output": rows, "mean_r2": mean} |
            regression(guesses, exactly) | difference(guesses, logits))

    bits = random.integers(0, 2, (n, CLASSES)).astype(bool)
    bits[:, 3] = False
    outputs = (logits + 2 * bits).astype(numpy.float32)
    outputs[:, 3] = -1
    outputs[:, 2] = numpy.round(outputs[:, 2])  # many are equal
    typed = ("y", {"dtype": "u8", "shape": [CLASSES]})
    got = evaluate([typed, ("logits/s", {})], {"y": bits, "logits/s": outputs}, sizes)
    predicted = outputs > 0
    wrong = predicted != bits
    rows = [{"label": j, "positives": int(bits[:, j].sum()), "errors": int(wrong[:, j].sum())} |
            bit_quality(predicted[:, j], bits[:, j]) | {"auc": area(outputs[:, j], bits[:, j])} for j in range(CLASSES)]
    check("one label has no AUC", rows[3]["auc"] is None and rows[2]["auc"] is not None)
    compare("bits are scored by label and together", got, with_macro(rows, {
        "samples": n, "wrong_samples": int(wrong.any(axis=1).sum()), "wrong_bits": int(wrong.sum()),
        "wrong_bit_share": wrong.mean()} | bit_quality(predicted, bits)))

    # More scores than are sorted without tables, with every size and sign, and both zeros.
    many = 3000
    marks = random.integers(0, 2, (many, 2)).astype(bool)
    wide = (random.normal(0, 1, (many, 2)) * 10.0 ** random.integers(-30, 30, (many, 2)) + marks).astype(numpy.float32)
    wide[::5] = numpy.float32(0.0)
    wide[1::5] = numpy.float32(-0.0)
    got = evaluate([("y", {"dtype": "u8", "shape": [2]}), ("logits/s", {})], {"y": marks, "logits/s": wide}, [many])
    areas = [row["auc"] for row in got[0]["per_label"]]
    want = [area(wide[:, j], marks[:, j]) for j in range(2)]
    check("AUC of thousands of scores is exact", numpy.abs(numpy.subtract(areas, want)).max() < 1e-12, (areas, want))

    pair = numpy.round(random.normal(0, 1, (n, 2)), 1).astype(numpy.float32)
    sides = random.integers(0, 2, n)
    got = evaluate([("y", {}), ("logits/s", {})], {"y": sides, "logits/s": pair}, sizes)
    want = expected(softmax(pair.astype(float)), sides, scores=pair[:, 1] - pair[:, 0])
    compare("AUC of two classes is that of their difference", got, want)
    chances = softmax(numpy.round(pair.astype(float))).astype(numpy.float32)
    got = evaluate([("y", {}), ("soft", {})], {"y": sides, "soft": chances}, sizes)
    compare("AUC of two classes is that of their probability", got,
            expected(chances.astype(float), sides, scores=chances[:, 1]))

    labels = random.integers(0, 30, n)
    lots = numpy.round(random.normal(0, 1, (n, 40)) + 2 * numpy.eye(40)[labels], 1).astype(numpy.float32)
    for top, options in ((5, []), (1, ["--top", "1"]), (17, ["--top=17"])):
        got = evaluate([("y", {}), ("logits/s", {})], {"y": labels, "logits/s": lots}, sizes, *options)
        compare(f"the label is among the {top} most probable of 40 classes as often as numpy says", got,
                expected(softmax(lots.astype(float)), labels, top=top))
    log_p = numpy.log(softmax(lots.astype(float)))[numpy.arange(n), labels]
    got = evaluate([("y", {}), ("logits/s", {})], {"y": labels, "logits/s": lots}, sizes, "--worst", "50")
    listed = [row["sample"] for row in got[0]["worst"]]
    want = numpy.argsort(log_p, kind="stable")[:50]
    check("the worst samples are those with the largest loss",
          numpy.allclose([row["loss"] for row in got[0]["worst"]], -log_p[want]) and
          numpy.allclose(log_p[listed], log_p[want]) and len(set(listed)) == 50, listed)

    print(f"1..{count}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
