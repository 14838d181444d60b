"""student-trainer's losses against numpy, and the figures of its validation and its log. Prints TAP."""
import json
import os
import subprocess
import tempfile

import numpy

import pst

count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def pipe(data, *commands):
    for command in commands:
        data = subprocess.run(command, input=data, stdout=subprocess.PIPE, check=True).stdout
    return data


def log_softmax(logits, temperature=1.0):
    scaled = logits.astype(float) / temperature
    scaled -= scaled.max(axis=1, keepdims=True)
    return scaled - numpy.log(numpy.exp(scaled).sum(axis=1, keepdims=True))


def trained(data, folder, *options):
    """Trains on a stream and returns the log's events of epochs."""
    log = f"{folder}/log"
    if os.path.exists(log):
        os.remove(log)
    pipe(data, ["student-trainer", "-o", f"{folder}/student.safetensors", "--log", log, *options])
    with open(log, encoding="utf-8") as lines:
        return [event for event in map(json.loads, lines) if event["event"] == "epoch"]


def test_losses(folder):
    """The loss of the only batch is that of the initial network, whose logits teacher-forward gives."""
    one = pipe(b"", ["loader", "digits", "--samples", "30", "--batch", "30"])
    trained(one, folder, "-a", "784-12-10", "-s", "4")
    start, teacher = f"{folder}/start.safetensors", f"{folder}/teacher.safetensors"
    os.rename(f"{folder}/student.safetensors", start)
    trained(one, folder, "-a", "784-8-10", "-r", "0.3")
    os.rename(f"{folder}/student.safetensors", teacher)
    for temperature in (1, 2.5, 20):
        data = pipe(one, ["teacher-forward", teacher], ["temperature-softmax", "-T", str(temperature)], ["averager"])
        _, batches = pst.read(pipe(data, ["teacher-forward", start]))
        z, v = pst.column(batches, "logits/start"), pst.column(batches, "logits/teacher").astype(float)
        t, y = pst.column(batches, "soft").astype(float), pst.column(batches, "y")
        hard = -log_softmax(z)[numpy.arange(len(y)), y].mean()
        cross = temperature**2 * -(t * log_softmax(z, temperature)).sum(axis=1).mean()
        divergence = cross + temperature**2 * (t * numpy.log(t)).sum(axis=1).mean()
        squared = 0.5 * ((z - v) ** 2).mean()
        cases = [
            ("soft targets by default", [], divergence),
            ("cross-entropy", ["--soft-loss", "cross-entropy"], cross),
            ("logits", ["--soft-loss", "logits"], squared),
            ("hard targets", ["--targets", "hard"], hard),
            ("both, weighted", ["--targets", "both", "--hard-weight", "0.25", "--soft-weight", "3"],
             0.25 * hard + 3 * divergence),
            ("a chosen tensor", ["--soft-targets", "soft/teacher"], divergence),
        ]
        for name, options, expected in cases:
            event, = trained(data, folder, "--from", start, *options)
            check(f"the loss with the stream's T = {temperature}: {name}",
                  abs(event["loss"] - expected) < 1e-5 * (1 + abs(expected)), f"{event['loss']}, not {expected}")
            check(f"the share of errors with the stream's T = {temperature}: {name}",
                  abs(event["error_share"] - (z.argmax(axis=1) != y).mean()) < 1e-9)


def test_terms(folder):
    """The same for --loss, with the weights of classes and samples."""
    made = subprocess.run(["tests/python/make_targets.py", "classes", "40", "1", "5"], stdout=subprocess.PIPE, check=True)
    header, batches = pst.read(made.stdout)
    whole = {name: pst.column(batches, name) for name in ("x", "y", "id")}
    random = numpy.random.default_rng(3)
    v = random.normal(0, 3, (40, 3)).astype("f4")
    soft = numpy.exp(log_softmax(v, 4.0)).astype("f4")
    weight = random.uniform(0, 3, 40).astype("f4")
    bits = random.integers(0, 2, (40, 3)).astype("u1")
    more = {"logits/t": v, "soft/t": soft, "weight": weight, "bits": bits}
    header["tensors"] += [{"name": name, "dtype": "u8" if name == "bits" else "f32", "shape": list(values.shape[1:])}
                          for name, values in more.items()]
    data = pst.write(header, [whole | more | {"epoch": 0}])
    start = f"{folder}/begun.safetensors"
    pipe(data, ["student-trainer", "-a", "6-5-3", "--targets", "hard", "-o", start])
    z = pst.column(pst.read(pipe(data, ["teacher-forward", start]))[1], "logits/begun").astype(float)
    y, counts = whole["y"], numpy.bincount(whole["y"], minlength=3)
    smoothed = 0.8 * numpy.eye(3)[y] + 0.2 / 3
    terms = {
        "labels": -log_softmax(z)[numpy.arange(40), y],
        "labels,smoothing=0.2": -(smoothed * log_softmax(z)).sum(axis=1),
        "kl:soft/t:0.5,T=4": 16 * (soft * (numpy.log(soft.astype(float)) - log_softmax(z, 4.0))).sum(axis=1),
        "cross-entropy,T=4": -16 * (soft * log_softmax(z, 4.0)).sum(axis=1),
        "logits::3": 0.5 * numpy.square(z - v).mean(axis=1),
        "mse:logits/t:2": numpy.square(z - v).mean(axis=1),
        "bce:bits": -(bits * numpy.log(1 / (1 + numpy.exp(-z))) + (1 - bits) * numpy.log(1 / (1 + numpy.exp(z)))).mean(axis=1),
    }
    factors = {None: weight, "0=0.5,2=3": weight * numpy.array([0.5, 1, 3])[y],
               "balanced": weight * (40 / (numpy.count_nonzero(counts) * counts[y]))}
    for term, values in terms.items():
        for classes, factor in factors.items():
            options = ["--class-weight", classes] if classes else []
            if classes and term.startswith(("mse", "bce")):
                continue
            event, = trained(data, folder, "--from", start, "--loss", term, *options)
            (_, said), = event["terms"].items()
            scale = float(term.split(",")[0].split(":")[2]) if term.count(":") > 1 else 1
            good = abs(said - (factor * values).mean()) < 1e-5 and abs(event["loss"] - scale * said) < 1e-9
            check(f"the value of --loss {term} with class weights {classes}", good,
                  f"{said}, not {(factor * values).mean()}")


def errors_of(model, data):
    said = pipe(data, ["teacher-forward", model], ["evaluator", "--json"])
    return json.loads(said)["errors"]


def test_validation(folder):
    data = pipe(b"", ["loader", "digits", "--samples", "60", "--batch", "20", "--epochs", "40"])
    validation = pipe(b"", ["loader", "digits", "--split", "test", "--samples", "80", "--batch", "32"])
    path, student = f"{folder}/validation.pst", f"{folder}/student.safetensors"
    with open(path, "wb") as file:
        file.write(validation)
    # With this rate the errors go up and down, so the best epoch is not the last.
    options = ["-a", "784-6-10", "-r", "0.3", "--validate", path]
    events = trained(data, folder, *options)
    found = [int(event["validation_errors"]) for event in events]
    best = found.index(min(found))
    check("the run under test has its best epoch before its last", min(found) < found[-1], found)
    check("the best epoch's model is kept", errors_of(student, validation) == min(found), found)
    trained(data, folder, *options, "--keep-last")
    check("--keep-last keeps the last epoch", errors_of(student, validation) == found[-1], found)
    stopped = trained(data, folder, *options, "--patience", "3")
    run, since = [], 0
    for errors in found:
        since = 0 if not run or errors < min(run) else since + 1
        run.append(errors)
        if since == 3:
            break
    check("--patience stops the given number of epochs after the best", [int(e["validation_errors"]) for e in stopped] == run
          and len(run) < len(found), f"{len(stopped)} epochs of {found}")
    check("--patience keeps the best epoch", errors_of(student, validation) == min(run))
    by_loss = trained(data, folder, *options, "--validate-by", "loss")
    losses = [event["validation_loss"] for event in by_loss]
    negative = json.loads(pipe(validation, ["teacher-forward", student], ["evaluator", "--json"]))
    check("--validate-by loss keeps the epoch of the least loss",
          abs(negative["negative_log_likelihood"] - min(losses)) < 1e-5, losses)
    check("validation does not change what is learned", [event["loss"] for event in events] ==
          [event["loss"] for event in trained(data, folder, *options[:4])], best)


os.environ["OPENBLAS_NUM_THREADS"] = "1"
with tempfile.TemporaryDirectory() as scratch:
    test_losses(scratch)
    test_terms(scratch)
    test_validation(scratch)
print(f"1..{count}")
