"""PyTorch: a CNN as a teacher, training on streams, and students back in PyTorch. Prints TAP."""
import json

import torch
from models import PYTHON, accuracy, check, column, numpy, pathlib, pipe, pipestill, pool, read, run, same_answers, script
from pipestill.torch import Stream
from safetensors.torch import load_file
from torch.nn import functional
from torch.utils.data import DataLoader

torch.manual_seed(1)
torch.set_num_threads(1)
CNN = """
import torch
from torch import nn

def cnn():
    return nn.Sequential(nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 5, stride=2), nn.ReLU(), nn.Flatten(),
                         nn.Linear(256, 10))
"""
TEACHER = """
import pipestill, torch
from cnn import cnn
torch.set_num_threads(1)
network = cnn()
network.load_state_dict(torch.load("cnn.pt"))
network.eval()

@pipestill.teacher(classes=10, name="cnn", shape=(1, 28, 28), model=["cnn.pt", "cnn.py", __file__])
@torch.no_grad()
def answer(x):
    return network(torch.from_numpy(x))

answer.main()
"""
script("cnn.py", CNN)
script("teacher.py", TEACHER)
space = {}
exec(CNN, space)
cnn = space["cnn"]

# ---- a teacher ---------------------------------------------------------------------------------------------------------

network = cnn()
optimiser = torch.optim.Adam(network.parameters(), 0.003)
epochs = []
for epoch, batches in Stream(["loader", "digits", "--samples", "2000", "--epochs", "8", "--batch", "32", "--seed", "1"]).by_epoch():
    epochs.append(epoch)
    for batch in batches:
        loss = functional.cross_entropy(network(batch["x"].unsqueeze(1)), batch["y"])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
torch.save(network.state_dict(), "cnn.pt")
check("a CNN learns from what a command writes, epoch by epoch", epochs == list(range(8)) and loss.item() < 0.5, loss.item())

tested = pipe("loader digits --samples 500 --split test --batch 100")
answers = pipe(f"{PYTHON} teacher.py", tested)
with torch.no_grad():
    expected = network(torch.from_numpy(column(tested, "x")).unsqueeze(1).float() / 255).numpy()
away = abs(column(answers, "logits/cnn") - expected).max()
check("its logits in a pipe are PyTorch's", away < 1e-3, away)
check("a CNN recognises digits", accuracy(answers, "logits/cnn") > 0.85, accuracy(answers, "logits/cnn"))
check("behind a dispatcher its answers are the same", same_answers(answers, pool(tested, PYTHON, "teacher.py"), "logits/cnn"))
entry = read(answers)[0].lineage[read(answers)[0]["logits/cnn"].origin]
check("its origin names the three files", len(entry["model"]) == 3)

# ---- a recording by C, learned from in PyTorch -------------------------------------------------------------------------

pipe(f"loader digits --samples 2000 --epochs 5 --batch 32 | {PYTHON} teacher.py | temperature-softmax -T 3 -o transfer.pst")
student = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 40), torch.nn.ReLU(), torch.nn.Linear(40, 10))
optimiser = torch.optim.Adam(student.parameters(), 0.003)
for batch in DataLoader(Stream("transfer.pst"), batch_size=None):
    loss = functional.kl_div(torch.log_softmax(student(batch["x"]) / 3, 1), batch["soft/cnn"], reduction="batchmean") * 9
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
with torch.no_grad():
    right = student(torch.from_numpy(column(tested, "x")).float() / 255).argmax(1).numpy() == column(tested, "y")
check("a student in PyTorch learns from a recording of C stages", right.mean() > 0.8, right.mean())

# ---- one by PyTorch, learned from in C ---------------------------------------------------------------------------------

with pipestill.read("transfer.pst") as reader:
    header = pipestill.Header([pipestill.Tensor("x", "f32", (28, 28)), pipestill.Tensor("y", "i32"), pipestill.Tensor("id", "u64"),
                               pipestill.Tensor("soft/cnn", "f32", (10,), temperature=2)], classes=10, epochs=5)
    with pipestill.write("by-torch.pst", header) as writer, torch.no_grad():
        for batch in reader:
            x = torch.from_numpy(batch.numbers("x"))
            soft = torch.softmax(network(x.unsqueeze(1)) / 2, 1)
            writer.write({"x": x, "y": torch.from_numpy(batch["y"].astype("i8")), "id": batch["id"], "soft/cnn": soft}, batch.epoch)
check("C reads PyTorch's recording as a whole stream", run("stream-inspect", "--check", "by-torch.pst")[0] == 0)
pipe("student-trainer --arch 784-60-10 --learning-rate 0.05 --seed 1 -q -i by-torch.pst -o student.safetensors")
answers = pipe("teacher-forward student.safetensors --name s", tested)
check("a student in C learns from it", accuracy(answers, "logits/s") > 0.8, accuracy(answers, "logits/s"))

# ---- a student back into PyTorch ---------------------------------------------------------------------------------------

tensors = load_file("student.safetensors")
x = torch.from_numpy(column(tested, "x")).float().reshape(-1, 784) / 255
numbers = sorted({int(name.split(".")[-2]) for name in tensors})
for number in numbers:
    of = {name.split(".")[-1]: tensor for name, tensor in tensors.items() if int(name.split(".")[-2]) == number}
    x = functional.linear(x if number == numbers[0] else torch.relu(x), of["weight"], of["bias"])
away = abs(x.numpy() - column(answers, "logits/s")).max()
check("a student of C gives the same logits in PyTorch", away < 1e-3, away)

# ---- Stream ------------------------------------------------------------------------------------------------------------

recorded = Stream("transfer.pst")
check("a Stream has its recording's header", recorded.header.classes == 10 and recorded.header["soft/cnn"].temperature == 3)
batch = next(iter(recorded))
types = {name: str(tensor.dtype).removeprefix("torch.") for name, tensor in batch.items()}
check("numbers are float32 and whole numbers int64", types == {
    "x": "float32", "y": "int64", "id": "int64", "logits/cnn": "float32", "soft/cnn": "float32"}, types)
check("pixels are from 0 to 1", 0.5 < float(batch["x"].max()) <= 1)
check("some tensors can be chosen, and bytes left as they are", {name: str(tensor.dtype) for name, tensor in next(iter(Stream(
    "transfer.pst", names=["x"], raw=["x"]))).items()} == {"x": "torch.uint8"})
shared = DataLoader(Stream("transfer.pst", epoch=1, names=["id"]), batch_size=None, num_workers=2)
ids = numpy.concatenate([batch["id"] for batch in shared])
check("two workers share out a recording, each sample once", sorted(ids.tolist()) == list(range(2000)))
sizes = [len(batch["y"]) for batch in DataLoader(Stream("transfer.pst", samples=True, epoch=0, names=["y"]), batch_size=300)]
check("single samples make batches of any size", sizes == [300] * 6 + [200], sizes)


def refused(function):
    """The message of the error that a function raises."""
    try:
        function()
    except Exception as error:
        return str(error)
    return ""


said = refused(lambda: list(DataLoader(Stream(["loader", "digits", "--samples", "10"]), batch_size=None, num_workers=2)))
check("two workers do not share a command, and the error says what to do", "num_workers=1" in said, said)
one = list(DataLoader(Stream("loader digits --samples 10", shell=True), batch_size=None, num_workers=1))
check("one worker runs a command", sum(len(batch["id"]) for batch in one) == 10)
check("a command that fails is an error", "empty" in refused(lambda: list(Stream("exit 3", shell=True))))
said = refused(lambda: list(Stream("loader digits --samples 10; exit 3", shell=True)))
check("a command that fails after its stream is an error", "exit code 3" in said, said)
pathlib.Path("cut.pst").write_bytes(pathlib.Path("transfer.pst").read_bytes()[:-10])
said = refused(lambda: list(DataLoader(Stream("cut.pst"), batch_size=None, num_workers=2)))
check("a recording that is cut is an error in workers, too", "truncated" in said, said)
begun = iter(Stream(["loader", "digits", "--epochs", "0", "-q"]))
next(begun)
begun.close()
check("a command ends if its loop is left", True)
check("lineage is JSON", json.dumps(recorded.header.lineage) != "")
