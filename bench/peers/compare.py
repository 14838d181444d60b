"""Runs the table of bench/peers: both sides in turns, medians, a table on standard output, and build/peers.json.

Called by bench/peers/run; its head says what is measured and what the environment must be.
"""
import gzip
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import time

import numpy

from loaders import compare_loaders
from peer import BUILD, HERE, ROUNDS, WORK, Peer, say, shell
from rows import BATCH, MNIST_SAMPLES, ROWS, TEMPERATURE, epoch_batches, shape_of

LENGTH = float(os.environ.get("LENGTH", "2"))  # seconds that one measurement takes, about
MNIST_DIR = os.environ.get("MNIST_DIR", "")


# ---- data ----

def write_idx(path, array, kind):
    """Writes an IDX file. kind: the format's code of the elements."""
    with open(path, "wb") as file:
        file.write(bytes([0, 0, kind, array.ndim]) + numpy.array(array.shape, ">u4").tobytes())
        file.write(array.astype(array.dtype.newbyteorder(">")).tobytes())


def read_idx(path):
    """Reads an IDX file of bytes, .gz or plain."""
    with (gzip.open(path + ".gz") if os.path.exists(path + ".gz") else open(path, "rb")) as file:
        data = file.read()
    shape = numpy.frombuffer(data, ">u4", data[3], 4)
    return numpy.frombuffer(data, "u1", offset=4 + 4 * data[3]).reshape(shape)


def make_data(row):
    """Makes a row's data for both sides; returns what loader calls it, as words of a shell."""
    generator = numpy.random.default_rng(1)
    if row["data"] == "mnist":
        name, inputs, classes, samples = "mnist", 784, 10, MNIST_SAMPLES
        if MNIST_DIR:
            x, y = (read_idx(f"{MNIST_DIR}/train-{part}-ubyte")[:samples] for part in ("images-idx3", "labels-idx1"))
        else:
            x, y = generator.integers(0, 256, (samples, 28, 28)), generator.integers(0, classes, samples)
        x, y, kind = x.reshape(samples, 28, 28).astype("u1"), y.astype("i4"), 8
    else:
        inputs, classes, samples = row["data"]
        name, kind = f"{inputs}-{classes}", 13
        x, y = generator.standard_normal((samples, *shape_of(inputs)), "f4"), generator.integers(0, classes, samples, "i4")
    files = f"{WORK}/{name}"
    numpy.save(f"{files}-x.npy", x.reshape(samples, *shape_of(inputs)))
    numpy.save(f"{files}-y.npy", y)
    write_idx(f"{files}-x.idx", x, kind)
    write_idx(f"{files}-y.idx", y, 12)
    return f"idx:{files}-x.idx,{files}-y.idx --classes {classes} --batch {BATCH}"


# ---- pipestill ----

def variants():
    """The ways in which this build multiplies: {name: (options of stages that multiply, whether it is f32)}."""
    ways = {"openblas f32": ("", True)}
    text = subprocess.run(["student-trainer", "--help"], check=True, capture_output=True, text=True).stdout
    if "--kernels" in text:
        ways["openblas f32"] = ("--kernels openblas", True)
        ways["onednn f32"] = ("--kernels onednn", True)
        if "--precision" in text:
            ways["onednn bf16"] = ("--kernels onednn --precision bf16", False)
    works = {}
    for name, (options, is_f32) in ways.items():
        try:
            shell(f"loader digits --samples 128 | student-trainer {options} -a 784-10 -o {WORK}/try.safetensors",
                  stderr=subprocess.PIPE, text=True)
            works[name] = (options, is_f32)
        except subprocess.CalledProcessError as error:
            say(f"left out: {name}: {error.stderr.strip().splitlines()[0]}")
    return works


def softens(row):
    """Whether the student softens its teacher's logits itself, as PyTorch's does. Recordings hold soft targets on both sides."""
    return row["kind"] == "live" and row["teachers"] == 1


def student(row, options):
    """The stage that learns."""
    loss = f" --loss kl,T={TEMPERATURE}" if softens(row) else ""
    return f"student-trainer -q {options} --arch {row['student']}{loss} -o {WORK}/student.safetensors"


def teach(row, options, source):
    """A pipe from a source to what the student learns from: a teacher's logits, or soft targets."""
    asked = "".join(f" | teacher-forward {options} --name t{i} {WORK}/teacher-{i}.safetensors"
                    for i in range(row["teachers"]))
    softened = "" if softens(row) else f" | temperature-softmax -T {TEMPERATURE}"
    average = " | averager" if row["teachers"] > 1 else ""
    return f"{source}{asked}{softened}{average}"


def command(row, options, data, epochs):
    """The pipeline of a row that goes through its data so many times."""
    one_core = "taskset -c 0 " if row["cores"] == 1 and row["threads"] is None else ""
    if row["threads"]:
        options += f" --jobs {row['threads']} --threads 1" if row["kind"] == "forward" else f" --threads {row['threads']}"
    source = f"loader {data} --shuffle --epochs {epochs}"
    match row["kind"]:
        case "live":
            return f"{teach(row, options, source)} | {student(row, options)}"
        case "forward":
            return f"{one_core}teacher-forward {options} {WORK}/teacher-0.safetensors -i {WORK}/in-{epochs}.pst -o /dev/null"
        case "train":
            return f"{source} | {student(row, options)}"
        case "replay":
            return f"replay {WORK}/soft.pst --shuffle --epochs {epochs} | {student(row, options)}"
    raise ValueError(row["kind"])


def prepare(row, data):
    """Makes the teachers and, for the row `replay`, the recording."""
    for i in range(row["teachers"]):
        shell(f"loader {data} --limit {BATCH} | student-trainer --seed {i + 1} -a {row['teacher']}"
              f" -o {WORK}/teacher-{i}.safetensors")
    if row["kind"] == "replay":
        shell(f"{teach(row, '', f'loader {data}')} -o {WORK}/soft.pst --force")


def timed(row, options, data, epochs):
    """How long the row's pipeline takes for so many epochs, in seconds."""
    recording = f"{WORK}/in-{epochs}.pst"
    if row["kind"] == "forward" and not os.path.exists(recording):
        shell(f"loader {data} --epochs {epochs} -o {recording}")
    begun = time.perf_counter()
    shell(command(row, options, data, epochs))
    return time.perf_counter() - begun


def seconds(row, options, data, epochs):
    """The same without the start and without the first epoch: the difference from a run of one epoch."""
    short = timed(row, options, data, 1)
    return timed(row, options, data, epochs + 1) - short


def choose_epochs(row, options, data):
    """How many epochs take about LENGTH seconds."""
    timed(row, options, data, 1)  # puts the files that are read into the page cache
    return max(1, round(LENGTH / (seconds(row, options, data, 4) / 4)))


def choose_batches(torch, precision):
    """How many batches take PyTorch about LENGTH seconds."""
    torch.seconds(f"{precision} 20")  # the first run also compiles and allocates
    return max(1, round(LENGTH / (torch.seconds(f"{precision} 20") / 20)))


# ---- which kernels run ----

def pipestill_kernels(ways):
    """What OpenBLAS and oneDNN print about themselves in our stages."""
    found = {}
    for name, (options, _) in ways.items():
        told = shell(f"loader digits --samples 128 | OPENBLAS_VERBOSE=2 ONEDNN_VERBOSE=1 DNNL_VERBOSE=1 student-trainer {options}"
                     f" -a 784-10 -o {WORK}/try.safetensors", capture_output=True, text=True)
        text = told.stderr + told.stdout
        products = re.findall(r"exec,cpu,(?:matmul|inner_product),([^,]*)", text)
        core = re.search(r"^Core: (.*)", text, re.M)
        found[name] = "oneDNN " + " ".join(sorted(set(products))) if products else \
            f"OpenBLAS {core.group(1)}" if core else "unknown"
    return found


def torch_kernels():
    """What MKL and oneDNN print about themselves in PyTorch."""
    environment = {**os.environ, "MKL_VERBOSE": "1", "ONEDNN_VERBOSE": "1"}
    text = subprocess.run([sys.executable, f"{HERE}/torch_jobs.py", "kernels"], env=environment, check=True,
                          capture_output=True, text=True).stdout
    unit = re.search(r"MKL_VERBOSE .*?\((Intel\(R\) [A-Z0-9-]+)\)", text)
    found = {}
    for part in text.split("way ")[1:]:
        product = re.search(r"exec,cpu,matmul,([^,]*)", part)
        rounded = " with f32 rounded to bf16" if "attr-fpmath:bf16" in part else ""
        mkl = "MKL " + (unit.group(1).replace("(R)", "") if unit else "")
        found[part.splitlines()[0]] = f"oneDNN {product.group(1)}{rounded}" if product else mkl
    return found


# ---- what the processor can do at most ----

def peaks():
    """What one core can multiply and add at most, in 10^9 a second: {"f32": …, "bf16": …}; of AMX that is not known."""
    told = shell(f"{BUILD}/bench/peak", capture_output=True, text=True).stdout
    found = {name.removeprefix("peak_"): float(value) for name, value in map(str.split, told.splitlines())}
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        if "amx_bf16" in file.read():
            found.pop("bf16", None)
    return found


def multiply_adds(architecture):
    """Those of a sample: of all layers, and of the first that has any."""
    told = json.loads(shell(f"stream-inspect --json --arch '{architecture}'", capture_output=True, text=True).stdout)
    return told["multiply_adds"], next(layer["multiply_adds"] for layer in told["layers"] if layer["multiply_adds"] > 0)


def operations(row):
    """Multiplications and additions that one sample of a row needs. In training a layer has three products, the first layer two."""
    of_teacher, of_student, first = multiply_adds(row["teacher"])[0], *multiply_adds(row["student"])
    asked = row["teachers"] * of_teacher if row["kind"] == "live" else of_teacher if row["kind"] == "forward" else 0
    return 2 * (asked + (0 if row["kind"] == "forward" else 3 * of_student - first))


def print_shares(rows, most):
    """How much of what the cores can do at most is in a row's products."""
    print("\nproducts, as a share of what the cores can multiply at most (%s):" % ", ".join(
        f"{name} {value:.0f} GFLOP/s a core" for name, value in most.items()))
    print("%-30s %22s %22s" % ("", "f32: pipestill, PyTorch", "bf16: pipestill, PyTorch"))
    for result in rows.values():
        if "cost" in result:
            continue
        shares = {}
        for name, peak in most.items():
            scale = result["operations"] / (peak * 1e9 * result["cores"])
            ours = max((rate for way, rate in result["samples_per_s"]["pipestill"].items() if way.endswith(name)), default=0)
            shares[name] = f"{100 * scale * ours:.0f} %, {100 * scale * result['samples_per_s']['pytorch'][name]:.0f} %"
        print("%-30s %22s %22s" % (result["title"], shares.get("f32", ""), shares.get("bf16", "")))


# ---- a row ----

def compare(ours, theirs):
    """The fastest way of each side by the medians of its turns, {way: [seconds of a batch]}; and the median of the turns' ratios."""
    our = min(ours, key=lambda name: statistics.median(ours[name]))
    their = min(theirs, key=lambda name: statistics.median(theirs[name]))
    ratios = [b / a for a, b in zip(ours[our], theirs[their])]
    return {"pipestill": our, "pytorch": their, "ratio": statistics.median(ratios), "least": min(ratios),
            "most": max(ratios)}


def measure(name, row, ways):
    """A row against PyTorch."""
    data = make_data(row)
    prepare(row, data)
    say(f"{row['title']}: PyTorch's ways are tried")
    torch = Peer("torch_jobs.py", name, WORK)
    told = json.loads(torch.told)
    epochs = {way: choose_epochs(row, options, data) for way, (options, _) in ways.items()}
    batches = {precision: choose_batches(torch, precision) for precision in ("f32", "bf16")}
    ours, theirs = {way: [] for way in epochs}, {precision: [] for precision in batches}
    for i in range(ROUNDS):
        say(f"{row['title']}: turn {i + 1} of {ROUNDS}")
        for way, count in epochs.items():
            ours[way].append(seconds(row, ways[way][0], data, count) / (count * epoch_batches(row)))
        for precision, count in batches.items():
            theirs[precision].append(torch.seconds(f"{precision} {count}") / count)
    torch.close()
    f32 = {way: taken for way, taken in ours.items() if ways[way][1]}
    return {"title": row["title"], "batches": {"pipestill": {way: count * epoch_batches(row) for way, count in epochs.items()},
                                               "pytorch": batches},
            "operations": operations(row), "cores": row["cores"],
            "f32": compare(f32, {"f32": theirs["f32"]}),
            "best": compare(ours, theirs), "to_reach": {"f32": row["f32"], "best": row["best"]},
            "samples_per_s": {"pipestill": {way: BATCH / statistics.median(taken) for way, taken in ours.items()},
                              "pytorch": {way: BATCH / statistics.median(taken) for way, taken in theirs.items()}},
            "seconds_per_batch": {"pipestill": ours, "pytorch": theirs}, "pytorch_took": told}


def measure_elastic(row, ways):
    """The cost of elastic distortions in a live pipeline, as a share of its time without them; PyTorch has no part in it."""
    row = {**row, "kind": "live"}
    data = make_data(row)
    prepare(row, data)
    costs = {}
    for way, (options, _) in ways.items():
        epochs = choose_epochs(row, options, data)
        costs[way] = []
        for i in range(ROUNDS):
            say(f"{row['title']}: {way}, turn {i + 1} of {ROUNDS}")
            plain = seconds(row, options, data, epochs)
            costs[way].append(seconds(row, options, f"{data} --elastic 1.5", epochs) / plain - 1)
    return {"title": row["title"], "cost": {way: statistics.median(cost) for way, cost in costs.items()},
            "to_reach": row["best"], "costs": costs}


# ---- the table ----

def print_table(rows):
    """Ratios of speed: above 1, pipestill is faster."""
    print("%-30s %12s %12s %7s %7s  %12s %7s %7s  %s" % (
        "job, samples/s", "pipestill", "PyTorch", "f32", "reach", "best", "ratio", "reach", "who is best"))
    for result in rows.values():
        if "cost" in result:
            for way, cost in result["cost"].items():
                print("%-30s %12s %12s %+6.0f%% %+6.0f%%  %s%s" % (
                    result["title"], "", "", 100 * cost, 100 * result["to_reach"], way,
                    "" if cost < result["to_reach"] else "   BEYOND"))
            continue
        f32, best, rates, reach = result["f32"], result["best"], result["samples_per_s"], result["to_reach"]
        print("%-30s %12.0f %12.0f %7.2f %7.2f  %12.0f %7.2f %7.2f  %s / %s (%s)%s" % (
            result["title"], rates["pipestill"][f32["pipestill"]], rates["pytorch"]["f32"], f32["ratio"], reach["f32"],
            rates["pipestill"][best["pipestill"]], best["ratio"], reach["best"], best["pipestill"], best["pytorch"],
            "; ".join(f"{part}: {way}" for part, way in result["pytorch_took"]["chosen"][best["pytorch"]].items()),
            "" if best["ratio"] >= reach["best"] and f32["ratio"] >= reach["f32"] else "   BEYOND"))


def compare_jobs(names):
    """Measures rows and prints them; returns the results to keep."""
    unknown = [name for name in names if name not in ROWS]
    if unknown:
        sys.exit(f"bench-peers: ROWS: {unknown[0]}: no such row; there are {', '.join(ROWS)}")
    ways = variants()
    kernels = {"pipestill": pipestill_kernels(ways), "pytorch": torch_kernels()}
    results = {}
    for name in names:
        for old in os.listdir(WORK):
            os.remove(f"{WORK}/{old}")
        row = ROWS[name]
        results[name] = measure_elastic(row, ways) if row["kind"] == "elastic" else measure(name, row, ways)
    print_table(results)
    most = peaks()
    print_shares(results, most)
    print("\nkernels:")
    for side, found in kernels.items():
        for way, kernel in found.items():
            print(f"  {side:10s} {way:14s} {kernel}")
    return {"kernels": kernels, "peaks": most, "rows": results}


def main():
    parts = os.environ.get("PARTS", "jobs loaders").split()
    results = {"rounds": ROUNDS}
    shutil.rmtree(WORK, ignore_errors=True)
    os.makedirs(WORK)
    if "jobs" in parts:
        results |= compare_jobs(os.environ.get("ROWS", " ".join(ROWS)).split())
    if "loaders" in parts:
        results["loaders"] = compare_loaders()
    shutil.rmtree(WORK)
    path = f"{BUILD}/peers.json"
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
    os.replace(path + ".part", path)
    print(f"\n{path} has them too, with every turn.")


if __name__ == "__main__":
    main()
