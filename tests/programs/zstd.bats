#!/usr/bin/env bats
# A compressed stream is the plain one in fewer bytes: every stage reads it, damage is found, and no reader unpacks more
# than the header announced.
# shellcheck disable=SC2016,SC2154 # words in single quotes are another shell's; bats' run sets stderr
bats_require_minimum_version 1.5.0

SOURCE=(loader digits --samples 90 --batch 20 --epochs 4 --shift 2 --seed 3 --run one) # 20 batches
TRAINING=(-a 784-12-10 -r 0.05 --targets both --seed 9 -q)

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --epochs 2 | student-trainer -a 784-12-10 -r 0.05 -o teacher.safetensors
    "${SOURCE[@]}" | teacher-forward teacher.safetensors | temperature-softmax -T 4 -o plain.pst
    replay plain.pst --zstd 3 -o small.pst
    student-trainer "${TRAINING[@]}" -i plain.pst -o live.safetensors
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    bad=$BATS_TEST_TMPDIR/bad.pst
    student=$BATS_TEST_TMPDIR/student.safetensors
}

# python CODE ARGUMENTS…: with what the tests of streams share.
python() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c "$@"
}

# trailer FILE: batches, samples and sums.
trailer() {
    stream-inspect --check --json "$1" | /usr/bin/python3 -c 'import json, sys
for line in sys.stdin: print({k: v for k, v in json.loads(line).items() if "checksum" in k or k in ("batches", "samples")})'
}

# craft EDIT: a stream of one batch of one tensor, x of 6 bytes, whose bin is what EDIT makes of `frame`, the right one.
craft() {
    python 'import subprocess, sys, msgpack, pipestill_stream as s
def zstd(data): return subprocess.run(["zstd", "-qc", "--no-check", f"--stream-size={len(data)}"], input=data, capture_output=True, check=True).stdout
data = bytes(range(6))
frame, header = zstd(data), {"encoding": "zstd"}
exec(sys.argv[1])
whole = s.stream([{"name": "x", "dtype": "u8", "shape": [3]}], [{"x": [[0, 1, 2], [3, 4, 5]]}], **header)
plain = msgpack.packb([data])
assert whole.count(plain) == 1
sys.stdout.buffer.write(whole.replace(plain, msgpack.packb([frame])))' "$1" >"$bad"
}

# ---- the same stream ----

@test "a compressed stream is smaller, and has the plain one's sums" {
    [ $((3 * $(stat -c %s small.pst) / 2)) -lt "$(stat -c %s plain.pst)" ]
    [ "$(trailer plain.pst)" = "$(trailer small.pst)" ]
    stream-inspect small.pst | grep -qx 'encoding   zstd'
    run ! grep -q encoding <(stream-inspect plain.pst)
}

@test "zstd itself unpacks what is in the bins to the tensors' bytes" {
    python 'import msgpack, subprocess, sys
def tensors(path): return [m["data"] for m in msgpack.Unpacker(open(path, "rb"), max_buffer_size=0) if m["kind"] == "batch"]
plain, small = tensors("plain.pst"), tensors("small.pst")
assert len(plain) == len(small) == 20
for p, s in zip(plain[:4], small):
    assert p == [subprocess.run(["zstd", "-dc"], input=frame, capture_output=True, check=True).stdout for frame in s]'
}

@test "the student of a compressed stream is that of the plain one, over a pipe and replayed" {
    student-trainer "${TRAINING[@]}" -i small.pst -o "$student"
    cmp live.safetensors "$student"
    replay small.pst | student-trainer "${TRAINING[@]}" -o "$student"
    cmp live.safetensors "$student"
    replay small.pst --follow | student-trainer "${TRAINING[@]}" -o "$student"
    cmp live.safetensors "$student"
}

@test "what is replayed of a compressed recording is written plain, and equals what is replayed of the plain one" {
    replay small.pst | cmp - plain.pst
    for options in --shuffle '--shuffle --batch 7 --epochs 2' '--only-classes 3,4 --batch 5' '--start 12'; do
        # Split into words on purpose.
        # shellcheck disable=SC2086
        diff <(replay small.pst $options -o "$bad" && trailer "$bad") <(replay plain.pst $options -o "$bad.2" && trailer "$bad.2")
        rm "$bad" "$bad.2"
    done
}

@test "compressed and plain recordings are one set" {
    replay small.pst plain.pst --shuffle --seed 2 --run one | cmp - <(replay plain.pst plain.pst --shuffle --seed 2 --run one)
}

@test "a compact stream is compressed, and restored from that" {
    compactor --zstd 19 -i plain.pst -o "$bad"
    compactor -z 3 -i plain.pst -o "$bad.2"
    [ "$(trailer "$bad")" = "$(trailer "$bad.2")" ]
    compactor -i plain.pst | compactor --restore | student-trainer "${TRAINING[@]}" -o "$student.live"
    replay "$bad" | student-trainer "${TRAINING[@]}" -o "$student"
    cmp "$student.live" "$student"
}

@test "a training that was stopped continues from a compressed recording as from the plain one" {
    replay plain.pst | head -c 150000 >"$bad"
    run student-trainer "${TRAINING[@]}" --checkpoint "$student.cp" --checkpoint-every 1 -i "$bad" -o "$student"
    [ "$status" -eq 65 ]
    replay small.pst | student-trainer "${TRAINING[@]}" --checkpoint "$student.cp" --resume -o "$student"
    cmp live.safetensors "$student"
}

@test "--restore and --zstd together make the full targets, compressed" {
    compactor --targets f32 -i plain.pst | compactor --restore --zstd 1 -o "$bad"
    stream-inspect "$bad" | grep -qx 'encoding   zstd'
    diff <(column plain.pst soft/teacher) <(replay "$bad" | column /dev/stdin soft/teacher)
}

@test "batches of many sizes need no index" {
    loader digits --samples 33000 --batch 1 --no-shuffle --zstd 3 -o "$bad"
    # More runs of equal batches than a trailer holds.
    python 'import msgpack, sys
last = list(msgpack.Unpacker(open(sys.argv[1], "rb")))[-1]
assert "index" not in msgpack.unpackb(last["meta"])' "$bad"
    replay "$bad" --shuffle --batch 1000 | stream-inspect --check --json | grep -q '"samples":33000'
}

# ---- cut and damaged ----

@test "a compressed recording that was cut is repaired and continued, and its parts make the file of an uninterrupted run" {
    for at in 5000 20000 47321; do
        head -c "$at" small.pst >"$bad"
        stream-repair "$bad"
        whole=$(stream-inspect --check --json "$bad" | sed 's/.*"batches":\([0-9]*\).*/\1/')
        "${SOURCE[@]}" --start "$whole" | teacher-forward teacher.safetensors | temperature-softmax -T 4 -z 3 -o "$bad.more"
        replay "$bad" "$bad.more" -z 3 | cmp - <("${SOURCE[@]}" | teacher-forward teacher.safetensors | temperature-softmax -T 4 -z 3)
        rm "$bad" "$bad.more"
    done
}

@test "every flipped bit of a compressed batch is found, and the batch can be left out" {
    first=$(python 'import sys, pst; print(pst.message_ends(open("small.pst", "rb").read())[0])')
    last=$(python 'import sys, pst; print(pst.message_ends(open("small.pst", "rb").read())[20])')
    for seed in {1..40}; do
        at=$(python 'import random, sys; print(random.Random(int(sys.argv[1])).randrange(int(sys.argv[2]), int(sys.argv[3])))' \
            "$seed" "$first" "$last")
        python 'import sys
data = bytearray(open("small.pst", "rb").read())
data[int(sys.argv[2])] ^= 1 << int(sys.argv[3]) % 8
open(sys.argv[1], "wb").write(data)' "$bad" "$at" "$seed"
        run ! stream-inspect --check "$bad"
        run -0 --separate-stderr bash -c 'replay "$1" --skip-bad | stream-inspect --check --json' _ "$bad"
        [[ $output == *'"batches":19,'* ]]
    done
}

# ---- hostile frames ----

@test "a bin that is one right frame is read, so what follows fails for its own reason" {
    craft ''
    stream-inspect --check "$bad"
}

@test "a bin that is not one zstd frame of the right size is refused" {
    assert_edit() {
        craft "$1"
        assert_fails 65 "$2" stream-inspect --check "$bad"
        [[ $stderr == *"batch 0: "* ]]
    }
    assert_edit 'frame = data' "tensor 'x': not one zstd frame of 6 bytes"
    assert_edit 'frame = frame[:-1]' "tensor 'x': not one zstd frame of 6 bytes"
    assert_edit 'frame += b"\0"' "tensor 'x': not one zstd frame of 6 bytes"
    assert_edit 'frame = zstd(data[:3]) + zstd(data[3:])' "tensor 'x': not one zstd frame of 6 bytes"
    assert_edit 'frame = b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + frame' "tensor 'x': not one zstd frame of 6 bytes"
    assert_edit 'frame = zstd(data + b"\6")' "tensor 'x': not one zstd frame of 6 bytes"
    assert_edit 'frame = zstd(data[:5])' "tensor 'x': not one zstd frame of 6 bytes"
    assert_edit 'frame = zstd(bytes(6))' "the checksum of tensor 'x' does not fit"
    assert_edit 'frame = b""' "tensor 'x' has 0 bytes; its shape asks for 6"
}

@test "a frame that would unpack to gigabytes is refused before memory is taken" {
    craft 'frame = subprocess.run("head -c 200M /dev/zero | zstd -qc19", shell=True, capture_output=True).stdout'
    # Sanitizers and valgrind take more memory than any limit.
    [[ -n ${SANITIZE-}${VALGRIND-} ]] || limit='ulimit -v 400000;'
    run --separate-stderr bash -c "${limit-}"' exec stream-inspect --check "$1"' _ "$bad"
    [ "$status" -eq 65 ]
    [[ $stderr == *"tensor 'x' has "*" bytes; its shape asks for 6"* ]]
}

@test "an unknown encoding is refused by its name" {
    craft 'header = {"encoding": "brotli"}'
    assert_fails 65 "does not know the encoding 'brotli'" stream-inspect "$bad"
    craft 'header = {"encoding": 7}'
    assert_fails 65 "does not know the encoding" stream-inspect "$bad"
}

# ---- options ----

@test "a level that zstd does not have is refused" {
    for level in 20 -1 x; do
        assert_fails 64 "--zstd: '$level' is not a whole number from 0 to 19" replay plain.pst --zstd $level
    done
}

@test "every stage that writes a stream compresses it, and 0 leaves it plain" {
    # compressed COMMAND…: a command's output with --zstd is compressed, and unpacked it is the output without.
    compressed() {
        "$@" --force -o "$bad.plain"
        "$@" --zstd 5 --force -o "$bad"
        stream-inspect "$bad" | grep -qx 'encoding   zstd'
        replay "$bad" | cmp - "$bad.plain"
        "$@" -z 0 | cmp - "$bad.plain"
    }
    compressed "${SOURCE[@]}"
    compressed teacher-forward teacher.safetensors --name other -i plain.pst
    compressed averager -i plain.pst
    "${SOURCE[@]}" --force -o "$bad.source"
    compressed stream-join small.pst --take soft/teacher -i "$bad.source"
}
