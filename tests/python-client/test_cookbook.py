"""Runs the recipes of docs/cookbook.md that need Python libraries, as they stand. Prints TAP."""
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch

HERE = pathlib.Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "cookbook.md"
TOOLS = HERE.parent / "python"
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def cook(heading, *sets):
    """Runs a recipe in the present folder, on data that is made for it. Returns what it printed; None if it failed."""
    if sets:
        subprocess.run([sys.executable, TOOLS / "recipe_data.py", *sets], check=True)
    script = subprocess.run([sys.executable, TOOLS / "recipe.py", PAGE, heading], check=True, stdout=subprocess.PIPE).stdout
    # In the recipes, python is the one that has the libraries.
    environment = {**os.environ, "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}", "OPENBLAS_NUM_THREADS": "1",
                   "PYTHONPATH": str(HERE.parent.parent / "python")}
    done = subprocess.run(["bash", "-euo", "pipefail"], input=script, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
    if done.returncode != 0:
        print("#", done.stderr.decode(errors="replace").replace("\n", "\n# "))
        return None
    return done.stdout.decode()


def errors(model, *rows):
    """How many errors a student makes."""
    line = f"loader {' '.join(rows)} | teacher-forward {model} | evaluator --json"
    figures = subprocess.run(["bash", "-c", line], check=True, stdout=subprocess.PIPE).stdout.decode()
    return int(figures.split('"errors":')[1].split(",")[0])


def make_cnn():
    """A small network, trained a little on the loader's digits, as a file of TorchScript."""
    import pipestill.torch

    torch.manual_seed(1)
    torch.set_num_threads(1)
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 8, 5, 2), torch.nn.ReLU(), torch.nn.Conv2d(8, 16, 3, 2), torch.nn.ReLU(),
                              torch.nn.Flatten(), torch.nn.Linear(400, 10))
    optimiser = torch.optim.Adam(net.parameters(), 3e-3)
    for batch in pipestill.torch.Stream(["loader", "digits", "--samples", "2000", "--epochs", "4"]):
        loss = torch.nn.functional.cross_entropy(net((batch["x"][:, None] - 0.13) / 0.31), batch["y"])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    torch.jit.script(net).save("cnn.pt")


def in_folder(test):
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        test()
        os.chdir(HERE)


def forest():
    check("a forest of scikit-learn teaches a student", cook("A teacher of scikit-learn", "customers") is not None)
    wrong = errors("student.safetensors", "customers.csv --label left --id number --like student.safetensors")
    check("the student is nearly as good as its rows allow", wrong < 60, f"{wrong} of 600")


def cnn():
    make_cnn()
    check("a network of PyTorch teaches a student", cook("A teacher of PyTorch") is not None)
    wrong = errors("student.safetensors", "digits --split test --limit 1000")
    check("the student recognises most digits", wrong < 400, f"{wrong} of 1000")


def back():
    said = cook("A student back in PyTorch")
    check("a student gives the same logits in PyTorch", said is not None and said.endswith("the same logits\n"), said)


def parquet():
    import pyarrow
    import pyarrow.parquet

    random = numpy.random.default_rng(5)
    age, income = random.integers(18, 80, 600), random.normal(3, 1, 600)
    left = ((age - 45) / 12 + 3 - income > 0).astype("i4")
    pyarrow.parquet.write_table(pyarrow.table({"age": age / 50, "income": income, "left": left}), "customers.parquet")
    check("rows of a Parquet file are learned from", cook("Parquet") is not None)
    subprocess.run("replay rows.pst | teacher-forward parquet.safetensors -o asked.pst", shell=True, check=True)
    figures = subprocess.run(["evaluator", "--json", "-i", "asked.pst"], check=True, stdout=subprocess.PIPE).stdout.decode()
    wrong = int(figures.split('"errors":')[1].split(",")[0])
    check("the student of a Parquet file predicts its rows", wrong < 60, f"{wrong} of 600")


for test in (forest, cnn, back, parquet):
    in_folder(test)
print(f"1..{count}")
