"""What student-trainer learns of special classes, against numpy: one step of gradient descent. Prints TAP."""
import pathlib
import subprocess
import tempfile

import numpy

import safetensors
from pipestill_stream import stream

INPUTS, HIDDEN, CLASSES, SAMPLES, RATE = 5, 7, 9, 40, 0.5
SPECIAL = [2, 7, 4]
OTHERS = [0, 1, 3, 5, 6, 8]
FACTORS = numpy.array([3.0, 3.0, 3.0, 0.6])
folder = pathlib.Path(tempfile.mkdtemp())
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def softmax(z):
    powers = numpy.exp(z - z.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def forward(net, x):
    hidden = numpy.maximum(x @ net["layers.0.weight"].T + net["layers.0.bias"], 0)
    return hidden, hidden @ net["layers.1.weight"].T + net["layers.1.bias"]


def step(net, x, gradient, first=True):
    """The weights after a step; gradient: with respect to the outputs. first: whether the first layer learns."""
    hidden, _ = forward(net, x)
    back = gradient @ net["layers.1.weight"] * (hidden > 0)
    moved = {"layers.1.weight": gradient.T @ hidden, "layers.1.bias": gradient.sum(axis=0)}
    if first:
        moved |= {"layers.0.weight": back.T @ x, "layers.0.bias": back.sum(axis=0)}
    return {name: value - RATE * moved.get(name, 0) for name, value in net.items()}


def learn(start, columns, *options, factors=FACTORS, rate=RATE):
    """The model that student-trainer makes of one batch."""
    safetensors.write(folder / "start.safetensors", start, architecture=f"{INPUTS}-{HIDDEN}-{CLASSES}", activation="relu")
    tensors = [{"name": name, "dtype": "i32" if name == "y" else "f32", "shape": list(values.shape[1:])} |
               ({"temperature": 2.0} if name == "soft" else {}) for name, values in columns.items()]
    header = {} if factors is None else {"class_oversampling": list(factors)}
    data = stream(tensors, [columns], classes=len(SPECIAL) + 1, **header)
    subprocess.run(["student-trainer", "-q", "--from", str(folder / "start.safetensors"), "--classes", ",".join(map(str, SPECIAL)),
                    "--momentum", "0", "-r", str(rate), "-o", str(folder / "made.safetensors"), *options], input=data, check=True)
    return safetensors.read(folder / "made.safetensors")


def same(made, expected):
    return made.keys() == expected.keys() and max(abs(made[name] - expected[name]).max() for name in made) < 2e-5


def cut(net):
    """The outputs of the special classes, and one for all others: the mean, and log n."""
    weight, bias = net["layers.1.weight"].astype(float), net["layers.1.bias"].astype(float)
    return net | {"layers.1.weight": numpy.vstack([weight[SPECIAL], weight[OTHERS].mean(axis=0)]),
                  "layers.1.bias": numpy.append(bias[SPECIAL], bias[OTHERS].mean() + numpy.log(len(OTHERS)))}


def shifted(z, y, factors=FACTORS):
    """The gradient of the labels' loss, corrected for how much more often classes come."""
    return (softmax(z + numpy.log(factors)) - numpy.eye(len(SPECIAL) + 1)[y]) / len(y)


def soft_gradient(z, targets, temperature=2):
    return temperature * (softmax(z / temperature) - targets) / len(targets)


def main():
    generator = numpy.random.default_rng(18)
    start = {"layers.0.weight": generator.normal(0, 0.7, (HIDDEN, INPUTS)), "layers.0.bias": generator.normal(0, 0.3, HIDDEN),
             "layers.1.weight": generator.normal(0, 0.7, (CLASSES, HIDDEN)), "layers.1.bias": generator.normal(0, 0.3, CLASSES)}
    start = {name: value.astype(numpy.float32) for name, value in start.items()}
    x = generator.normal(0, 1, (SAMPLES, INPUTS)).astype(numpy.float32)
    y = generator.integers(0, len(SPECIAL) + 1, SAMPLES)
    given = generator.normal(0, 1, (SAMPLES, len(SPECIAL) + 1)).astype(numpy.float32)
    soft = softmax(generator.normal(0, 1, (SAMPLES, len(SPECIAL) + 1))).astype(numpy.float32)
    columns = {"x": x, "y": y}

    own = cut(start)
    check("special outputs are copied to the bit, and the dustbin's is the mean of the others, and log n",
          same(learn(start, columns, "--dustbin-unit", rate=1e-30), own) and
          (learn(start, columns, "--dustbin-unit", rate=1e-30)["layers.1.weight"][:3] == start["layers.1.weight"][SPECIAL]).all())
    _, z = forward(own, x)
    check("a step with a dustbin unit takes the oversampling out",
          same(learn(start, columns, "--dustbin-unit"), step(own, x, shifted(z, y))))
    check("a step with --keep-oversampling keeps the oversampling",
          same(learn(start, columns, "--dustbin-unit", "--keep-oversampling"), step(own, x, shifted(z, y, numpy.ones(4)))))
    check("a step of a stream without oversampling takes nothing out",
          same(learn(start, columns, "--dustbin-unit", factors=None), step(own, x, shifted(z, y, numpy.ones(4)))))
    check("equal factors of oversampling change nothing",
          same(learn(start, columns, "--dustbin-unit", factors=[2.5] * 4), step(own, x, shifted(z, y, numpy.ones(4)))))
    check("soft targets are learned as they are, also with oversampling",
          same(learn(start, columns | {"soft": soft}, "--dustbin-unit", "--loss", "labels:y:0.3", "--loss", "kl:soft:0.7"),
               step(own, x, 0.3 * shifted(z, y) + 0.7 * soft_gradient(z, soft))))
    check("the last layer learns alone",
          same(learn(start, columns, "--dustbin-unit", "--learn-last", "1"), step(own, x, shifted(z, y), first=False)))

    _, all_z = forward(start, x)
    wide = numpy.hstack([all_z[:, SPECIAL], given[:, -1:]])
    columns |= {"logits/g": given}

    def spread(gradient):
        full = numpy.zeros((SAMPLES, CLASSES))
        full[:, SPECIAL] = gradient[:, :-1]
        return full

    check("with the dustbin's logit from the stream, special outputs learn and the others stay",
          same(learn(start, columns, "--dustbin", "logits/g"), step(start, x, spread(shifted(wide, y)))))
    check("with the dustbin's logit from the stream, a step of soft targets learns special outputs",
          same(learn(start, columns | {"soft": soft}, "--dustbin", "logits/g", "--loss", "labels:y:0.3", "--loss", "kl:soft:0.7"),
               step(start, x, spread(0.3 * shifted(wide, y) + 0.7 * soft_gradient(wide, soft)))))
    agreed = softmax(wide / 2).astype(numpy.float32)
    made = learn(start, columns | {"soft": agreed}, "--dustbin", "logits/g", "--loss", "kl:soft")
    check("soft targets that equal the model's own leave the model as it is",
          max(abs(made[name] - start[name]).max() for name in start) < 1e-6)
    print(f"1..{count}")


main()
