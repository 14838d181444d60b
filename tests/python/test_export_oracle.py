"""stream-export against numpy and Python's csv and json: the exported values are those of the stream. Prints TAP."""
import csv
import io
import json
import os
import subprocess
import tempfile
import zipfile

import numpy

from pipestill_stream import stream

HOSTILE = ['say "cat"', "a, b", "two\nlines", "back\\slash\ttab", "\x1b[31mred\x9b", "é 猫 \U0001F408", "", "NULL", " x ", "\r"]
SAMPLES = 23
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    detail = str(detail).replace("\n", " ")[:300]
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def export(data, *words):
    """What stream-export writes to standard output."""
    return subprocess.run(["stream-export", *words], input=data, stdout=subprocess.PIPE, check=True).stdout


def refused(data, *words):
    """The exit code and the message of an export that is refused."""
    done = subprocess.run(["stream-export", *words], input=data, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          check=False)
    return done.returncode, done.stderr.decode()


def same(a, b):
    """Whether two arrays have the same type, shape and bits; NaN is like NaN."""
    return a.dtype == b.dtype and a.shape == b.shape and numpy.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def make(arrays, parts=3, **header):
    """A stream of some batches. arrays: from a name to an array, or to an array and more of the tensor's description."""
    kinds = {"uint8": "u8", "int32": "i32", "uint64": "u64", "float32": "f32", "float16": "f16", "uint16": "u16"}
    arrays = {name: value if isinstance(value, tuple) else (value, {}) for name, value in arrays.items()}
    tensors = [{"name": name, "dtype": kinds[array.dtype.name], "shape": list(array.shape[1:]), **more}
               for name, (array, more) in arrays.items()]
    samples = len(next(iter(arrays.values()))[0])
    cuts = numpy.linspace(0, samples, parts + 1).astype(int)
    return stream(tensors, [{name: array[a:b] for name, (array, _) in arrays.items()} | {"epoch": a // 10}
                            for a, b in zip(cuts, cuts[1:]) if b > a], **header)


def read_csv(data):
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def read_tsv(data):
    """TSV in the form of most databases: a tab or an end of line within a text is escaped."""
    plain = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}

    def restore(text):
        out = io.StringIO()
        letters = iter(text)
        for letter in letters:
            out.write(plain[next(letters)] if letter == "\\" else letter)
        return out.getvalue()

    lines = data.decode().split("\n")
    assert lines.pop() == ""
    return [[restore(field) for field in line.split("\t")] for line in lines]


def some_arrays(random):
    """An array of every type, with the numbers at its ends."""
    bits = random.integers(0, 2**32, (SAMPLES, 2, 3), dtype=numpy.uint64).astype(numpy.uint32)
    floats = bits.view(numpy.float32)
    floats[~numpy.isfinite(floats)] = 0.1
    floats[0, 0] = [0, -0.0, 1e-45]
    floats[1, 0] = [numpy.finfo(numpy.float32).max, numpy.finfo(numpy.float32).tiny, -1 / 3]
    return {
        "f32": floats,
        "f16": random.normal(0, 100, (SAMPLES, 4)).astype(numpy.float16),
        "u8": random.integers(0, 256, (SAMPLES, 2), dtype=numpy.uint8),
        "u16": random.integers(0, 2**16, (SAMPLES, 1), dtype=numpy.uint16),
        "i32": numpy.append(random.integers(-2**31, 2**31, SAMPLES - 2), [-2**31, 2**31 - 1]).astype(numpy.int32),
        "id": numpy.arange(SAMPLES, dtype=numpy.uint64) + numpy.uint64(2**64 - SAMPLES),
    }


def flat(arrays):
    """The names and rows that CSV must have."""
    names = [name if array[0].size == 1 else f"{name}.{i}" for name, array in arrays.items() for i in range(array[0].size)]
    return names, {name: array.reshape(SAMPLES, -1) for name, array in arrays.items()}


def test_text(random):
    arrays = some_arrays(random)
    names, columns = flat(arrays)
    data = make(arrays)
    for form, read in (("csv", read_csv), ("tsv", read_tsv)):
        out = export(data, "--to", form, "--take", ",".join(arrays))
        rows = read(out)
        check(f"{form} names every number of a tensor", rows[0] == names, rows[0])
        place, good, longest = 0, [], 0
        for name, column in columns.items():
            fields = numpy.array([row[place:place + column.shape[1]] for row in rows[1:]])
            place += column.shape[1]
            # numpy reads a text as f64; a text that is read as f32 directly is rounded once.
            back = numpy.array([[numpy.float32(field) if column.dtype.kind == "f" else int(field) for field in row]
                                for row in fields]).astype(column.dtype)
            good.append(same(back, column) and (back.view(f"u{back.itemsize}") == column.view(f"u{back.itemsize}")).all())
            if name == "f32":
                longest = max(len(f"{field}".lower().split("e")[0].replace(".", "").strip("-0")) for field in fields.flat)
        check(f"numbers in {form} are read back to the same bits", all(good), good)
        check(f"no f32 in {form} has more than nine digits", longest <= 9, longest)
        check(f"--no-header leaves only the samples in {form}",
              export(data, "--to", form, "--no-header", "--take", ",".join(arrays)) == out.split(b"\n", 1)[1])
        check(f"lines of {form} end as Unix has it", b"\r" not in out and out.count(b"\n") == SAMPLES + 1)
    rows = [json.loads(line) for line in export(data, "--to", "jsonl", "--take", ",".join(arrays)).decode().splitlines()]
    check("jsonl has the columns in the order asked for", all(list(row) == list(arrays) for row in rows), list(rows[0]))
    for name, array in arrays.items():
        back = numpy.array([row[name] for row in rows]).astype(array.dtype)
        check(f"jsonl has {name} in its shape", same(back, array), back.shape)


def test_arrays(random):
    arrays = some_arrays(random) | {"slash/ü": random.normal(size=(SAMPLES, 3)).astype(numpy.float32)}
    data = make(arrays)
    for name, array in arrays.items():
        out = export(data, "--to", "npy", "--take", name)
        check(f"numpy.load reads {name} from npy, with type and shape", same(numpy.load(io.BytesIO(out)), array))
        check(f"the data of {name} are aligned to 64 bytes", (len(out) - array.nbytes) % 64 == 0)
    out = export(data, "--to", "npz")
    with numpy.load(io.BytesIO(out), allow_pickle=False) as found:
        check("npz holds all tensors of a stream without predictions", set(found) == set(arrays), list(found))
        for name, array in arrays.items():
            check(f"numpy.load reads {name} from npz, with type and shape", same(found[name], array))
    with zipfile.ZipFile(io.BytesIO(out)) as archive:
        check("the checksums of npz are right", archive.testzip() is None)
        check("numpy stores members in the same way", {entry.compress_type for entry in archive.infolist()} == {0})
    check("the same stream gives the same npz", out == export(data, "--to", "npz"))
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["stream-export", "--to", "npz", "-o", folder + "/a.npz"], input=data, check=True)
        with open(folder + "/a.npz", "rb") as file:
            check("a file gets the bytes that a pipe gets", file.read() == out)
        check("nothing is left beside the file", os.listdir(folder) == ["a.npz"], os.listdir(folder))


def test_empty():
    arrays = {"x": numpy.zeros((0, 2, 3), numpy.float32), "id": numpy.zeros(0, numpy.uint64)}
    data = make(arrays)
    check("a stream without samples gives a line of names in csv", export(data, "--to", "csv") ==
          b"id,x.0,x.1,x.2,x.3,x.4,x.5\n")
    check("a stream without samples gives an empty file in jsonl", export(data, "--to", "jsonl") == b"")
    with numpy.load(io.BytesIO(export(data, "--to", "npz"))) as found:
        check("a stream without samples gives empty arrays in npz", all(same(found[name], arrays[name]) for name in arrays))


def softmax(logits):
    powers = numpy.exp(logits.astype(float) - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def near(found, expected):
    return bool((abs(found.astype(float) - expected) <= 2.0**-126 + 2.0**-22 * abs(expected)).all())


def columns_of(data, take, *words):
    with numpy.load(io.BytesIO(export(data, "--to", "npz", "--take", take, *words))) as found:
        return [found[name] for name in take.split(",")]


def test_classes(random):
    logits = random.normal(0, 3, (SAMPLES, 5)).astype(numpy.float32)
    logits[0], logits[1], logits[2] = 1e4, [-1e4, 1e4, 0, 0, 0], [30, 30 + 2e-6, 0, 0, 0]
    probabilities = softmax(logits)
    soft = softmax(logits / 4).astype(numpy.float32)
    soft[3] = [0, 0, 1, 0, 0]
    y = random.integers(0, 5, SAMPLES).astype(numpy.int32)
    data = make({"y": y, "id": numpy.arange(SAMPLES, dtype=numpy.uint64), "logits/t": logits,
                 "soft/t": (soft, {"temperature": 4.0})}, classes=5, class_names=list("abcde"))
    names = "argmax,class,label,probability,margin,entropy,prediction,epoch,seq"
    for option, p, rows in (("logits/t", probabilities, logits), ("soft/t", soft.astype(float), soft)):
        argmax, named, label, probability, margin, entropy, prediction, epoch, seq = columns_of(data, names, "--of", option)
        best = rows.argmax(axis=1)
        check(f"argmax is that of {option}", same(argmax, best.astype(numpy.int32)), argmax)
        check(f"class is the name of argmax of {option}", same(named, numpy.array(list("abcde"))[best]), named)
        check("label is the name of y", same(label, numpy.array(list("abcde"))[y]), label)
        check(f"probability is that of the class, from {option}", near(probability, p[numpy.arange(SAMPLES), best]))
        check(f"prediction is every probability of {option}", near(prediction, p))
        ordered = numpy.sort(p, axis=1)
        check(f"margin is the distance of the two likeliest of {option}",
              numpy.allclose(margin, ordered[:, -1] - ordered[:, -2], rtol=1e-6, atol=1e-7))
        with numpy.errstate(divide="ignore", invalid="ignore"):
            expected = -numpy.where(p > 0, p * numpy.log(p), 0).sum(axis=1)
        check(f"entropy is that of {option}, in nats", numpy.allclose(entropy, expected, rtol=1e-5, atol=1e-30))
        check("epoch and seq are those of the batch", epoch.tolist() == [0] * 15 + [1] * 8 and
              seq.tolist() == [0] * 7 + [1] * 8 + [2] * 8, (epoch, seq))
    rows = read_csv(export(data, "--to", "csv", "--of", "soft/t"))
    check("the usual columns of predictions are id, label, class and probability",
          rows[0] == ["id", "label", "class", "probability"] and [row[1] for row in rows[1:]] ==
          ["abcde"[i] for i in y], rows[:2])
    rows = read_csv(export(data, "--to", "csv", "--take", "soft/t,prediction,y"))
    check("columns of classes have the classes' names", rows[0][:6] == ["soft/t.a", "soft/t.b", "soft/t.c", "soft/t.d",
                                                                      "soft/t.e", "prediction.a"], rows[0])
    wrong = {"y": y + 3, "logits": logits}
    check("a label that has no name is refused", "label 5 is not one of 5 classes" in
          refused(make({"y": numpy.full(SAMPLES, 5, numpy.int32)}, class_names=list("abcde")), "--to", "csv")[1])
    check("without names label is a number", read_csv(export(make(wrong), "--to", "csv", "--take", "label"))[1:] ==
          [[str(i + 3)] for i in y])
    check("without names class is a text of digits in jsonl", json.loads(
        export(make(wrong), "--to", "jsonl", "--take", "class").splitlines()[1]) == {"class": "1"})
    check("without names the usual column is argmax", read_csv(export(make(wrong), "--to", "csv"))[0] ==
          ["y", "argmax", "probability"])


def test_other_types(random):
    logits = random.normal(0, 3, (SAMPLES, 2)).astype(numpy.float32)
    numbers = random.normal(0, 3, (SAMPLES, 2)).astype(numpy.float32)
    data = make({"y": numbers, "logits/t": logits}, output_names=["price", "age"])
    check("predictions of numbers are the outputs as they are", same(columns_of(data, "prediction")[0], logits))
    check("numbers have the outputs' names", read_csv(export(data, "--to", "csv"))[0] ==
          ["y.price", "y.age", "prediction.price", "prediction.age"])
    check("a class of numbers is refused", refused(data, "--to", "csv", "--take", "class")[0] == 65)
    bits = (numbers > 0).astype(numpy.uint8)
    data = make({"y": bits, "logits/t": logits})
    found = columns_of(data, "y,prediction")
    check("predictions of bits are probabilities", same(found[0], bits) and
          near(found[1], 1 / (1 + numpy.exp(-logits.astype(float)))))
    data = make({"logits": logits})
    check("--as says what is predicted if y does not", same(columns_of(data, "prediction", "--as", "numbers")[0], logits) and
          near(columns_of(data, "prediction")[0], softmax(logits)))
    columns = [{"name": "age"}, {"name": "job, kind", "categories": ["none", 'a "b"']}]
    table = make({"x": random.normal(size=(SAMPLES, 3)).astype(numpy.float32)}, inputs={"columns": columns})
    check("inputs from a table have the names of its columns and categories", read_csv(export(table, "--to", "csv"))[0] ==
          ["x.age", "x.job, kind=none", 'x.job, kind=a "b"'])
    one = make({"y": numbers[:, 0], "logits": logits[:, :1]})
    check("one number a sample is a column of its own name", read_csv(export(one, "--to", "csv"))[0] == ["y", "prediction"])
    one = make({"y": numbers[:, 0], "logits": logits[:, :1]}, output_names=["price"])
    check("one output that has a name is called by it", read_csv(export(one, "--to", "csv"))[0] ==
          ["y.price", "prediction.price"])
    x = random.integers(0, 256, (SAMPLES, 2, 2), dtype=numpy.uint8)
    data = make({"x": (x, {"scale": 1 / 255, "offset": -0.5})})
    scaled = (x.astype(numpy.float32) * numpy.float32(1 / 255) + numpy.float32(-0.5)).astype(numpy.float32)
    check("bytes with a scale are the numbers that they stand for", same(columns_of(data, "x")[0], scaled))
    check("--raw leaves bytes as they are", same(columns_of(data, "x", "--raw")[0], x))
    odd = numpy.array([[1.5, numpy.nan, numpy.inf, -numpy.inf]] * SAMPLES, numpy.float32)
    data = make({"x": odd})
    check("csv says nan and inf", read_csv(export(data, "--to", "csv"))[1] == ["1.5", "nan", "inf", "-inf"])
    check("jsonl has null for what is not a number", json.loads(export(data, "--to", "jsonl").splitlines()[0]) ==
          {"x": [1.5, None, None, None]})
    check("predictions that are not numbers are refused", "not a finite number" in
          refused(make({"logits": odd}), "--to", "csv")[1])


def test_names():
    y = numpy.arange(len(HOSTILE), dtype=numpy.int32)
    tensors = {f'{name}/"{i}",\n\x1b': y for i, name in enumerate(HOSTILE)}
    data = make({"y": y, **tensors}, classes=len(HOSTILE), class_names=HOSTILE)
    words = [word for name in ("label", *tensors) for word in ("--take", name)]
    for form, read in (("csv", read_csv), ("tsv", read_tsv)):
        rows = read(export(data, "--to", form, *words))
        check(f"hostile names of tensors come through {form}", rows[0] == ["label", *tensors], rows[0])
        check(f"hostile names of classes come through {form}", [row[0] for row in rows[1:]] == HOSTILE, rows)
    lines = export(data, "--to", "jsonl", *words).decode().split("\n")
    check("hostile names come through jsonl", [json.loads(line)["label"] for line in lines[:-1]] == HOSTILE and
          list(json.loads(lines[0])) == ["label", *tensors], lines[0])
    with numpy.load(io.BytesIO(export(data, "--to", "npz", *words))) as found:
        check("hostile names come through npz", found["label"].tolist() == HOSTILE and set(found) == {"label", *tensors},
              list(found))
    single = export(data, "--to", "csv", "--take", "label")
    check("an empty name alone on a line is a record", len(read_csv(single)) == len(HOSTILE) + 1, single)
    logits = numpy.eye(2, dtype=numpy.float32)
    twice = make({"logits": logits}, class_names=["a", "a"])
    check("names that come twice do not name columns", read_csv(export(twice, "--to", "csv", "--take", "logits"))[0] ==
          ["logits.0", "logits.1"])
    mixed = make({"logits": logits, "logits.b": y[:2]}, class_names=["a", "b"])
    check("two columns of one name are refused", "two columns would be called 'logits.b'" in
          refused(mixed, "--to", "csv", "--take", "logits,logits.b")[1])
    for bad, message in (("ab", "'class_names' is not a list of texts"), (["a", 7], "'class_names' is not a list of texts"),
                         (["a\0", "b"], "'class_names' is not a list of texts"), (["a"], "has 2 classes, but the header's key")):
        code, said = refused(make({"logits": logits}, class_names=bad), "--to", "csv")
        check(f"class_names {bad!r} is refused", code == 65 and message in said, said)
    long = make({"logits": logits}, class_names=["a" * 5000, "b"])
    check("csv takes a name of any length", read_csv(export(long, "--to", "csv", "--take", "class"))[1] == ["a" * 5000])
    check("an array takes no name of 5000 letters", "4096" in refused(long, "--to", "npz", "--take", "class")[1])


def main():
    random = numpy.random.default_rng(7)
    test_text(random)
    test_arrays(random)
    test_empty()
    test_classes(random)
    test_other_types(random)
    test_names()
    print(f"1..{count}")


main()
