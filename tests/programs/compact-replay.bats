#!/usr/bin/env bats
# replay restores compact recordings. Those without inputs are joined with the inputs again, and the error says how.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

SOURCE=(loader digits --samples 70 --batch 16 --epochs 2 --shift 2 --elastic 1 --seed 3) # 10 batches, 5 an epoch

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --epochs 2 | student-trainer -a 784-12-10 -r 0.05 -o teacher.safetensors
    "${SOURCE[@]}" | teacher-forward teacher.safetensors --name t | temperature-softmax -T 4 -o whole.pst
    for form in f32 u8; do
        compactor --targets $form -i whole.pst -o $form-keep.pst
        compactor --targets $form --inputs digest -i whole.pst -o $form-digest.pst
    done
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
apart = abs(pst.column(first, "soft/t").astype(float) - pst.column(second, "soft/t")).max()
assert apart <= float(sys.argv[1]), "soft targets differ by %g" % apart' "$@"
}

@test "every form comes back with the inputs, labels and ids that were recorded, and soft targets near theirs" {
    replay f32-keep.pst -o "$out"
    same 0 whole.pst "$out"
    replay u8-keep.pst --force -o "$out"
    same 0.0005 whole.pst "$out"
}

@test "targets whose inputs were left out are joined with them again, and a student learns as from the whole recording" {
    training=(student-trainer -q -a 784-16-10 -r 0.05 --targets both --soft-targets soft/t --schedule linear)
    "${SOURCE[@]}" | stream-join f32-digest.pst -o "$out"
    same 0 whole.pst "$out"
    "${training[@]}" -i "$out" -o "$BATS_TEST_TMPDIR/joined.safetensors"
    "${training[@]}" -i whole.pst -o "$BATS_TEST_TMPDIR/whole.safetensors"
    cmp "$BATS_TEST_TMPDIR/whole.safetensors" "$BATS_TEST_TMPDIR/joined.safetensors"
    "${SOURCE[@]}" | stream-join u8-digest.pst --force -o "$out"
    same 0.0005 whole.pst "$out"
}

@test "a replay of targets whose inputs were left out is refused, and the error says how to join them" {
    for how in "" "--shuffle" "--only-classes 3" "--limit 5"; do
        # shellcheck disable=SC2086 # words of a command
        assert_fails 65 "u8-digest.pst: its inputs were left out; 'loader … | stream-join u8-digest.pst'" \
            replay u8-digest.pst $how
    done
}

@test "a compact recording gives what the whole one gives: shuffled, in part and by class" {
    for how in "--shuffle --batch 9 --epochs 2" "--only-classes 3,5" "--omit-classes 0-4 --shuffle" \
        "--limit 30 --shuffle --seed 4" "--start 7" "--batch 32"; do
        # shellcheck disable=SC2086 # words of a command
        replay whole.pst $how --force -o "$BATS_TEST_TMPDIR/whole.pst"
        # shellcheck disable=SC2086
        replay f32-keep.pst $how --force -o "$out"
        same 0 "$BATS_TEST_TMPDIR/whole.pst" "$out"
    done
}

@test "the error for compact targets that make no sense names their recording" {
    change 'batch["u8/soft/t/step"][3] = np.nan if batch["seq"] == 2 else 1' u8-keep.pst "$bad"
    run --separate-stderr replay "$bad" -o "$out"
    [ "$status" -eq 65 ]
    [[ $stderr == "replay: $bad, batch 2: tensor 'u8/soft/t', sample 3 of the batch: its step is NaN"* ]]
    rm "$out.part"
    run --separate-stderr replay "$bad" --shuffle -o "$out"
    [[ $status -eq 65 && $stderr == "replay: $bad: tensor 'u8/soft/t', "* ]]
}

@test "stages that need what a compact recording left out say how to get it" {
    for stage in "teacher-forward teacher.safetensors" "student-trainer -a 784-9-10 -o $out"; do
        # shellcheck disable=SC2086 # words of a command
        assert_fails 65 "'loader … | stream-join FILE' joins a recording of it" $stage -i u8-digest.pst
    done
    for targets in "" "--targets soft"; do
        # shellcheck disable=SC2086
        assert_fails 65 "'compactor --restore' before this stage restores it" \
            student-trainer -a 784-9-10 $targets -i u8-keep.pst -o "$out"
    done
    student-trainer -q -a 784-9-10 --targets hard -i u8-keep.pst -o "$out"
}

@test "compact recordings that were made alike are one set" {
    exchange --epochs 4 "${SOURCE[@]}"
    "${exchanged[@]}" --start 5 | teacher-forward teacher.safetensors --name t |
        temperature-softmax -T 4 | compactor --targets u8 -o "$BATS_TEST_TMPDIR/other.pst"
    replay u8-keep.pst "$BATS_TEST_TMPDIR/other.pst" --shuffle | stream-inspect --check
}
