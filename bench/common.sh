# Sourced by the parts of `make bench`: where things are, and the arithmetic that all of them need.
#
# A part prints its figures as lines "name number" on standard output, and what it is doing on standard error.
# shellcheck shell=bash
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
BUILD=${BUILD:-build}
eval "$("$BUILD/pipestill" env)"
PATH=$(realpath "$BUILD/bench"):$(realpath "$BUILD/tests"):$PATH
export PATH OPENBLAS_NUM_THREADS=1
for program in usage passthrough; do
    command -v "$program" >/dev/null || { echo "bench: there is no $program below $BUILD: make bench-programs" >&2 && exit 1; }
done
# Recordings are read from the page cache; this folder takes about 700 MB while a part runs, and 10 GB for replay.
work=$BUILD/bench/work
mkdir -p "$work"

# loader "${images[@]}" N: N training images, of MNIST if it is found, otherwise digits. An image of either has 784 bytes.
images=(digits --samples)
if loader mnist --limit 10 >/dev/null 2>&1; then
    images=(mnist --limit)
fi
export work images

# say WORDS: prints what is being done.
say() { echo "bench: $*" >&2; }

# calculate EXPRESSION: its value, by awk.
calculate() { awk "BEGIN { printf \"%.6g\\n\", $* }"; }

# median: of the numbers on standard input.
median() { sort -g | awk '{ v[NR] = $1 } END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'; }

# wall_of FILE, cpu_of FILE, memory_of FILE: what the program `usage` wrote there: seconds on the clock, seconds of
# processor time (the sum of all commands), and the most memory of any of them in MiB.
wall_of() { awk '{ if ($1 > most) most = $1 } END { print most }' "$1"; }
cpu_of() { awk '{ sum += $2 + $3 } END { print sum }' "$1"; }
memory_of() { awk '{ if ($4 > most) most = $4 } END { printf "%.1f\n", most / 1024 }' "$1"; }

# measure FILE COMMAND…: runs a command and leaves its usage in FILE.
measure() {
    local file=$1
    shift
    rm -f "$file"
    usage "$file" "$@"
}

# wide CLASSES SAMPLES: random inputs of 256 numbers, as words for loader.
wide() {
    /usr/bin/python3 - "$work/wide" "$@" <<'END'
import sys
import numpy
path, classes, samples = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random = numpy.random.default_rng(1)
for name, kind, array in (("x", 13, random.standard_normal((samples, 256), "f4")),
                          ("y", 12, random.integers(0, classes, samples, "i4"))):
    head = bytes([0, 0, kind, array.ndim]) + numpy.array(array.shape, ">u4").tobytes()
    open(f"{path}-{name}.idx", "wb").write(head + array.astype(array.dtype.newbyteorder(">")).tobytes())
END
    echo "idx:$work/wide-x.idx,$work/wide-y.idx --classes $1 --limit"
}
