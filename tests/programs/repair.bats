#!/usr/bin/env bats
# A recording that was cut short, at any byte and for any reason, is repaired to its last whole batch. Continued from there,
# it becomes the file that an uninterrupted run makes. Damage is found, named, and can be left out.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

SOURCE=(loader digits --samples 90 --batch 20 --epochs 12 --shift 2 --seed 3 --run one) # 60 batches

teachers() {
    teacher-forward teacher.safetensors | temperature-softmax -T 4 "$@"
}

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --epochs 2 | student-trainer -a 784-12-10 -r 0.05 -o teacher.safetensors
    "${SOURCE[@]}" | teachers >whole.pst
}

setup() {
    load common
    load links
    cd "$BATS_FILE_TMPDIR" || return
    cut=$BATS_TEST_TMPDIR/cut.pst
}

teardown() {
    stop_all
}

# ends_of STREAM: where each message ends, a line each.
ends_of() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import sys, pst
print(*pst.message_ends(open(sys.argv[1], "rb").read()), sep="\n")' "$1"
}

# damage FILE OFFSET: flips one bit.
damage() {
    /usr/bin/python3 -c '
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(int(sys.argv[2]))
    byte = file.read(1)[0]
    file.seek(int(sys.argv[2]))
    file.write(bytes([byte ^ 4]))' "$@"
}

# ---- cut short ----

@test "a recording that is cut anywhere is repaired to its last whole batch" {
    mapfile -t ends < <(ends_of whole.pst)
    size=$(stat -c %s whole.pst)
    for at in "${ends[0]}" $((ends[0] + 1)) $((ends[1] - 1)) "${ends[1]}" $((ends[1] + 1)) $((ends[30] - 700)) \
        "${ends[60]}" $((ends[60] + 1)) $((size - 1)); do
        rm -f "$cut"
        head -c "$at" whole.pst >"$cut.part"
        stream-repair "$cut.part"
        [ ! -e "$cut.part" ]
        batches=0
        while ((ends[batches + 1] <= at && batches < 60)); do ((++batches)); done
        stream-inspect --check "$cut" | grep ": whole, $batches batches"
        head -c "${ends[batches]}" whole.pst | cmp - <(head -c "${ends[batches]}" "$cut")
        replay "$cut" --shuffle 2>&1 >/dev/null | grep -c 'without samples' | grep -qx $((batches == 0)) || false
    done
    cmp whole.pst "$cut"
}

@test "a whole recording is left as it is, and so is one whose header is not whole" {
    cp whole.pst "$cut"
    touch -d 2001-01-01 "$cut"
    [ "$(stream-repair "$cut")" = "$cut: was whole, 60 batches, 1080 samples" ]
    [ "$(stat -c %Y "$cut")" -eq "$(date -d 2001-01-01 +%s)" ]
    head -c 100 whole.pst >"$cut"
    assert_fails 65 "$cut" stream-repair "$cut"
    head -c 100 whole.pst | cmp - "$cut"
    assert_fails 66 nowhere.pst stream-repair nowhere.pst
}

@test "a recording that was cut short is not replayed, and the error names the batch and the remedy" {
    head -c $(($(stat -c %s whole.pst) - 5)) whole.pst >"$cut"
    assert_fails 65 "truncated" replay "$cut"
    assert_fails 65 "truncated" replay "$cut" --shuffle
    mapfile -t ends < <(ends_of whole.pst)
    for at in "${ends[17]}" $((ends[17] + 1)) $((ends[17] + 50)) $((ends[18] - 1)); do
        head -c "$at" whole.pst >"$cut"
        assert_fails 65 "$cut: byte ${ends[17]}, batch 17: truncated: " replay "$cut"
        assert_fails 65 "; 'stream-repair $cut' keeps all batches that are whole" replay "$cut" --shuffle
    done
}

@test "the next run does not remove what a killed run has recorded, even if the next one fails" {
    head -c 300000 whole.pst >"$cut.part"
    assert_fails 75 "'stream-repair $cut.part' makes them whole, or remove them" replay whole.pst -o "$cut"
    assert_fails 75 "$cut.part: 300000 bytes that an earlier run recorded" averager -o "$cut" </dev/null
    head -c 300000 whole.pst | cmp - "$cut.part"
    stream-repair "$cut.part" | grep -qE "whole now, [0-9]+ batches, [0-9]+ samples; [0-9]+ bytes of a broken one were cut off"
    replay whole.pst --force -o "$cut"
    cmp whole.pst "$cut"
}

@test "a recording that cannot get its name stays as NAME.part" {
    mkfifo "$BATS_TEST_TMPDIR/feed"
    start averager -i "$BATS_TEST_TMPDIR/feed" -o "$cut" 2>"$BATS_TEST_TMPDIR/stderr"
    exec 9>"$BATS_TEST_TMPDIR/feed"
    head -c 300000 whole.pst >&9
    await test -s "$cut.part"
    mkdir "$cut"
    tail -c +300001 whole.pst >&9
    exec 9>&-
    await grep -q "cannot be completed: Is a directory; $cut.part holds what was written" "$BATS_TEST_TMPDIR/stderr"
    rmdir "$cut"
    stream-inspect --check "$cut.part" | grep ": whole, 60 batches"
}

# record_until_killed NEXT BYTES RECORDING: records from batch NEXT on, and is killed when so many bytes have come in.
record_until_killed() {
    local feed=$BATS_TEST_TMPDIR/feed recorder
    rm -f "$feed" "$3" "$3.part"
    mkfifo "$feed"
    exec 9<>"$feed"
    temperature-softmax -T 4 -i "$feed" -o "$3" 3>&- 9>&- &
    recorder=$!
    "${SOURCE[@]}" --start "$1" 2>/dev/null | teacher-forward teacher.safetensors 2>/dev/null | head -c "$2" >&9
    sleep "0.00$((RANDOM % 10))"
    kill -KILL "$recorder"
    wait "$recorder" 2>/dev/null || true
    exec 9>&-
}

@test "a recording that is killed at 50 random moments and repaired each time has parts that make the file of an uninterrupted run" {
    RANDOM=7
    kills=0 rounds=0 most=50
    [[ -z ${VALGRIND-} ]] || most=8
    while ((kills < most)); do
        next=0 parts=()
        while ((kills < most && next < 60)); do
            part=$BATS_TEST_TMPDIR/part-$kills.pst
            record_until_killed "$next" $((RANDOM * 10)) "$part"
            ((++kills))
            [ ! -e "$part" ]
            if [ "$(stat -c %s "$part.part" 2>/dev/null || echo 0)" -lt 4000 ]; then continue; fi # not even a header
            before=$next
            next=$(stream-repair --next "$part.part")
            ((next == before)) || parts+=("$part")
        done
        if ((next < 60)); then
            "${SOURCE[@]}" --start "$next" | teachers -o "$BATS_TEST_TMPDIR/rest-$kills.pst"
            parts+=("$BATS_TEST_TMPDIR/rest-$kills.pst")
        fi
        replay "${parts[@]}" | cmp whole.pst -
        ((++rounds))
    done
    echo "# $kills kills in $rounds recordings"
    ((rounds >= most / 10))
}

@test "a full disk leaves a recording that can be repaired and continued" {
    bash -c 'trap "" XFSZ; ulimit -f 400; exec temperature-softmax -T 4 -o "$1"' - "$cut" \
        < <("${SOURCE[@]}" | teacher-forward teacher.safetensors) 2>"$BATS_TEST_TMPDIR/stderr" || code=$?
    cat "$BATS_TEST_TMPDIR/stderr"
    [ "$code" -eq 74 ]
    grep -q "cut.pst: cannot be written: File too large" "$BATS_TEST_TMPDIR/stderr"
    [ ! -e "$cut" ]
    next=$(stream-repair --next "$cut.part")
    ((next > 0 && next < 60))
    "${SOURCE[@]}" --start "$next" | teachers -o "$BATS_TEST_TMPDIR/more.pst"
    replay "$cut" "$BATS_TEST_TMPDIR/more.pst" | cmp whole.pst -
}

@test "a recording that is still being written is not touched" {
    mkfifo "$BATS_TEST_TMPDIR/feed"
    start temperature-softmax -T 4 -i "$BATS_TEST_TMPDIR/feed" -o "$cut"
    exec 9>"$BATS_TEST_TMPDIR/feed"
    "${SOURCE[@]}" | teacher-forward teacher.safetensors | head -c 300000 >&9
    await test -s "$cut.part"
    assert_fails 75 "still writing it" stream-repair "$cut.part"
    exec 9>&-
}

@test "a recording is synced on the way, five seconds after the last time, and at the end" {
    command -v strace >/dev/null || skip "there is no strace"
    [[ ${SANITIZE-} != *address* ]] || skip "strace and the leak checker exclude each other"
    (
        head -c 400000 whole.pst
        sleep 6
        tail -c +400001 whole.pst
    ) | strace -f -e trace=fdatasync,fsync,rename -o "$BATS_TEST_TMPDIR/calls" \
        averager -o "$cut"
    grep -q 'fdatasync(.*) *= 0' "$BATS_TEST_TMPDIR/calls"
    # And at the end: the file first, then its name, then the folder.
    # On the way its provisional name too.
    grep -oE 'fdatasync|fsync|rename' "$BATS_TEST_TMPDIR/calls" | tr '\n' ' ' | grep -qx 'fdatasync fsync fsync rename fsync '
}

# ---- damaged ----

@test "damage at the end of a recording that has its trailer is not cut off" {
    mapfile -t ends < <(ends_of whole.pst)
    cp whole.pst "$cut"
    for batch in {50..59}; do damage "$cut" $((ends[batch] + 500)); done
    cp "$cut" "$BATS_TEST_TMPDIR/before.pst"
    assert_fails 65 "damaged at byte ${ends[50]}, and its trailer follows; 'replay --skip-bad" stream-repair "$cut"
    cmp "$cut" "$BATS_TEST_TMPDIR/before.pst"
}

@test "a batch above the limit for messages is no damage" {
    cp whole.pst "$cut"
    assert_fails 65 "exceed the limit of 8192 bytes (--max-message)" stream-repair --max-message 8192 "$cut"
    assert_fails 65 "exceed the limit of 8192 bytes (--max-message)" replay --max-message 8192 --skip-bad "$cut"
    cmp whole.pst "$cut"
}

@test "--skip-bad counts what was left out by the trailer, if there is one" {
    mapfile -t ends < <(ends_of whole.pst)
    change 'header["batches"] = 0' whole.pst "$BATS_TEST_TMPDIR/endless.pst"
    mapfile -t others < <(ends_of "$BATS_TEST_TMPDIR/endless.pst")
    damage "$BATS_TEST_TMPDIR/endless.pst" $((others[59] + 500))
    run --separate-stderr replay "$BATS_TEST_TMPDIR/endless.pst" --skip-bad -o "$BATS_TEST_TMPDIR/rest.pst"
    [[ $status -eq 0 && $stderr == "replay: left out: 1 damaged or missing batches" ]]
    # A first part with a trailer is whole, even if its header planned more.
    head -c "${ends[25]}" whole.pst >"$cut"
    stream-repair "$cut"
    "${SOURCE[@]}" --start 25 | teachers >"$BATS_TEST_TMPDIR/more.pst"
    run --separate-stderr replay "$cut" "$BATS_TEST_TMPDIR/more.pst" --skip-bad -o "$BATS_TEST_TMPDIR/both.pst"
    [[ $status -eq 0 && $stderr == "" ]]
    stream-inspect --check "$BATS_TEST_TMPDIR/both.pst" | grep ": whole, 60 batches"
}

@test "damage is named by batch, and --skip-bad leaves out just the batches that have it" {
    mapfile -t ends < <(ends_of whole.pst)
    cp whole.pst "$cut"
    RANDOM=11
    expected=()
    for batch in 4 17 18 40; do # somewhere in the data, the metadata, the framing
        at=$((ends[batch] + RANDOM % (ends[batch + 1] - ends[batch])))
        damage "$cut" $at
        expected+=("$batch")
    done
    damage "$cut" $((ends[50] + 3)) # in the word that begins the message
    expected+=(50)
    assert_fails 65 "batch 4" replay "$cut" -o "$BATS_TEST_TMPDIR/out.pst"
    rm "$BATS_TEST_TMPDIR/out.pst.part"
    assert_fails 65 "batch " replay "$cut" --shuffle -o "$BATS_TEST_TMPDIR/out.pst"
    assert_fails 65 "whole batches follow" stream-repair "$cut"
    run --separate-stderr replay "$cut" --skip-bad -o "$BATS_TEST_TMPDIR/rest.pst"
    [ "$status" -eq 0 ]
    [[ $stderr == "replay: left out: 5 damaged or missing batches" ]]
    stream-inspect --check "$BATS_TEST_TMPDIR/rest.pst" | grep ": whole, 55 batches"
    # One of the five batches ends an epoch and has 10 samples; the others have 20.
    replay "$cut" --skip-bad --shuffle --batch 7 | stream-inspect --check | grep ", $((1080 - 4 * 20 - 10)) samples"
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - "${expected[@]}" <<'PYTHON'
import os, sys, pst
bad = {int(number) for number in sys.argv[1:]}
whole = pst.read(open("whole.pst", "rb").read())[1]
rest = pst.read(open(os.environ["BATS_TEST_TMPDIR"] + "/rest.pst", "rb").read())[1]
kept = [batch for batch in whole if batch["seq"] not in bad]
assert len(kept) == len(rest)
for a, b in zip(kept, rest):
    assert all((a[name] == b[name]).all() for name in a if name not in ("seq", "epoch")), a["seq"]
PYTHON
}

@test "every flipped bit in a large recording is found" {
    size=$(stat -c %s whole.pst)
    RANDOM=23
    for flip in {1..15}; do
        cp whole.pst "$cut"
        damage "$cut" $(((RANDOM * 32768 + RANDOM + flip) % size))
        run -65 --separate-stderr replay "$cut" -o "$BATS_TEST_TMPDIR/out.pst"
        rm -f "$BATS_TEST_TMPDIR/out.pst.part"
        run -65 --separate-stderr replay "$cut" --shuffle -o "$BATS_TEST_TMPDIR/out.pst"
        rm -f "$BATS_TEST_TMPDIR/out.pst.part"
        [ ! -e "$BATS_TEST_TMPDIR/out.pst" ]
    done
}

@test "holes of zeros after a crash are damage like any other" {
    mapfile -t ends < <(ends_of whole.pst)
    cp whole.pst "$cut"
    dd if=/dev/zero of="$cut" bs=1 seek=$((ends[20] + 50)) count=$((ends[22] - ends[20])) conv=notrunc status=none
    assert_fails 65 "batch 20" replay "$cut" -o "$BATS_TEST_TMPDIR/out.pst"
    run --separate-stderr replay "$cut" --skip-bad -o "$BATS_TEST_TMPDIR/rest.pst"
    [[ $stderr == "replay: left out: 3 damaged or missing batches" ]]
    # Zeros at the end, where the size was on disk before the data: repaired.
    head -c "${ends[30]}" whole.pst >"$cut"
    truncate -s "$(stat -c %s whole.pst)" "$cut"
    stream-repair "$cut"
    stream-inspect --check "$cut" | grep ": whole, 30 batches"
}

@test "two streams in one file, a foreign index and another version are refused, each with its reason" {
    cat whole.pst whole.pst >"$cut"
    assert_fails 65 "two streams in one file" replay "$cut" -o "$BATS_TEST_TMPDIR/out.pst"
    assert_fails 65 "two streams in one file" replay "$cut" --skip-bad -o "$BATS_TEST_TMPDIR/out.pst"
    assert_fails 65 "two streams in one file" stream-repair "$cut"
    cat whole.pst whole.pst | cmp - "$cut"
    # And if the first stream was cut short.
    cat <(head -c 300000 whole.pst) whole.pst >"$cut"
    assert_fails 65 "two streams in one file" stream-repair "$cut"
    assert_fails 65 "two streams in one file" replay "$cut" --skip-bad -o "$BATS_TEST_TMPDIR/out.pst"
    exchange --run two "${SOURCE[@]}"
    "${exchanged[@]}" | teachers >"$BATS_TEST_TMPDIR/two.pst"
    cat whole.pst "$BATS_TEST_TMPDIR/two.pst" >"$cut"
    assert_fails 65 "belongs to run two, the header to run one" replay "$cut" -o "$BATS_TEST_TMPDIR/out.pst"
    mapfile -t ends < <(ends_of whole.pst)
    (
        head -c "${ends[60]}" whole.pst
        tail -c +$((ends[60] + 1)) "$BATS_TEST_TMPDIR/two.pst"
    ) >"$cut"
    assert_fails 65 "belongs to run two" replay "$cut" -o "$BATS_TEST_TMPDIR/out.pst"
    exchange --batch 19 "${SOURCE[@]}"
    "${exchanged[@]}" | teachers >"$BATS_TEST_TMPDIR/nineteen.pst"
    mapfile -t others < <(ends_of "$BATS_TEST_TMPDIR/nineteen.pst")
    (
        head -c "${ends[60]}" whole.pst
        tail -c +$((others[60] + 1)) "$BATS_TEST_TMPDIR/nineteen.pst"
    ) >"$cut"
    run -65 --separate-stderr replay "$cut" -o "$BATS_TEST_TMPDIR/out.pst"
    [[ $stderr == *"index"* ]]
    /usr/bin/python3 -c '
import sys, msgpack
sys.path.insert(0, sys.argv[2])
from pipestill_stream import crc32c
parts = list(msgpack.Unpacker(open("whole.pst", "rb")))
meta = msgpack.unpackb(parts[0]["meta"])
meta["format"] = 3
parts[0]["meta"] = msgpack.packb(meta)
parts[0]["crc"] = crc32c(parts[0]["meta"])
open(sys.argv[1], "wb").write(b"".join(msgpack.packb(part) for part in parts))' "$cut" "$BATS_TEST_DIRNAME/../python"
    assert_fails 65 "newer than this program" replay "$cut" -o "$BATS_TEST_TMPDIR/out.pst"
    assert_fails 65 "newer than this program" stream-repair "$cut"
}

# ---- spliced ----

# splice BATCH WITHOUT_RUN A B: the beginning of recording A up to a batch, and the rest of B, its trailer included.
splice() {
    /usr/bin/python3 -B -c '
import sys
sys.path.insert(0, sys.argv[5])
import msgpack, pst
from pst import crc32c
at, without_run = int(sys.argv[1]), int(sys.argv[2])
a, b = (open(path, "rb").read() for path in sys.argv[3:5])
spliced = a[: pst.message_ends(a)[at]] + b[pst.message_ends(b)[at] :]
unpacker = msgpack.Unpacker(max_buffer_size=len(spliced))
unpacker.feed(spliced)
for message in unpacker:
    if without_run and message["kind"] != "header":
        meta = msgpack.unpackb(message["meta"])
        meta.pop("run", None)
        meta.pop("index", None)
        message["meta"] = msgpack.packb(meta)
        message["crc"] = crc32c(message["meta"])
    sys.stdout.buffer.write(msgpack.packb(message))' "$1" "$2" "$3" "$4" "$BATS_TEST_DIRNAME/../python"
}

@test "a recording spliced from two runs is refused by all stages that read it" {
    exchange --run two "${SOURCE[@]}"
    "${exchanged[@]}" | teachers >"$BATS_TEST_TMPDIR/other.pst"
    splice 30 0 whole.pst "$BATS_TEST_TMPDIR/other.pst" >"$cut"
    cp "$cut" "$BATS_TEST_TMPDIR/before.pst"
    for reading in "replay" "replay --shuffle" "replay --shuffle --memory 0" "replay --start 25" "replay --skip-bad" "stream-repair"; do
        # shellcheck disable=SC2086 # words of a command
        assert_fails 65 "two streams in one file" $reading "$cut"
    done
    run -65 --separate-stderr student-trainer -a 784-10-10 -o "$BATS_TEST_TMPDIR/student" -i "$cut"
    [[ $stderr == *"batch 30: a batch of another run than the header's; two streams in one file?" ]]
    cmp "$cut" "$BATS_TEST_TMPDIR/before.pst"
}

@test "a splice of recordings that do not name their run is found by its trailer's sums" {
    loader digits --samples 90 --batch 20 --epochs 12 --shift 2 --seed 4 | teachers >"$BATS_TEST_TMPDIR/other.pst"
    splice 30 1 whole.pst "$BATS_TEST_TMPDIR/other.pst" >"$cut"
    cp "$cut" "$BATS_TEST_TMPDIR/before.pst"
    for reading in "replay -o /dev/null" "replay --shuffle -o /dev/null" "stream-repair"; do
        # shellcheck disable=SC2086
        assert_fails 65 "$cut: the trailer's checksums do not fit what came" $reading "$cut"
    done
    run ! student-trainer -a 784-10-10 -o "$BATS_TEST_TMPDIR/student" -i "$cut"
    cmp "$cut" "$BATS_TEST_TMPDIR/before.pst"
}

@test "training on a recording that was repaired says how much of it is missing" {
    mapfile -t ends < <(ends_of whole.pst)
    head -c $((ends[20] + 100)) whole.pst >"$cut"
    stream-repair "$cut"
    run --separate-stderr student-trainer --quiet -a 784-10-10 -o "$BATS_TEST_TMPDIR/student" -i "$cut"
    [ "$status" -eq 0 ]
    [ "$stderr" = "student-trainer: $cut: ended after 20 of the 60 batches that its header announces" ]
    run --separate-stderr replay --shuffle "$cut" -o "$BATS_TEST_TMPDIR/shuffled.pst"
    [ "$stderr" = "replay: 40 of the batches that the header announces are missing: it was cut short" ]
}
