"""pipestill-onnx against PyTorch. Prints TAP."""
import hashlib

import onnx
import torch
from models import check, column, pathlib, pipe, pool, read, run, same_answers

torch.manual_seed(1)
torch.set_num_threads(1)
network = torch.nn.Sequential(torch.nn.Conv2d(1, 4, 5, stride=2), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(576, 10)).eval()
x = torch.zeros(1, 1, 28, 28)
torch.onnx.export(network, x, "free.onnx", dynamo=False, input_names=["x"], dynamic_axes={"x": {0: "n"}})
torch.onnx.export(network, torch.zeros(32, 1, 28, 28), "fixed.onnx", dynamo=False)
torch.onnx.export(torch.nn.Sequential(network, torch.nn.Softmax(1)), x, "sure.onnx", dynamo=False, input_names=["x"],
                  dynamic_axes={"x": {0: "n"}})
torch.onnx.export(network, torch.zeros(1, 1, 28, 28), "sizes.onnx", dynamo=False, input_names=["x"],
                  dynamic_axes={"x": {0: "n", 2: "height"}})
onnx.save(onnx.load("free.onnx"), "apart.onnx", save_as_external_data=True, location="apart.data", size_threshold=0)

digits = pipe("loader digits --samples 150 --batch 50")
with torch.no_grad():
    expected = network(torch.from_numpy(column(digits, "x")).unsqueeze(1).float() / 255).numpy()


def digest(name):
    return hashlib.sha256(pathlib.Path(name).read_bytes()).hexdigest()


def entry_of(stream, tensor):
    header = read(stream)[0]
    return header.lineage[header[tensor].origin]


for name, what in (("free", "of any number of samples"), ("fixed", "of 32 samples at a time"),
                   ("apart", "with its weights in another file")):
    status, out, said = run("pipestill-onnx", f"{name}.onnx", data=digits)
    away = abs(column(out, f"logits/{name}") - expected).max() if status == 0 else said
    check(f"a model {what} gives PyTorch's logits", status == 0 and away < 1e-4, away)
answers = pipe("pipestill-onnx free.onnx --name t --threads 2", digits)
check("its origin names the file's digest", entry_of(answers, "logits/t")["model"] == digest("free.onnx"))
check("its origin names the digest of the weights' file", entry_of(pipe("pipestill-onnx apart.onnx", digits), "logits/apart")["model"]
      == [digest("apart.onnx"), digest("apart.data")])
check("behind a dispatcher its answers are the same",
      same_answers(answers, pool(digits, "pipestill-onnx", "free.onnx", "--name", "t"), "logits/t"))
sure = pipe("pipestill-onnx --probabilities sure.onnx", digits)
check("a model that ends with a softmax gives soft targets", abs(column(sure, "soft/sure").sum(axis=1) - 1).max() < 1e-5)

pathlib.Path("text.onnx").write_text("no model")
for what, code, words, arguments, data in (
        ("a model that is not there", 66, "is not there", ["none.onnx"], digits),
        ("another file", 65, "is not a model", ["text.onnx"], digits),
        ("a model of any height", 65, "sizes but the first are fixed", ["sizes.onnx"], digits),
        ("inputs of another shape", 65, "takes [1, 28, 28]", ["free.onnx"],
         pipe("pipestill-onnx free.onnx | stream-select --drop x --rename logits/free=x", digits)),
        ("no model", 64, "--help", [], digits)):
    status, out, said = run("pipestill-onnx", *arguments, data=data)
    check(f"{what} ends pipestill-onnx with {code}", status == code and words in said, f"{status}: {said[-400:]}")
check("--help shows the usage", b"MODEL.onnx" in run("pipestill-onnx", "--help")[1])
