#!/usr/bin/env bats
# A file that is an input is never written, and only what may be replaced is replaced.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 20 --batch 10 -o lesson.pst
    loader digits --split test --samples 20 --batch 10 -o test.pst
    student-trainer -q --hidden 8 -i lesson.pst -o teacher.safetensors
    teacher-forward teacher.safetensors -i lesson.pst -o logits.pst
}

setup() {
    load common
    cp "$BATS_FILE_TMPDIR"/*.{pst,safetensors} "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR" || return
    sha256sum ./*.pst ./*.safetensors >sums
    student=(student-trainer -q --hidden 8)
}

# Everything is as it was, and nothing else has appeared.
unharmed() {
    sha256sum --quiet -c sums
    run ! compgen -G '*.part'
}

# same COMMAND…: the command is refused, because another option names a file that it writes.
same() {
    assert_fails 64 "names it, too; give each its own" "$@"
    unharmed
}

@test "an output that is the input or the validation stream is refused" {
    same temperature-softmax -i logits.pst -o logits.pst
    same temperature-softmax -i logits.pst -o logits.pst --force
    same temperature-softmax -i ./logits.pst -o "$PWD/logits.pst" --force
    same "${student[@]}" -i lesson.pst -o lesson.pst
    same "${student[@]}" -i lesson.pst -o test.pst --validate test.pst
    same "${student[@]}" -i lesson.pst -o teacher.safetensors --checkpoint teacher.safetensors
    same student-trainer --from teacher.safetensors -i lesson.pst -o teacher.safetensors
    same replay lesson.pst -o lesson.pst --force
    same stream-join logits.pst -i lesson.pst -o logits.pst --force
    same teacher-forward teacher.safetensors -i lesson.pst -o teacher.safetensors --force
}

@test "a file is recognised by a link, a hard link, standard input and standard output" {
    ln -s logits.pst soft
    ln logits.pst hard
    same temperature-softmax -i logits.pst -o soft --force
    same temperature-softmax -i logits.pst -o hard --force
    # shellcheck disable=SC2094 # it is read and written on purpose
    same temperature-softmax -o logits.pst --force <logits.pst
    [[ $stderr == *"and standard input names it"* ]]
    # shellcheck disable=SC2094
    same temperature-softmax --log logits.pst <logits.pst
    run -64 --separate-stderr bash -c 'loader digits --samples 20 --log out >out'
    [[ $stderr == *"names it, too"* ]]
    [ ! -s out ]
}

@test "a file that is not there yet is recognised by its name" {
    ln -s new dangling
    mkdir folder
    same loader digits -o new --log new
    same loader digits -o new --log folder/../new
    same loader digits -o dangling --log new
    same "${student[@]}" -i lesson.pst -o new --checkpoint ./new
    [ ! -e new ]
    loader digits --samples 20 -o dangling
    [ -L dangling ]
    stream-inspect --check new
}

@test "NAME.part is a file that is written, too" {
    mv lesson.pst student.part
    sha256sum ./*.pst ./*.part ./*.safetensors >sums
    assert_fails 64 "student.part: --output writes this file, and --input names it" "${student[@]}" -i student.part -o student
    assert_fails 64 "student.part: --output writes" "${student[@]}" -i - -o student <student.part
    mv teacher.safetensors student.part
    assert_fails 64 "student.part: --output writes" student-trainer --from student.part -i test.pst -o student
    [ -s student.part ]
}

@test "a log that is an input, an output or no log at all is refused" {
    same teacher-forward teacher.safetensors -i lesson.pst --log lesson.pst
    same teacher-forward teacher.safetensors -i lesson.pst --log teacher.safetensors
    same replay lesson.pst test.pst --log test.pst
    same stream-inspect lesson.pst --log lesson.pst
    same stream-repair lesson.pst --log lesson.pst
    same "${student[@]}" -i lesson.pst -o new --log new
    same loader --images lesson.pst,test.pst --log test.pst
    same loader idx:lesson.pst,test.pst --log test.pst
    assert_fails 64 "is not a log, and is left as it is" loader digits --log lesson.pst
    keygen k.key >k.public
    sha256sum k.key >>sums
    same loader digits -o tcp://127.0.0.1:1 --key k.key --server-key k.public --log k.key
    loader digits --samples 20 --log log >/dev/null
    loader digits --samples 20 --log log >/dev/null
    [ "$(grep -c '"event":"start"' log)" -eq 2 ]
}

@test "a checkpoint is never made over a teacher, a recording, a pipe or any other file" {
    sha256sum sums >others
    for file in teacher.safetensors test.pst sums; do
        for options in '' --restart; do
            # shellcheck disable=SC2086 # none or one word
            assert_fails 64 "$file: is there already, and is not a checkpoint" "${student[@]}" -i lesson.pst -o new \
                --checkpoint $file $options
        done
        assert_fails 65 "$file" "${student[@]}" -i lesson.pst -o new --checkpoint $file --resume
    done
    mkfifo pipe
    assert_fails 64 "pipe: is there already, and is not a checkpoint" "${student[@]}" -i lesson.pst -o new --checkpoint pipe
    assert_fails 65 "pipe: is not a regular file" "${student[@]}" -i lesson.pst -o new --checkpoint pipe --resume
    [ -p pipe ]
    same "${student[@]}" -i lesson.pst -o new --checkpoint lesson.pst
    same "${student[@]}" -i lesson.pst -o new --checkpoint test.pst --validate test.pst
    [ ! -e new ]
    sha256sum --quiet -c others
}

# stopped: a run that leaves a checkpoint and no model.
stopped() {
    run -65 "${student[@]}" -i <(head -c -4000 lesson.pst) -o new --checkpoint point
    [ -s point ]
}

@test "a checkpoint that is there needs --resume or --restart, and goes when the model is whole" {
    stopped
    cp point before
    assert_fails 64 "--checkpoint point: is there already; --resume takes it up, --restart discards it" \
        "${student[@]}" -i lesson.pst -o new --checkpoint point
    cmp point before
    "${student[@]}" -i lesson.pst -o resumed --checkpoint point --resume
    [ ! -e point ]
    cp before point
    "${student[@]}" -i lesson.pst -o restarted --checkpoint point --restart
    [ ! -e point ]
    cmp resumed restarted
    "${student[@]}" -i lesson.pst -o restarted --checkpoint point --restart
}

@test "a file that takes the checkpoint's place while the student learns is left as it is" {
    feed() {
        head -c -4000 lesson.pst # with one of two batches
        until [ -e point ]; do sleep 0.02; done
        cp teacher.safetensors point
        tail -c 4000 lesson.pst
    }
    run -74 --separate-stderr "${student[@]}" -i <(feed) -o new --checkpoint point --checkpoint-every 1
    [[ $stderr == *"point: is not the checkpoint any more, but another file; it is left as it is"* ]]
    cmp teacher.safetensors point
}

@test "a file in the way of a recording is replaced with --force only" {
    assert_fails 64 "lesson.pst: there is a file of this name already; --force replaces it" loader digits -o lesson.pst
    assert_fails 64 "--force replaces it" temperature-softmax -i logits.pst -o teacher.safetensors
    unharmed
    loader digits --samples 20 --batch 10 -o test.pst --force
    stream-inspect --check test.pst
    : >empty
    loader digits --samples 20 -o empty
    "${student[@]}" -i lesson.pst -o teacher.safetensors
    loader digits --samples 20 -o /dev/null
}

@test "a recording keeps the mode of the one that it replaces" {
    chmod 600 test.pst
    loader digits --samples 20 -o test.pst --force
    [ "$(stat -c %a test.pst)" = 600 ]
}

@test "links in a circle are reported, and a .part that leads elsewhere is not written" {
    ln -s b a
    ln -s a b
    assert_fails 74 "a: cannot be written: Too many levels of symbolic links" loader digits -o a
    ln -s lesson.pst new.part
    assert_fails 74 "new.part: is a symbolic link; remove it" loader digits -o new
    ln -f lesson.pst new.part
    assert_fails 74 "new.part: is a hard link" "${student[@]}" -i test.pst -o new
    sha256sum --quiet -c sums
}

@test "messages of a program whose standard error is closed go nowhere" {
    [[ -z ${VALGRIND-} ]] || skip "valgrind does not start without standard error"
    loader digits --samples 20 --batch 10 --run one -o expected
    loader digits --samples 20 --batch 10 --run one -o closed 2>&-
    cmp expected closed
    run -65 bash -c 'head -c 9000 lesson.pst | temperature-softmax -o broken 2>&-'
    run ! grep -q temperature-softmax: broken.part
    run -65 bash -c 'temperature-softmax -i lesson.pst --log log 2>&- >&-'
    [ "$(grep -c . log)" -eq "$(grep -c '^{"time":' log)" ]
}

@test "standard input and standard output that are closed are errors" {
    run -74 --separate-stderr bash -c 'loader digits --samples 20 >&-'
    [[ $stderr == *"standard output: cannot be written: Bad file descriptor"* ]]
    run -74 --separate-stderr bash -c 'temperature-softmax <&- >/dev/null'
    [[ $stderr == *"standard input: cannot be read: Bad file descriptor"* ]]
    run -74 bash -c 'stream-inspect lesson.pst >&- <&- 2>&-'
}
