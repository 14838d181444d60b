#!/usr/bin/env bats
# The same seed gives the same student to the last bit, for every way of the stream and any number of interruptions.
# Dropout, max-norm, momentum and shifted images are on, because each of them could break that.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

SOURCE=(loader digits --samples 90 --batch 10 --epochs 4 --shift 2 --seed 3) # 36 batches, 9 an epoch
TRAINING=(-a 784-16-12-10 -r 0.05 --targets both --momentum 0.8 --dropout-input 0.2 --dropout-hidden 0.4 --max-norm 2
    --schedule cosine --warm-up 0.5 --weight-decay 0.0001 --seed 9)

teachers() {
    teacher-forward a.safetensors | teacher-forward b.safetensors | temperature-softmax -T 4 | averager --geometric
}

# One student in the plain way; the students of all other ways are compared with it.
setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --batch 20 --epochs 4 -o lessons.pst
    student-trainer -a 784-12-10 -r 0.05 -i lessons.pst -o a.safetensors
    student-trainer -a 784-9-10 -r 0.05 -s 2 -i lessons.pst -o b.safetensors
    loader digits --split test --samples 50 -o validation.pst
    "${SOURCE[@]}" | teachers >recorded.pst
    student-trainer "${TRAINING[@]}" --validate validation.pst -i recorded.pst -o expected.safetensors
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    student=$BATS_TEST_TMPDIR/student.safetensors
    checkpoint=$BATS_TEST_TMPDIR/checkpoint
    TRAINING+=(--validate validation.pst -o "$student")
    RESUMABLE=("${TRAINING[@]}" --checkpoint "$checkpoint")
}

# The student is the expected one, and nothing else is left.
assert_same() {
    cmp expected.safetensors "$student"
    [ ! -e "$student.part" ] && [ ! -e "$checkpoint" ] && [ ! -e "$checkpoint.part" ]
}

# interrupted SIGNAL CODE BATCHES SAVED [OPTION…]: trains on so many batches and a half, then sends the signal. There is no
# model then, and the checkpoint continues from batch SAVED.
interrupted() {
    local signal=$1 code=$2 batches=$3 saved=$4
    shift 4
    run --separate-stderr "$BATS_TEST_DIRNAME/../python/feed.py" recorded.pst "$batches" "$signal" \
        --until "$checkpoint=$saved" -- student-trainer "${RESUMABLE[@]}" "$@"
    echo "exit code $status: $stderr"
    [ "$status" -eq "$code" ]
    [ ! -e "$student" ]
    [ -e "$checkpoint" ]
}

# ---- ways of the stream ----

@test "the student is the same over a pipe, with the teachers live" {
    "${SOURCE[@]}" | teachers | student-trainer "${TRAINING[@]}"
    assert_same
}

@test "the student is the same through cat, and from what tee recorded" {
    "${SOURCE[@]}" | teachers | tee "$BATS_TEST_TMPDIR/tee.pst" | student-trainer "${TRAINING[@]}"
    assert_same
    rm "$student"
    # cat is needed: it cuts the bytes into other pieces.
    # shellcheck disable=SC2002
    cat "$BATS_TEST_TMPDIR/tee.pst" | student-trainer "${TRAINING[@]}"
    assert_same
    rm "$student"
    dd if="$BATS_TEST_TMPDIR/tee.pst" bs=777 status=none | student-trainer "${TRAINING[@]}"
    assert_same
}

@test "the student is the same from a recording of the inputs alone" {
    "${SOURCE[@]}" -o "$BATS_TEST_TMPDIR/inputs.pst"
    teachers <"$BATS_TEST_TMPDIR/inputs.pst" | student-trainer "${TRAINING[@]}"
    assert_same
}

@test "the student is the same with checkpoints as without" {
    student-trainer "${RESUMABLE[@]}" --checkpoint-every 1 -i recorded.pst
    assert_same
}

@test "another seed gives another student" {
    exchange --seed 10 "${TRAINING[@]}"
    student-trainer "${exchanged[@]}" -i recorded.pst
    run ! cmp -s expected.safetensors "$student"
}

# ---- interruptions ----

@test "after kill -9 at six moments and --resume the student is the same" {
    # A checkpoint is saved after every four batches, and when the first batch of a new epoch comes; an epoch has nine.
    for moment in '4 4' '9 8' '10 9' '19 18' '30 28' '35 32'; do
        rm -f "$student"
        echo "batches, saved: $moment"
        # Two words, split on purpose.
        # shellcheck disable=SC2086
        interrupted KILL 137 $moment --checkpoint-every 4
        student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
        assert_same
    done
}

@test "killed again and again, the student is the same" {
    interrupted KILL 137 5 5 --checkpoint-every 1
    interrupted KILL 137 6 6 --checkpoint-every 1 --resume
    interrupted KILL 137 21 21 --checkpoint-every 1 --resume
    student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
    assert_same
}

@test "a kill before the first checkpoint costs nothing but time" {
    run "$BATS_TEST_DIRNAME/../python/feed.py" recorded.pst 3 KILL -- student-trainer "${RESUMABLE[@]}"
    [ "$status" -eq 137 ]
    [ ! -e "$checkpoint" ]
    run --separate-stderr student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
    [ "$status" -eq 0 ]
    [[ $stderr == *"there is no checkpoint yet; starting anew"* ]]
    assert_same
}

@test "a kill while a checkpoint or the model is being written leaves the one before" {
    interrupted KILL 137 8 8 --checkpoint-every 4
    # What a writer leaves if it is killed in the middle.
    head -c 1000 "$checkpoint" >"$checkpoint.part"
    head -c 1000 expected.safetensors >"$student.part"
    student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
    assert_same
}

@test "after a signal one line says where training stopped and how to go on" {
    interrupted INT 130 14 9
    [ "$stderr" = "student-trainer: stopped after batch 13; --resume continues from $checkpoint, and 'loader --start 14' spares \
the teacher what was learned" ]
    # The command of that line.
    "${SOURCE[@]}" --start 14 | teachers | student-trainer "${RESUMABLE[@]}" --resume
    assert_same
    rm "$student"
    run --separate-stderr "$BATS_TEST_DIRNAME/../python/feed.py" recorded.pst 5 TERM -- student-trainer "${TRAINING[@]}"
    [ "$status" -eq 143 ]
    [ "$stderr" = "student-trainer: stopped after batch 4; nothing is saved, so it must begin anew: with --checkpoint FILE \
it could go on" ]
}

@test "SIGINT, SIGTERM and SIGHUP save a checkpoint and end the program by that signal" {
    for signal in 'INT 130' 'TERM 143' 'HUP 129'; do
        rm -f "$student"
        # Two words, split on purpose.
        # shellcheck disable=SC2086
        interrupted $signal 14 12 --checkpoint-every 4
        # What came after the last regular checkpoint is in it as well.
        assert_fails 65 "continues from batch 14" student-trainer "${RESUMABLE[@]}" --resume -i <(
            "${SOURCE[@]}" --start 15 | teachers)
        student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
        assert_same
    done
}

@test "SIGTERM without --checkpoint leaves nothing" {
    run "$BATS_TEST_DIRNAME/../python/feed.py" recorded.pst 14 TERM -- student-trainer "${TRAINING[@]}"
    [ "$status" -eq 143 ]
    [ ! -e "$student" ] && [ ! -e "$student.part" ]
}

@test "if the input is cut off, what was learned is saved, and the student is the same after --resume" {
    ends=(13 26)
    for batches in "${ends[@]}"; do
        run --separate-stderr "$BATS_TEST_DIRNAME/../python/feed.py" recorded.pst "$batches" EOF -- \
            student-trainer "${RESUMABLE[@]}" --resume
        echo "exit code $status: $stderr"
        [ "$status" -eq 65 ]
        [[ $stderr == *truncated* ]]
        [ ! -e "$student" ]
    done
    "${SOURCE[@]}" --start 26 | teachers | student-trainer "${RESUMABLE[@]}" --resume
    assert_same
}

@test "a pipeline whose source is cut off anywhere can be resumed" {
    for bytes in 60001 111111; do
        rm -f "$student"
        run bash -c 'head -c "$1" recorded.pst | student-trainer "${@:2}"' - $bytes "${RESUMABLE[@]}"
        echo "$output"
        [ "$status" -eq 65 ]
        student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
        assert_same
    done
}

@test "a source that starts at the checkpoint's batch, or before it, gives the same student" {
    for start in 14 12 0; do
        rm -f "$student"
        interrupted KILL 137 14 14 --checkpoint-every 1
        "${SOURCE[@]}" --start $start | teachers | student-trainer "${RESUMABLE[@]}" --resume
        assert_same
    done
}

# ---- what does not fit a checkpoint ----

@test "a source that starts after the checkpoint, or late without one, is refused" {
    interrupted KILL 137 14 14 --checkpoint-every 1
    "${SOURCE[@]}" --start 15 | teachers >"$BATS_TEST_TMPDIR/late.pst"
    assert_fails 65 "the stream begins at batch 15, but $checkpoint continues from batch 14" \
        student-trainer "${RESUMABLE[@]}" --resume -i "$BATS_TEST_TMPDIR/late.pst"
    assert_fails 65 "the stream begins at batch 15; only --resume can go on there" \
        student-trainer "${TRAINING[@]}" -i "$BATS_TEST_TMPDIR/late.pst"
    rm "$checkpoint"
    assert_fails 65 "the stream begins at batch 15, but there is no checkpoint $checkpoint to go on from" \
        student-trainer "${RESUMABLE[@]}" --resume -i "$BATS_TEST_TMPDIR/late.pst"
    [ ! -e "$student" ]
}

@test "--resume continues a checkpoint of a version without one of the options, unless it is given" {
    interrupted KILL 137 14 14 --checkpoint-every 1
    grep -q -- 'final-momentum' "$checkpoint"
    # A file of another tool has no checksum.
    sed -i -e 's/\\"final-momentum\\":0.99,/                        /' -e 's/"checksum":/"Checksum":/' "$checkpoint"
    run ! grep -q -- 'final-momentum' "$checkpoint"
    cp "$checkpoint" "$BATS_TEST_TMPDIR/before"
    assert_fails 65 "was made with other options than these: final-momentum is 0.95 here, not given there" \
        student-trainer "${RESUMABLE[@]}" --momentum-epochs 1 --final-momentum 0.95 --resume -i recorded.pst
    cmp "$checkpoint" "$BATS_TEST_TMPDIR/before"
    student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
    assert_same
}

@test "--resume refuses other options, another stream, another network and another optimiser" {
    interrupted KILL 137 14 14 --checkpoint-every 1
    cp "$checkpoint" "$BATS_TEST_TMPDIR/before"
    assert_fails 65 "was made with other options than these: optimiser is 'nesterov' here, 'sgd' there" \
        student-trainer "${RESUMABLE[@]}" --optimiser nesterov --resume -i recorded.pst
    exchange -r 0.04 "${RESUMABLE[@]}"
    assert_fails 65 "was made with other options than these: learning-rate is 0.04 here, 0.05 there" \
        student-trainer "${exchanged[@]}" --resume -i recorded.pst
    exchange -a 784-16-10 "${RESUMABLE[@]}"
    assert_fails 65 "was made with other options than these: arch is '784-16-10' here, '" \
        student-trainer "${exchanged[@]}" --resume -i recorded.pst
    exchange --momentum 0.9 "${RESUMABLE[@]}"
    exchanged=("${exchanged[@]/--momentum/--beta1}")
    assert_fails 65 "was made with other options than these: " \
        student-trainer "${exchanged[@]}" --optimiser adam --resume -i recorded.pst
    for change in '--seed 4=augmentation_seed=4 here, loader augmentation_seed=3 there' \
        '--shift 1=shift=1 here, loader shift=2 there' '--epochs 5=batches is 45 here, 36 there'; do
        words=${change%%=*}
        exchange "${words% *}" "${words#* }" "${SOURCE[@]}"
        "${exchanged[@]}" | teachers >"$BATS_TEST_TMPDIR/other.pst"
        assert_fails 65 "${change#*=}" \
            student-trainer "${RESUMABLE[@]}" --resume -i "$BATS_TEST_TMPDIR/other.pst"
    done
    "${SOURCE[@]}" | teacher-forward a.safetensors | temperature-softmax -T 4 | averager >"$BATS_TEST_TMPDIR/other.pst"
    assert_fails 65 "was made with another stream than this one: tensor 'logits/b' is only there" \
        student-trainer "${RESUMABLE[@]}" --resume -i "$BATS_TEST_TMPDIR/other.pst"
    # After all these refusals the checkpoint is unchanged.
    cmp "$checkpoint" "$BATS_TEST_TMPDIR/before"
    student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
    assert_same
}

@test "--resume refuses a checkpoint that lacks a number of its state, or has a flipped bit" {
    interrupted KILL 137 14 14 --checkpoint-every 1
    cp "$checkpoint" "$BATS_TEST_TMPDIR/whole"
    sed -i 's/"first_loss"/"worst_loss"/; s/"checksum"/"checksam"/' "$checkpoint"
    assert_fails 65 "$checkpoint: the checkpoint lacks 'first_loss'" \
        student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
    sed 's/"next_seq":"1/"next_seq":"2/' "$BATS_TEST_TMPDIR/whole" >"$checkpoint"
    assert_fails 65 "$checkpoint: its checksum does not fit" student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
}

@test "--resume refuses a file that is not a checkpoint, or is damaged" {
    interrupted KILL 137 14 14 --checkpoint-every 1
    size=$(stat -c %s "$checkpoint")
    cp expected.safetensors "$checkpoint"
    assert_fails 65 "$checkpoint" student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
    head -c $((size - 100)) recorded.pst >"$checkpoint"
    assert_fails 65 "$checkpoint" student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
    # A checkpoint that cannot be read must not count as a missing one.
    ln -sf checkpoint "$checkpoint"
    assert_fails 66 "$checkpoint" student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
    rm "$checkpoint"
    : >"$checkpoint"
    assert_fails 65 "$checkpoint" student-trainer "${RESUMABLE[@]}" --resume -i recorded.pst
}
