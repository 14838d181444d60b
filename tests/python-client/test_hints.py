"""Hints against PyTorch: what a teacher's layers give, and ten steps of a student that learns from them. Prints TAP."""
import torch
from models import check, column, numpy, pathlib, run
from networks import chain, named
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import functional

from pipestill_stream import stream

torch.manual_seed(1)
torch.set_num_threads(1)
BATCH, BATCHES = 6, 10
# After each network: the module whose outputs are those of a layer, by the layer's number.
TEACHER = "2x6x6-conv3x3:7-bn-relu-conv3x3:5-relu-maxpool2-flatten-9-tanh-3"
TEACHER_LAYERS = {"2": lambda net: net[2], "3": lambda net: net[4], "6": lambda net: net[8]}
STUDENT = "2x6x6-conv3x3:4-bn-relu-res(conv3x3:5-tanh-conv3x3:4)-maxpool2-flatten-6-tanh-3"
STUDENT_LAYERS = {"2": lambda net: net[2], "3.1": lambda net: net[3].chains[0][1], "6": lambda net: net[7]}
TERMS = ["labels", "features:hint/t.2:0.3,layer=2", "attention:hint/t.3:2,layer=3.1", "features:hint/t.6:0.5,layer=6"]


def made(architecture, layers, path):
    """A network, its tensors by name, and what its layers give in the last pass."""
    network, _ = chain(architecture.partition("-")[2], torch.randn(4, 2, 6, 6))
    tensors, given = named(network), {}
    for number, find in layers.items():
        find(network).register_forward_hook(lambda _, __, output, number=number: given.__setitem__(number, output))
    save_file({name: tensor.detach().clone() for name, tensor in tensors.items()}, path,
              {"format": "pipestill-model-1", "architecture": architecture})
    return network, tensors, given


def away(found, expected):
    """The largest difference, as a share of the largest number."""
    return float((found - expected).abs().max() / max(float(expected.abs().max()), 1e-3))


def attention(values):
    return functional.normalize(values.pow(2).sum(1).flatten(1), dim=1)


def projections(options):
    """The projections before the first step, from the checkpoint of a run that learns nothing and is cut short."""
    pathlib.Path("cut.pst").write_bytes(pathlib.Path("hints.pst").read_bytes()[:-20])
    pathlib.Path("state").unlink(missing_ok=True)
    run("student-trainer", "-q", "--from", "student.safetensors", "-i", "cut.pst", "-o", "none", *options, "-r", "1e-30",
        "--checkpoint", "state", "--checkpoint-every", "1")
    found = []
    for number, layer in (0, nn.Conv2d(4, 7, 1)), (2, nn.Linear(6, 9)):
        vector = load_file("state")[f"match.{number}.parameters"]
        aligned = (layer.weight.numel() + 15) // 16 * 16
        layer.weight.data = vector[:layer.weight.numel()].clone().view(layer.weight.shape)
        layer.bias.data = vector[aligned:aligned + layer.bias.numel()].clone()
        found.append(layer)
    return found


def optimiser_of(kind, tensors, layers):
    """PyTorch's optimiser, and the options for ours."""
    learned = [tensor for tensor in tensors.values() if tensor.requires_grad]
    learned += [parameter for layer in layers for parameter in layer.parameters()]
    groups = [{"params": [tensor for tensor in learned if tensor.ndim in (2, 4)], "weight_decay": 0.05},
              {"params": [tensor for tensor in learned if tensor.ndim == 1], "weight_decay": 0}]
    if kind == "adam":
        return torch.optim.AdamW(groups, lr=0.003, eps=1e-4), learned
    return torch.optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=kind == "nesterov"), learned


def loss_of(network, given, layers, batch, hints):
    loss = functional.cross_entropy(network(torch.from_numpy(batch["x"])), torch.from_numpy(batch["y"]))
    loss = loss + 0.3 * functional.mse_loss(layers[0](given["2"]), hints["2"])
    difference = attention(given["3.1"]) - attention(hints["3"])
    return loss + 2 * difference.pow(2).sum(1).mean() + 0.5 * functional.mse_loss(layers[1](given["6"]), hints["6"])


def steps(kind, rate, *options, clip=None):
    """How far ten steps end from PyTorch's."""
    network, tensors, given = made(STUDENT, STUDENT_LAYERS, "student.safetensors")
    options = [*(word for term in TERMS for word in ("--loss", term)), "--optimiser", kind, *options, "--weight-decay", "0.05"]
    layers = projections(options)
    options += ["-r", rate]
    optimiser, learned = optimiser_of(kind, tensors, layers)
    network.train()
    for i, batch in enumerate(batches):
        optimiser.zero_grad()
        part = slice(i * BATCH, (i + 1) * BATCH)
        loss_of(network, given, layers, batch, {number: hint[part] for number, hint in hinted.items()}).backward()
        if clip:
            nn.utils.clip_grad_norm_(learned, clip)
        optimiser.step()
    status, _, said = run("student-trainer", "-q", "--from", "student.safetensors", "-i", "hints.pst", "-o", "out.safetensors",
                          *options)
    if status != 0:
        return said
    after = load_file("out.safetensors")
    return max(away(after[name], tensor.detach()) for name, tensor in tensors.items()) if after.keys() == tensors.keys() else after


batches = [{"x": numpy.random.default_rng(i).normal(0, 1, (BATCH, 2, 6, 6)).astype("f4"),
            "y": numpy.random.default_rng(100 + i).integers(0, 3, BATCH)} for i in range(BATCHES)]
header = [{"name": "x", "dtype": "f32", "shape": [2, 6, 6]}, {"name": "y", "dtype": "i32", "shape": []}]
pathlib.Path("data.pst").write_bytes(stream(header, batches, classes=3, batches=BATCHES, epochs=1))
teacher, _, hinted = made(TEACHER, TEACHER_LAYERS, "t.safetensors")
teacher.eval()
with torch.no_grad():
    teacher(torch.from_numpy(numpy.concatenate([batch["x"] for batch in batches])))
status, out, said = run("teacher-forward", "t.safetensors", "--hint", "2", "--hint", "3", "--hint", "6", "-i", "data.pst")
pathlib.Path("hints.pst").write_bytes(out)
for number, expected in hinted.items():
    far = away(torch.from_numpy(column(out, f"hint/t.{number}").copy()), expected) if status == 0 else said
    check(f"what the teacher's layer {number} gives is PyTorch's", status == 0 and far < 1e-5, far)
for kind, *options in ("sgd", "0.01"), ("nesterov", "0.01"), ("adam", "0.003", "--epsilon", "1e-4"):
    far = steps(kind, *options)
    check(f"ten steps of {kind} from hints lead where PyTorch's do", isinstance(far, float) and far < 1e-3, far)
far = steps("sgd", "0.01", "--clip", "0.3", clip=0.3)
check("ten clipped steps from hints lead where PyTorch's do", isinstance(far, float) and far < 1e-3, far)
