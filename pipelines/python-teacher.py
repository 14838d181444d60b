#!/usr/bin/python3
"""A teacher in Python: reads a stream, adds a network's logits to every batch, and writes the stream on.

MODEL is a safetensors file of a fully connected ReLU network, as student-trainer writes it. It does the same as teacher-forward,
with the package pipestill and numpy, to show how short a stage in Python is: docs/python.md. Put your own teacher in place of
`Network`.
"""
import json
import os
import struct
import sys

import numpy

# If both are installed, the package is in python/ beside this script; in the source tree it is in python/; otherwise pip has it.
here = os.path.dirname(os.path.realpath(__file__))
sys.path[1:1] = [folder for folder in (os.path.join(here, "python"), os.path.join(here, "..", "python")) if os.path.isdir(folder)]
import pipestill  # noqa: E402 (its place is known only now)


class Network:
    """A fully connected ReLU network: pairs of weight [outputs, inputs] and bias [outputs]."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        (length,) = struct.unpack_from("<Q", data)
        tensors = json.loads(data[8:8 + length])
        tensors.pop("__metadata__", None)
        arrays = {}
        for name, entry in tensors.items():
            begin, end = entry["data_offsets"]
            layer, kind = name.rsplit(".", 2)[-2:]
            arrays[int(layer), kind] = numpy.frombuffer(data[8 + length:][begin:end], "<f4").reshape(entry["shape"])
        self.layers = [(arrays[number, "weight"], arrays[number, "bias"])
                       for number in sorted({number for number, _ in arrays})]

    def logits(self, values):
        for weight, bias in self.layers[:-1]:
            values = numpy.maximum(values @ weight.T + bias, 0)
        weight, bias = self.layers[-1]
        return values @ weight.T + bias


def open_network(path):
    try:
        return Network(path)
    except (KeyError, TypeError, ValueError, struct.error) as error:
        raise pipestill.BadData(f"{path}: is not a model of dense layers in f32: {error!r}") from None


def body():
    parser = pipestill.Parser("Adds the logits of a fully connected ReLU network to a stream.")
    parser.add_argument("model", metavar="MODEL", help="a safetensors file, as student-trainer writes it")
    parser.add_argument("name", metavar="NAME", nargs="?", help="of the tensor logits/NAME (the file's name without its ending)")
    args = parser.parse_args()
    args.name = args.name or os.path.splitext(os.path.basename(args.model))[0]
    network = open_network(args.model)
    outputs, inputs = len(network.layers[-1][1]), network.layers[0][0].shape[1]
    stage = pipestill.teacher(classes=outputs, shape=(inputs,), model=args.model, name=args.name)(network.logits)
    stage.run(args)


sys.exit(pipestill.run(body))
