#!/usr/bin/env bats
# replay replays recordings: as they were, in other batches, shuffled sample by sample, in part, several as one set, and
# while they are still being written.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

SOURCE=(loader digits --samples 90 --batch 20 --epochs 3 --shift 2 --seed 3) # 15 batches, 5 an epoch

teachers() {
    teacher-forward teacher.safetensors | temperature-softmax -T 4
}

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --epochs 2 | student-trainer -a 784-12-10 -r 0.05 -o teacher.safetensors
    "${SOURCE[@]}" --run one | teachers >whole.pst
}

setup() {
    load common
    load links
    cd "$BATS_FILE_TMPDIR" || return
}

teardown() {
    stop_all
}

# keys STREAM: epoch and id of every sample, a line each.
keys() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import sys, pst
for batch in pst.read(open(sys.argv[1], "rb").read())[1]:
    for number in batch["id"]:
        print(batch["epoch"], number)' "$1"
}

# sizes STREAM: epoch and number of samples of every batch.
sizes() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import sys, pst
print(*["%d:%d" % (batch["epoch"], len(batch["id"])) for batch in pst.read(open(sys.argv[1], "rb").read())[1]])' "$1"
}

# rows STREAM: every sample with all its numbers, a line each.
rows() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import hashlib, sys, pst
for batch in pst.read(open(sys.argv[1], "rb").read())[1]:
    for i in range(len(batch["id"])):
        print(*[hashlib.md5(batch[name][i].tobytes()).hexdigest() for name in batch if name not in ("seq", "epoch")])' "$1"
}

# long_heads STREAM: the same with heads of batches that are longer than necessary.
long_heads() {
    /usr/bin/python3 -c '
import sys, msgpack
for message in msgpack.Unpacker(open(sys.argv[1], "rb")):
    if message["kind"] != "batch":
        sys.stdout.buffer.write(msgpack.packb(message))
        continue
    data = message.pop("data")
    head = msgpack.packb(message)
    sys.stdout.buffer.write(bytes([head[0] + 1]) + head[1:] + msgpack.packb("data") + bytes([0xdc, 0, len(data)]))
    for part in data:
        sys.stdout.buffer.write(b"\xc6" + len(part).to_bytes(4, "big") + part)' "$1"
}

# reads OPTION…: how often a replay reads from its recording.
reads() {
    strace -f -P whole.pst -e trace=read,pread64,readv,preadv -o "$BATS_TEST_TMPDIR/calls" replay whole.pst "$@" >"$BATS_TEST_TMPDIR/out"
    grep -c read "$BATS_TEST_TMPDIR/calls"
}

# ---- just as it was ----

@test "a recording replays to the same bytes, whether -o or tee made it" {
    replay whole.pst | cmp - whole.pst
    "${SOURCE[@]}" --run one | teachers | tee "$BATS_TEST_TMPDIR/tee.pst" | stream-inspect --check
    cmp whole.pst "$BATS_TEST_TMPDIR/tee.pst"
    "${SOURCE[@]}" --run one | teacher-forward teacher.safetensors |
        temperature-softmax -T 4 -o "$BATS_TEST_TMPDIR/option.pst"
    cmp whole.pst "$BATS_TEST_TMPDIR/option.pst"
}

@test "a student taught by a replay is bit for bit the one that was taught live" {
    training=(student-trainer -a 784-16-10 -r 0.05 --targets both --dropout-hidden 0.3 --schedule linear)
    "${SOURCE[@]}" | teachers | "${training[@]}" -o "$BATS_TEST_TMPDIR/live.safetensors"
    replay whole.pst | "${training[@]}" -o "$BATS_TEST_TMPDIR/replayed.safetensors"
    cmp "$BATS_TEST_TMPDIR/live.safetensors" "$BATS_TEST_TMPDIR/replayed.safetensors"
}

@test "training that was begun live and stopped continues from the recording, to the same student" {
    training=(student-trainer -a 784-16-10 -r 0.05 --checkpoint "$BATS_TEST_TMPDIR/checkpoint" --resume)
    "${SOURCE[@]}" | teachers | student-trainer -a 784-16-10 -r 0.05 -o "$BATS_TEST_TMPDIR/live.safetensors"
    run -130 "$BATS_TEST_DIRNAME/../python/feed.py" whole.pst 7 INT --until "$BATS_TEST_TMPDIR/checkpoint=5" -- \
        "${training[@]}" -o "$BATS_TEST_TMPDIR/student.safetensors"
    replay whole.pst | "${training[@]}" -o "$BATS_TEST_TMPDIR/student.safetensors"
    cmp "$BATS_TEST_TMPDIR/live.safetensors" "$BATS_TEST_TMPDIR/student.safetensors"
}

@test "epochs go on counting if a recording is replayed several times" {
    replay whole.pst --epochs 2 -o "$BATS_TEST_TMPDIR/twice.pst"
    [ "$(sizes "$BATS_TEST_TMPDIR/twice.pst")" = "$(for e in 0 1 2 3 4 5; do
        printf '%s ' "$e:20" "$e:20" "$e:20" "$e:20" "$e:10"
    done | sed 's/ $//')" ]
    stream-inspect -j "$BATS_TEST_TMPDIR/twice.pst" | head -n 1 | grep '"epochs":6,"batches":30,'
}

@test "a replay begins with the batch that --start names" {
    for start in 1 5 14; do # 5 batches, 90 samples an epoch
        replay whole.pst --start $start --force -o "$BATS_TEST_TMPDIR/rest.pst"
        keys "$BATS_TEST_TMPDIR/rest.pst" | cmp - <(keys whole.pst | tail -n +$((1 + 20 * start - 10 * (start / 5))))
    done
    assert_fails 64 "--start 16" replay whole.pst --start 16
}

# ---- as a set of samples ----

@test "batches of another size have the same samples in the same order, and no batch crosses an epoch" {
    replay whole.pst --batch 32 -o "$BATS_TEST_TMPDIR/other.pst"
    [ "$(sizes "$BATS_TEST_TMPDIR/other.pst")" = "0:32 0:32 0:26 1:32 1:32 1:26 2:32 2:32 2:26" ]
    cmp <(rows whole.pst) <(rows "$BATS_TEST_TMPDIR/other.pst")
    replay whole.pst --batch 32 --start 4 -o "$BATS_TEST_TMPDIR/rest.pst"
    cmp <(rows whole.pst | tail -n +$((90 + 33))) <(rows "$BATS_TEST_TMPDIR/rest.pst")
}

@test "every recorded sample comes once an epoch in a shuffled replay, with what was recorded for it" {
    replay whole.pst --shuffle --batch 32 --epochs 2 --seed 5 -o "$BATS_TEST_TMPDIR/shuffled.pst"
    rows "$BATS_TEST_TMPDIR/shuffled.pst" >"$BATS_TEST_TMPDIR/rows"
    rows whole.pst | sort >"$BATS_TEST_TMPDIR/sorted"
    for epoch in 1 2; do
        tail -n +$((270 * (epoch - 1) + 1)) "$BATS_TEST_TMPDIR/rows" | head -n 270 | sort |
            cmp - "$BATS_TEST_TMPDIR/sorted"
    done
    run ! cmp -s <(head -n 270 "$BATS_TEST_TMPDIR/rows") <(tail -n 270 "$BATS_TEST_TMPDIR/rows")
    run ! cmp -s <(head -n 270 "$BATS_TEST_TMPDIR/rows") <(rows whole.pst)
    replay whole.pst --shuffle --batch 32 --epochs 2 --seed 5 -o "$BATS_TEST_TMPDIR/again.pst"
    cmp "$BATS_TEST_TMPDIR/rows" <(rows "$BATS_TEST_TMPDIR/again.pst")
    replay whole.pst --shuffle --batch 32 --epochs 2 --seed 6 --force -o "$BATS_TEST_TMPDIR/again.pst"
    run ! cmp -s "$BATS_TEST_TMPDIR/rows" <(rows "$BATS_TEST_TMPDIR/again.pst")
    replay whole.pst --shuffle --batch 32 --epochs 2 --seed 5 --start 11 -o "$BATS_TEST_TMPDIR/rest.pst"
    cmp <(tail -n +$((270 + 65)) "$BATS_TEST_TMPDIR/rows") <(rows "$BATS_TEST_TMPDIR/rest.pst")
}

@test "classes, a share and a number of samples are taken as from any set" {
    replay whole.pst --only-classes 3,5 -o "$BATS_TEST_TMPDIR/part.pst"
    paste <(column whole.pst y) <(rows whole.pst) | grep '^[35]' | cut -f 2- | cmp - <(rows "$BATS_TEST_TMPDIR/part.pst")
    replay whole.pst --omit-classes 0-4 --shuffle --force -o "$BATS_TEST_TMPDIR/part.pst"
    [ "$(column "$BATS_TEST_TMPDIR/part.pst" y | sort -u | tr -d '\n')" = 56789 ]
    replay whole.pst --limit 50 --shuffle --epochs 2 -o "$BATS_TEST_TMPDIR/limited.pst"
    [ "$(keys "$BATS_TEST_TMPDIR/limited.pst" | wc -l)" -eq 100 ]
    [ "$(rows "$BATS_TEST_TMPDIR/limited.pst" | sort -u | wc -l)" -eq 50 ]
}

# shares FRACTION: of each class of whole.pst, how many samples that share is, at least one.
shares() {
    column whole.pst y | sort | uniq -c | awk -v share="$1" '{ n = int(share * $1 + 0.5); print $2, n < 1 ? 1 : n }'
}

@test "a share of a recording is that share of each class, and the same samples with the same seed" {
    for share in 0.02 0.1 0.5; do
        replay whole.pst --fraction $share --seed 5 --force -o "$BATS_TEST_TMPDIR/part.pst"
        column "$BATS_TEST_TMPDIR/part.pst" y | sort | uniq -c | awk '{ print $2, $1 }' | diff - <(shares $share)
        rows "$BATS_TEST_TMPDIR/part.pst" >"$BATS_TEST_TMPDIR/rows"
        # In their order, each once; an image may have been moved alike in two epochs.
        paste <(keys "$BATS_TEST_TMPDIR/part.pst") "$BATS_TEST_TMPDIR/rows" >"$BATS_TEST_TMPDIR/keyed"
        paste <(keys whole.pst) <(rows whole.pst) | grep -Fxf "$BATS_TEST_TMPDIR/keyed" | cmp - "$BATS_TEST_TMPDIR/keyed"
        replay whole.pst --fraction $share --seed 5 --batch 7 | rows /dev/stdin | cmp - "$BATS_TEST_TMPDIR/rows"
        replay whole.pst --fraction $share --seed 5 --shuffle | rows /dev/stdin | sort |
            cmp - <(sort "$BATS_TEST_TMPDIR/rows")
        run ! cmp -s <(replay whole.pst --fraction $share --seed 6 | rows /dev/stdin) "$BATS_TEST_TMPDIR/rows"
    done
}

@test "--sample takes a share or a number of all samples at random, and the same ones with the same seed" {
    sampled=$BATS_TEST_TMPDIR/sampled
    for sample in 27 10%; do
        replay whole.pst --sample $sample --seed 5 | rows /dev/stdin >"$sampled"
        [ "$(wc -l <"$sampled")" -eq 27 ]
        replay whole.pst --sample $sample --seed 5 | keys /dev/stdin >"$sampled.keys"
        paste "$sampled.keys" "$sampled" >"$sampled.keyed"
        paste <(keys whole.pst) <(rows whole.pst) | grep -Fxf "$sampled.keyed" | cmp - "$sampled.keyed" # in their order
        replay whole.pst --sample $sample --seed 5 --batch 7 | rows /dev/stdin | cmp - "$sampled"
        replay whole.pst --sample $sample --seed 5 --shuffle | rows /dev/stdin | sort | cmp - <(sort "$sampled")
        run ! cmp -s <(replay whole.pst --sample $sample --seed 6 | rows /dev/stdin) "$sampled"
    done
    # Of every epoch, and not one a class.
    [ "$(replay whole.pst --sample 50% | keys /dev/stdin | cut -d ' ' -f 1 | sort -u | wc -l)" -eq 3 ]
    [ "$(replay whole.pst --sample 1 | keys /dev/stdin | wc -l)" -eq 1 ]
    [ "$(replay whole.pst --sample 0.1% | keys /dev/stdin | wc -l)" -eq 1 ]
    [ "$(replay whole.pst --sample 100% | keys /dev/stdin | wc -l)" -eq 270 ]
    [ "$(replay whole.pst --sample 1000 | keys /dev/stdin | wc -l)" -eq 270 ]
    [ "$(reads --sample 1)" -le 4 ] # no labels are read for it
    for sample in 0 -1 x 0% 101% % 1.5 5%%; do
        assert_fails 64 "--sample: '$sample' is neither a share" replay whole.pst --sample "$sample"
    done
    for other in "limit 5" "fraction 0.5" "only-classes 3" "omit-classes 3"; do
        # shellcheck disable=SC2086 # words of a command
        assert_fails 64 "--sample takes of all samples alike" replay whole.pst --sample 5 --$other
    done
    assert_fails 64 "--follow and --sample exclude each other" replay whole.pst --follow --sample 5
}

@test "samples are chosen by labels of more classes than a byte holds, too" {
    change 'header["classes"] = 1000; batch["y"] = (batch["y"] + 300).astype("i4")' whole.pst "$BATS_TEST_TMPDIR/many.pst"
    [ "$(replay "$BATS_TEST_TMPDIR/many.pst" --only-classes 303,305 | column /dev/stdin y | sort -u | tr '\n' ' ')" = "303 305 " ]
    change 'header["classes"] = 0' "$BATS_TEST_TMPDIR/many.pst" "$BATS_TEST_TMPDIR/unknown.pst"
    [ "$(replay "$BATS_TEST_TMPDIR/unknown.pst" --omit-classes 0-307 | column /dev/stdin y | sort -u | tr '\n' ' ')" = "308 309 " ]
    change 'if batch["seq"] == 3: batch["y"][5] = 1000' "$BATS_TEST_TMPDIR/many.pst" "$BATS_TEST_TMPDIR/bad.pst"
    assert_fails 65 "bad.pst, batch 3: label 1000 is not a class" replay "$BATS_TEST_TMPDIR/bad.pst" --only-classes 3
}

@test "recordings without labels can be replayed in part, but not by class" {
    change 'drop("y")' whole.pst "$BATS_TEST_TMPDIR/plain.pst"
    replay "$BATS_TEST_TMPDIR/plain.pst" --limit 9 | stream-inspect --check
    assert_fails 64 "need labels, and there are none" replay "$BATS_TEST_TMPDIR/plain.pst" --only-classes 3
}

@test "a replay reads each recorded batch once, in any order of its samples" {
    command -v strace >/dev/null || skip "there is no strace"
    [[ ${SANITIZE-} != *address* ]] || skip "strace and the leak checker exclude each other"
    [ -z "${VALGRIND-}" ] || skip "valgrind makes calls of its own"
    opening=3 # the header, the trailer, and the trailer once more, as a message
    [ "$(reads)" -le $((15 + opening)) ]
    [ "$(reads --shuffle --epochs 7)" -le $((15 + opening)) ]
    [ "$(reads --batch 7 --shuffle)" -le $((15 + opening)) ]
    # Labels are read first, and then samples.
    [ "$(reads --shuffle --only-classes 2,3)" -le $((2 * 15 + opening)) ]
    [ "$(reads --only-classes 2,3)" -le $((2 * 15 + opening)) ]
    [ "$(reads --batch 7)" -le $((15 + opening)) ]
    [ "$(reads --shuffle --memory 0)" -gt 270 ]
}

@test "a recording that does not fit into memory is replayed to the same bytes" {
    for how in "--shuffle --epochs 3" "--shuffle --batch 7 --only-classes 0-4" "--batch 13 --shuffle --epochs 2"; do
        # shellcheck disable=SC2086 # words of a command
        replay whole.pst whole.pst --run one $how -o "$BATS_TEST_TMPDIR/kept.pst"
        for memory in 0 20k 50k 100k 1M; do
            # shellcheck disable=SC2086
            replay whole.pst whole.pst --run one --memory $memory $how | cmp - "$BATS_TEST_TMPDIR/kept.pst"
        done
        rm "$BATS_TEST_TMPDIR/kept.pst"
    done
}

# resum EDIT RECORDING: prints the recording with a changed trailer that has a true checksum.
resum() {
    /usr/bin/python3 -c '
import sys, msgpack
sys.path.insert(0, sys.argv[3])
from pipestill_stream import crc32c
messages = list(msgpack.Unpacker(open(sys.argv[2], "rb")))
meta = msgpack.unpackb(messages[-1]["meta"])
exec(sys.argv[1])
messages[-1]["meta"] = msgpack.packb(meta)
messages[-1]["crc"] = crc32c(messages[-1]["meta"])
sys.stdout.buffer.write(b"".join(msgpack.packb(message) for message in messages))' "$1" "$2" "$BATS_TEST_DIRNAME/../python"
}

@test "a recording without the number or the sums of its trailer is refused" {
    bad=$BATS_TEST_TMPDIR/bad.pst
    for edit in 'meta["batch_checksum"] += 1' 'meta["sample_checksum"] ^= 8' 'meta["batch_checksum"] += 1; del meta["index"]'; do
        resum "$edit" whole.pst >"$bad"
        for how in "" "--shuffle" "--shuffle --memory 0" "--batch 7" "--only-classes 3"; do
            # shellcheck disable=SC2086 # words of a command
            run -65 --separate-stderr bash -c 'replay "$@" >/dev/null' _ "$bad" $how
            [[ $stderr == "replay: $bad: the trailer's checksums do not fit what came" ]]
        done
        replay "$bad" --start 14 | stream-inspect --check # not all of it was read
    done
    for edit in 'meta["samples"] += 1' 'meta["batches"] -= 1; del meta["index"]'; do
        resum "$edit" whole.pst >"$bad"
        assert_fails 65 "$bad: the trailer tells of " replay "$bad"
    done
}

@test "a recording without an index, which another program wrote, is replayed all the same" {
    change 'pass' whole.pst "$BATS_TEST_TMPDIR/foreign.pst" # no index
    cmp <(replay "$BATS_TEST_TMPDIR/foreign.pst" --shuffle | rows /dev/stdin) <(replay whole.pst --shuffle | rows /dev/stdin)
    long_heads "$BATS_TEST_TMPDIR/foreign.pst" >"$BATS_TEST_TMPDIR/long.pst"
    cmp <(replay "$BATS_TEST_TMPDIR/long.pst" --shuffle | rows /dev/stdin) <(replay whole.pst --shuffle | rows /dev/stdin)
}

@test "the order of a replay is a permutation for sets of every small size" {
    for samples in 1 2 3 5 10 17; do
        loader digits --samples "$samples" --no-shuffle --force -o "$BATS_TEST_TMPDIR/small.pst"
        replay "$BATS_TEST_TMPDIR/small.pst" --shuffle --epochs 2 --force -o "$BATS_TEST_TMPDIR/shuffled.pst"
        [ "$(keys "$BATS_TEST_TMPDIR/shuffled.pst" | sort -u | wc -l)" -eq $((2 * samples)) ]
    done
}

# ---- several as one ----

@test "several recordings are one set: one after another, or shuffled together" {
    exchange --epochs 6 "${SOURCE[@]}"
    "${exchanged[@]}" --start 15 | teachers >"$BATS_TEST_TMPDIR/second.pst" # other epochs of the same
    replay whole.pst "$BATS_TEST_TMPDIR/second.pst" -o "$BATS_TEST_TMPDIR/both.pst"
    cat <(rows whole.pst) <(rows "$BATS_TEST_TMPDIR/second.pst") | cmp - <(rows "$BATS_TEST_TMPDIR/both.pst")
    stream-inspect -j "$BATS_TEST_TMPDIR/both.pst" | head -n 1 | grep '"epochs":6,"batches":30,'
    replay whole.pst "$BATS_TEST_TMPDIR/second.pst" --shuffle -o "$BATS_TEST_TMPDIR/shuffled.pst"
    cmp <(rows "$BATS_TEST_TMPDIR/both.pst" | sort) <(rows "$BATS_TEST_TMPDIR/shuffled.pst" | sort)
    [ "$(rows "$BATS_TEST_TMPDIR/shuffled.pst" | head -n 270 | sort | comm -12 - <(rows whole.pst | sort) | wc -l)" -lt 200 ]
}

@test "recordings that continue each other are replayed as the whole that they are parts of" {
    head -c "$(($(stat -c %s whole.pst) * 6 / 10))" whole.pst >"$BATS_TEST_TMPDIR/begin.pst.part"
    next=$(stream-repair --next "$BATS_TEST_TMPDIR/begin.pst.part")
    "${SOURCE[@]}" --start "$next" | teachers >"$BATS_TEST_TMPDIR/end.pst"
    replay "$BATS_TEST_TMPDIR/begin.pst" "$BATS_TEST_TMPDIR/end.pst" -o "$BATS_TEST_TMPDIR/joined.pst"
    cmp <(keys whole.pst) <(keys "$BATS_TEST_TMPDIR/joined.pst")
    cmp <(rows whole.pst) <(rows "$BATS_TEST_TMPDIR/joined.pst")
    # Any number of parts of one run make the same file; in another order they do not.
    "${SOURCE[@]}" --run one --start "$next" | teachers | head -c 100000 >"$BATS_TEST_TMPDIR/middle.pst"
    last=$(stream-repair --next "$BATS_TEST_TMPDIR/middle.pst")
    "${SOURCE[@]}" --run one --start "$last" | teachers >"$BATS_TEST_TMPDIR/end.pst"
    replay "$BATS_TEST_TMPDIR"/{begin,middle,end}.pst | cmp - whole.pst
    run ! cmp -s whole.pst <(replay "$BATS_TEST_TMPDIR"/{end,begin,middle}.pst)
}

# differs WORDS STREAM: whole.pst and this recording do not make one set, and the words say what differs.
differs() {
    assert_fails 65 "whole.pst and $2 do not make one set, '$1" replay whole.pst "$2"
    assert_fails 65 "$3" replay "$2" whole.pst
}

@test "recordings that were made otherwise do not make one set, and what differs is named" {
    other=$BATS_TEST_TMPDIR/other.pst
    loader digits --samples 20 | teacher-forward teacher.safetensors -o "$other"
    assert_fails 65 "whole.pst and $other do not hold the same tensors" replay whole.pst "$other"
    "${SOURCE[@]}" | teacher-forward teacher.safetensors | temperature-softmax -T 5 >"$other"
    differs soft/teacher "$other" "temperature-softmax temperature=5 here, temperature-softmax temperature=4 there"
    "${SOURCE[@]}" --data-seed 7 | teachers >"$other"
    differs x "$other" "loader digest="
    exchange --seed 4 "${SOURCE[@]}"
    "${exchanged[@]}" | teachers >"$other"
    differs x "$other" "loader augmentation_seed=4 here, loader augmentation_seed=3 there"
    loader digits --samples 40 | student-trainer -a 784-12-10 -s 8 -r 0.05 -o "$BATS_TEST_TMPDIR/teacher.safetensors"
    "${SOURCE[@]}" | teacher-forward "$BATS_TEST_TMPDIR/teacher.safetensors" | temperature-softmax -T 4 >"$other"
    differs logits/teacher "$other" "teacher-forward model="
}

@test "tensors without an origin are accepted, but not at another temperature" {
    change 'for tensor in header["tensors"]: tensor.pop("origin", None)' whole.pst "$BATS_TEST_TMPDIR/plain.pst"
    replay whole.pst "$BATS_TEST_TMPDIR/plain.pst" | stream-inspect --check
    change 'spec("soft/teacher")["temperature"] = 5.0' "$BATS_TEST_TMPDIR/plain.pst" "$BATS_TEST_TMPDIR/five.pst"
    assert_fails 65 "'soft/teacher' was made otherwise: T = 4 here, T = 5 there" replay whole.pst "$BATS_TEST_TMPDIR/five.pst"
}

@test "the history has what a replay did to the samples" {
    effect() { stream-inspect --json | head -n 1 | grep -o '"effect":"[a-z]*"' | tail -n 1; }
    [ "$(replay whole.pst --batch 7 | effect)" = '"effect":"adds"' ]
    [ "$(replay whole.pst --shuffle --limit 7 | effect)" = '"effect":"reorders"' ]
    [ "$(replay whole.pst --only-classes 3 | effect)" = '"effect":"selects"' ]
    [ "$(replay whole.pst --start 3 | effect)" = '"effect":"selects"' ]
}

# ---- while it is written ----

@test "--follow replays a recording while it is still written, and ends with it" {
    grown=$BATS_TEST_TMPDIR/grown.pst
    start replay --follow "$grown" -o "$BATS_TEST_TMPDIR/followed.pst"
    follower=$!
    (
        size=$(stat -c %s whole.pst)
        head -c $((size / 3)) whole.pst
        await test -s "$BATS_TEST_TMPDIR/followed.pst.part" >&2
        tail -c +$((size / 3 + 1)) whole.pst
    ) 3>&- | replay --follow /dev/stdin -o "$grown" 3>&-
    ends "$follower" 0 20
    cmp whole.pst "$grown"
    cmp whole.pst "$BATS_TEST_TMPDIR/followed.pst"
}

@test "--follow waits for the writer of a recording that is empty and not locked yet" {
    grown=$BATS_TEST_TMPDIR/grown.pst
    : >"$grown.part" # a writer makes the file, and locks it a moment later
    start replay --follow "$grown" -o "$BATS_TEST_TMPDIR/followed.pst"
    follower=$!
    sleep 0.3
    replay whole.pst -o "$grown"
    ends "$follower" 0 20
    cmp whole.pst "$BATS_TEST_TMPDIR/followed.pst"
}

@test "--follow notices that the writer of a recording has gone" {
    grown=$BATS_TEST_TMPDIR/grown.pst
    mkfifo "$BATS_TEST_TMPDIR/feed"
    start temperature-softmax -T 2 -i "$BATS_TEST_TMPDIR/feed" -o "$grown"
    writer=$!
    exec 9>"$BATS_TEST_TMPDIR/feed"
    "${SOURCE[@]}" | teacher-forward teacher.safetensors | head -c 300000 >&9
    await test -s "$grown.part"
    start replay --follow "$grown" --peer-timeout 60 -o "$BATS_TEST_TMPDIR/followed.pst"
    follower=$!
    await test -s "$BATS_TEST_TMPDIR/followed.pst.part"
    kill -KILL "$writer"
    ends "$follower" 65 20
    exec 9>&-
    [ ! -e "$BATS_TEST_TMPDIR/followed.pst" ]
}

@test "--follow reads what is being written, not what was written under that name before" {
    grown=$BATS_TEST_TMPDIR/grown.pst
    loader digits --samples 20 -o "$grown"
    mkfifo "$BATS_TEST_TMPDIR/feed"
    start averager -i "$BATS_TEST_TMPDIR/feed" --force -o "$grown"
    exec 9>"$BATS_TEST_TMPDIR/feed"
    head -c 100000 whole.pst >&9
    await test -s "$grown.part"
    start replay --follow "$grown" -o "$BATS_TEST_TMPDIR/followed.pst" 9>&-
    follower=$!
    await test -s "$BATS_TEST_TMPDIR/followed.pst.part"
    tail -c +100001 whole.pst >&9
    exec 9>&-
    ends "$follower" 0 20
    cmp "$grown" "$BATS_TEST_TMPDIR/followed.pst"
    stream-inspect --check "$grown" | grep ": whole, 15 batches"
}

@test "--follow gives up a file that neither appears nor grows" {
    assert_fails 66 "appeared within" replay --follow "$BATS_TEST_TMPDIR/never.pst" --peer-timeout 0.5
    head -c 100000 whole.pst >"$BATS_TEST_TMPDIR/stuck.pst"
    run --separate-stderr replay --follow "$BATS_TEST_TMPDIR/stuck.pst" --peer-timeout 0.5
    [ "$status" -eq 69 ]
    [[ $stderr == *"has not grown for 0.5 s"* ]]
}

# ---- what is refused ----

@test "epochs that go down, or are too large to count on, are refused with the batch" {
    back=$BATS_TEST_TMPDIR/back.pst
    change 'batch["epoch"] = 2 - batch["epoch"]' whole.pst "$back"
    assert_fails 65 "$back, batch 5: epoch 1 after epoch 2; epochs must go up" replay "$back" --epochs 2
    assert_fails 65 "$back, batch 5: epoch 1 after epoch 2" replay whole.pst "$back"
    change 'if batch["seq"] == 14: batch["epoch"] = 2 ** 64 - 1' whole.pst "$back"
    assert_fails 65 "$back, batch 14: epoch 18446744073709551615" replay "$back" --epochs 2
    assert_fails 65 "$back, batch 14: epoch 18446744073709551615" replay "$back" --batch 7
}

@test "an index with more batches than the file has room for takes no memory" {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - "$BATS_TEST_TMPDIR/holes.pst" <<'PYTHON'
import sys
import pipestill_stream as stream
tensors = [{"name": "id", "dtype": "u64", "shape": []}]
header = stream.message("header", {"format": 1, "run": "one", "tensors": tensors, "history": []})[0]
room = 1 << 30
for at, runs in ("a", [room, 1, 1, 0]), ("b", [room // 8, 8, 1, 0]), ("c", [room // 40, 40, 1, 0]), ("d", [1, room, 1 << 31, 0]):
    trailer = {"batches": runs[0], "samples": runs[0], "batch_checksum": 0, "sample_checksum": 0,
               "index": {"run": "one", "header": len(header), "runs": runs}}
    with open(sys.argv[1] + at, "wb") as file:
        file.write(header)
        file.seek(len(header) + room)
        file.write(stream.message("trailer", trailer)[0])
PYTHON
    for at in a b c d; do
        [[ -n ${SANITIZE-}${VALGRIND-} ]] || limit='ulimit -v 250000;'
        run -65 --separate-stderr bash -c "${limit-} exec replay '$BATS_TEST_TMPDIR/holes.pst$at' --shuffle"
        echo "$stderr"
        [[ $stderr == *"holes.pst$at"*"index"* ]]
    done
}

@test "options and files that do not fit a replay are refused" {
    for option in "shift 2" "split train" "hold-out 5" "data-seed 4" "images foo"; do
        # shellcheck disable=SC2086 # words of a command
        assert_fails 64 "there is no option '--${option% *}'" replay whole.pst --$option
    done
    assert_fails 64 "--follow takes one recording" replay whole.pst whole.pst --follow
    assert_fails 64 "--follow and --shuffle exclude each other" replay whole.pst --follow --shuffle
    assert_fails 64 "FILE... is missing" replay
    assert_fails 66 "nowhere.pst" replay nowhere.pst
    assert_fails 65 "not a file" replay <(cat whole.pst)
    : >"$BATS_TEST_TMPDIR/empty.pst"
    assert_fails 65 "empty" replay "$BATS_TEST_TMPDIR/empty.pst"
}

@test "loader says that a recording is for replay" {
    assert_fails 64 "whole.pst is a recorded stream: use replay" loader whole.pst --shuffle
    head -c 1000 whole.pst >"$BATS_TEST_TMPDIR/cut.pst"
    assert_fails 64 "use replay" loader "$BATS_TEST_TMPDIR/cut.pst"
    echo "kind" >"$BATS_TEST_TMPDIR/text"
    assert_fails 64 "text is not a data set of a known kind" loader "$BATS_TEST_TMPDIR/text"
}
