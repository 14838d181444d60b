#!/usr/bin/env bats
# pipelines/mnist-record-once: a teacher is asked once, three different students learn from what was kept, and the one
# that learns in recorded order is the student that the live pipe would have made.
bats_require_minimum_version 1.5.0

setup_file() {
    [ -z "${VALGRIND-}" ] || return 0 # every stage has been through it elsewhere
    export WORK=$BATS_FILE_TMPDIR EPOCHS=2 SAMPLES=600
    "$BATS_TEST_DIRNAME/../../pipelines/mnist-record-once" digits >"$WORK/said"
}

setup() {
    [ -z "${VALGRIND-}" ] || skip "too slow under valgrind"
    cd "$BATS_FILE_TMPDIR" || return
}

@test "one recording trains three different students" {
    for student in ordered shuffled small; do
        [ -s "digits-$student.safetensors" ]
    done
    [ "$(stat -c %s digits-*.safetensors | sort -u | wc -l)" -eq 4 ] # with the teacher: no two nets are alike
    cat said
    [ "$(grep -c '^784-.* of 5000 ' said)" -eq 3 ]
    [ "$(($(stat -c %s digits-600-2-u8.pst) * 20))" -lt "$(stat -c %s digits-600-2.pst)" ]
}

@test "the student taught in recorded order is bit for bit its live twin" {
    loader digits --samples 600 --epochs 2 --shift 2 | teacher-forward digits-teacher.safetensors |
        temperature-softmax -T 10 |
        student-trainer --arch 784-300-300-10 --targets soft --learning-rate 0.05 --schedule linear --seed 1 \
            -o "$BATS_TEST_TMPDIR/live.safetensors"
    cmp "$BATS_TEST_TMPDIR/live.safetensors" digits-ordered.safetensors
    # Another order makes another student, so the comparison can tell.
    loader digits-600-2.pst --shuffle |
        student-trainer --arch 784-300-300-10 --targets soft --learning-rate 0.05 --schedule linear --seed 1 \
            -o "$BATS_TEST_TMPDIR/shuffled.safetensors"
    run ! cmp -s "$BATS_TEST_TMPDIR/shuffled.safetensors" digits-ordered.safetensors
}

@test "asked again, the script neither trains the teacher nor records anew" {
    stat -c '%n %i %Y' digits-teacher.safetensors ./*.pst >before
    cp digits-small.safetensors small
    "$BATS_TEST_DIRNAME/../../pipelines/mnist-record-once" digits >again
    stat -c '%n %i %Y' digits-teacher.safetensors ./*.pst | cmp - before
    cmp digits-small.safetensors small
}

@test "a student that fails fails the script" {
    mv digits-shuffled.safetensors kept
    mkdir digits-shuffled.safetensors # a folder cannot be replaced by a model
    run "$BATS_TEST_DIRNAME/../../pipelines/mnist-record-once" digits
    [ "$status" -ne 0 ]
}
