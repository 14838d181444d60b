"""stream-export read by pandas and csvkit. Prints TAP.

Needs pandas, numpy and csvkit beside this Python, and the stages in PATH or in the folder STAGES; `make test-python` provides both.
"""
import io
import os
import subprocess
import sys
import tempfile

import numpy
import pandas

CSVKIT = os.path.join(os.path.dirname(sys.executable), "")
NAMES = ["zero", 'say "one"', "two, too", "three\nlines", "é 猫"] + [f"class {i}" for i in range(5, 10)]
SAMPLES = 500
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    detail = str(detail).replace("\n", " ")[:300]
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}", flush=True)


def run(*words, data=None):
    return subprocess.run(words, input=data, stdout=subprocess.PIPE, check=True).stdout


def csvkit(tool, data, *words):
    """What a program of csvkit makes of a table. The program is the one beside this Python, or in PATH."""
    path = CSVKIT + tool
    return run(path if os.path.exists(path) else tool, *words, data=data).decode()


def make_streams(folder):
    """A stream with logits and soft targets, and what numpy must find in it."""
    os.chdir(folder)
    run("loader", "digits", "--samples", str(SAMPLES), "-o", "plain.pst")
    run("student-trainer", "--arch", "784-20-10", "-q", "-i", "plain.pst", "-o", "t.safetensors")
    run("teacher-forward", "t.safetensors", "--name", "t", "-i", "plain.pst", "-o", "logits.pst")
    run("temperature-softmax", "-T", "4", "-i", "logits.pst", "-o", "soft.pst")
    with numpy.load(io.BytesIO(run("stream-export", "--to", "npz", "--take", TAKE, "-i", "soft.pst"))) as arrays:
        return {name: arrays[name] for name in arrays}


TAKE = "id,y,argmax,probability,margin,entropy,soft/t,logits/t"


def equals(table, arrays):
    """Whether a table of pandas holds what the arrays hold, to the last bit."""
    for name, array in arrays.items():
        columns = [name] if array.ndim == 1 else [f"{name}.{i}" for i in range(array.shape[1])]
        if not numpy.array_equal(table[columns].to_numpy().astype(array.dtype), array.reshape(SAMPLES, -1)):
            return False
    return True


def test_pandas(arrays):
    csv = run("stream-export", "--to", "csv", "--take", TAKE, "-i", "soft.pst")
    check("pandas reads csv to the same bits", equals(pandas.read_csv(io.BytesIO(csv)), arrays))
    types = pandas.read_csv(io.BytesIO(csv)).dtypes
    check("pandas takes all columns for numbers", all(kind.kind in "iuf" for kind in types), types)
    tsv = run("stream-export", "--to", "tsv", "--take", TAKE, "-i", "soft.pst")
    check("pandas reads tsv to the same bits", equals(pandas.read_csv(io.BytesIO(tsv), sep="\t"), arrays))
    lines = run("stream-export", "--to", "jsonl", "--take", TAKE, "-i", "soft.pst")
    table = pandas.read_json(io.BytesIO(lines), lines=True, precise_float=True)
    soft = numpy.array(table["soft/t"].tolist()).astype(numpy.float32)
    check("pandas reads jsonl, in which a tensor is a list", numpy.array_equal(soft, arrays["soft/t"]))
    check("pandas reads jsonl, in which a number is a number", numpy.array_equal(table["id"], arrays["id"]) and
          numpy.array_equal(table["entropy"].astype(numpy.float32), arrays["entropy"]))


def named_stream():
    """The same stream with names of classes, by the tests' reader and writer."""
    sys.path.insert(0, os.path.join(ROOT, "tests", "python"))
    import pst  # noqa: PLC0415 (its folder is known only now)

    with open("logits.pst", "rb") as file:
        return pst.change(file.read(), f'header["class_names"] = {NAMES!r}')


def test_names(data):
    table = pandas.read_csv(io.BytesIO(run("stream-export", "--to", "csv", "--take", "label,class,prediction,y,argmax", data=data)))
    check("pandas reads hostile names of classes in csv", table["label"].tolist() == [NAMES[i] for i in table["y"]] and
          table["class"].tolist() == [NAMES[i] for i in table["argmax"]])
    check("pandas reads hostile names of columns in csv", list(table.columns[2:12]) == [f"prediction.{name}" for name in NAMES],
          list(table.columns))
    table = pandas.read_json(io.BytesIO(run("stream-export", "--to", "jsonl", "--take", "label,y", data=data)), lines=True)
    check("pandas reads hostile names of classes in jsonl", table["label"].tolist() == [NAMES[i] for i in table["y"]])


def test_csvkit(arrays, data):
    csv = run("stream-export", "--to", "csv", data=data)
    check("csvclean finds no fault", csvkit("csvclean", csv, "-a").splitlines() == csv.decode().splitlines())
    check("csvstat counts all samples", csvkit("csvstat", csv, "--count").strip().split()[-1] == str(SAMPLES))
    names = csvkit("csvcut", csv, "-n").splitlines()
    check("csvcut lists the columns", [line.split(": ")[1] for line in names] == ["id", "label", "class", "probability"], names)
    found = csvkit("csvgrep", csv, "-c", "class", "-m", "two, too")
    check("csvgrep finds a class by a name with a comma",
          len(pandas.read_csv(io.StringIO(found))) == int((arrays["argmax"] == 2).sum()), found)
    tsv = run("stream-export", "--to", "tsv", "--take", "id,y", data=data)
    back = csvkit("csvformat", tsv, "-t")
    check("csvformat turns tsv into the same csv", back.encode() ==
          run("stream-export", "--to", "csv", "--take", "id,y", data=data))


ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def main():
    stages = os.environ.get("STAGES")
    if stages:
        os.environ["PATH"] = os.path.abspath(stages) + os.pathsep + os.environ["PATH"]
    with tempfile.TemporaryDirectory() as folder:
        arrays = make_streams(folder)
        data = named_stream()
        test_pandas(arrays)
        test_names(data)
        test_csvkit(arrays, data)
        os.chdir("/")
    print(f"1..{count}")


main()
