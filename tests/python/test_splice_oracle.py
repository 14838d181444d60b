#!/usr/bin/python3
"""`replay --splice` of recordings of frames, against numpy. Prints TAP."""
import itertools
import subprocess
import tempfile

import numpy as np

import pst

BITS = 20  # PST_FRAME_BITS
WIDTH = 7
LENGTHS = (1, 2, 5, 40, 3, 26, 90)  # frames of each utterance
SPANS = ((20, 5), (0, 0), (3, 0), (0, 4), (1, 1), (200, 150))
count = 0


def check(name, good, detail=""):
    global count
    count += 1
    print(f"{'ok' if good else 'not ok'} {count} - {name}{'' if good else f' # {detail}'}")


def make_epoch(random, lengths=LENGTHS, first=0):
    """The samples of one epoch, in order: frames whose numbers no other epoch has."""
    ids = np.concatenate([(np.arange(n, dtype="u8") + ((first + u) << BITS)) for u, n in enumerate(lengths)])
    soft = random.random((len(ids), 3)).astype("f4") + np.float32(0.1)
    soft /= soft.sum(axis=1, keepdims=True)
    x = random.normal(size=(len(ids), WIDTH)).astype("f4")
    return {"x": x, "y": (ids % 3).astype("i4"), "id": ids, "soft": soft}


def rows_of(samples, rows):
    return {name: array[rows] for name, array in samples.items()}


def batches_of(samples, size, epoch):
    """Batches of an epoch's samples."""
    parts = [slice(at, at + size) for at in range(0, len(samples["id"]), size)]
    return [rows_of(samples, part) | {"epoch": epoch} for part in parts]


def record(path, batches, dtype="f32", first=0):
    tensors = [{"name": "y", "dtype": "i32", "shape": []}, {"name": "x", "dtype": dtype, "shape": [WIDTH]},
               {"name": "id", "dtype": "u64", "shape": []},
               {"name": "soft", "dtype": "f32", "shape": [3], "temperature": 1.0}]
    with open(path, "wb") as file:
        file.write(pst.stream(tensors, batches, classes=3, first=first))
    return path


def splice(frames, at, before, after):
    """The frames around one of an utterance: [before + 1 + after, numbers]."""
    return frames[np.clip(np.arange(at - before, at + after + 1), 0, len(frames) - 1)]


def expected(epochs, before, after):
    """From epoch and id to the spliced frames."""
    found = {}
    for epoch, samples in enumerate(epochs):
        order = np.argsort(samples["id"])
        ids, x = samples["id"][order], samples["x"][order]
        for utterance in np.unique(ids >> BITS):
            frames = x[ids >> BITS == utterance]
            for at in range(len(frames)):
                found[epoch, (int(utterance) << BITS) + at] = splice(frames, at, before, after)
    return found


def replay(*arguments):
    return pst.read(subprocess.run(["replay", *map(str, arguments)], stdout=subprocess.PIPE, check=True).stdout)


def samples_of(batches):
    """(epoch, id), x, and all other tensors, sample by sample."""
    for batch in batches:
        for row, number in enumerate(batch["id"]):
            yield (batch["epoch"], int(number)), batch["x"][row], [batch[name][row] for name in ("y", "soft")]


def same_bits(a, b):
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def is_right(streamed, epochs, span, repeated=None, some=False):
    """Whether each sample is there, spliced from its own epoch. repeated: the number of
    epochs of one time through, if that is not all. some: not all samples are there."""
    wanted = expected(epochs, *span)
    header, batches = streamed
    spec = next(tensor for tensor in header["tensors"] if tensor["name"] == "x")
    total, came = sum(len(samples["id"]) for samples in epochs), sum(len(batch["id"]) for batch in batches)
    good = spec["shape"] == [span[0] + 1 + span[1], WIDTH] and came > 0 and (some or came % total == 0)
    others = {(epoch, int(samples["id"][row])): [samples[name][row] for name in ("y", "soft")]
              for epoch, samples in enumerate(epochs) for row in range(len(samples["id"]))}
    for (epoch, number), x, rest in samples_of(batches):
        key = (epoch % (repeated or len(epochs)), number)
        good = good and same_bits(x, wanted[key]) and all(map(same_bits, map(np.asarray, rest), others[key]))
    return good


def test_spans(path, epochs):
    for span in SPANS:
        text = ",".join(map(str, span))
        check(f"frames are spliced {text}", is_right(replay(path, "--splice", text), epochs, span))


def test_batches(path, epochs):
    recorded = replay(path)[1]
    spliced = replay(path, "--splice", "20,5")[1]
    same = [(b["seq"], b["epoch"], b["id"].tolist()) for b in recorded] == [(b["seq"], b["epoch"], b["id"].tolist())
                                                                            for b in spliced]
    check("spliced batches have the recorded sizes and numbers", same)
    check("a later start gives the same batches",
          all(map(same_bits, pst.column(spliced[5:], "x"), pst.column(replay(path, "--splice", "20,5", "--start", 5)[1],
                                                                      "x"))))
    for size in (1, 7, 1000):
        streamed = replay(path, "--splice", "3,2", "--batch", size, "--epochs", 2)
        check(f"batches of {size} are spliced, twice through", is_right(streamed, epochs, (3, 2)) and
              sum(len(b["id"]) for b in streamed[1]) == 2 * len(epochs) * sum(LENGTHS))


def test_selections(path, epochs):
    for options in (("--only-classes", "1"), ("--fraction", "0.3"), ("--sample", "20")):
        streamed = replay(path, "--splice", "20,5", *options)
        check(f"neighbours that {options[0]} leaves out are neighbours", is_right(streamed, epochs, (20, 5), some=True))


def test_shuffled(folder, path, epochs):
    """A shuffled replay of all epochs is one epoch, so only one recorded epoch is compared."""
    one = record(f"{folder}/one.pst", batches_of(epochs[0], 16, 0))
    for memory in ("128M", "3000", "0"):
        streamed = replay(one, "--splice", "20,5", "--shuffle", "--epochs", 3, "--batch", 9, "--memory", memory)
        check(f"shuffled samples are spliced with {memory} of memory", is_right(streamed, epochs[:1], (20, 5), 1))
    shuffled = replay(path, "--splice", "20,5", "--shuffle")[1]
    wanted = expected(epochs, 20, 5)
    found = [x.tobytes() for _, x, _ in samples_of(shuffled)]
    check("shuffled samples of several epochs have the neighbours of their own epoch",
          sorted(found) == sorted(x.tobytes() for x in wanted.values()))


def test_orders(folder, random, epochs):
    orders = [random.permutation(len(samples["id"])) for samples in epochs]
    mixed = [rows_of(samples, order) for samples, order in zip(epochs, orders, strict=True)]
    batches = [batch for epoch, samples in enumerate(mixed) for batch in batches_of(samples, 11, epoch)]
    path = record(f"{folder}/mixed.pst", batches)
    for options in ((), ("--memory", "2000"), ("--batch", "50")):
        streamed = replay(path, "--splice", "20,5", *options)
        check(f"a recording in shuffled order is spliced {' '.join(options)}", is_right(streamed, epochs, (20, 5)))
    compressed = f"{folder}/mixed-zstd.pst"
    subprocess.run(["replay", path, "--zstd", "3", "-o", compressed], check=True)
    for options in ((), ("--memory", "2000")):
        streamed = replay(compressed, "--splice", "20,5", *options)
        check(f"a compressed recording is spliced {' '.join(options)}", is_right(streamed, epochs, (20, 5)))


def test_several(folder, random, epochs):
    """Parts of one run share utterances; recordings of their own begin an epoch."""
    batches = batches_of(epochs[0], 16, 0)
    parts = [record(f"{folder}/part{first}.pst", batches[first:end], first=first)
             for first, end in itertools.pairwise((0, 3, 4, len(batches)))]
    check("parts of a run share the frames of an utterance",
          is_right(replay(*parts, "--splice", "20,5"), epochs[:1], (20, 5)))
    other = make_epoch(random, (4, 30), 50)
    another = record(f"{folder}/other.pst", batches_of(other, 9, 0))
    streamed = replay(*parts, another, "--splice", "20,5", "--batch", "10")
    check("a recording of other utterances is an epoch of its own", is_right(streamed, [epochs[0], other], (20, 5)))


def test_halves(folder, epochs):
    halves = [samples | {"x": samples["x"].astype("f2")} for samples in epochs[:1]]
    path = record(f"{folder}/halves.pst", batches_of(halves[0], 16, 0), "f16")
    check("frames of 16 bits are spliced", is_right(replay(path, "--splice", "20,5"), halves, (20, 5)))


def test_compact(folder, path, epochs):
    """Targets in a compact form are restored; the frames are those that were kept."""
    small = f"{folder}/small.pst"
    with open(path, "rb") as whole:
        subprocess.run(["compactor", "--targets", "u8", "-o", small], stdin=whole, check=True)
    wanted = expected(epochs, 20, 5)
    for options in ((), ("--batch", "9")):
        restored = replay(small, *options)[1]
        spliced = replay(small, "--splice", "20,5", *options)[1]
        good = all(same_bits(x, wanted[key]) for key, x, _ in samples_of(spliced))
        good = good and same_bits(pst.column(restored, "soft"), pst.column(spliced, "soft"))
        check(f"a compact recording is restored and spliced {' '.join(options)}", good)


def main():
    random = np.random.default_rng(15)
    epochs = [make_epoch(random) for _ in range(3)]
    with tempfile.TemporaryDirectory() as folder:
        batches = [batch for epoch, samples in enumerate(epochs) for batch in batches_of(samples, 16, epoch)]
        path = record(f"{folder}/frames.pst", batches)
        test_spans(path, epochs)
        test_batches(path, epochs)
        test_selections(path, epochs)
        test_shuffled(folder, path, epochs)
        test_orders(folder, random, epochs)
        test_several(folder, random, epochs)
        test_halves(folder, epochs)
        test_compact(folder, path, epochs)
    print(f"1..{count}")


if __name__ == "__main__":
    main()
