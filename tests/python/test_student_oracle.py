"""student-trainer's losses against numpy, and what its validation and its log say. Prints TAP."""
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
    """The loss of the only batch is that of the network it began with, which teacher-forward can be asked about."""
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


def errors_of(model, data):
    said = pipe(data, ["teacher-forward", model], ["evaluator", "--json"])
    return json.loads(said)["errors"]


def test_validation(folder):
    data = pipe(b"", ["loader", "digits", "--samples", "60", "--batch", "20", "--epochs", "40"])
    validation = pipe(b"", ["loader", "digits", "--split", "test", "--samples", "80", "--batch", "32"])
    path, student = f"{folder}/validation.pst", f"{folder}/student.safetensors"
    with open(path, "wb") as file:
        file.write(validation)
    # A rate at which the errors go up and down, so that the best epoch is not the last.
    options = ["-a", "784-6-10", "-r", "0.3", "--validate", path]
    events = trained(data, folder, *options)
    found = [int(event["validation_errors"]) for event in events]
    best = found.index(min(found))
    check("the run under test has its best epoch before its last", min(found) < found[-1], found)
    check("the best epoch's model is kept", errors_of(student, validation) == min(found), found)
    trained(data, folder, *options, "--keep-last")
    check("--keep-last keeps the last", errors_of(student, validation) == found[-1], found)
    stopped = trained(data, folder, *options, "--patience", "3")
    run, since = [], 0
    for errors in found:
        since = 0 if not run or errors < min(run) else since + 1
        run.append(errors)
        if since == 3:
            break
    check("--patience stops so many epochs after the best", [int(e["validation_errors"]) for e in stopped] == run
          and len(run) < len(found), f"{len(stopped)} epochs of {found}")
    check("--patience keeps the best", errors_of(student, validation) == min(run))
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
    test_validation(scratch)
print(f"1..{count}")
