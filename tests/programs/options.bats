#!/usr/bin/env bats
# No option is ignored in silence: one that does nothing, or has two values, is refused by its name.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 20 --batch 10 --run digits -o digits.pst
    student-trainer -q --hidden 8 -i digits.pst -o teacher.safetensors
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
}

# needs OPTION WORDS COMMAND…: the option is refused, because it does nothing without what the words name.
needs() {
    local option=$1 words=$2
    shift 2
    assert_fails 64 "$option needs $words; alone it does nothing" "$@"
}

train() {
    student-trainer -q --hidden 8 -i digits.pst -o "$BATS_TEST_TMPDIR/student.safetensors" "$@"
}

@test "an option that is given twice with different values is refused" {
    twice='is given twice, and'
    assert_fails 64 "--epochs $twice '2' is not its first value; give it once" loader digits --epochs 1 --epochs 2
    assert_fails 64 "--images $twice 'b' is not its first value" loader --images a --images b
    assert_fails 64 "--batch $twice '7'" loader digits -b 5 --batch 7
    assert_fails 64 "--temperature $twice '2'" temperature-softmax -T 1 -T 2
    assert_fails 64 "--optimiser $twice 'adam'" student-trainer -o m --hidden 8 --optimiser sgd --optimiser adam
    assert_fails 64 "--log $twice 'b'" stream-inspect --log a --log b
    assert_fails 64 "--memory $twice '2k'" replay digits.pst --shuffle --memory 1k --memory 2k
}

@test "an option that is given twice with one value is taken" {
    loader digits --samples 20 --batch 10 --run digits -b 10 -q -q --samples 20 | cmp - digits.pst
    replay digits.pst --shuffle --memory 1k --memory 1024 | stream-inspect --check
}

@test "what belongs to one optimiser, schedule or way of validating is refused with another" {
    student=(student-trainer -q --hidden 8 -i digits.pst -o "$BATS_TEST_TMPDIR/student.safetensors")
    needs --momentum "--optimiser sgd or --optimiser nesterov" "${student[@]}" --optimiser adam --momentum 0.5
    needs --momentum-epochs "--optimiser sgd or --optimiser nesterov" "${student[@]}" --optimiser adam --momentum-epochs 2
    assert_fails 64 "--momentum-epochs" "${student[@]}" --momentum-epochs 0
    needs --rate-by-momentum "--optimiser sgd or --optimiser nesterov" "${student[@]}" --optimiser adam --rate-by-momentum
    needs --final-momentum --momentum-epochs "${student[@]}" --final-momentum 0.95
    needs --beta1 "--optimiser adam" "${student[@]}" --beta1 0.8
    needs --beta2 "--optimiser adam" "${student[@]}" --optimiser nesterov --beta2 0.8
    needs --epsilon "--optimiser adam" "${student[@]}" --epsilon 1e-7
    needs --gamma "--schedule step" "${student[@]}" --gamma 0.1
    needs --step-epochs "--schedule step" "${student[@]}" --schedule linear --step-epochs 3
    needs --final-rate "--schedule linear or --schedule cosine" "${student[@]}" --schedule step --final-rate 0.1
    needs --validate-by --validate "${student[@]}" --validate-by loss
    needs --keep-last --validate "${student[@]}" --keep-last
    needs --patience --validate "${student[@]}" --patience 3
    needs --activation --from "${student[@]}" --activation tanh
    for option in checkpoint-every\ 3 resume restart; do
        # shellcheck disable=SC2086 # words of a command
        needs "--${option% *}" --checkpoint "${student[@]}" --$option
    done
    assert_fails 64 "--restart and --resume exclude each other" "${student[@]}" --checkpoint c --restart --resume
    [ ! -e "$BATS_TEST_TMPDIR/student.safetensors" ]
    train --momentum 0.5 --momentum-epochs 2 --final-momentum 0.95 --rate-by-momentum
    train --optimiser adam --beta1 0.8 --beta2 0.9 --epsilon 1e-7
    train --schedule step --gamma 0.1 --step-epochs 3
    train --schedule cosine --final-rate 0.1
    train --validate digits.pst --validate-by loss --keep-last --patience 3
}

@test "a seed that decides nothing is refused" {
    assert_fails 64 "--seed does nothing with --from a model without dropout" student-trainer --from teacher.safetensors \
        --seed 3 -i digits.pst -o "$BATS_TEST_TMPDIR/student.safetensors"
    student-trainer -q --from teacher.safetensors --dropout-hidden 0.1 --seed 3 -i digits.pst \
        -o "$BATS_TEST_TMPDIR/student.safetensors"
    assert_fails 64 "--seed does nothing here" loader digits --no-shuffle --seed 3
    loader digits --samples 20 --no-shuffle --shift 1 --seed 3 | stream-inspect --check
    needs --seed "--shuffle or --fraction or --limit or --sample" replay digits.pst --seed 3
    replay digits.pst --limit 5 --seed 3 | stream-inspect --check
    needs --hold-out-seed "--hold-out or --hold-out-speakers" loader digits --hold-out-seed 3
    needs --hold-out "--split train or --split validation" loader digits --split test --hold-out 10
}

@test "an option of a link is refused without a link of its kind" {
    keygen "$BATS_TEST_TMPDIR/a.key" >"$BATS_TEST_TMPDIR/a.public"
    key=$BATS_TEST_TMPDIR/a.key
    needs --key "a link" loader digits --key "$key"
    needs --key "a link" temperature-softmax -i digits.pst --key "$key"
    needs --allow "a link that listens" temperature-softmax -i tcp://127.0.0.1:1 --key "$key" --allow x
    needs --insecure "a link that listens" loader digits -o tcp://127.0.0.1:1 --insecure
    needs --server-key "a link that connects" loader digits -o 'listen:tcp://127.0.0.1:1' --key "$key" --server-key x
    needs --window "a link to read from" temperature-softmax -i digits.pst -o tcp://127.0.0.1:1 --window 3
    needs --window-bytes "a link to read from" evaluator -i digits.pst --window-bytes 3
    needs --peer-timeout "a link" student-trainer -i digits.pst --hidden 8 -o m --peer-timeout 3
    needs --peer-timeout "a link or --follow" replay digits.pst --peer-timeout 3
    # What reads no stream at all does not have its options.
    run ! grep -qE -- '--(max-message|window|window-bytes) ' <(loader --help)
    replay digits.pst --follow --peer-timeout 3 | cmp - digits.pst
    replay digits.pst --max-message 1M | cmp - digits.pst
    # A dispatcher always has links: to its workers.
    [[ $(dispatcher --help | grep -A 1 -e --window) != *needs* ]]
    # An endpoint of --validate is a link, too.
    assert_fails 69 "tcp://127.0.0.1:1" student-trainer -i digits.pst --hidden 8 -o "$BATS_TEST_TMPDIR/m" --peer-timeout 0.5 \
        --window 3 --validate tcp://127.0.0.1:1
}

@test "options of loader that need others are refused without them" {
    needs --elastic-smoothness --elastic loader digits --elastic-smoothness 3
    needs --elastic-smoothness --elastic loader digits --elastic-smoothness 3 --elastic 0
    assert_fails 64 "--no-shuffle and --shuffle exclude each other" loader digits --shuffle --no-shuffle
    touch "$BATS_TEST_TMPDIR/x"
    assert_fails 64 "name the labels twice" loader idx:a,b --labels c
    assert_fails 64 "name the images twice" loader idx:a --images b
    # shellcheck disable=SC2016 # Python's
    /usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(bytes([0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2]))' \
        >"$BATS_TEST_TMPDIR/rows.idx"
    assert_fails 64 "--classes and --first-label do nothing without labels" loader "$BATS_TEST_TMPDIR/rows.idx" --classes 3
}

@test "options of other stages that need others are refused without them" {
    needs --top "--targets top-k" compactor --top 3
    needs --draws "--targets sampled" compactor --draws 3
    needs --seed "--targets sampled" compactor --seed 3
    needs --tolerance --against evaluator --tolerance 3
    assert_fails 64 "--fit-bias 3: class 3 is named already" evaluator --fit-bias 3 --fit-bias 3
    needs --fit-by --fit-bias evaluator --fit-by errors
    needs --memory "--shuffle or --splice" replay digits.pst --memory 1M
    needs --force --output replay digits.pst --force
    assert_fails 64 "--geometric is of probabilities" averager --geometric --logits
    assert_fails 64 "--follow and --batch exclude each other" replay digits.pst --follow --batch 3
    assert_fails 64 "--check and --summary exclude each other" stream-inspect --check --summary
    assert_fails 64 "--summary and --text exclude each other" stream-inspect --summary --text
    assert_fails 64 "name two streams" stream-inspect digits.pst --input digits.pst
}

@test "--help says what an option needs, and every word that a table needs is one that the stage has" {
    student-trainer --help | grep -A1 -- --beta1 | grep -q 'needs --optimiser adam)$'
    for stage in "${STAGES:-build/stages}"/*; do
        help=$("$stage" --help)
        # Each "needs" names an option, and after it one of its words.
        while read -r option word; do
            [[ $help == *" --$option"[\ $'\n']* ]]
            [ -z "$word" ] || grep -A1 -- " --$option " <<<"$help" | grep -qE "one of .*\b${word}[,;]"
        done < <(grep -o 'needs .*)' <<<"$help" | sed 's/needs //; s/)$//; s/ or /\n/g' | sed -n 's/^--//p')
    done
}
