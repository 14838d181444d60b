"""pandas, numpy and torchvision read the data that loader reads: batches of 128, shuffled anew each epoch.

readers.py READER PATH   prints an empty line when it is ready, and answers each line EPOCHS with the seconds that it
                               took to open the data and go through them so often

READER is pandas, numpy or torchvision. They give what a training loop needs: numbers in f32, or, like loader, bytes that are
still to be divided by 255, and labels. --label and --id follow PATH, as for loader.
"""
import sys
import time

BATCH = 128


def batches(x, y, epochs):
    """Goes through arrays in memory, or in a file that is mapped."""
    import numpy
    for _ in range(epochs):
        order = numpy.random.permutation(len(x))
        for first in range(0, len(x), BATCH):
            samples = order[first:first + BATCH]
            x[samples], y[samples]


def pandas(path, epochs, label="label", id=None):
    """A table: texts become one column for each category, the label a number."""
    import pandas
    table = pandas.read_csv(path, header=None if label.isdigit() else 0, skipinitialspace=True)
    label = int(label) - 1 if label.isdigit() else label
    y = table[label].factorize(sort=True)[0]
    x = pandas.get_dummies(table.drop(columns=[label] + ([id] if id else []))).to_numpy("f4")
    batches(x, y, epochs)


def numpy(path, epochs):
    """Arrays x and y in one file, or in two with a comma between."""
    import numpy
    if "," in path:
        x, y = (numpy.load(name, mmap_mode="r") for name in path.split(","))
    else:
        file = numpy.load(path)
        x, y = file["x"], file["y"]
    batches(x, y, epochs)


def load_torchvision():
    """torchvision, even if its operators do not fit this build of PyTorch; to read pictures none of them is needed."""
    import torch
    try:
        import torchvision
    except RuntimeError:
        operators = torch.library.Library("torchvision", "DEF")
        torchvision_operators.append(operators)
        for name in ("nms", "qnms"):
            operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        import torchvision
    import torchvision.datasets
    import torchvision.transforms
    return torchvision


torchvision_operators = []  # the operators are defined as long as this list keeps them


def torchvision(path, epochs):
    """Pictures in a folder for each class, decoded by two workers."""
    import torch
    torchvision = load_torchvision()
    data = torchvision.datasets.ImageFolder(path, transform=torchvision.transforms.PILToTensor())
    loader = torch.utils.data.DataLoader(data, BATCH, shuffle=True, num_workers=2, persistent_workers=True)
    for _ in range(epochs):
        for _ in loader:
            pass


READERS = {"pandas": ("pandas", pandas), "numpy": ("numpy", numpy), "torchvision": ("torch", torchvision)}

if __name__ == "__main__":
    module, read = READERS[sys.argv[1]]
    __import__(module)
    if module == "torch":
        load_torchvision()
    options = {name.removeprefix("--"): value for name, value in zip(sys.argv[3::2], sys.argv[4::2])}
    print(flush=True)
    for line in sys.stdin:
        begun = time.perf_counter()
        read(sys.argv[2], int(line), **options)
        print(time.perf_counter() - begun, flush=True)
