"""The rows of the table that bench/peers measures: what both sides do.

kind: live     teachers are asked and a student learns from their answers, at once
      forward  one teacher answers
      train    a student learns from labels
      replay   a student learns from recorded soft targets, shuffled
      elastic  live, with elastic distortions, against live without
data: "mnist", or (inputs, classes, samples) of random numbers in f32, as an epoch has them; inputs may be a shape, 3x32x32.
best, f32: the ratio to reach between the fastest way of each side, and between the fastest ways in f32; for elastic, the
share of time that distortions may cost.
"""

BATCH = 128
TEMPERATURE = 20
MNIST_SAMPLES = 12800  # an epoch
TEACHER, STUDENT = "784-1200-1200-10", "784-800-800-10"


def row(title, kind, best, f32, data="mnist", teachers=1, teacher=TEACHER, student=STUDENT, cores=2, threads=None):
    """One row. cores: how many both sides may use; threads: how many both have, or None: it is not set."""
    return dict(title=title, kind=kind, best=best, f32=f32, data=data, teachers=teachers, teacher=teacher,
                student=student, cores=threads or cores, threads=threads)


def convolutions(*maps):
    """A network of convolutions with these maps, or "M", a max pooling, for CIFAR-100."""
    layers = ["maxpool2" if one == "M" else f"conv3x3:{one}-bn-relu" for one in maps]
    return "-".join(["3x32x32", *layers, "gap", "100"])


def picture_rows():
    """Training and use of the two networks for pictures, by one thread and by two."""
    networks = {"G": (convolutions(32, "M", 64, "M", 128, "M", 256, 256), 1.1),
                "s": (convolutions(12, "M", 24, "M", 48, "M", 96), 1.3)}
    rows = {}
    for name, (network, train) in networks.items():
        for threads in (1, 2):
            told = f"{name}, {threads} thread{'s' if threads > 1 else ''}"
            pictures = dict(data=("3x32x32", 100, 1280), teacher=network, student=network, threads=threads)
            rows[f"{name}-train-{threads}"] = row(f"training {told}", "train", train, train, teachers=0, **pictures)
            rows[f"{name}-forward-{threads}"] = row(f"forward {told}", "forward", 1.1, 1.1, **pictures)
    return rows


ROWS = {
    "live": row("live", "live", 1.4, 1.4),
    "ensemble": row("live, 4 teachers", "live", 1.6, 1.4, teachers=4),
    "forward": row("teacher forward, 1 core", "forward", 1.15, 1.1, cores=1),
    "train": row("training alone", "train", 1.2, 1.15, teachers=0),
    "replay": row("replay, shuffled", "replay", 1.2, 1.15),
    "small": row("live, student 784-100-100-10", "live", 1.2, 1.2, student="784-100-100-10"),
    "classes-1000": row("live, 256-512-1000", "live", 1.2, 1.2, data=(256, 1000, 12800), teacher="256-512-1000",
                        student="256-512-1000"),
    "classes-32768": row("live, 256-512-32768", "live", 1.0, 1.0, data=(256, 32768, 640), teacher="256-512-32768",
                         student="256-512-32768"),
    "elastic": row("live with --elastic 1.5, cost", "elastic", 0.06, 0.06),
    **picture_rows(),
}


def shape_of(inputs):
    """The shape of a sample: 784, or "3x32x32"."""
    return tuple(int(size) for size in str(inputs).split("x"))


def epoch_samples(row):
    """How many samples an epoch of a row has."""
    return MNIST_SAMPLES if row["data"] == "mnist" else row["data"][2]


def epoch_batches(row):
    """How many batches an epoch of a row has."""
    return epoch_samples(row) // BATCH
