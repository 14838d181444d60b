#!/usr/bin/env bats
# student-trainer from outside: that it learns, what it refuses, and that it leaves nothing unfinished. Its losses are
# compared with numpy's in tests/python/test_student_oracle.py; bit-identity.bats has interruptions.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 300 --batch 20 --epochs 6 -o hard.pst
    loader digits --split test --samples 200 -o test.pst
    loader digits --samples 40 --batch 20 -o short.pst
    student-trainer -a 784-32-10 -r 0.05 -i hard.pst -o teacher.safetensors
    teacher-forward teacher.safetensors -i hard.pst | temperature-softmax -T 4 -o soft.pst
    teacher-forward teacher.safetensors -i short.pst | temperature-softmax -T 4 -o short-soft.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    bad=$BATS_TEST_TMPDIR/bad.pst
    model=$BATS_TEST_TMPDIR/model.safetensors
}

# learned MODEL: whether it is wrong on at most 90 of the 200 test samples; guessing is on 180.
learned() {
    teacher-forward "$1" --name it -i test.pst | evaluator --json >"$BATS_TEST_TMPDIR/figures"
    errors=$(grep -o '"errors":[0-9]*' "$BATS_TEST_TMPDIR/figures" | head -n 1 | cut -d : -f 2)
    echo "$errors errors"
    [ "$errors" -le 90 ]
}

# assert_no_model CODE WORDS OPTION…: training fails, and leaves neither a model nor a part of one.
assert_no_model() {
    local code=$1 words=$2
    shift 2
    assert_fails "$code" "$words" student-trainer -o "$model" "$@"
    [ ! -e "$model" ] && [ ! -e "$model.part" ]
}

# ---- learning ----

@test "it learns from hard targets, soft targets, both, and logits" {
    learned teacher.safetensors
    for options in '' '--targets hard' '--targets both' '--soft-loss cross-entropy' '--soft-loss logits'; do
        # Split into words on purpose.
        # shellcheck disable=SC2086
        student-trainer -a 784-16-10 -r 0.03 $options -i soft.pst -o "$model"
        learned "$model"
    done
}

@test "without soft targets in the stream it learns from the labels" {
    student-trainer -a 784-16-10 -r 0.05 -i hard.pst -o "$model"
    student-trainer -a 784-16-10 -r 0.05 --targets hard -i hard.pst -o "$BATS_TEST_TMPDIR/said.safetensors"
    column_of() { tail -c 40000 "$1" | sha256sum; }
    [ "$(column_of "$model")" = "$(column_of "$BATS_TEST_TMPDIR/said.safetensors")" ]
}

@test "soft targets are enough: it learns from a stream without labels" {
    change 'drop("y")' soft.pst "$BATS_TEST_TMPDIR/unlabelled.pst"
    student-trainer -a 784-16-10 -r 0.03 -i "$BATS_TEST_TMPDIR/unlabelled.pst" -o "$model"
    learned "$model"
}

@test "it learns from a stream without ids, also with dropout" {
    change 'drop("id")' hard.pst "$BATS_TEST_TMPDIR/nameless.pst"
    student-trainer -a 784-32-10 -r 0.05 --dropout-input 0.1 -i "$BATS_TEST_TMPDIR/nameless.pst" -o "$model"
    learned "$model"
}

@test "every optimiser learns under every schedule" {
    for optimiser in 'sgd -r 0.05' 'nesterov -r 0.05' 'adam -r 0.005'; do
        for schedule in 'constant' 'step --step-epochs 2 --gamma 0.7' 'linear' 'cosine --final-rate 0.001 --warm-up 1'; do
            echo "$optimiser, $schedule"
            # Split into words on purpose.
            # shellcheck disable=SC2086
            student-trainer -a 784-16-10 --optimiser $optimiser --schedule $schedule -i hard.pst -o "$model"
            learned "$model"
        done
    done
}

@test "--from continues from a model" {
    student-trainer --from teacher.safetensors -r 0.000001 -i short.pst -o "$model"
    learned "$model"
    assert_fails 66 "none.safetensors" student-trainer --from none.safetensors -i short.pst -o "$BATS_TEST_TMPDIR/new"
    change 'header["classes"] = 2; batch["y"] %= 2' short.pst "$bad"
    assert_fails 65 "the network has 10 outputs, but the stream has 2 classes" \
        student-trainer --from teacher.safetensors -i "$bad" -o "$BATS_TEST_TMPDIR/new"
    [ ! -e "$BATS_TEST_TMPDIR/new" ]
}

@test "--max-norm limits every hidden unit's weights, with dropout and weight decay or without" {
    student-trainer -a 784-16-12-10 -r 0.2 --max-norm 0.75 --dropout-input 0.2 --dropout-hidden 0.5 --weight-decay 0.0001 \
        -i hard.pst -o "$model"
    /usr/bin/python3 - "$model" <<'END'
import json, sys
import numpy
data = open(sys.argv[1], "rb").read()
start = 8 + int.from_bytes(data[:8], "little")
layers = json.loads(data[8:start])
for name in "layers.0.weight", "layers.1.weight":
    begin, end = layers[name]["data_offsets"]
    norms = numpy.linalg.norm(numpy.frombuffer(data[start + begin:start + end], "<f4").reshape(layers[name]["shape"]), axis=1)
    print(norms)
    assert norms.max() < 0.75001 and norms.max() > 0.7, name
END
}

@test "the model holds how it was made, and not where" {
    student-trainer -a 784-16-10 -r 0.05 -i hard.pst -o "$model"
    head -c 2000 "$model" | tr -d '\0' >"$BATS_TEST_TMPDIR/head"
    grep -qF '"architecture":"784-16-10"' "$BATS_TEST_TMPDIR/head"
    grep -qF 'learning-rate\":0.05' "$BATS_TEST_TMPDIR/head"
    run ! grep -qF "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/head"
}

@test "a learning rate that is too small to learn is reported after the first epoch" {
    run --separate-stderr student-trainer -a 784-16-10 -r 1e-12 -i hard.pst -o "$model"
    [ "$status" -eq 0 ]
    [[ $stderr == *"hardly anything is learned; is the learning rate of 1e-12 right?"* ]]
    run --separate-stderr student-trainer -a 784-16-10 -r 1e-12 --warm-up 2 -i hard.pst -o "$model"
    [[ $stderr != *"hardly anything"* ]]
}

# ---- early stopping ----

@test "early stopping ends an endless stream with success" {
    loader digits --samples 40 --batch 20 --epochs 0 2>"$BATS_TEST_TMPDIR/said" |
        student-trainer -a 784-8-10 -r 0.1 --validate test.pst --patience 2 -o "$model"
    [ -e "$model" ]
}

@test "a validation stream that is missing, unlabelled or of another shape is refused before training" {
    assert_no_model 66 "--validate none.pst" -a 784-8-10 -i short.pst --validate none.pst
    change 'drop("y")' test.pst "$bad"
    assert_no_model 65 "--validate $bad: the stream has no tensor 'y'" -a 784-8-10 -i short.pst --validate "$bad"
    change 'x = batch["x"][:, :27]; drop("x"); add("x", x)' test.pst "$bad"
    assert_no_model 65 "--validate $bad: the network takes 784 inputs, but 'x' has 756" -a 784-8-10 -i short.pst --validate "$bad"
    change 'batch["y"][5] = 10' test.pst "$bad"
    assert_no_model 65 "--validate $bad: batch 0: sample 5 of the batch: label 10" -a 784-8-10 -i short.pst --validate "$bad"
    head -c 20000 test.pst >"$bad"
    assert_no_model 65 "--validate $bad" -a 784-8-10 -i short.pst --validate "$bad"
}

# ---- bad streams ----

@test "missing labels and missing soft targets are refused with what to do" {
    change 'drop("y")' short-soft.pst "$bad"
    assert_no_model 65 "the stream has no labels 'y'" -a 784-8-10 --targets hard -i "$bad"
    assert_no_model 65 "the stream has no labels 'y'" -a 784-8-10 --targets both -i "$bad"
    assert_no_model 65 "the stream has no soft targets; is temperature-softmax before this stage?" \
        -a 784-8-10 --targets soft -i short.pst
    assert_no_model 65 "the stream has no logits; is teacher-forward before this stage?" \
        -a 784-8-10 --targets both --soft-loss logits -i short.pst
    assert_no_model 65 "the stream has no tensor 'soft/none'" -a 784-8-10 --soft-targets soft/none -i short-soft.pst
    change 'drop("x")' short.pst "$bad"
    assert_no_model 65 "the stream has no inputs 'x'" -a 784-8-10 -i "$bad"
}

@test "several teachers that were not averaged are refused, one of them can be chosen" {
    change 'add("soft/b", batch["soft/teacher"], temperature=4.0)' short-soft.pst "$bad"
    assert_no_model 65 "several soft/NAME; average them first, or choose with --soft-targets" -a 784-8-10 -i "$bad"
    student-trainer -a 784-8-10 --soft-targets soft/b -i "$bad" -o "$model"
}

@test "a network that does not fit the stream is refused" {
    assert_no_model 65 "the network takes 783 inputs, but 'x' has 784" -a 783-8-10 -i short.pst
    assert_no_model 65 "the network has 9 outputs, but the stream has 10 classes" -a 784-8-9 -i short.pst
}

@test "a label outside the classes is refused with batch and sample" {
    for label in -1 10 2147483647; do
        change "batch['y'][7] = $label if batch['seq'] else 0" short.pst "$bad"
        assert_no_model 65 "batch 1: sample 7 of the batch: label $label is not one of 10 classes" -a 784-8-10 -i "$bad"
    done
}

@test "inputs and soft targets that are not numbers are refused with batch and sample" {
    change "x = (batch['x'] / 255).astype('f4'); x[3, 2, 1] = np.nan if batch['seq'] else 0; drop('x'); add('x', x)" \
        short.pst "$bad"
    assert_no_model 65 "batch 1: tensor 'x', sample 3" -a 784-8-10 -i "$bad"
    for edit in '4, 0] = np.nan' '4, 1] = -0.25' '4] = 0.2'; do
        change "batch['soft/teacher'][$edit" short-soft.pst "$bad"
        assert_no_model 65 "batch 0: tensor 'soft/teacher', sample 4 of the batch: " -a 784-8-10 -i "$bad"
    done
    [[ $stderr == *"its probabilities add up to 2, not to 1" ]]
    change "batch['logits/teacher'][4, 0] = np.inf" short-soft.pst "$bad"
    assert_no_model 65 "batch 0: tensor 'logits/teacher', sample 4 of the batch: number 0 is inf" \
        -a 784-8-10 --soft-loss logits -i "$bad"
}

@test "soft targets that do not say their temperature are refused" {
    change 'spec("soft/teacher").pop("temperature", 0)' short-soft.pst "$bad"
    assert_no_model 65 "'soft/teacher' does not say at which temperature it is" -a 784-8-10 -i "$bad"
}

@test "a truncated stream gives no model" {
    head -c 100000 hard.pst >"$bad"
    assert_no_model 65 "truncated" -a 784-8-10 -i "$bad"
    assert_no_model 65 "" -a 784-8-10 -i /dev/null
}

@test "a stream without a batch gives no model" {
    /usr/bin/python3 -B -c 'import sys; sys.path.insert(0, sys.argv[2]); import pst
header, _ = pst.read(open(sys.argv[1], "rb").read())
open(sys.argv[3], "wb").write(pst.write(header, []))' short.pst "$BATS_TEST_DIRNAME/../python" "$bad"
    assert_no_model 65 "the stream has no samples" -a 784-8-10 -i "$bad"
}

@test "a run that diverges says which batch and what to do, and leaves no model" {
    assert_no_model 65 "batch " -a 784-16-10 -r 1e6 -i hard.pst
    [[ $stderr == *"the run has diverged; use a smaller --learning-rate than 1e+06, or --warm-up"* ]]
    [[ $stderr =~ batch\ [1-9]:\ the\ loss\ is ]]
}

@test "a run that diverges leaves no checkpoint with spoiled weights" {
    checkpoint=$BATS_TEST_TMPDIR/checkpoint
    run student-trainer -a 784-16-10 -r 1e6 -i hard.pst -o "$model" --checkpoint "$checkpoint" --checkpoint-every 1
    [ "$status" -eq 65 ]
    [[ $output == *"has diverged"* ]]
    /usr/bin/python3 - "$checkpoint" <<'END'
import os, sys
import numpy
if os.path.exists(sys.argv[1]):
    data = open(sys.argv[1], "rb").read()
    start = 8 + int.from_bytes(data[:8], "little")
    assert numpy.isfinite(numpy.frombuffer(data[start:], "<f4")).all()
END
}

# ---- the command line ----

@test "options that leave nothing to learn from are refused" {
    assert_no_model 64 "there is nothing to learn from" -a 784-8-10 --hard-weight 0 -i short.pst
    assert_no_model 64 "there is nothing to learn from" -a 784-8-10 --soft-weight 0 -i short-soft.pst
    assert_no_model 64 "there is nothing to learn from" -a 784-8-10 --targets both --soft-weight 0 --hard-weight 0 \
        -i short-soft.pst
}

@test "options that need each other are refused alone" {
    assert_no_model 64 "give one of --hidden, such as --hidden 800-800, --arch, such as" -i short.pst
    assert_no_model 64 "give one of" -a 784-8-10 --from teacher.safetensors -i short.pst
    assert_no_model 64 "give one of" -a 784-8-10 --hidden 8 -i short.pst
    assert_no_model 64 "give one of" --hidden 8 --from teacher.safetensors -i short.pst
    assert_no_model 64 "--resume needs --checkpoint" -a 784-8-10 --resume -i short.pst
    assert_no_model 64 "--checkpoint-every needs --checkpoint" -a 784-8-10 --checkpoint-every 5 -i short.pst
    assert_no_model 64 "--patience needs --validate" -a 784-8-10 --patience 5 -i short.pst
    assert_no_model 64 "--keep-last needs --validate" -a 784-8-10 --keep-last -i short.pst
    assert_fails 64 "--output is needed" student-trainer -a 784-8-10 -i short.pst
}

@test "schedules that need the stream's length refuse an endless one" {
    for schedule in linear cosine; do
        change 'header.pop("epochs", 0); header.pop("batches", 0)' short.pst "$bad"
        assert_no_model 65 "does not say how long it is, which --schedule $schedule needs" \
            -a 784-8-10 --schedule $schedule -i "$bad"
    done
}

@test "widths that make no network are refused" {
    for arch in 784 784- 784--10 784-0-10 784x10 a-b '' 784-99999999999-10 -- 784-8-10-; do
        run --separate-stderr student-trainer --arch "$arch" -i short.pst -o "$model"
        echo "$arch: $stderr"
        [ "$status" -eq 64 ]
        [ ! -e "$model" ]
    done
}

@test "the error for a mistyped option suggests the right one" {
    assert_no_model 64 "there is no option '--learnign-rate'; did you mean --learning-rate?" --learnign-rate 3
    assert_no_model 64 "--optimiser: 'adamw' is not one of sgd, nesterov, adam" --optimiser adamw -a 784-8-10
}

# ---- --hidden ----

@test "the model of --hidden is byte for byte that of --arch" {
    options=(-r 0.05 --class-weight "3=2" --dropout-hidden 0.2 -i hard.pst)
    student-trainer -a 784-16-tanh-12-10 "${options[@]}" -o "$model"
    student-trainer --hidden 16-tanh-12 "${options[@]}" -o "$BATS_TEST_TMPDIR/hidden.safetensors"
    cmp "$model" "$BATS_TEST_TMPDIR/hidden.safetensors"
}

@test "a run with --hidden is taken up again by --hidden and by --arch, to the same bytes" {
    student-trainer --hidden 16 -i hard.pst -o "$model"
    for network in "--hidden 16" "--arch 784-16-10"; do
        checkpoint=$BATS_TEST_TMPDIR/checkpoint
        again=$BATS_TEST_TMPDIR/again.safetensors
        run -65 student-trainer --hidden 16 --checkpoint "$checkpoint" -i <(head -c 300000 hard.pst) -o "$again"
        [ -s "$checkpoint" ]
        # Split into words on purpose.
        # shellcheck disable=SC2086
        student-trainer $network --checkpoint "$checkpoint" --resume -i hard.pst -o "$again"
        cmp "$model" "$again"
        [ ! -e "$checkpoint" ]
    done
}

@test "--hidden takes the outputs from y if they are numbers" {
    /usr/bin/python3 "$BATS_TEST_DIRNAME/../python/make_targets.py" numbers 60 2 1 >"$BATS_TEST_TMPDIR/numbers.pst"
    student-trainer --hidden 5 --loss mse -i "$BATS_TEST_TMPDIR/numbers.pst" -o "$model"
    student-trainer --arch 6-5-2 --loss mse -i "$BATS_TEST_TMPDIR/numbers.pst" -o "$BATS_TEST_TMPDIR/arch.safetensors"
    cmp "$model" "$BATS_TEST_TMPDIR/arch.safetensors"
}

@test "--hidden is refused if the stream does not say how many outputs there are, or has no inputs" {
    change 'header["classes"] = 0' short.pst "$bad"
    assert_no_model 65 "say --arch 784-8-CLASSES instead" --hidden 8 -i "$bad"
    change 'drop("x")' short.pst "$bad"
    assert_no_model 65 "the stream has no inputs 'x'" --hidden 8 -i "$bad"
    for hidden in '' 8- 8x -8 0; do
        assert_no_model 64 "" --hidden "$hidden" -i short.pst
    done
}

# ---- output ----

@test "standard output is refused as the place of a model, a checkpoint and a log" {
    cd "$BATS_TEST_TMPDIR"
    short=$BATS_FILE_TMPDIR/short.pst
    assert_fails 64 "-: this file appears when it is whole, which standard output cannot; a file of this name is ./-" \
        student-trainer -a 784-8-10 -o - -i "$short"
    assert_no_model 64 "-: this file appears" -a 784-8-10 --checkpoint - -i "$short"
    assert_no_model 64 "--log -: " -a 784-8-10 --log - -i "$short"
    [ ! -e ./- ] && [ ! -e ./-.part ]
    student-trainer -a 784-8-10 -o ./- -i "$short"
    [ -s ./- ]
}

@test "an output that cannot be written is refused before training" {
    assert_fails 74 "$BATS_TEST_TMPDIR/none/model: cannot be written" student-trainer -a 784-8-10 -o "$BATS_TEST_TMPDIR/none/model" -i short.pst
    assert_fails 74 "is a directory" student-trainer -a 784-8-10 -o "$BATS_TEST_TMPDIR" -i short.pst
}

@test "a full disk is an error" {
    assert_fails 74 "/dev/full" student-trainer -a 784-8-10 -o /dev/full -i short.pst
}

@test "a failed run leaves the model of an earlier one as it was" {
    echo before >"$model"
    run student-trainer -a 784-8-10 -o "$model" -i <(head -c 20000 short.pst)
    [ "$status" -eq 65 ]
    [ "$(cat "$model")" = before ]
    student-trainer -a 784-8-10 -o "$model" -i short.pst
    [ "$(head -c 6 "$model" | tr -d '\0')" != before ]
}

@test "a network of any layers is trained, used and trained further" {
    student-trainer -a 28x28-flatten-drop0.1-16-tanh-12-leaky0.2-10 -r 0.05 -i short.pst -o "$model"
    teacher-forward "$model" -i short.pst | evaluator >/dev/null
    student-trainer --from "$model" -r 0.01 -i short.pst -o "$BATS_TEST_TMPDIR/further.safetensors"
    run ! cmp "$model" "$BATS_TEST_TMPDIR/further.safetensors"
}

@test "an invalid architecture is refused with the word or the layer" {
    assert_no_model 64 "'tahn' is not a layer" -a 784-8-tahn-10 -i short.pst
    assert_no_model 64 "layer 1, dense, takes one row of numbers; put flatten before it" -a 28x28-10 -i short.pst
    assert_no_model 64 "has dropout layers; leave --dropout-hidden and --dropout-input out" \
        -a 784-8-drop0.5-10 --dropout-hidden 0.5 -i short.pst
    assert_no_model 64 "--activation needs --from" -a 784-8-10 --activation tanh -i short.pst
}

@test "a model is trained further with the scale of inputs that it was trained on" {
    student-trainer -a 784-8-10 -i short.pst -o "$model"
    change 'spec("x")["scale"] = 0.5' short.pst "$BATS_TEST_TMPDIR/other.pst"
    for stream in short.pst "$BATS_TEST_TMPDIR/other.pst"; do
        student-trainer --from "$model" -i "$stream" -o "$BATS_TEST_TMPDIR/further.safetensors"
        tail -c 20000 "$BATS_TEST_TMPDIR/further.safetensors" | sha256sum >>"$BATS_TEST_TMPDIR/weights"
    done
    [ "$(sort -u "$BATS_TEST_TMPDIR/weights" | wc -l)" -eq 1 ]
}
