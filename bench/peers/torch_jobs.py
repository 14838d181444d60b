"""PyTorch's side of bench/peers: one row of the table, in its fastest way.

torch_jobs.py ROW FOLDER   makes the row's job ready with the data in FOLDER, prints a line of JSON that says what was
                           chosen, and answers each line "f32 BATCHES" or "bf16 BATCHES" with the seconds that it took
torch_jobs.py kernels      multiplies once in each way; with ONEDNN_VERBOSE=1 and MKL_VERBOSE=1 the libraries print how

Chosen by trial, separately for teachers and student, in f32 and in bf16: the library for products (MKL, or oneDNN by
set_float32_matmul_precision, which counts as f32 only if its error is that of f32), and torch.compile or not. All data
are in one tensor in memory, of bf16 in the bf16 rows; teachers' weights are converted once; SGD is fused; memory is not
given back to the system at each step (the environment that peer.py sets).
"""
import json
import os
import sys
import time

import torch
import torch._inductor.config as inductor
import torch.nn.functional as F

from rows import BATCH, ROWS, TEMPERATURE, shape_of

TRIAL = float(os.environ.get("TRIAL", "1.5"))  # seconds for each way that is tried


def layer(word, channels):
    """The layer of one word for so many channels, and how many channels it gives."""
    if word.startswith("conv3x3:"):
        maps = int(word.removeprefix("conv3x3:"))
        return [torch.nn.Conv2d(channels, maps, 3, padding=1, bias=False)], maps
    if word == "gap":
        return [torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten()], channels
    if word.isdigit():
        return [torch.nn.Linear(channels, int(word))], int(word)
    others = {"bn": lambda: torch.nn.BatchNorm2d(channels), "relu": torch.nn.ReLU, "maxpool2": lambda: torch.nn.MaxPool2d(2)}
    return [others[word]()], channels


def network(architecture):
    """A network from "784-800-10", dense layers with ReLU between, or "3x32x32-conv3x3:32-bn-relu-…-gap-100"."""
    first, *words = architecture.split("-")
    channels, layers = shape_of(first)[0], []
    for i, word in enumerate(words):
        layers += [torch.nn.ReLU()] if i and word.isdigit() and words[i - 1].isdigit() else []
        more, channels = layer(word, channels)
        layers += more
    return torch.nn.Sequential(*layers).to(memory_format=torch.channels_last)


def as_it_likes(x):
    """Pictures with their channels last, which is faster."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x


def f32_error(precision):
    """The relative error of a product in f32 at this precision, against double."""
    torch.set_float32_matmul_precision(precision)
    generator = torch.Generator().manual_seed(1)
    x, w = torch.randn(128, 784, generator=generator), torch.randn(1200, 784, generator=generator)
    exact = x.double() @ w.double().T
    return float((F.linear(x, w) - exact).norm() / exact.norm())


def seconds_per_call(function, *arguments):
    """How long one call takes, after some for warming up."""
    for _ in range(3):
        function(*arguments)
    calls, begun = 0, time.perf_counter()
    while (now := time.perf_counter()) - begun < TRIAL or calls < 3:
        function(*arguments)
        calls += 1
    return (now - begun) / calls


def at(precision, function):
    """The function, with products of f32 at this precision."""
    def call(*arguments):
        torch.set_float32_matmul_precision(precision)
        return function(*arguments)
    return call


def fastest(ways, *arguments):
    """The fastest of some ways, {name: function without compiling}: first as they are, then the best one compiled."""
    seconds = {}
    for name, (precision, function, wrap) in ways.items():
        seconds[name] = seconds_per_call(at(precision, wrap(function)), *arguments)
    name = min(seconds, key=seconds.get)
    precision, function, wrap = ways[name]
    chosen = at(precision, wrap(function))
    try:
        compiled = at(precision, wrap(torch.compile(function)))
        seconds[name + ", compiled"] = seconds_per_call(compiled, *arguments)
    except Exception as error:  # for example a machine without a C++ compiler
        print(f"torch.compile fails: {str(error).splitlines()[0]}", file=sys.stderr)
        compiled = None
    if compiled is not None and seconds[name + ", compiled"] < seconds[name]:
        name, chosen = name + ", compiled", compiled
    return name, chosen, seconds


class Job:
    """What a row does to a batch, in one precision."""

    def __init__(self, row, precision, data, targets, errors):
        self.row, self.precision, self.errors = row, precision, errors
        self.numbers = torch.bfloat16 if precision == "bf16" else torch.float32
        self.data, self.targets = as_it_likes(data.to(self.numbers)), targets
        torch.manual_seed(1)
        self.chosen, self.tried = {}, {}
        x = as_it_likes(self.data[:BATCH])
        self.ask = self.learn = None
        if row["kind"] in ("live", "forward"):
            self.ask = self.choose("teacher", self.asking(), x)
        if row["kind"] != "forward":
            self.learn = self.choose("student", self.learning(), x, self.targets_of(x, slice(0, BATCH)))

    def choose(self, part, function_and_wrap, *arguments):
        """The fastest way for one part of the job."""
        ways = {}
        for precision, library in (("highest", "MKL"), ("medium", "oneDNN")):
            if self.precision == "bf16":
                library = "bf16" if precision == "medium" else None  # the products that stay in f32 may use either library
            elif self.errors[precision] > 1e-5:
                library = None
            if library is not None:
                ways[library] = (precision, *function_and_wrap)
        self.chosen[part], chosen, self.tried[part] = fastest(ways, *arguments)
        return chosen

    def asking(self):
        """Teachers' answers to a batch: logits for the row `forward`, otherwise the mean of their soft targets."""
        teachers = [network(self.row["teacher"]).to(self.numbers).eval() for _ in range(self.row["teachers"])]
        if self.row["kind"] == "forward":
            function = teachers[0]
        else:
            def function(x):
                soft = [torch.softmax(teacher(x).float() / TEMPERATURE, 1) for teacher in teachers]
                return soft[0] if len(soft) == 1 else torch.stack(soft).mean(0)
        return function, torch.no_grad()

    def learning(self):
        """A step of training: the loss and its gradient are compiled."""
        student = network(self.row["student"])
        optimiser = torch.optim.SGD(student.parameters(), lr=0.02, momentum=0.9, fused=True)
        hard, bf16 = self.row["kind"] == "train", self.precision == "bf16"

        def loss(x, target):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                logits = student(x)
            logits = logits.float()
            # For soft targets this is the divergence plus a constant, so the gradient is the same.
            return F.cross_entropy(logits, target) if hard else \
                F.cross_entropy(logits / TEMPERATURE, target) * TEMPERATURE ** 2

        def wrap(function):
            def step(x, target):
                optimiser.zero_grad(set_to_none=True)
                function(x, target).backward()
                optimiser.step()
            return step
        return loss, wrap

    def targets_of(self, x, samples):
        """What the student learns from."""
        return self.targets[samples] if self.ask is None else self.ask(x)

    def run(self, batches):
        """Goes through so many batches, in a new order each epoch; returns the seconds."""
        n, done, begun = len(self.data), 0, time.perf_counter()
        while done < batches:
            order = torch.randperm(n)
            for first in range(0, n - BATCH + 1, BATCH):
                if self.row["kind"] == "forward":
                    self.ask(as_it_likes(self.data[first:first + BATCH]))
                else:
                    samples = order[first:first + BATCH]
                    x = as_it_likes(self.data[samples])
                    self.learn(x, self.targets_of(x, samples))
                done += 1
                if done == batches:
                    break
        return time.perf_counter() - begun


def load(row, folder):
    """Inputs in f32, and targets: labels, or for `replay` soft targets."""
    import numpy
    name = "mnist" if row["data"] == "mnist" else f"{row['data'][0]}-{row['data'][1]}"
    data = torch.from_numpy(numpy.load(f"{folder}/{name}-x.npy")).float()
    if row["data"] == "mnist":
        data /= 255
    labels = torch.from_numpy(numpy.load(f"{folder}/{name}-y.npy")).long()
    if row["kind"] != "replay":
        return data, labels
    return data, torch.softmax(network(row["teacher"])(data) / TEMPERATURE, 1).detach()


def serve(row, folder):
    """Answers lines until there are no more."""
    torch.set_num_threads(row["cores"])
    inductor.freezing = True  # packs the weights of networks that do not learn
    errors = {precision: f32_error(precision) for precision in ("highest", "medium")}
    data, targets = load(row, folder)
    jobs = {precision: Job(row, precision, data, targets, errors) for precision in ("f32", "bf16")}
    print(json.dumps({"chosen": {p: job.chosen for p, job in jobs.items()},
                      "seconds_per_batch_tried": {p: job.tried for p, job in jobs.items()},
                      "error_of_f32": errors}), flush=True)
    for line in sys.stdin:
        precision, batches = line.split()
        print(jobs[precision].run(int(batches)), flush=True)


def show_kernels():
    """Multiplies once in each way, and prints a line before each."""
    x, w = torch.randn(128, 784), torch.randn(1200, 784)
    for name, precision, convert in (("f32", "highest", torch.float32), ("f32, oneDNN", "medium", torch.float32),
                                     ("bf16", "medium", torch.bfloat16)):
        print(f"way {name}", flush=True)
        torch.set_float32_matmul_precision(precision)
        F.linear(x.to(convert), w.to(convert))


if __name__ == "__main__":
    if sys.argv[1] == "kernels":
        show_kernels()
    else:
        serve(ROWS[sys.argv[1]], sys.argv[2])
