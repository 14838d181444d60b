"""Memory runs short in every stage: the N-th allocation fails, or all from the N-th on. Prints TAP.

A stage must end with 75 and one line on standard error, or with 0 and exactly the bytes of a run without failure.
A run of the tests takes as many N as it can in SHORTAGE_SECONDS, drawn anew each time; SHORTAGE=all takes every N.
SHORTAGE_ONLY=STAGE takes one stage.
"""
import concurrent.futures
import gzip
import os
import random
import shutil
import subprocess
import tempfile
import time

import numpy as np

import pictures

BUILD = os.path.abspath(os.environ.get("BUILD", "build"))
SHIM = os.path.join(BUILD, "tests", "shim_shortage.so")
EVERY = os.environ.get("SHORTAGE") == "all"
SECONDS = float(os.environ.get("SHORTAGE_SECONDS", "16"))
ONLY = os.environ.get("SHORTAGE_ONLY", "")
REPORTS = ("could be started", "asked about", "left out", "specialists a sample")  # messages of a run that may still fail
SHOWN = 12  # faults of one stage

# The stages of a small pipeline with the files that they read; each makes what the next ones need.
CASES = [
    ("loader", "loader digits --samples 6 --batch 3 -o plain.pst", []),
    ("loader, gzip", "loader idx:images.gz,labels.gz --batch 3 --shift 1 -o idx.pst", ["images.gz", "labels.gz"]),
    ("loader, table", "loader csv:table.csv --label y --missing mean --id k --batch 3 --run r -o table.pst", ["table.csv"]),
    ("loader, pictures", "loader images:pictures.tgz --resize 3x2 --decoders 1 -o pictures.pst", ["pictures.tgz"]),
    ("student-trainer, hard targets", "student-trainer --arch 784-2-10 -i plain.pst -o a.safetensors", ["plain.pst"]),
    ("teacher-forward", "teacher-forward a.safetensors -i plain.pst -o logits.pst", ["a.safetensors", "plain.pst"]),
    ("teacher-forward, hints", "teacher-forward a.safetensors --hint 1 -i plain.pst -o hint.pst", ["a.safetensors", "plain.pst"]),
    ("student-trainer, hints",
     "student-trainer --arch 784-2-10 --clip 1 --checkpoint d --loss features,layer=1 -i hint.pst -o h.safetensors", ["hint.pst"]),
    ("temperature-softmax", "temperature-softmax -T 3 -i logits.pst -o one.pst", ["logits.pst"]),
    ("temperature-softmax, two jobs and a log",
     "temperature-softmax -T 3 --jobs 2 --log events.log -i logits.pst -o jobs.pst", ["logits.pst"]),
    ("averager", "averager -i one.pst -o soft.pst", ["one.pst"]),
    ("compactor", "compactor -i one.pst -o compact.pst", ["one.pst"]),
    ("compactor, zstd", "compactor --targets top-k --top 3 -z 1 -i one.pst -o top.pst", ["one.pst"]),
    ("student-trainer", "student-trainer --arch 784-2-10 -i soft.pst -o b.safetensors", ["soft.pst"]),
    ("compactor --restore", "compactor --restore -i top.pst -o restored.pst", ["top.pst"]),
    ("student-trainer, from a recording",
     "student-trainer --arch 784-2-10 --checkpoint c --validate plain.pst -i restored.pst -o c.safetensors",
     ["restored.pst", "plain.pst"]),
    ("evaluator", "evaluator -i logits.pst", ["logits.pst"]),
    ("evaluator, JSON", "evaluator -i logits.pst --json", ["logits.pst"]),
    ("evaluator, TSV", "evaluator -i logits.pst --format tsv --worst 3", ["logits.pst"]),
    ("stream-join", "stream-join one.pst -i plain.pst -o joined.pst", ["one.pst", "plain.pst"]),
    ("stream-select", "stream-select --drop x -i one.pst -o selected.pst", ["one.pst"]),
    ("stream-export, csv", "stream-export --to csv --take id,class,entropy,soft --of logits/a -i soft.pst -o soft.csv", ["soft.pst"]),
    ("stream-export, jsonl", "stream-export --to jsonl -i one.pst", ["one.pst"]),
    ("stream-export, npz", "stream-export --to npz --take id,label,x -i one.pst -o one.npz", ["one.pst"]),
    ("class-map", "class-map --classes 9,0-8 -i one.pst -o mapped.pst", ["one.pst"]),
    ("loader, frames of an utterance", "loader digits --samples 60 --no-shuffle -o frames.pst", []),
    ("decoder", "decoder --corpus ../toy --of y --against y --hypotheses words --ctm times --resamples 9 -i frames.pst", ["frames.pst"]),
    ("decoder, tuning", "decoder --corpus ../toy --of y --tune settings --resamples 9 --json -i frames.pst", ["frames.pst"]),
    ("decoder, aligning", "decoder --corpus ../toy --of y --align states -i frames.pst", ["frames.pst"]),
    ("teacher-forward, some samples",
     "teacher-forward a.safetensors --name s --when-top 1-5 --by logits/a -i one.pst -o some.pst", ["a.safetensors", "one.pst"]),
    ("teacher-forward, a second one", "teacher-forward a.safetensors --name t -i one.pst -o two.pst", ["a.safetensors", "one.pst"]),
    ("specialist-combine", "specialist-combine -g logits/a -s t=1-5 --top 3 -i two.pst -o combined.pst", ["two.pst"]),
    ("munge", "munge table.pst --size 5 -o munged.pst", ["table.pst"]),
    ("munge, nbe", "munge table.pst -m nbe --components 2 --size 5 -o drawn.pst", ["table.pst"]),
    ("class-cluster", "class-cluster --sets 2 --size 6 --fill -i one.pst -o sets.txt", ["one.pst"]),
    ("stream-inspect", "stream-inspect one.pst", ["one.pst"]),
    ("stream-inspect, JSON", "stream-inspect --json one.pst", ["one.pst"]),
    ("stream-inspect, a model", "stream-inspect b.safetensors", ["b.safetensors"]),
    ("stream-repair", "stream-repair cut.pst.part", ["cut.pst.part"]),
    ("replay", "replay one.pst -o again.pst", ["one.pst"]),
    ("replay, several", "replay one.pst one.pst --shuffle -z 3 -o both.pst", ["one.pst"]),
    ("replay, shuffled", "replay --shuffle --batch 2 one.pst -o shuffled.pst", ["one.pst"]),
    ("replay, spliced", "replay --splice 2,1 --shuffle --batch 2 table.pst -o spliced.pst", ["table.pst"]),
]
work = tempfile.mkdtemp()
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}", flush=True)


def run(command, inputs, shortage, folder):
    """Runs a stage in a new folder. Returns its exit code, its outputs by file, and its standard error."""
    os.mkdir(folder)
    for name in inputs:
        shutil.copy(os.path.join(work, name), folder)
    before = set(os.listdir(folder))
    env = {**os.environ, "LD_PRELOAD": SHIM, "PST_SHORTAGE": shortage, "PST_SHORTAGE_COUNT": folder + ".count",
           "OPENBLAS_NUM_THREADS": "1", "PATH": os.path.join(BUILD, "stages") + ":" + os.environ["PATH"]}
    try:
        done = subprocess.run(command.split(), cwd=folder, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                              check=False, timeout=20)
        code, said, printed = done.returncode, done.stderr.decode(), done.stdout
    except subprocess.TimeoutExpired:
        code, said, printed = "hangs", "", b""
    wrote = {"standard output": printed}
    for name in sorted(name for name in set(os.listdir(folder)) - before if not name.endswith(".log")):
        with open(os.path.join(folder, name), "rb") as file:
            wrote[name] = file.read()
    return code, wrote, said


def fault(expected, code, wrote, said):
    """What is wrong with the end of a run; None if nothing is."""
    if code == 75:
        # A message of REPORTS, such as that fewer jobs run, is not the reason of the failure.
        lines = [line for line in said.splitlines() if not any(word in line for word in REPORTS)]
        if len(lines) > 1 or not said:
            return f"exit code 75 and {len(lines)} lines: {said!r}"
        others = [name for name in wrote if name in expected and name != "standard output" and wrote[name] != expected[name]]
        return f"exit code 75, but {others[0]} is there with other bytes" if others else None
    if code != 0:
        return f"exit code {code}: {said!r}"
    for name in sorted(set(expected) | set(wrote)):
        if expected.get(name) != wrote.get(name):
            return f"exit code 0, but {name} is not as without a shortage"
    return None


def try_one(command, inputs, expected, shortage):
    folder = os.path.join(work, f"run-{shortage}")
    found = fault(expected, *run(command, inputs, shortage, folder))
    shutil.rmtree(folder)
    os.unlink(folder + ".count") if os.path.exists(folder + ".count") else None
    return found and f"allocation {shortage}: {found}"


def shortages(total):
    every = [f"{n}{how}" for n in range(1, total + 1) for how in ("", "+")]
    random.shuffle(every)
    return every


def write_data():
    """A data set of ten images of 6 by 6 pixels, as gzip, and a table."""
    with open(os.path.join(work, "table.csv"), "w", encoding="utf-8") as file:
        file.write('k,a,"b, c",y\n2,1,p,u\n0,,"q ""r""",v\n\n1,2.5,p,u\n')
    for name, kind, content in (("images.gz", [3, 10, 6, 6], bytes(range(90)) * 4), ("labels.gz", [1, 10], bytes(range(10)))):
        sizes = b"".join(size.to_bytes(4, "big") for size in kind[1:])
        with gzip.open(os.path.join(work, name), "wb") as file:
            file.write(bytes([0, 0, 8, kind[0]]) + sizes + content)


def write_corpus():
    """A corpus of speech of one utterance; labels of digits stand for states."""
    etc = os.path.join(work, "toy", "etc")
    os.makedirs(etc)
    for name, text in (("toy_train.fileids", "a/b/c\n"), ("toy_train.transcription", "no yes (c)\n"), ("toy_test.fileids", ""),
                       ("toy_test.transcription", ""), ("toy.phone", "N\nO\nSIL\nY\n"), ("toy.dic", "no N O\nyes Y\n"),
                       ("toy.filler", "<sil> SIL\n")):
        with open(os.path.join(etc, name), "w", encoding="utf-8") as file:
            file.write(text)


def write_pictures():
    """A tar file with a picture of each kind."""
    array = np.arange(12, dtype="u1").reshape(2, 2, 3)
    files = [("a/1.png", pictures.png(array)), ("b/2.ppm", pictures.pnm(array)), ("b/3.jpg", pictures.jpeg("progressive"))]
    pictures.tar(os.path.join(work, "pictures.tgz"), files, "w:gz")


def prepare():
    """Runs the pipeline without a shortage. Returns what each stage wrote and how often it allocated."""
    write_data()
    write_pictures()
    write_corpus()
    results = []
    for i, (name, command, inputs) in enumerate(CASES):
        if "cut.pst.part" in inputs:
            with open(os.path.join(work, "one.pst"), "rb") as whole, open(os.path.join(work, "cut.pst.part"), "wb") as cut:
                cut.write(whole.read()[:-20])
        folder = os.path.join(work, f"whole-{i}")
        code, wrote, said = run(command, inputs, "0", folder)
        if code != 0:
            raise SystemExit(f"Bail out! {command}: {code}: {said}")
        for made in set(wrote) - {"standard output"}:
            shutil.copy(os.path.join(folder, made), work)
        with open(folder + ".count", encoding="ascii") as file:
            results.append((wrote, int(file.read())))
    return results


def main():
    seed = int(os.environ.get("SHORTAGE_SEED", str(time.time_ns() % 100000)))
    random.seed(seed)
    prepared = prepare()
    chosen = [i for i, case in enumerate(CASES) if ONLY in case[0]]
    share = SECONDS / len(chosen)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for i in chosen:
            name, command, inputs = CASES[i]
            expected, total = prepared[i]
            until = time.monotonic() + share
            numbers = shortages(total)
            tried, faults = 0, []
            while numbers and (EVERY or time.monotonic() < until):
                some, numbers = numbers[:8], numbers[8:]
                tried += len(some)
                faults += filter(None, pool.map(lambda n: try_one(command, inputs, expected, n), some))
            for text in sorted(faults)[:SHOWN]:
                print(f"# {text}")
            check(f"{name} ends with 75 or the same bytes: {tried} of {2 * total} shortages, seed {seed}",
                  not faults, f"{len(faults)} do not")
    print(f"1..{count}")


if os.environ.get("SANITIZE") or os.environ.get("VALGRIND"):
    print("1..0 # skip the sanitizers and valgrind have allocators of their own")
else:
    try:
        main()
    finally:
        shutil.rmtree(work, ignore_errors=True)
