#!/usr/bin/env bats
# Small inputs take little memory: at most 8 times their bytes and 64 MiB for headers, indexes and histories, and no more
# than the stated limits for compressed data.
# shellcheck disable=SC2154 # bats' run sets output and status
bats_require_minimum_version 1.5.0

setup() {
    [[ -z ${SANITIZE-}${VALGRIND-} ]] || skip "the checker's own memory counts"
    cd "$BATS_TEST_TMPDIR" || return
}

# takes_little FILE COMMAND…: runs a command on a file; its peak of resident memory must stay within the bound.
takes_little() {
    takes_most $((8 * $(stat -c %s "$1") / 1024 + 65536)) "$@"
}

# takes_most KB FILE COMMAND…: the same with another bound.
takes_most() {
    run /usr/bin/python3 - "$@" <<'PYTHON'
import resource, subprocess, sys
most, path, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
with open(path, "rb") as file:
    ended = subprocess.run(command, stdin=file, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(ended.returncode, f"{peak} kB of {most}", ended.stderr)
sys.exit(peak > most)
PYTHON
    echo "$output"
    [ "$status" -eq 0 ]
}

# header FILE PYTHON: a stream without batches, whose header's fields are what the expression says.
header() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - "$@" <<'PYTHON'
import sys
import msgpack
import pipestill_stream as stream
meta = {"format": 2, "run": "one", "tensors": [{"name": "x", "dtype": "u8", "shape": [4]}], "history": []}
meta |= eval(sys.argv[2])
trailer = {"batches": 0, "samples": 0, "batch_checksum": 0, "sample_checksum": 0}
with open(sys.argv[1], "wb") as file:
    file.write(stream.message("header", meta)[0] + stream.message("trailer", trailer)[0])
PYTHON
}

@test "a header of a million parts is refused, and one of many parts takes little memory" {
    for value in '[{}]' '[1]'; do
        header many.pst "{'history': $value * 1_000_000}"
        takes_little many.pst stream-inspect
        [[ $output == "65 "*"too many parts"* ]]
    done
    for fields in "{'history': [{}] * 65_000}" "{'history': [[]] * 65_000}" "{'history': [1] * 524_000}" \
        "{'history': ['ab'] * 300_000}" "{'other': {hex(i): 1 for i in range(100_000)}}"; do
        header many.pst "$fields"
        takes_little many.pst stream-inspect
        [[ $output == "0 "* ]]
        takes_little many.pst averager
    done
}

@test "a compressed recording with a false number of samples in a batch or the index takes little memory" {
    loader digits --samples 60 --batch 20 --zstd 3 -o small.pst
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - <<'PYTHON'
import msgpack
import pipestill_stream as stream
data = open("small.pst", "rb").read()
unpacker = msgpack.Unpacker(max_buffer_size=len(data))
unpacker.feed(data)
messages = list(unpacker)

def write(name, edit):
    out = []
    for message in messages:
        meta = msgpack.unpackb(message["meta"])
        edit(message["kind"], meta)
        out.append(stream.message(message["kind"], meta, message.get("data"))[0])
    open(name, "wb").write(b"".join(out))

def many_samples(kind, meta):
    if kind == "batch":
        meta["n"] = 300_000  # 235 MB of x
    if kind == "trailer":
        del meta["index"]

def many_in_the_index(kind, meta):
    if kind == "trailer":
        meta["index"]["runs"][2::4] = [2**31] * (len(meta["index"]["runs"]) // 4)

write("batch.pst", many_samples)
write("index.pst", many_in_the_index)
PYTHON
    for file in batch index; do
        takes_little $file.pst stream-inspect $file.pst
        takes_little $file.pst student-trainer -a 784-10-10 -o s.safetensors -i $file.pst
        takes_little $file.pst replay --only-classes 3 $file.pst
    done
    takes_little index.pst replay --shuffle index.pst
    [[ $output == "65 "*"index"* ]]
    takes_little batch.pst replay --shuffle batch.pst
    [[ $output == "65 "* ]]
    takes_little index.pst stream-repair index.pst # it makes a true index
    [[ $output == "0 "* ]]
    takes_little batch.pst stream-repair batch.pst
    [[ $output == "65 "* ]]
}

@test "a compressed data file is unpacked up to --max-memory" {
    # 3,000 MB of zeros as images in 3 MB.
    /usr/bin/python3 - <<'PYTHON'
import gzip, struct
with gzip.open("bomb.gz", "wb") as file:
    file.write(struct.pack(">BBBBIII", 0, 0, 8, 3, 300_000, 100, 100))
    for _ in range(300):
        file.write(bytes(10_000_000))
PYTHON
    takes_little bomb.gz loader idx:bomb.gz
    [[ $output == "65 "*"its header announces 3000000016 bytes, more than --max-memory leaves (1073741824)"* ]]
    /usr/bin/python3 -c 'import struct, sys; sys.stdout.buffer.write(struct.pack(">BBBBIII", 0, 0, 8, 3, 10, 2, 2) + bytes(40))' >small
    run -65 loader idx:small --max-memory 50
    run -0 bash -c 'loader idx:small --max-memory 56 | stream-inspect'
}

@test "a table takes no more memory than its rows, however long its fields or small its file" {
    { echo a,b && echo -n '1,"' && head -c 200000000 /dev/zero | tr '\0' x; } >long.csv
    takes_most 24000 long.csv loader csv:long.csv
    yes 1,2,3,4 | head -n 20000000 | gzip -1 >rows.gz
    takes_most 40000 rows.gz loader csv:rows.gz --max-memory 16M
    [[ $output == *"take more than --max-memory, 16777216 bytes"* ]]
}
