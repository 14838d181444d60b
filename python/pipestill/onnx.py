"""pipestill-onnx: any network in an ONNX file as a teacher, by onnxruntime or OpenVINO, the first that is installed."""
from __future__ import annotations

import math
import os
import re
import sys
import typing

import numpy

from . import frame
from .errors import BadData, NoInput, Unavailable
from .stage import teacher

EXTERNAL = re.compile(rb"\x0a\x08location\x12([\x01-\x7f])")  # protobuf: key "location", then a value of so many bytes


class OnnxRuntime:
    """A network that onnxruntime runs. shape: of its input; None for a size that is not fixed."""

    def __init__(self, path: str, threads: int) -> None:
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 3
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        inputs, self.output = self.session.get_inputs(), self.session.get_outputs()[0].name
        self.inputs, self.name, self.dtype = len(inputs), inputs[0].name, inputs[0].type
        self.shape = [size if isinstance(size, int) and size > 0 else None for size in inputs[0].shape]

    def __call__(self, x: numpy.ndarray) -> numpy.ndarray:
        return self.session.run([self.output], {self.name: x})[0]


class OpenVino:
    """The same by OpenVINO."""

    def __init__(self, path: str, threads: int) -> None:
        import openvino
        core = openvino.Core()
        model = core.read_model(path)
        partial = model.inputs[0].get_partial_shape()
        self.inputs, self.dtype = len(model.inputs), f"tensor({model.inputs[0].get_element_type().get_type_name()})"
        self.dtype = {"tensor(f32)": "tensor(float)"}.get(self.dtype, self.dtype)
        self.shape = [size.get_length() if size.is_static else None for size in partial]
        precise = {"INFERENCE_NUM_THREADS": threads, "INFERENCE_PRECISION_HINT": "f32"}
        self.compiled = core.compile_model(model, "CPU", precise)

    def __call__(self, x: numpy.ndarray) -> numpy.ndarray:
        return self.compiled(x)[0]


def load(path: str, threads: int) -> typing.Any:
    """The network in a file, by the first runtime that is installed. Raises NoInput, BadData, Unavailable."""
    if not os.path.isfile(path):
        raise NoInput(f"{path}: is not there, or not a file")
    for runtime in (OnnxRuntime, OpenVino):
        try:
            return runtime(path, threads)
        except ImportError:
            continue
        except Exception as error:  # each runtime has errors of its own
            raise BadData(f"{path}: is not a model that can be run: {str(error).splitlines()[0]}") from None
    raise Unavailable("neither onnxruntime nor openvino is installed: pip install onnxruntime")


def files_of(path: str) -> list[str]:
    """The file, and the files beside it that it names for its weights: all of them decide what it answers."""
    with open(path, "rb") as file:
        model = file.read()
    names = {model[found.end():found.end() + found[1][0]].decode(errors="replace") for found in EXTERNAL.finditer(model)}
    beside = [os.path.join(os.path.dirname(path), name) for name in sorted(names)]
    return [path, *(file for file in beside if os.path.isfile(file))]


class Network:
    """A network as a function from x [n, *shape] to rows [n, outputs], for any number of samples that the model takes at once."""

    def __init__(self, path: str, threads: int) -> None:
        self.model, self.path = load(path, threads), path
        batch, *shape = self.model.shape or [None]
        if self.model.inputs != 1 or self.model.dtype != "tensor(float)" or None in shape:
            raise BadData(f"{path}: has {self.model.inputs} inputs, the first of them {self.model.dtype} {self.model.shape}; one "
                          "input of floats is needed, all of whose sizes but the first are fixed")
        self.batch, self.shape = batch, tuple(shape)
        self.outputs = self(numpy.zeros((1, *self.shape), "f4")).shape[1]

    def __call__(self, x: numpy.ndarray) -> numpy.ndarray:
        if self.batch is None:
            return self._rows(self.model(x), len(x))
        rows = []
        for begin in range(0, len(x), self.batch):
            part = x[begin:begin + self.batch]
            filled = numpy.zeros((self.batch, *self.shape), "f4")
            filled[:len(part)] = part
            rows.append(self._rows(self.model(filled), self.batch)[:len(part)])
        return numpy.concatenate(rows)

    def _rows(self, answer: numpy.ndarray, n: int) -> numpy.ndarray:
        if answer.ndim < 2 or len(answer) != n:
            raise BadData(f"{self.path}: its first output is {list(answer.shape)} for {n} samples; it must have a row for each")
        return answer.reshape(n, math.prod(answer.shape[1:]))


def _body() -> None:
    parser = frame.Parser("Adds what a network in an ONNX file says about x, as logits/NAME. The input's shape is taken from the "
                          "model; x, such as pixels from 0 to 1, must have as many elements.")
    parser.add_argument("model", metavar="MODEL.onnx", help="the network: one input of floats, its first output the logits")
    parser.add_argument("-n", "--name", help="of the tensor that is added (the file's name without its ending)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="threads of the runtime (1)")
    parser.add_argument("--probabilities", action="store_true",
                        help="the model ends with a softmax: add soft/NAME, for temperature-softmax --from-probs")
    args = parser.parse_args()
    frame.guard_stdout()
    network = Network(args.model, max(1, args.threads))
    args.name = args.name or os.path.splitext(os.path.basename(args.model))[0]
    files = files_of(args.model)
    stage = teacher(classes=network.outputs, name=args.name, shape=network.shape, model=files if len(files) > 1 else files[0],
                    probabilities=args.probabilities, stage="pipestill-onnx")
    stage(network).run(args)


def main() -> typing.NoReturn:
    """The program pipestill-onnx."""
    sys.exit(frame.run(_body))


if __name__ == "__main__":
    main()
