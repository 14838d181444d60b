#!/usr/bin/env bats
# stream-join from outside: recorded targets reach the samples that they belong to, and no others.
# shellcheck disable=SC2030,SC2031,SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

SOURCE=(loader digits --samples 90 --batch 10 --epochs 3)
TRAINING=(-a 784-12-10 -r 0.05 --targets both --dropout-hidden 0.3 --seed 9 -q)

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --batch 20 --epochs 4 -o lessons.pst
    student-trainer -a 784-12-10 -r 0.05 -i lessons.pst -o a.safetensors
    student-trainer -a 784-9-10 -r 0.05 -s 2 -i lessons.pst -o b.safetensors
    "${SOURCE[@]}" --seed 3 --shift 1 -o moved.pst
    teacher-forward a.safetensors -i moved.pst -o a-moved.pst
    loader digits --samples 90 --batch 7 --no-shuffle -o plain.pst
    teacher-forward a.safetensors -i plain.pst -o a-plain.pst
    temperature-softmax -T 4 -i a-plain.pst -o soft-plain.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    bad=$BATS_TEST_TMPDIR/bad.pst
    out=$BATS_TEST_TMPDIR/out.pst
    student=$BATS_TEST_TMPDIR/student.safetensors
    live=$BATS_TEST_TMPDIR/live.safetensors
}

# both: the second teacher live, and the mean of the two.
both() {
    teacher-forward b.safetensors | temperature-softmax -T 4 | averager --teachers 2
}

# digests STREAM RECORDING: a recording that has digests in the inputs' place, made with nothing but Python.
digests() {
    change 'from pipestill_stream import crc32c
rows = []
for x, i, *y in zip(batch["x"], batch["id"], *([batch["y"]] if "y" in batch else [])):
    crc = crc32c(x.tobytes() + b"".join(label.astype("<i4").tobytes() for label in y) + i.astype("<u8").tobytes())
    rows.append([crc & 255, crc >> 8 & 255, crc >> 16 & 255])
add("digest/x", np.array(rows, "u1"))
drop("x")' "$1" "$2"
}

# ---- the same student ----

@test "live and recorded targets mixed give the student that all live ones give" {
    "${SOURCE[@]}" --seed 3 --shift 1 | teacher-forward a.safetensors | both |
        student-trainer "${TRAINING[@]}" -o "$live"
    "${SOURCE[@]}" --seed 3 --shift 1 | stream-join a-moved.pst | both | student-trainer "${TRAINING[@]}" -o "$student"
    cmp "$live" "$student"
}

@test "in another order than the recorded one the student is that of live targets in this order" {
    # Most BLAS kernels round a row by its place in the matrix, which is another one here; these do not.
    export OPENBLAS_CORETYPE=Nehalem
    recorded=$BATS_TEST_TMPDIR/a.pst
    teacher-forward a.safetensors -i plain.pst -o "$recorded"
    for seed in 8 9; do
        "${SOURCE[@]}" --seed $seed | teacher-forward a.safetensors | both | student-trainer "${TRAINING[@]}" -o "$live"
        "${SOURCE[@]}" --seed $seed | stream-join "$recorded" | both | student-trainer "${TRAINING[@]}" -o "$student"
        cmp "$live" "$student"
    done
}

@test "every sample gets its own row, whatever the order and the batches" {
    loader digits --samples 90 --batch 16 --seed 5 | stream-join soft-plain.pst -o "$out"
    for tensor in logits/a soft/a; do
        diff <(paste <(column soft-plain.pst id) <(column soft-plain.pst $tensor) | sort) \
            <(paste <(column "$out" id) <(column "$out" $tensor) | sort)
    done
    # The order is another one, or this would show nothing.
    run ! diff -q <(column soft-plain.pst id) <(column "$out" id)
}

@test "with several epochs recorded, each epoch gets its own rows" {
    # In reverse order within each epoch, in one batch.
    exchange --batch 90 "${SOURCE[@]}"
    "${exchanged[@]}" --seed 3 --shift 1 |
        /usr/bin/python3 -B "$BATS_TEST_DIRNAME/../python/pst.py" \
            'for name in ("x", "y", "id"): batch[name] = batch[name][::-1]' | stream-join a-moved.pst -o "$out"
    column a-moved.pst logits/a >"$BATS_TEST_TMPDIR/recorded"
    column "$out" logits/a >"$BATS_TEST_TMPDIR/joined"
    for epoch in 1 2 3; do
        diff <(head -n $((90 * epoch)) "$BATS_TEST_TMPDIR/recorded" | tail -n 90 | tac) \
            <(head -n $((90 * epoch)) "$BATS_TEST_TMPDIR/joined" | tail -n 90)
    done
}

# ---- what is taken ----

@test "it takes all targets that the input lacks, or those asked for, with their temperature" {
    stream-join soft-plain.pst -i plain.pst -o "$out"
    for tensor in logits/a soft/a; do
        diff <(column soft-plain.pst $tensor) <(column "$out" $tensor)
    done
    stream-inspect --summary "$out" | grep -q 'soft/a .* T = 4'
    stream-join --take soft/a -i plain.pst soft-plain.pst | stream-inspect --json >"$BATS_TEST_TMPDIR/said"
    [[ $(head -n 1 "$BATS_TEST_TMPDIR/said") != *'"name":"logits/a"'* ]]
    stream-join -i a-plain.pst soft-plain.pst --force -o "$out"
    diff <(column soft-plain.pst soft/a) <(column "$out" soft/a)
}

@test "the recording's history stands in this stage's entry" {
    stream-join soft-plain.pst -i plain.pst | stream-inspect --json | head -n 1 | /usr/bin/python3 -c '
import json, sys
entry = json.load(sys.stdin)["history"][-1]
assert entry["stage"] == "stream-join" and entry["take"] == ["logits/a", "soft/a"], entry
assert [stage["stage"] for stage in entry["recording"]] == ["loader", "teacher-forward", "temperature-softmax"], entry
assert entry["recording"][1]["model"], entry'
}

@test "nothing to take, a tensor that is not there and one that the input has are refused" {
    assert_refused "plain.pst has no targets that plain.pst lacks" stream-join plain.pst -i plain.pst
    assert_refused "soft-plain.pst has no targets that soft-plain.pst lacks" stream-join soft-plain.pst -i soft-plain.pst
    assert_refused "soft-plain.pst has no tensor 'soft/c'" stream-join --take soft/c soft-plain.pst -i plain.pst
    assert_refused "'logits/a' is in the stream already" stream-join --take logits/a soft-plain.pst -i a-plain.pst
    assert_fails 64 "it is taken already" stream-join -t soft/a -t soft/a soft-plain.pst -i plain.pst
}

# ---- each sample with its own row ----

@test "a sample that is not in the recording is named, with its batch and both files" {
    change 'if batch["seq"] == 12: batch["id"][5] = 90' plain.pst "$bad"
    assert_fails_late "batch 12: sample 90 of $bad (row 5, epoch 0) is not in soft-plain.pst" \
        stream-join soft-plain.pst -i "$bad"
    exchange --epochs 4 "${SOURCE[@]}"
    "${exchanged[@]}" --seed 3 --shift 1 -o "$BATS_TEST_TMPDIR/longer.pst"
    assert_fails_late "epoch 3) is not in a-moved.pst in that epoch" \
        stream-join a-moved.pst -i "$BATS_TEST_TMPDIR/longer.pst"
}

# assert_fails_late WORDS COMMAND…: as assert_refused, but some batches may have gone out before.
assert_fails_late() {
    local words=$1
    shift
    run --separate-stderr "$@" -o "$out"
    echo "exit code $status: $stderr"
    [ "$status" -eq 65 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "$1: "*"$words"* ]]
    [ ! -e "$out" ]
    rm -f "$out.part"
}

@test "an input that differs from the recorded one is named, even if it is by one bit" {
    change 'if batch["seq"] == 3: batch["x"][2, 5, 6] ^= 1' plain.pst "$bad"
    assert_fails_late "batch 3: sample 23 of $bad (row 2, epoch 0) has another input or label than in soft-plain.pst" \
        stream-join soft-plain.pst -i "$bad"
    change 'if batch["seq"] == 12: batch["y"][0] = (batch["y"][0] + 1) % 10' plain.pst "$bad"
    assert_fails_late "batch 12: sample 84 of $bad (row 0, epoch 0) has another input or label" \
        stream-join soft-plain.pst -i "$bad"
}

@test "an augmentation other than the recorded one is refused, and named if the streams have it" {
    "${SOURCE[@]}" --seed 4 --shift 1 -o "$BATS_TEST_TMPDIR/moved.pst"
    assert_refused "other inputs than those of $BATS_TEST_TMPDIR/moved.pst: loader augmentation_seed=4 here, loader augmentation_seed=3 there" \
        stream-join a-moved.pst -i "$BATS_TEST_TMPDIR/moved.pst"
    change 'for tensor in header["tensors"]: tensor.pop("origin", None)' "$BATS_TEST_TMPDIR/moved.pst" "$bad"
    assert_fails_late "augmented otherwise" stream-join a-moved.pst -i "$bad"
}

@test "a recording with digests in the inputs' place is checked as strictly, with labels and without" {
    digests soft-plain.pst "$BATS_TEST_TMPDIR/small.pst"
    loader digits --samples 90 --batch 16 --seed 5 -o "$BATS_TEST_TMPDIR/input.pst"
    stream-join soft-plain.pst -i "$BATS_TEST_TMPDIR/input.pst" | averager -o "$BATS_TEST_TMPDIR/expected.pst"
    stream-join "$BATS_TEST_TMPDIR/small.pst" -i "$BATS_TEST_TMPDIR/input.pst" | averager -o "$out"
    diff <(column "$BATS_TEST_TMPDIR/expected.pst" soft) <(column "$out" soft)
    rm "$out"
    change 'if batch["seq"] == 3: batch["x"][2, 5, 6] ^= 1' plain.pst "$bad"
    assert_fails_late "batch 3: sample 23 of $bad (row 2, epoch 0) has another input or label" \
        stream-join "$BATS_TEST_TMPDIR/small.pst" -i "$bad"
    change 'if batch["seq"] == 3: batch["y"][2] ^= 1' plain.pst "$bad"
    assert_fails_late "batch 3: sample 23" stream-join "$BATS_TEST_TMPDIR/small.pst" -i "$bad"

    change 'drop("y")' plain.pst "$BATS_TEST_TMPDIR/unlabelled.pst"
    assert_refused "are over labels, too, but $BATS_TEST_TMPDIR/unlabelled.pst has no labels" \
        stream-join "$BATS_TEST_TMPDIR/small.pst" -i "$BATS_TEST_TMPDIR/unlabelled.pst"
    change 'drop("y")' soft-plain.pst "$BATS_TEST_TMPDIR/soft-unlabelled.pst"
    digests "$BATS_TEST_TMPDIR/soft-unlabelled.pst" "$BATS_TEST_TMPDIR/small.pst"
    for input in "$BATS_TEST_TMPDIR/unlabelled.pst" plain.pst; do
        stream-join "$BATS_TEST_TMPDIR/small.pst" -i "$input" --force -o "$out"
        diff <(column soft-plain.pst soft/a) <(column "$out" soft/a)
    done
}

@test "compact targets are restored, wherever the inputs come from, and a student learns from them" {
    change 'header["history"] = []' soft-plain.pst "$BATS_TEST_TMPDIR/foreign.pst"
    loader digits --samples 90 --batch 16 --seed 5 -o "$BATS_TEST_TMPDIR/input.pst"
    for form in f32 u8; do
        for inputs in digest keep; do
            compactor --targets $form --inputs $inputs -i "$BATS_TEST_TMPDIR/foreign.pst" --force -o "$BATS_TEST_TMPDIR/small.pst"
            compactor --targets $form -i soft-plain.pst | compactor --restore --force -o "$BATS_TEST_TMPDIR/restored.pst"
            stream-join "$BATS_TEST_TMPDIR/small.pst" -i "$BATS_TEST_TMPDIR/input.pst" --force -o "$out"
            diff <(paste <(column "$BATS_TEST_TMPDIR/restored.pst" id) <(column "$BATS_TEST_TMPDIR/restored.pst" soft/a) | sort) \
                <(paste <(column "$out" id) <(column "$out" soft/a) | sort)
            student-trainer "${TRAINING[@]}" --soft-targets soft/a -i "$out" -o "$student"
        done
    done
    rm "$out"
    compactor --targets u8 --inputs digest -i "$BATS_TEST_TMPDIR/foreign.pst" --force -o "$BATS_TEST_TMPDIR/small.pst"
    change 'if batch["seq"] == 3: batch["x"][2, 5, 6] ^= 1' plain.pst "$bad"
    assert_fails_late "batch 3: sample 23 of $bad (row 2, epoch 0) has another input or label" \
        stream-join "$BATS_TEST_TMPDIR/small.pst" -i "$bad"
}

@test "compact augmented targets are joined epoch by epoch" {
    compactor --targets f32 --inputs digest -i a-moved.pst -o "$BATS_TEST_TMPDIR/small.pst"
    exchange --batch 16 "${SOURCE[@]}"
    "${exchanged[@]}" --seed 3 --shift 1 -o "$BATS_TEST_TMPDIR/input.pst"
    stream-join "$BATS_TEST_TMPDIR/small.pst" -i "$BATS_TEST_TMPDIR/input.pst" -o "$out"
    diff <(column a-moved.pst logits/a) <(column "$out" logits/a)
}

@test "a compact recording that cannot be joined is refused, and the error says what to do" {
    compactor --targets u8 --inputs digest -i soft-plain.pst -o "$BATS_TEST_TMPDIR/small.pst"
    change 'batch["u8/soft/a/step"][3] = np.nan if batch["seq"] == 2 else 1' "$BATS_TEST_TMPDIR/small.pst" "$bad"
    assert_refused "$bad, batch 2: tensor 'u8/soft/a', sample 3 of the batch: its step is NaN" \
        stream-join "$bad" -i plain.pst
    change 'header["compact"]["targets"][0]["form"] = "u4"' "$BATS_TEST_TMPDIR/small.pst" "$bad"
    assert_refused "$bad: header: its key 'compact'" stream-join "$bad" -i plain.pst
}

@test "a recording of other data is refused, and what differs is named" {
    loader digits --samples 90 --data-seed 7 -o "$bad"
    assert_refused "soft-plain.pst was recorded from other inputs than those of $bad: loader digest=" \
        stream-join soft-plain.pst -i "$bad"
}

@test "a recording that cannot be joined is refused" {
    change 'drop("id")' soft-plain.pst "$bad"
    assert_refused "$bad has no tensor 'id'" stream-join "$bad" -i plain.pst
    change 'drop("x")' soft-plain.pst "$bad"
    assert_refused "$bad has neither 'x' nor 'digest/x'" stream-join "$bad" -i plain.pst
    change 'add("digest/x", np.zeros((len(batch["id"]), 4), "u1")); drop("x")' soft-plain.pst "$bad"
    assert_refused "$bad: tensor 'digest/x'" stream-join "$bad" -i plain.pst
    change 'if batch["seq"] == 4: batch["id"][3] = 11' soft-plain.pst "$bad"
    assert_refused "$bad has sample 11 twice in epoch 0" stream-join "$bad" -i plain.pst
    change 'header["classes"] = 9' soft-plain.pst "$bad"
    assert_refused "$bad has 9 classes, but plain.pst has 10" stream-join "$bad" -i plain.pst
    change 'header["classes"] = 0; drop("logits/a"); add("soft/a", batch["soft/a"][:, :9]); spec("soft/a")["shape"] = [9]' \
        soft-plain.pst "$bad"
    assert_refused "'soft/a' of $bad has 9 classes, but plain.pst has 10" stream-join "$bad" -i plain.pst
    change 'spec("x")["scale"] = 1.0' soft-plain.pst "$bad"
    assert_refused "'x' is u8 [28, 28] · 1 + 0 in $bad, but u8 [28, 28] · 0.00392157 + 0 in plain.pst" stream-join "$bad" -i plain.pst
    head -c 40000 soft-plain.pst >"$bad"
    assert_refused "bad.pst, byte 40000, batch" stream-join "$bad" -i plain.pst
    assert_fails 66 "nowhere.pst" stream-join nowhere.pst -i plain.pst
    assert_fails 64 "standard input is for the samples" stream-join - -i plain.pst
    assert_fails 64 "TARGETS is missing" stream-join -i plain.pst
}

@test "an input without ids or inputs is refused" {
    change 'drop("id")' plain.pst "$bad"
    assert_refused "'id'" stream-join soft-plain.pst -i "$bad"
    change 'drop("x")' plain.pst "$bad"
    assert_refused "$bad has no inputs 'x'" stream-join soft-plain.pst -i "$bad"
}
