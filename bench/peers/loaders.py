"""loader beside pandas, numpy and torchvision: the same data, batches of 128, shuffled, in turns, on the clock."""
import os
import statistics
import subprocess
import time

from peer import HERE, ROUNDS, WORK, Peer, say

LEAST = float(os.environ.get("LENGTH", "2")) / 4  # the least time of the epochs after the first, in seconds
MOST = 40  # seconds of turns for one set; then there are no more
OTHERS = {"csv": "pandas", "npy": "numpy", "npz": "numpy", "images": "torchvision"}


def sets():
    """What can be compared: (name, samples, loader's arguments, other reader, its arguments)."""
    lines = subprocess.run(["/usr/bin/python3", "-B", f"{HERE}/../loader_data.py", f"{WORK}/loaders"], check=True,
                           capture_output=True, text=True).stdout
    for line in lines.splitlines():
        name, kind, samples, *words = line.split()
        if kind not in OTHERS:
            continue
        path = words[0].removeprefix(f"{kind}:")
        if path.endswith(".tar.gz"):  # torchvision reads folders only
            os.makedirs(f"{WORK}/unpacked")
            subprocess.run(["tar", "-xzf", path, "-C", f"{WORK}/unpacked"], check=True)
            path = f"{WORK}/unpacked/train"
        yield name, int(samples), words, OTHERS[kind], [path, *words[1:]]


def ours(words, epochs):
    """How long loader takes for so many epochs. Its start counts, but the other side has already loaded its libraries."""
    begun = time.perf_counter()
    subprocess.run(["loader", *words, "--shuffle", "--epochs", str(epochs), "-o", "/dev/null"], check=True)
    return time.perf_counter() - begun


def enough(seconds):
    """How many epochs after the first take LEAST."""
    first, more = seconds(1), 1
    while more < 4096 and seconds(1 + more) - first < LEAST:
        more *= 4
    return more


def turn(seconds, more):
    """The first epoch, with starting and opening, and one of the later epochs, in seconds."""
    first, all_of_them = seconds(1), seconds(1 + more)
    # If the machine was busy during the first run, the difference may be negative.
    return first, (all_of_them - first) / more if all_of_them > first else all_of_them / (1 + more)


def compare(samples, words, reader, arguments):
    """Medians of turns: samples a second of both, and the ratio, for the first epoch and for the later ones."""
    peer = Peer("readers.py", reader, *arguments)

    def theirs(epochs):
        return peer.seconds(epochs)

    def mine(epochs):
        return ours(words, epochs)
    more = enough(mine), enough(theirs)
    turns, begun = [], time.perf_counter()
    while len(turns) < ROUNDS and (not turns or time.perf_counter() - begun < MOST):
        turns.append((turn(mine, more[0]), turn(theirs, more[1])))
    peer.close()
    result = {"other": reader, "turns": len(turns)}
    for i, when in enumerate(("first", "further")):
        result[when] = {"loader": samples / statistics.median(a[i] for a, _ in turns),
                        "other": samples / statistics.median(b[i] for _, b in turns),
                        "ratio": statistics.median(b[i] / a[i] for a, b in turns)}
    return result


def compare_loaders():
    """Measures all and prints them; returns the results to keep."""
    results = {}
    for name, samples, *side in sets():
        say(f"loader {name} and {side[1]}, {ROUNDS} turns")
        results[name] = compare(samples, *side)
    print("\n%-22s %-12s %12s %12s %7s  %12s %12s %7s" % (
        "set, samples/s", "other", "1st epoch", "other", "ratio", "further", "other", "ratio"))
    for name, result in results.items():
        figures = [result[when][who] for when in ("first", "further") for who in ("loader", "other", "ratio")]
        print("%-22s %-12s %12.0f %12.0f %7.2f  %12.0f %12.0f %7.2f" % (name, result["other"], *figures))
    return results
