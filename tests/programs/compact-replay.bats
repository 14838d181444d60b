#!/usr/bin/env bats
# loader restores compact recordings: what compactor left out is made again from the data set, to the bit, or it is said
# why it cannot be.
# shellcheck disable=SC2154 # bats' run sets stderr
# shellcheck disable=SC2016 # what stands in single quotes is for another shell
bats_require_minimum_version 1.5.0

SOURCE=(loader digits --samples 70 --batch 16 --epochs 2 --shift 2 --elastic 1 --seed 3) # 10 batches, 5 an epoch

# make_idx NUMBER IMAGES LABELS: random images of 28 by 28 pixels and their labels as IDX files.
make_idx() {
    /usr/bin/python3 -c '
import random, struct, sys
number, images, labels = int(sys.argv[1]), sys.argv[2], sys.argv[3]
draw = random.Random(5)
with open(images, "wb") as file:
    file.write(struct.pack(">IIII", 0x803, number, 28, 28) + bytes(draw.randrange(256) for _ in range(number * 784)))
with open(labels, "wb") as file:
    file.write(struct.pack(">II", 0x801, number) + bytes(i % 10 for i in range(number)))' "$@"
}

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --epochs 2 | student-trainer -a 784-12-10 -r 0.05 -o teacher.safetensors
    "${SOURCE[@]}" | teacher-forward teacher.safetensors --name t | temperature-softmax -T 4 -o whole.pst
    for form in f32 f16 u8; do
        for inputs in digest reference; do
            compactor --targets $form --inputs $inputs -i whole.pst -o $form-$inputs.pst
        done
    done
    make_idx 50 images labels
    loader --images images --labels labels --shift 1 | teacher-forward teacher.safetensors --name t |
        compactor --inputs reference -o idx.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
    bad=$BATS_TEST_TMPDIR/bad.pst
}

# same BOUND STREAM STREAM: inputs, labels and ids are equal, sample by sample, and no soft target differs by more than this.
same() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import sys, numpy, pst
first, second = [pst.read(open(name, "rb").read())[1] for name in sys.argv[2:]]
assert first
for name in ("x", "y", "id"):
    assert numpy.array_equal(pst.column(first, name), pst.column(second, name)), name + " differs"
if "soft/t" in first[0]:
    apart = abs(pst.column(first, "soft/t").astype(float) - pst.column(second, "soft/t")).max()
    assert apart <= float(sys.argv[1]), "soft targets differ by %g" % apart' "$@"
}

@test "every form comes back with the inputs, labels and ids that were recorded, and soft targets near theirs" {
    for form in f32 f16 u8; do
        for inputs in digest reference; do
            loader $form-$inputs.pst -o "$out"
            same 0.0005 whole.pst "$out"
        done
    done
}

@test "soft targets kept as f32 come back to the bit" {
    for inputs in digest reference; do
        loader f32-$inputs.pst -o "$out"
        same 0 whole.pst "$out"
    done
}

@test "a student taught by a recording by reference is bit for bit the one that was taught live" {
    training=(student-trainer -a 784-16-10 -r 0.05 --targets both --dropout-hidden 0.3 --schedule linear)
    "${SOURCE[@]}" | teacher-forward teacher.safetensors --name t | temperature-softmax -T 4 |
        "${training[@]}" -o "$BATS_TEST_TMPDIR/live.safetensors"
    loader f32-reference.pst | "${training[@]}" -o "$BATS_TEST_TMPDIR/replayed.safetensors"
    cmp "$BATS_TEST_TMPDIR/live.safetensors" "$BATS_TEST_TMPDIR/replayed.safetensors"
    loader f32-reference.pst --shuffle | "${training[@]}" -o "$BATS_TEST_TMPDIR/shuffled.safetensors"
    run ! cmp -s "$BATS_TEST_TMPDIR/live.safetensors" "$BATS_TEST_TMPDIR/shuffled.safetensors"
}

@test "shuffled, in part and by class a compact recording gives what the whole one gives" {
    for how in "--shuffle --batch 9 --epochs 2" "--only-classes 3,5" "--omit-classes 0-4 --shuffle" \
        "--limit 30 --shuffle --seed 4" "--start 7" "--batch 32"; do
        # shellcheck disable=SC2086 # words of a command
        loader whole.pst $how -o "$BATS_TEST_TMPDIR/whole.pst"
        for inputs in digest reference; do
            # shellcheck disable=SC2086
            loader f32-$inputs.pst $how -o "$out"
            same 0 "$BATS_TEST_TMPDIR/whole.pst" "$out"
        done
    done
    loader f32-reference.pst --only-classes 3,5 -o "$out"
    [ "$(column "$out" y | sort -u | tr '\n' ' ')" = "3 5 " ]
}

@test "a selection from a data set is found again" {
    loader digits --samples 300 --only-classes 1,2,7 --fraction 0.5 --hold-out 60 --no-shuffle --rotate 8 --scale-jitter 0.1 |
        teacher-forward teacher.safetensors --name t -o "$BATS_TEST_TMPDIR/whole.pst"
    compactor --inputs reference -i "$BATS_TEST_TMPDIR/whole.pst" | cat >"$BATS_TEST_TMPDIR/small.pst"
    loader "$BATS_TEST_TMPDIR/small.pst" -o "$out"
    same 0 "$BATS_TEST_TMPDIR/whole.pst" "$out"
}

@test "files are named again, and only those that were recorded are taken" {
    loader --images images --labels labels --shift 1 -o "$BATS_TEST_TMPDIR/whole.pst"
    loader idx.pst --images images --labels labels -o "$out"
    same 0 "$BATS_TEST_TMPDIR/whole.pst" "$out"
    assert_fails 64 "name it with --images" loader idx.pst
    for file in images labels; do
        cp images labels "$BATS_TEST_TMPDIR"
        /usr/bin/python3 -c '
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(30)
    byte = file.read(1)[0]
    file.seek(30)
    file.write(bytes([byte ^ 1]))' "$BATS_TEST_TMPDIR/$file"
        assert_fails 65 "is not the one that was recorded" \
            loader idx.pst --images "$BATS_TEST_TMPDIR/images" --labels "$BATS_TEST_TMPDIR/labels"
    done
}

@test "a data set that is made otherwise than it was is refused" {
    change 'header["history"][0]["data-seed"] = 9' f32-reference.pst "$bad"
    assert_fails 65 "is not the one that was recorded" loader "$bad"
}

@test "an augmentation that the loader does not know is named" {
    for inputs in digest reference; do
        change 'header["history"][0]["warp"] = 1.5' f32-$inputs.pst "$bad"
        assert_fails 65 "'warp'" loader "$bad"
    done
}

@test "an augmentation that the history tells otherwise is found by the digests" {
    change 'header["history"][0]["elastic"] = 1.25' f32-reference.pst "$bad"
    run --separate-stderr loader "$bad"
    [ "$status" -eq 65 ]
    [[ $stderr == "loader: $bad, batch 0, sample "* ]]
}

@test "an input that is not the one recorded is named by its batch and id" {
    id=$(column whole.pst id | sed -n $((16 * 3 + 6))p) # batch 3, sample 5
    for inputs in digest reference; do
        change 'if batch["seq"] == 3: batch["digest/x"][5, 1] ^= 4' f32-$inputs.pst "$bad"
        run --separate-stderr bash -c 'loader "$1" >"$2"' - "$bad" "$out"
        echo "$stderr"
        [ "$status" -eq 65 ]
        [[ $stderr == "loader: $bad, batch 3, sample 5, id $id: "* ]]
    done
}

@test "compact targets that make no sense are named by their recording" {
    change 'batch["u8/soft/t/step"][3] = np.nan if batch["seq"] == 2 else 1' u8-digest.pst "$bad"
    run --separate-stderr loader "$bad" -o "$out"
    [ "$status" -eq 65 ]
    [[ $stderr == "loader: $bad, batch 2: tensor 'u8/soft/t', sample 3 of the batch: its step is NaN"* ]]
    rm "$out.part"
    run --separate-stderr loader "$bad" --shuffle -o "$out"
    [[ $status -eq 65 && $stderr == "loader: $bad: tensor 'u8/soft/t', "* ]]
}

@test "stages that want what a compact recording left out tell how to have it" {
    assert_fails 65 "no tensor 'id'; it is compact, and 'loader FILE | …' restores a recording of it" \
        stream-inspect --sample 3 u8-reference.pst
    for stage in "teacher-forward teacher.safetensors" "student-trainer -a 784-9-10 -o $out"; do
        # shellcheck disable=SC2086 # words of a command
        assert_fails 65 "'loader FILE | …' restores a recording of it" $stage -i u8-digest.pst
    done
    compactor --targets u8 -i whole.pst -o "$bad"
    for targets in "" "--targets soft"; do
        # shellcheck disable=SC2086
        assert_fails 65 "'compactor --restore' before this stage restores it" \
            student-trainer -a 784-9-10 $targets -i "$bad" -o "$out"
    done
    student-trainer -q -a 784-9-10 --targets hard -i "$bad" -o "$out"
}

@test "where no data set made the inputs, none can make them again" {
    change 'header["history"][0] = {"stage": "mine.py", "version": "1"}' f32-digest.pst "$bad"
    assert_fails 65 "names no data set" loader "$bad"
    change 'header["history"] = []' f32-reference.pst "$bad"
    assert_fails 65 "names no data set" loader "$bad"
}

@test "recordings whose inputs were left out are one set only where they were loaded alike" {
    loader u8-reference.pst u8-reference.pst --shuffle | stream-inspect --check
    "${SOURCE[@]}" --seed 4 | teacher-forward teacher.safetensors --name t | temperature-softmax -T 4 |
        compactor --targets u8 --inputs reference -o "$BATS_TEST_TMPDIR/other.pst"
    run -65 --separate-stderr loader u8-reference.pst "$BATS_TEST_TMPDIR/other.pst"
    [[ $stderr == *"u8-reference.pst and $BATS_TEST_TMPDIR/other.pst left their inputs out, and were loaded otherwise"* ]]
}

# mixed COMMAND…: a stream whose epochs or seeds are mixed is not made compact without its inputs, and the way out is told.
mixed() {
    "$@" -o "$BATS_TEST_TMPDIR/mixed.pst"
    assert_refused "use --inputs keep, or compact the recording before" compactor --inputs digest -i "$BATS_TEST_TMPDIR/mixed.pst"
    assert_refused "or use --inputs keep" compactor --inputs reference -i "$BATS_TEST_TMPDIR/mixed.pst"
    rm "$BATS_TEST_TMPDIR/mixed.pst"
}

@test "augmented inputs whose epochs a replay has mixed are not dropped" {
    mixed loader whole.pst --shuffle
    mixed loader whole.pst --epochs 2
    mixed loader whole.pst whole.pst
    "${SOURCE[@]}" --seed 4 --start 5 | teacher-forward teacher.safetensors --name t | temperature-softmax -T 4 -o "$bad"
    mixed loader whole.pst "$bad"
    loader whole.pst --shuffle -o "$bad"
    mixed loader "$bad" --limit 20
}

@test "inputs that their ids still tell can be dropped after a replay" {
    loader digits --samples 70 --batch 16 --epochs 2 | teacher-forward teacher.safetensors --name t -o "$bad"
    "${SOURCE[@]}" --epochs 1 | teacher-forward teacher.safetensors --name t -o "$BATS_TEST_TMPDIR/single.pst"
    for replay in "$bad --shuffle --epochs 2" "whole.pst --only-classes 3,5 --batch 9" "$BATS_TEST_TMPDIR/single.pst --shuffle"; do
        # shellcheck disable=SC2086 # words of a command
        loader $replay -o "$BATS_TEST_TMPDIR/replayed.pst"
        compactor --targets f32 --inputs digest -i "$BATS_TEST_TMPDIR/replayed.pst" -o "$BATS_TEST_TMPDIR/small.pst"
        loader "$BATS_TEST_TMPDIR/small.pst" -o "$out"
        same 0 "$BATS_TEST_TMPDIR/replayed.pst" "$out"
    done
}

@test "behind a stage that may reorder samples there is no reference" {
    change 'header["history"].append({"stage": "mine.py", "version": "1"}) if batch["seq"] == 0 else 0' whole.pst "$bad"
    assert_refused "'mine.py', which may have left out samples or changed their order; use --inputs digest or keep" \
        compactor --inputs reference -i "$bad"
    compactor --targets f32 --inputs digest -i "$bad" -o "$BATS_TEST_TMPDIR/small.pst"
    loader "$BATS_TEST_TMPDIR/small.pst" -o "$out"
    same 0 whole.pst "$out"
}
