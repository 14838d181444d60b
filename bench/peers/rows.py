"""The rows of the table that bench/peers measures: what both sides do.

kind: live     teachers are asked and a student learns from their soft targets, at once
      forward  one teacher answers
      train    a student learns from labels
      replay   a student learns from recorded soft targets, shuffled
      elastic  live, with images that are bent, against live without
data: "mnist", or (inputs, classes, samples) of random numbers in f32, as an epoch has them.
best, f32: the ratio to reach, the fastest of each side against each other, and among those that multiply in f32; of
elastic, the share that bending may cost.
"""

BATCH = 128
TEMPERATURE = 20
MNIST_SAMPLES = 12800  # an epoch
TEACHER, STUDENT = "784-1200-1200-10", "784-800-800-10"


def row(title, kind, best, f32, data="mnist", teachers=1, teacher=TEACHER, student=STUDENT, cores=2):
    """One row. cores: how many both sides may use; nothing else is said about threads or jobs."""
    return dict(title=title, kind=kind, best=best, f32=f32, data=data, teachers=teachers, teacher=teacher,
                student=student, cores=cores)


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
}


def epoch_samples(row):
    """How many samples an epoch of a row has."""
    return MNIST_SAMPLES if row["data"] == "mnist" else row["data"][2]


def epoch_batches(row):
    """How many batches an epoch of a row has."""
    return epoch_samples(row) // BATCH
