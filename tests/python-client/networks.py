"""PyTorch networks from the text of an architecture, for the tests that compare with PyTorch."""
import re

from torch import nn

ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "gelu": nn.GELU, "silu": nn.SiLU, "none": nn.Identity, "sigmoid": nn.Sigmoid}


def split(text, mark):
    """The parts of a text between marks that are outside of parentheses."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if letter == mark and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def pair(text):
    return tuple(int(number) for number in (text.split("x") * 2)[:2])


class Residual(nn.Module):
    """A chain plus its inputs, or plus a shortcut."""

    def __init__(self, chains):
        super().__init__()
        self.chains = nn.ModuleList(chains)

    def forward(self, x):
        return self.chains[0](x) + (self.chains[1](x) if len(self.chains) > 1 else x)


def convolution(name, numbers, settings, x, normalised):
    """conv3x3:8,stride=2 or depthwise3x3."""
    channels = x.shape[1]
    kernel = pair(numbers.split(":")[0])
    maps = channels if name == "depthwise" else int(numbers.split(":")[1])
    dilation = pair(settings.get("dilation", "1"))
    pad = pair(settings["pad"]) if "pad" in settings else tuple(d * (k - 1) // 2 for d, k in zip(dilation, kernel))
    groups = channels if name == "depthwise" else int(settings.get("groups", 1))
    bias = "bias" in settings or not ("nobias" in settings or normalised)
    return nn.Conv2d(channels, maps, kernel, pair(settings.get("stride", "1")), pad, dilation, groups, bias)


def module(word, x, following):
    """The module of a word, for inputs like x."""
    if word.startswith("res("):
        return Residual([chain(part, x)[0] for part in split(word[4:-1], "|")])
    head, *rest = word.split(",")
    settings = dict((*setting.split("="), "")[:2] for setting in rest)
    name, numbers = re.fullmatch(r"([a-z]*)(.*)", head).groups()
    if name in ("conv", "depthwise"):
        return convolution(name, numbers, settings, x, following.startswith("bn"))
    if name == "":
        return nn.Linear(x.shape[1], int(numbers))
    if name in ("maxpool", "avgpool"):
        pool = nn.MaxPool2d if name == "maxpool" else nn.AvgPool2d
        return pool(pair(numbers), pair(settings.get("stride", numbers)), pair(settings.get("pad", "0")))
    epsilon, momentum = float(settings.get("epsilon", 1e-5)), float(settings.get("momentum", 0.1))
    if name == "bn":
        return (nn.BatchNorm2d if x.ndim == 4 else nn.BatchNorm1d)(x.shape[1], epsilon, momentum)
    if name == "ln":
        return nn.LayerNorm(x.shape[1:], epsilon)
    if name == "gap":
        return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    return nn.Flatten() if name == "flatten" else ACTIVATIONS[name]()


def chain(text, x):
    """The modules of a chain in a row, and their output for x."""
    words, modules = split(text, "-"), []
    for word, following in zip(words, [*words[1:], ""]):
        modules.append(module(word, x, following))
        x = modules[-1](x)
    return nn.Sequential(*modules), x


def named(modules, prefix="layers"):
    """The names that a model gives to parameters and statistics."""
    all_of_them, number = {}, 0
    for one in modules:
        if isinstance(one, Residual):
            found = {}
            for name, inner in zip(("layers", "layers2"), one.chains):
                found |= named(inner, f"{prefix}.{number}.{name}")
        else:
            found = {f"{prefix}.{number}.{name}": tensor for name, tensor in one.state_dict(keep_vars=True).items()
                     if name != "num_batches_tracked"}
        number += bool(found)
        all_of_them |= found
    return all_of_them
