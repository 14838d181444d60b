#!/usr/bin/env bats
# pipelines/mnist-record-once: a teacher is asked once, three different students learn from the recording, and the one
# that learns in recorded order is the student that the live pipe makes.
bats_require_minimum_version 1.5.0

setup_file() {
    [ -z "${VALGRIND-}" ] || return 0 # other tests run every stage under it
    export WORK=$BATS_FILE_TMPDIR EPOCHS=2 SAMPLES=600
    "$BATS_TEST_DIRNAME/../../pipelines/mnist-record-once" digits >"$WORK/said"
    digest=$(sha256sum <"$WORK/digits-teacher.safetensors")
    export recording=digits-600-2-${digest:0:12}
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
    [ "$(($(stat -c %s "$recording-u8.pst") * 20))" -lt "$(stat -c %s "$recording.pst")" ]
}

@test "the student taught in recorded order is bit for bit the student of the live pipe" {
    loader digits --samples 600 --epochs 2 --shift 2 | teacher-forward digits-teacher.safetensors |
        temperature-softmax -T 10 |
        student-trainer --arch 784-300-300-10 --targets soft --learning-rate 0.05 --schedule linear --seed 1 \
            -o "$BATS_TEST_TMPDIR/live.safetensors"
    cmp "$BATS_TEST_TMPDIR/live.safetensors" digits-ordered.safetensors
    # Another order makes another student, so the comparison above could fail.
    replay "$recording.pst" --shuffle |
        student-trainer --arch 784-300-300-10 --targets soft --learning-rate 0.05 --schedule linear --seed 1 \
            -o "$BATS_TEST_TMPDIR/shuffled.safetensors"
    run ! cmp -s "$BATS_TEST_TMPDIR/shuffled.safetensors" digits-ordered.safetensors
}

@test "a second run of the script neither trains the teacher nor records anew" {
    stat -c '%n %i %Y' digits-teacher.safetensors ./*.pst >before
    cp digits-small.safetensors small
    "$BATS_TEST_DIRNAME/../../pipelines/mnist-record-once" digits >again
    stat -c '%n %i %Y' digits-teacher.safetensors ./*.pst | cmp - before
    cmp digits-small.safetensors small
}

@test "another teacher is asked, though there is a recording of this size" {
    cp "$recording.pst" kept.pst
    mkdir -p kept && cp digits-teacher.safetensors digits-ordered.safetensors kept
    loader digits --samples 300 | student-trainer -a 784-20-10 -q -o "$BATS_TEST_TMPDIR/other.safetensors"
    TEACHER=$BATS_TEST_TMPDIR/other.safetensors "$BATS_TEST_DIRNAME/../../pipelines/mnist-record-once" digits >other
    grep -q 'the teacher is asked' other
    digest=$(sha256sum <"$BATS_TEST_TMPDIR/other.safetensors")
    for file in "digits-600-2-${digest:0:12}.pst" "digits-600-2-${digest:0:12}-u8.pst"; do
        stream-inspect --json --head 1 "$file" | grep -q "\"model\":\"${digest%% *}\""
    done
    run ! cmp -s digits-ordered.safetensors kept/digits-ordered.safetensors
    # The first teacher's recording is kept, and used if it is the teacher again.
    cmp "$recording.pst" kept.pst
    "$BATS_TEST_DIRNAME/../../pipelines/mnist-record-once" digits >again
    run ! grep -q 'the teacher is asked' again
    cmp digits-ordered.safetensors kept/digits-ordered.safetensors
}

@test "the three students learn at the same time" {
    # Each student is replaced by one that begins when all three are there. One after another they would wait in vain.
    local build=$BATS_TEST_TMPDIR/build
    mkdir -p "$build/bin" "$build/students"
    cat >"$build/bin/student-trainer" <<SCRIPT
#!/usr/bin/env bash
touch "$build/students/\$\$"
for _ in {1..200}; do
    students=("$build"/students/*)
    ((\${#students[@]} < 3)) || PATH=$PATH exec student-trainer "\$@"
    sleep 0.1
done
echo "the other students did not come" >&2
exit 75
SCRIPT
    printf '#!/usr/bin/env bash\necho "PATH=%q"\n' "$build/bin:$PATH" >"$build/pipestill"
    chmod +x "$build/bin/student-trainer" "$build/pipestill"
    BUILD=$build "$BATS_TEST_DIRNAME/../../pipelines/mnist-record-once" digits
    [ "$(find "$build/students" -type f | wc -l)" -eq 3 ]
}

@test "a student that fails fails the script" {
    mv digits-shuffled.safetensors kept
    mkdir digits-shuffled.safetensors # a folder cannot be replaced by a model
    run "$BATS_TEST_DIRNAME/../../pipelines/mnist-record-once" digits
    [ "$status" -ne 0 ]
}
