#!/usr/bin/env bats
# The way of a stream does not matter: through a pool of workers, a stage in Python, stream-select and a link, made
# compact, recorded, replayed and joined, it fits what was made directly, and its student is the same.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

SOURCE=(loader digits --samples 90 --batch 20 --epochs 2 --shift 1 --seed 3)
TRAINING=(student-trainer -q -a 784-16-10 -r 0.05 --targets both --seed 9)

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 200 --epochs 2 | student-trainer -q -a 784-12-10 -r 0.05 -o t.safetensors
    "${SOURCE[@]}" | teacher-forward t.safetensors | temperature-softmax -T 4 -o direct.pst
    "${TRAINING[@]}" -i direct.pst -o direct.safetensors
}

setup() {
    load common
    : >"$BATS_TEST_TMPDIR/workers"
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
    student=$BATS_TEST_TMPDIR/student.safetensors
}

teardown() {
    local process
    # A worker that came after the last job still waits for one.
    while read -r process; do kill "$process" 2>/dev/null || true; done <"$BATS_TEST_TMPDIR/workers"
}

# pool: asks the teacher by way of a dispatcher and two workers.
pool() {
    local address=ipc://$BATS_TEST_TMPDIR/pool
    for _ in 1 2; do
        worker "$address" -- teacher-forward t.safetensors >/dev/null 2>&1 3>&- &
        echo $! >>"$BATS_TEST_TMPDIR/workers"
    done
    dispatcher "$address" 2>/dev/null
}

# python: a foreign stage, which adds a tensor and an entry of the history, and no origin.
python() {
    /usr/bin/python3 -B "$BATS_TEST_DIRNAME/../python/pst.py" 'add("mine", np.ones((len(batch["id"]), 2), "f4"))
if batch["seq"] == 0: header["history"].append({"stage": "mine.py", "version": "1"})'
}

# linked: over a link from one stage to the next.
linked() {
    # <&0: a process in the background has no input otherwise.
    stream-select --keep '*' -o "ipc://$BATS_TEST_TMPDIR/link" <&0 3>&- &
    stream-select --keep '*' -i "listen:ipc://$BATS_TEST_TMPDIR/link"
    wait
}

# travel: the long way from samples to soft targets.
travel() {
    pool | python | stream-select --drop mine | temperature-softmax -T 4 | linked
}

# assert_same STREAM: it holds what direct.pst holds, sample by sample.
assert_same() {
    for tensor in id y logits/t soft/t; do
        diff -q <(column direct.pst $tensor) <(column "$1" $tensor)
    done
}

@test "what came back from a pool is made compact without its inputs, and joined with them again" {
    "${SOURCE[@]}" | pool | temperature-softmax -T 4 | compactor --inputs digest -o "$out"
    "${SOURCE[@]}" | stream-join "$out" | stream-inspect --check
    "${SOURCE[@]}" | pool | temperature-softmax -T 4 | compactor --targets f32 --inputs digest -o "$out.f32"
    "${SOURCE[@]}" | stream-join "$out.f32" | "${TRAINING[@]}" --soft-targets soft/t -o "$student"
    "${SOURCE[@]}" | teacher-forward t.safetensors | temperature-softmax -T 4 |
        compactor --targets f32 | compactor --restore | "${TRAINING[@]}" --soft-targets soft/t -o "$student.direct"
    cmp "$student.direct" "$student"
}

@test "a stream that travelled is recorded, and is one set with what was made directly" {
    "${SOURCE[@]}" | travel >"$out"
    assert_same "$out"
    replay direct.pst "$out" --shuffle | stream-inspect --check
    replay "$out" direct.pst --limit 30 | stream-inspect --check
    replay "$out" | "${TRAINING[@]}" -o "$student"
    cmp direct.safetensors "$student"
}

@test "a stream that travelled is made compact, recorded and replayed, and is one set with what was made directly" {
    "${SOURCE[@]}" | travel | compactor -o "$out"
    compactor -i direct.pst -o "$out.direct"
    replay "$out" "$out.direct" --shuffle | stream-inspect --check
    diff <(replay "$out" | column /dev/stdin soft/t) <(replay "$out.direct" | column /dev/stdin soft/t)
    "${SOURCE[@]}" | travel | compactor --inputs digest -o "$out.small"
    "${SOURCE[@]}" | stream-join "$out.small" | "${TRAINING[@]}" --soft-targets soft/t -o "$student"
    compactor --restore -i "$out.direct" | "${TRAINING[@]}" --soft-targets soft/t -o "$student.direct"
    cmp "$student.direct" "$student"
}

@test "recorded targets are joined to samples that travelled" {
    "${SOURCE[@]}" | python | stream-select --drop mine | linked | stream-join direct.pst -o "$out"
    assert_same "$out"
    exchange --seed 4 "${SOURCE[@]}"
    "${exchanged[@]}" | python | stream-select --drop mine >"$BATS_TEST_TMPDIR/moved.pst"
    assert_refused "loader augmentation_seed=4 here, loader augmentation_seed=3 there" \
        stream-join direct.pst -i "$BATS_TEST_TMPDIR/moved.pst"
}

@test "what a replay selects is made compact without its inputs, and joined again" {
    for how in "--only-classes 3,5" "--start 4" "--batch 33"; do
        # shellcheck disable=SC2086 # words of a command
        replay direct.pst $how -o "$out"
        compactor --targets f32 --inputs digest -i "$out" -o "$out.small"
        stream-select --keep x --keep y --keep id -i "$out" | stream-join "$out.small" -o "$out.again"
        diff <(column "$out" soft/t) <(column "$out.again" soft/t)
        rm "$out" "$out.small" "$out.again"
    done
    # Shuffled, all samples are of one epoch, in which an id stands for two inputs.
    replay direct.pst --shuffle | compactor --inputs digest -o "$out"
    "${SOURCE[@]}" -o "$out.source"
    assert_refused "twice in epoch 0: which of its targets is meant?" stream-join "$out" -i "$out.source"
}
