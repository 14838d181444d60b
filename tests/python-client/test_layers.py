"""Layers against PyTorch: outputs, every gradient, ten steps of an optimiser, statistics. Prints TAP."""
import json

import torch
from models import check, column, numpy, pathlib, run
from networks import chain, named
from safetensors.torch import load_file, save_file
from torch import nn, optim
from torch.nn import functional

from pipestill_stream import stream

torch.manual_seed(1)
torch.set_num_threads(1)
CLASSES, BATCH = 3, 6


def save(path, architecture, tensors):
    save_file({name: tensor.detach().clone() for name, tensor in tensors.items()}, path,
              {"format": "pipestill-model-1", "architecture": architecture})


def batches_of(shape, count):
    return [{"x": numpy.random.default_rng(i).normal(0, 1, (BATCH, *shape)).astype("f4"),
             "y": numpy.random.default_rng(100 + i).integers(0, CLASSES, BATCH)} for i in range(count)]


def recorded(shape, batches):
    header = [{"name": "x", "dtype": "f32", "shape": list(shape)}, {"name": "y", "dtype": "i32", "shape": []}]
    pathlib.Path("data.pst").write_bytes(stream(header, batches, classes=CLASSES, batches=len(batches), epochs=1))


def away(found, expected):
    """The largest difference, as a share of the largest number."""
    return float((found - expected).abs().max() / max(float(expected.abs().max()), 1e-3))


def train(*options):
    pathlib.Path("out.safetensors").unlink(missing_ok=True)
    status, _, said = run("student-trainer", "-q", "--from", "in.safetensors", "-i", "data.pst", "-o", "out.safetensors", *options)
    return load_file("out.safetensors") if status == 0 else said


def gradients(network, tensors, batch):
    """PyTorch's gradients, and ours by a step of rate 1 without momentum."""
    loss = functional.cross_entropy(network(torch.from_numpy(batch["x"])), torch.from_numpy(batch["y"]))
    loss.backward()
    before = {name: tensor.detach().clone() for name, tensor in tensors.items()}
    after = train("-r", "1", "--momentum", "0")
    largest = max(float(tensor.grad.abs().max()) for tensor in tensors.values() if tensor.grad is not None)
    worst = 0.0
    for name, tensor in tensors.items():
        if tensor.grad is not None:
            difference = (before[name] - after[name]) - tensor.grad
            worst = max(worst, float(difference.abs().max()) / max(float(tensor.grad.abs().max()), 0.02 * largest))
        else:  # a statistic
            worst = max(worst, away(after[name], tensor))
    return worst


def averaged(network, decay):
    """PyTorch's average, without the weights from before the first step."""
    return optim.swa_utils.AveragedModel(network, use_buffers=True, avg_fn=lambda average, new, count: torch.lerp(
        average.double(), new.double(), (1 - decay) / (1 - decay ** (int(count) + 1))).to(average.dtype))


def steps(kind, network, tensors, batches, clip=None, ema=None):
    """How far ten steps end from PyTorch's."""
    average = averaged(network, ema) if ema else None
    decays = [tensor for name, tensor in tensors.items() if tensor.ndim in (2, 4) and tensor.requires_grad]
    others = [tensor for tensor in tensors.values() if tensor.requires_grad and not any(tensor is other for other in decays)]
    groups = [{"params": decays, "weight_decay": 0.05}, {"params": others, "weight_decay": 0}]
    if kind == "adam":
        optimiser = torch.optim.AdamW(groups, lr=0.003, eps=1e-4)
        options = ["--optimiser", "adam", "--epsilon", "1e-4", "-r", "0.003"]
    else:
        optimiser = torch.optim.SGD(groups, lr=0.01, momentum=0.9, nesterov=kind == "nesterov")
        options = ["--optimiser", kind, "-r", "0.01"]
    for batch in batches:
        optimiser.zero_grad()
        functional.cross_entropy(network(torch.from_numpy(batch["x"])), torch.from_numpy(batch["y"])).backward()
        if clip:
            nn.utils.clip_grad_norm_(network.parameters(), clip)
            options = [*options[:4], "--clip", str(clip)]
        optimiser.step()
        if ema:
            average.update_parameters(network)
            tensors, options = named(average.module), [*options[:4], "--ema", str(ema)]
    after = train(*options, "--weight-decay", "0.05")
    return max(away(after[name], tensor.detach()) for name, tensor in tensors.items()) if isinstance(after, dict) else after


def prepared(architecture):
    """A network with its tensors by name, written as in.safetensors."""
    shape = tuple(int(size) for size in architecture.split("-")[0].split("x"))
    network, _ = chain(architecture.partition("-")[2], torch.randn(4, *shape))
    for one in network.modules():  # statistics that differ from the initial ones
        if isinstance(one, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.normal_(one.weight, 1, 0.3)
            nn.init.normal_(one.bias, 0, 0.3)
    tensors = named(network)
    save("in.safetensors", architecture, tensors)
    return shape, network, tensors


for architecture in ("2x8x7-conv3x3:6-tanh-flatten-3", "4x9x8-conv3x2:6,stride=2x1,pad=1,dilation=1x2,groups=2-relu-gap-3",
                     "3x8x8-depthwise3x3-gelu-conv1x1:5-silu-flatten-3", "1x1x20-conv1x5:6,stride=1x2-relu-maxpool1x2-flatten-3",
                     "2x8x8-conv5x5:6-maxpool3x3,stride=2,pad=1-tanh-avgpool2x2-flatten-3",
                     "2x8x8-conv3x3:6-bn-relu-conv3x3:8,bias-bn,momentum=0.3,epsilon=0.001-tanh-gap-3", "12-16-none-bn-relu-3",
                     "2x6x6-conv3x3:4-ln-gelu-flatten-8-none-ln,epsilon=0.001-3",
                     "3x8x8-res(conv3x3:3-bn-relu-conv3x3:3-bn)-relu-res(conv3x3:6,stride=2-tanh|conv1x1:6,stride=2-bn)-relu-gap-3",
                     "9-res(16-relu-9-none)-tanh-res(5-none-bn|5-none)-3"):
    shape, network, tensors = prepared(architecture)
    batches = batches_of(shape, 10)
    recorded(shape, batches)
    network.eval()
    with torch.no_grad():
        expected = network(torch.from_numpy(numpy.concatenate([batch["x"] for batch in batches])))
    status, out, said = run("teacher-forward", "in.safetensors", "--name", "t", "-i", "data.pst")
    far = away(torch.from_numpy(column(out, "logits/t").copy()), expected) if status == 0 else said
    check(f"{architecture}: outputs are PyTorch's", status == 0 and far < 1e-5, far)
    network.train()
    recorded(shape, batches[:1])
    far = gradients(network, tensors, batches[0])
    check(f"{architecture}: every gradient and statistic is PyTorch's", far < 2e-4, far)
    for kind in ("sgd", "nesterov", "adam"):
        shape, network, tensors = prepared(architecture)
        recorded(shape, batches)
        network.train()
        far = steps(kind, network, tensors, batches)
        check(f"{architecture}: ten steps of {kind} lead where PyTorch's do", isinstance(far, float) and far < 1e-3, far)

shape, network, tensors = prepared(architecture)
network.train()
far = steps("sgd", network, tensors, batches, clip=0.2)
check("ten clipped steps lead where PyTorch's do", isinstance(far, float) and far < 1e-3, far)
for decay in (0.5, 0.99):
    shape, network, tensors = prepared("2x8x8-conv3x3:6-bn-relu-gap-3")
    recorded(shape, batches_of(shape, 10))
    network.train()
    far = steps("nesterov", network, tensors, batches_of(shape, 10), ema=decay)
    check(f"--ema {decay} averages ten steps, and statistics, as PyTorch's does", isinstance(far, float) and far < 1e-3, far)
prepared(architecture)
status, out, said = run("stream-inspect", "--json", "in.safetensors")
check("what PyTorch wrote is shown with its layers", status == 0 and len(json.loads(out)["network"]["layers"]) == 3, said)
