#!/usr/bin/env bats
# A pipe asks a teacher again about a recording. A true recording passes, and one that was changed is refused.
# docs/recordings.md says how.
# shellcheck disable=SC2154 # bats' run sets output and stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --batch 20 --epochs 4 -o lessons.pst
    student-trainer -a 784-12-10 -r 0.05 -i lessons.pst -o t.safetensors
    student-trainer -a 784-9-10 -r 0.05 -s 2 -i lessons.pst -o other.safetensors
    loader digits --samples 200 --batch 20 --epochs 2 --shift 1 | teacher-forward t.safetensors -o logits.pst
    temperature-softmax -T 4 -i logits.pst -o both.pst
    "$BATS_TEST_DIRNAME/../python/pst.py" 'drop("logits/t")' <both.pst >soft.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    bad=$BATS_TEST_TMPDIR/bad.pst
}

# ask_logits RECORDING TOLERANCE REPLAY-OPTION…
ask_logits() {
    replay "$1" "${@:3}" | teacher-forward --name again t.safetensors |
        evaluator --of logits/again --against logits/t --tolerance "$2"
}

# ask_soft RECORDING TOLERANCE REPLAY-OPTION…
ask_soft() {
    replay "$1" "${@:3}" | teacher-forward --name again t.safetensors | temperature-softmax -T 4 |
        evaluator --of soft/again --against soft/t --tolerance "$2"
}

# refuses WORDS COMMAND…: exit code 65, and a line of the evaluator on standard error with the words; no figures.
refuses() {
    run --separate-stderr "${@:2}"
    echo "exit code $status: $stderr"
    [ "$status" -eq 65 ]
    [ -z "$output" ]
    [[ $stderr == *"evaluator: "*"$1"* ]]
}

@test "a recording is right to the last bit on the machine that made it, in the same batches" {
    run -0 --separate-stderr ask_logits logits.pst 0
    [[ $output == *"samples compared                   400"*"largest difference                   0"* ]]
    run -0 --separate-stderr ask_soft soft.pst 0
    [[ $output == *"largest difference                   0"* ]]
}

@test "a part of a recording is compared, in any order and batches" {
    for part in "--sample 50 --shuffle" "--sample 10%" "--batch 33"; do
        # Split into words on purpose.
        # shellcheck disable=SC2086
        run -0 --separate-stderr ask_logits logits.pst 1e-4 $part
        [[ $output == *"largest difference"* ]]
    done
}

@test "logits that were changed are refused with batch, sample and tensor" {
    sample=$(column logits.pst id | sed -n 148p)
    change 'if batch["seq"] == 7: batch["logits/t"][7, 3] += 0.25' logits.pst "$bad"
    stream-inspect --check "$bad"
    refuses "batch 7: sample 7 of the batch (id $sample): 'logits/again' and 'logits/t' differ by 0.25 in number 3; --tolerance allows 0.0001" \
        ask_logits "$bad" 1e-4
    refuses "differ by 0.25" ask_logits "$bad" 1e-4 --shuffle --batch 50
}

@test "soft targets that were changed are refused" {
    change 'if batch["seq"] == 19: batch["soft/t"][19] = np.roll(batch["soft/t"][19], 1)' soft.pst "$bad"
    refuses "batch 19: sample 19 of the batch (id " ask_soft "$bad" 1e-4
}

@test "an input that was changed, a number that is NaN, and another teacher are found" {
    change 'if batch["seq"] == 2: batch["x"][4] = 255 - batch["x"][4]' logits.pst "$bad"
    refuses "batch 2: sample 4 of the batch (id " ask_logits "$bad" 1e-4
    change 'batch["logits/t"][3, 3] = np.float32("nan")' logits.pst "$bad"
    refuses "batch 0: tensor 'logits/t', sample 3 of the batch: number 3 is nan" ask_logits "$bad" 1e-4
    cp other.safetensors "$BATS_TEST_TMPDIR/t.safetensors"
    cd "$BATS_TEST_TMPDIR"
    refuses "batch 0: sample 0 of the batch (id " ask_logits "$BATS_FILE_TMPDIR/logits.pst" 1e-4
}

@test "a temperature other than the recorded one is found and named" {
    temperature-softmax -T 5 -i logits.pst | "$BATS_TEST_DIRNAME/../python/pst.py" 'drop("logits/t")' >"$bad"
    refuses "soft/again is at T = 4, soft/t at T = 5: they are compared at different temperatures" ask_soft "$bad" 1e-4
}

@test "the logits or the soft targets of a recording that has both are compared" {
    ask_logits both.pst 0
    run ! ask_soft both.pst 0 # there would be two tensors soft/t
    compactor --targets f32 --of soft/t -i both.pst -o "$BATS_TEST_TMPDIR/one.pst"
    ask_soft "$BATS_TEST_TMPDIR/one.pst" 0
}

@test "bytes in compact recordings agree within their tolerance, and not with another teacher" {
    compactor --of soft/t -i both.pst -o "$BATS_TEST_TMPDIR/small.pst"
    ask_soft "$BATS_TEST_TMPDIR/small.pst" 0.02
    refuses "'soft/again' and 'soft/t' differ by" ask_soft "$BATS_TEST_TMPDIR/small.pst" 0
    cp other.safetensors "$BATS_TEST_TMPDIR/t.safetensors"
    cd "$BATS_TEST_TMPDIR"
    refuses "'soft/again' and 'soft/t' differ by" ask_soft small.pst 0.02
}

@test "a mean, or a form with no tolerance, is recorded again and compared byte by byte" {
    for options in "--targets f32" "--targets top-k --top 3" "--targets sampled --draws 8"; do
        for name in a b; do
            rm -f "$BATS_TEST_TMPDIR/$name.pst"
            # Split into words on purpose.
            # shellcheck disable=SC2086
            loader digits --samples 60 --batch 20 --run 0123456789abcdef0123456789abcdef | teacher-forward t.safetensors |
                teacher-forward other.safetensors | temperature-softmax -T 4 | averager |
                compactor $options --inputs digest -o "$BATS_TEST_TMPDIR/$name.pst"
        done
        cmp "$BATS_TEST_TMPDIR/a.pst" "$BATS_TEST_TMPDIR/b.pst"
    done
}
