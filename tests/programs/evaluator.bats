#!/usr/bin/env bats
# evaluator, from outside. Its figures are compared with numpy's in tests/python/test_evaluator_oracle.py.
# shellcheck disable=SC2030,SC2031,SC2154 # bats' run sets output, stderr and stderr_lines, where shellcheck does not see it
bats_require_minimum_version 1.5.0

# Four samples of three classes; worked out by hand: three right, confidence always 1/2; - log p is ln 2 three times and
# ln 4 once; squared distances are 0.375, 0.375, 0.875 and 0.5.
SOFT='[[.5, .25, .25], [.25, .5, .25], [.5, .25, .25], [.5, .5, 0]]'
Y='[0, 1, 1, 0]'

setup() {
    load evaluator
    cd "$BATS_TEST_DIRNAME/../.." || return
    FILE=$BATS_TEST_TMPDIR/stream.pst
}

@test "the table shows what was worked out by hand" {
    make_stream "$FILE" "columns = dict(y=$Y, soft=$SOFT)"
    run --separate-stderr evaluator -i "$FILE"
    [ "$status" -eq 0 ]
    [ "$stderr" = "" ]
    diff - <(echo "$output") <<'END'
predictions                 soft, T = 1
samples                              4
errors                               1
accuracy                       75.0000 %
balanced accuracy              75.0000 %
macro F1                      0.733333
negative log-likelihood       0.866434 nats
Brier score                   0.531250
expected calibration error    0.250000

class    samples     errors    accuracy  precision         F1
    0          2          0  100.0000 %   0.666667   0.800000
    1          2          1   50.0000 %   1.000000   0.666667
    2          0          0           -          -          -

confusion: a row for each true class, a column for each predicted one
           0      1      2
    0      2      0      0
    1      1      1      0
    2      0      0      0
END
}

@test "--json is one object on one line" {
    make_stream "$FILE" "columns = dict(y=$Y, soft=$SOFT)"
    run --separate-stderr evaluator --json <"$FILE"
    [ "$status" -eq 0 ]
    [ "${#lines[@]}" -eq 1 ]
    echo "$output" | /usr/bin/python3 -c '
import json, math, sys
got = json.load(sys.stdin)
assert math.isclose(got.pop("negative_log_likelihood"), 1.25 * math.log(2))
assert math.isclose(got.pop("expected_calibration_error"), 0.25)
assert math.isclose(got.pop("brier_score"), 0.53125)
assert math.isclose(got.pop("macro_f1"), (4 / 5 + 2 / 3) / 2)
assert [row.pop("precision") for row in got["per_class"]] == [2 / 3, 1, None]
assert [row.pop("f1") for row in got["per_class"]] == [4 / 5, 2 / 3, None]
assert got == {"samples": 4, "errors": 1, "accuracy": 0.75, "balanced_accuracy": 0.75, "confusion": [[2, 0, 0], [1, 1, 0], [0, 0, 0]],
    "per_class": [{"class": 0, "samples": 2, "errors": 0, "accuracy": 1.0},
                  {"class": 1, "samples": 2, "errors": 1, "accuracy": 0.5},
                  {"class": 2, "samples": 0, "errors": 0, "accuracy": None}]}, got'
}

@test "a mean is preferred, then the only logits, then the only soft/NAME" {
    make_stream "$FILE" "columns = {'y': $Y, 'soft/a': $SOFT, 'logits/a': $SOFT, 'soft': $SOFT}"
    run --separate-stderr evaluator -i "$FILE"
    [ "${lines[0]}" = "predictions                 soft, T = 1" ]
    make_stream "$FILE" "columns = {'y': $Y, 'soft/a': $SOFT, 'logits/a': $SOFT}"
    run --separate-stderr evaluator -i "$FILE"
    [ "${lines[0]}" = "predictions                 logits/a, T = 1" ]
    make_stream "$FILE" "columns = {'y': $Y, 'soft/a': $SOFT}"
    run --separate-stderr evaluator -i "$FILE"
    [ "${lines[0]}" = "predictions                 soft/a, T = 1" ]
}

@test "one of several predictions must be chosen, and a wrong choice is refused" {
    make_stream "$FILE" "columns = {'y': $Y, 'logits/a': $SOFT, 'logits/b': $SOFT}"
    run --separate-stderr evaluator -i "$FILE"
    [ "$status" -eq 65 ]
    [ "$output" = "" ]
    [ "$stderr" = "evaluator: the stream has several logits/NAME; average them first, or choose with --of" ]
    run --separate-stderr evaluator -i "$FILE" --of logits/b
    [ "$status" -eq 0 ]
    for options in "--of logits/c" "--of logits/a --against logits/c"; do
        # shellcheck disable=SC2086
        run --separate-stderr evaluator -i "$FILE" $options
        [ "$status" -eq 65 ]
        [ "$stderr" = "evaluator: the stream has no tensor 'logits/c'; it has: y, logits/a, logits/b" ]
    done
    run --separate-stderr evaluator -i "$FILE" --of y
    [ "$status" -eq 65 ]
    [ "$stderr" = "evaluator: --of y: classes are predicted by logits, logits/NAME, soft or soft/NAME" ]
}

@test "a stream without predictions is refused, and the error says which stage makes them" {
    make_stream "$FILE" "columns = dict(y=$Y)"
    run --separate-stderr evaluator -i "$FILE"
    [ "$status" -eq 65 ]
    [[ "$stderr" = *"no predictions of classes: logits, logits/NAME, soft or soft/NAME; is teacher-forward before this stage?" ]]
}

@test "labels are needed unless there is something to compare with" {
    make_stream "$FILE" "columns = {'soft/a': $SOFT, 'soft/b': $SOFT}"
    run --separate-stderr evaluator -i "$FILE" --of soft/a
    [ "$status" -eq 65 ]
    [[ "$stderr" = *"no tensor 'y'" ]]
    run --separate-stderr evaluator -i "$FILE" --of soft/a --against soft/b
    [ "$status" -eq 0 ]
    diff - <(echo "$output") <<'END'
predictions                 soft/a, T = 1
compared with               soft/b, T = 1
samples compared                     4
agreement                     100.0000 %
KL                            0.000000 nats
RMS difference                       0
largest difference                   0
END
}

@test "softened predictions and unequal temperatures are reported" {
    make_stream "$FILE" "more = {'soft/a': dict(temperature=20.0)}
columns = {'y': $Y, 'soft/a': $SOFT, 'logits/a': $SOFT}"
    run --separate-stderr evaluator -i "$FILE" --of soft/a
    [ "$status" -eq 0 ]
    [[ "$stderr" = "evaluator: soft/a is softened at T = 20:"* ]]
    run --separate-stderr evaluator -i "$FILE" --of logits/a --against soft/a
    [ "$status" -eq 0 ]
    [[ "$stderr" = "evaluator: logits/a is at T = 1, soft/a at T = 20:"* ]]
}

@test "a probability of 0 for the true class counts as the smallest normal f32" {
    make_stream "$FILE" "columns = dict(y=[1, 1], soft=[[1, 0], [1, 0]])"
    run --separate-stderr evaluator -i "$FILE"
    [ "$status" -eq 0 ]
    [[ "$output" = *"negative log-likelihood      87.336545 nats"* ]] # 126 ln 2
}

@test "a class bias moves predictions, and two of them add to different classes" {
    make_stream "$FILE" "columns = {'y': [0, 1], 'logits/a': [[3, 1, 0], [3, 1, 0]]}"
    run --separate-stderr evaluator -i "$FILE" --class-bias 1=+2.5
    [[ "${lines[2]}" = "errors "*" 1" ]]
    [[ "$output" = *"    0      0      1      0"* ]]
    run --separate-stderr evaluator -i "$FILE" --class-bias 1=+2.5 --class-bias 0=1
    [[ "$output" = *"    0      1      0      0"* ]]
}

@test "an invalid class bias is refused" {
    make_stream "$FILE" "columns = dict(y=$Y, soft=$SOFT)"
    for bias in 3 3= =1 x=1 -1=1 1=inf 1=nan 1=2x 1=1e9 99999999999=1; do
        run --separate-stderr evaluator -i "$FILE" --class-bias "$bias"
        [ "$status" -eq 64 ]
        [[ "$stderr" = "evaluator: --class-bias $bias: not CLASS=NUMBER"* ]]
    done
    run --separate-stderr evaluator -i "$FILE" --class-bias 1=2 --class-bias 1=2
    [ "$status" -eq 64 ]
    [[ "$stderr" = *"class 1 has a bias already"* ]]
    run --separate-stderr evaluator -i "$FILE" --class-bias 3=1
    [ "$status" -eq 64 ]
    [[ "$stderr" = *"there is no class 3 in 3 classes"* ]]
}

# figures_hold PYTHON: whether a condition on f, the JSON in $output, is true
figures_hold() {
    /usr/bin/python3 -c 'import json, sys
from math import log
f = json.load(sys.stdin)
sys.exit(not eval(sys.argv[1]))' "$1" <<<"$output"
}

# Class 1 is always 2 too low: with 2 more, or anything from 1 to 3, all four are right.
LOW="columns = {'y': [0, 1, 1, 0], 'logits/a': [[3, 0, -9], [2, 1, -9], [2, 1, -9], [3, 0, -9]]}"

@test "--fit-bias by errors finds the bias that makes errors fewest, and reports with it" {
    make_stream "$FILE" "$LOW"
    run --separate-stderr evaluator -i "$FILE" --fit-bias 1 --fit-by errors
    [ "$status" -eq 0 ]
    [ "$stderr" = "" ]
    [ "${lines[1]}" = "bias found                  --class-bias 1=2" ]
    [[ "${lines[3]}" = "errors "*" 0" ]]
    run --separate-stderr evaluator -i "$FILE" --class-bias 1=2
    [[ "${lines[2]}" = "errors "*" 0" ]]
}

@test "--fit-bias by mass needs no label if another tensor gives the mass" {
    make_stream "$FILE" "columns = {'logits/a': [[0, 0], [0, 0]], 'soft/b': [[.2, .8], [.4, .6]]}"
    run --separate-stderr evaluator -i "$FILE" --of logits/a --against soft/b --fit-bias 1 --json
    [ "$status" -eq 0 ]
    [ "$stderr" = "" ]
    figures_hold 'list(f["class_bias"]) == ["1"] and abs(f["class_bias"]["1"] - log(7 / 3)) < 1e-4'
    figures_hold 'f["agreement"] == 1'
}

@test "--fit-bias by mass uses the labels if no tensor is named" {
    make_stream "$FILE" "columns = dict(y=[0, 1, 1, 1], soft=[[.5, .5, 0]] * 4)"
    run --separate-stderr evaluator -i "$FILE" --fit-bias 1 --json
    [ "$status" -eq 0 ]
    figures_hold 'abs(f["class_bias"]["1"] - log(3)) < 1e-4'
}

@test "--fit-bias of a class that cannot be fitted is refused" {
    make_stream "$FILE" "columns = dict(y=$Y, soft=$SOFT)"
    run --separate-stderr evaluator -i "$FILE" --fit-bias 3
    [ "$status" -eq 64 ]
    [[ "$stderr" = *"--fit-bias: there is no class 3 in 3 classes"* ]]
    run --separate-stderr evaluator -i "$FILE" --fit-bias 2
    [ "$status" -eq 65 ]
    [[ "$stderr" = *"class 2 is to have no mass at all"* ]]
    [ "$output" = "" ]
    run --separate-stderr evaluator -i "$FILE" --fit-bias x
    [ "$status" -eq 64 ]
    run --separate-stderr evaluator -i "$FILE" --fit-bias 1 --class-bias 1=2
    [ "$status" -eq 64 ]
}

@test "--fit-bias by errors without labels is refused" {
    make_stream "$FILE" "columns = {'logits/a': [[0, 0]] * 4, 'logits/b': [[0, 1]] * 4}"
    run --separate-stderr evaluator -i "$FILE" --of logits/a --against logits/b --fit-bias 1 --fit-by errors
    [ "$status" -eq 65 ]
    [[ "$stderr" = *"'y'"* ]]
}

@test "--fit-bias refuses a stream without samples" {
    make_stream "$FILE" "batches = []; columns = dict(y=$Y, soft=$SOFT)"
    run --separate-stderr evaluator -i "$FILE" --fit-bias 1
    [ "$status" -eq 65 ]
    [ "$stderr" = "evaluator: the stream holds no samples" ]
}

@test "damaged predictions are refused with batch and sample" {
    for rows in '[0.5, nan, 0]:number 1 is nan, not a probability' '[0.5, 1e39, 0]:number 1 is inf, not a probability' \
        '[0.5, -0.5, 1]:number 1 is -0.5, not a probability' '[0.5, 0.6, 0]:its probabilities add up to 1.1, not to 1'; do
        make_stream "$FILE" "np.seterr(all='ignore'); soft = $SOFT; soft[3] = ${rows%%:*}; columns = dict(y=$Y, soft=soft)"
        run --separate-stderr evaluator -i "$FILE"
        [ "$status" -eq 65 ]
        [ "$output" = "" ]
        [ "$stderr" = "evaluator: batch 1: tensor 'soft', sample 1 of the batch: ${rows#*:}" ]
    done
}

@test "damaged predictions to compare with are refused" {
    make_stream "$FILE" "columns = {'y': $Y, 'soft': $SOFT, 'logits/a': [[nan, 1, 2]] * 4}"
    run --separate-stderr evaluator -i "$FILE" --against logits/a
    [ "$status" -eq 65 ]
    [ "$stderr" = "evaluator: batch 0: tensor 'logits/a', sample 0 of the batch: number 0 is nan, not a finite number" ]
}

@test "a label outside the classes is refused with batch and sample" {
    for label in 3 -1 2147483647; do
        make_stream "$FILE" "columns = dict(y=[0, 0, $label, 0], soft=$SOFT)"
        run --separate-stderr evaluator -i "$FILE"
        [ "$status" -eq 65 ]
        [ "$stderr" = "evaluator: batch 1: sample 0 of the batch: label $label is not one of 3 classes" ]
    done
}

@test "predictions of other classes than those compared with are refused" {
    make_stream "$FILE" "columns = {'y': $Y, 'soft': $SOFT, 'logits/a': [[1, 2]] * 4}"
    run --separate-stderr evaluator -i "$FILE" --against logits/a
    [ "$status" -eq 65 ]
    [[ "$stderr" = *"'logits/a'"* ]]
}

@test "a stream without samples is refused" {
    make_stream "$FILE" "batches = []; columns = dict(y=$Y, soft=$SOFT)"
    run --separate-stderr evaluator -i "$FILE"
    [ "$status" -eq 65 ]
    [ "$stderr" = "evaluator: the stream holds no samples" ]
}

@test "a truncated stream gives an error and no figures" {
    make_stream "$FILE" "columns = dict(y=$Y, soft=$SOFT)"
    size=$(stat -c %s "$FILE")
    for cut in 0 1 20 200 $((size - 200)) $((size - 1)); do
        run --separate-stderr evaluator < <(head -c "$cut" "$FILE")
        [ "$status" -eq 65 ]
        [ "$output" = "" ]
        [ "${#stderr_lines[@]}" -eq 1 ]
    done
}

@test "beyond 256 classes the most frequent confusions stand in place of the confusion matrix" {
    make_stream "$FILE" "columns = {'y': [0, 256], 'logits/a': np.eye(257)[[0, 255]]}"
    run --separate-stderr evaluator -i "$FILE" --all-rows
    [ "$status" -eq 0 ]
    [[ "$output" != *matrix* ]]
    diff - <(echo "$output" | tail -n 5) <<'END'
  256          1          1    0.0000 %          -   0.000000

the most frequent confusions
label  predicted    samples
  256        255          1
END
    run -0 --separate-stderr evaluator -i "$FILE" --json
    [[ "$output" = *'"confusions":[{"label":256,"predicted":255,"samples":1}]'* ]]
    [[ "$output" != *'"confusion":'* ]]
}

@test "figures that cannot be written are an error" {
    make_stream "$FILE" "columns = dict(y=$Y, soft=$SOFT)"
    for options in "" "--json"; do
        # shellcheck disable=SC2086
        run bash -c "evaluator $options <'$FILE' >/dev/full"
        [ "$status" -eq 74 ]
        [[ "$output" = "evaluator: standard output: "* ]]
    done
}

@test "a missing input and an unknown option have their exit codes" {
    run --separate-stderr evaluator -i "$BATS_TEST_TMPDIR/none"
    [ "$status" -eq 66 ]
    run --separate-stderr evaluator --nonsense
    [ "$status" -eq 64 ]
    [ "$output" = "" ]
}

@test "--help says what it is for on standard output" {
    run --separate-stderr evaluator --help
    [ "$status" -eq 0 ]
    [ "$stderr" = "" ]
    [[ "${lines[0]}" = "evaluator: say how good the predictions in a stream are" ]]
    [[ "$output" = *"--class-bias CLASS=NUMBER"* ]]
}
