#!/usr/bin/env bats
# evaluator with numbers or bits in y, and with --tolerance. Figures here are worked out by hand;
# tests/python/test_evaluator_oracle.py compares figures of random predictions with numpy's.
# shellcheck disable=SC2154 # bats' run sets output and stderr, where shellcheck does not see it
bats_require_minimum_version 1.5.0

setup() {
    load common
    load evaluator
    cd "$BATS_TEST_DIRNAME/../.." || return
    FILE=$BATS_TEST_TMPDIR/stream.pst
}

# ---- numbers ----

# Errors are -1, 0, 2 and 1 in the first output, and -10, 0, -5 and 0 in the second.
NUMBERS="columns = {'y': np.float32([[2, 10], [4, 20], [6, 30], [4, 20]]),
    'logits/s': [[1, 0], [4, 20], [8, 25], [5, 20]], 'logits/t': [[1, 0], [4, 20], [8, 28], [5, 24]]}"

@test "numbers are scored by RMSE, MAE and R squared, over all outputs and by output" {
    make_stream "$FILE" "$NUMBERS"
    run --separate-stderr evaluator -i "$FILE" --of logits/s
    [ "$status" -eq 0 ]
    [ "$stderr" = "" ]
    diff - <(echo "$output") <<'END'
predictions                 logits/s
samples                              4
RMSE                            4.0466
MAE                              2.375
R squared                     0.370192
mean R squared                0.312500

output        RMSE         MAE  R squared
     0     1.22474           1   0.250000
     1     5.59017        3.75   0.375000
END
}

@test "numbers are compared by how far they differ" {
    make_stream "$FILE" "$NUMBERS"
    run --separate-stderr evaluator -i "$FILE" --of logits/s --against logits/t
    [ "$status" -eq 0 ]
    [[ $output == *"compared with               logits/t
"*"RMS difference                 1.76777
largest difference                   4
"* ]]
    [[ $output != *KL* ]]
}

@test "one number a sample needs no dimension" {
    make_stream "$FILE" "columns = {'y': np.float32([1, 2, 3, 4]), 'logits/s': [[1], [2], [3], [5]]}"
    run -0 --separate-stderr evaluator -i "$FILE" --json
    [[ $output == '{"samples":4,"rmse":0.5,"mae":0.25,"r2":0.8'*',"per_output":[{"output":0,"rmse":0.5,"mae":0.25,"r2":0.8'*'}]}' ]]
}

@test "R squared of constant numbers is undefined, and null in JSON" {
    make_stream "$FILE" "columns = {'y': np.float32([[.1, 1]] * 3 + [[.1, 2]]), 'logits/s': [[0, 1]] * 4}"
    run -0 --separate-stderr evaluator -i "$FILE" --json
    [[ $output == *'"r2":null'* ]]
    make_stream "$FILE" "columns = {'y': np.float32([[.1]] * 4), 'logits/s': [[0]] * 4}"
    run -0 --separate-stderr evaluator -i "$FILE"
    [[ $output == *"
R squared                    undefined
"* ]]
}

@test "numbers that are not finite are refused with batch, tensor and sample" {
    make_stream "$FILE" "$NUMBERS; columns['y'][3, 1] = nan"
    assert_fails 65 "batch 1: tensor 'y', sample 1 of the batch: number 1 is nan, not a finite number" \
        evaluator -i "$FILE" --of logits/s
    make_stream "$FILE" "$NUMBERS; columns['logits/s'][1][0] = nan"
    assert_fails 65 "batch 0: tensor 'logits/s', sample 1 of the batch: number 0 is nan, not a finite number" \
        evaluator -i "$FILE" --of logits/s
}

@test "numbers are predicted by logits, one for each number" {
    make_stream "$FILE" "columns = {'y': np.float32([[1, 0]] * 2), 'soft/s': [[1, 0]] * 2}"
    assert_fails 65 "no predictions of numbers: logits or logits/NAME; is teacher-forward before this stage?" evaluator -i "$FILE"
    assert_fails 65 "--of soft/s: numbers are predicted by logits or logits/NAME" evaluator -i "$FILE" --of soft/s
    make_stream "$FILE" "columns = {'y': np.float32([1, 0]), 'logits/s': [[1, 0]] * 2}"
    assert_fails 65 "'logits/s' has 2 outputs, but 'y' (f32: numbers) has 1 a sample" evaluator -i "$FILE"
    make_stream "$FILE" "columns = {'y': np.float32([[1, 0, 1]] * 2), 'logits/s': [[1, 0]] * 2}"
    assert_fails 65 "'logits/s' has 2 outputs, but 'y' (f32: numbers) has 3 a sample" evaluator -i "$FILE"
}

@test "biases of classes are refused if there are no classes" {
    make_stream "$FILE" "$NUMBERS"
    for option in --class-bias=0=1 --fit-bias=0; do
        assert_fails 64 "--class-bias and --fit-bias are for classes, but 'y' holds numbers" evaluator -i "$FILE" "$option"
    done
}

# ---- bits ----

BITS="columns = {'y': np.uint8([[1, 0, 0], [0, 1, 0], [1, 0, 0], [0, 0, 0]]),
    'logits/s': [[1, -1, -2], [2, 1, -2], [-1, -1, -2], [0, 3, -2]]}"

@test "bits are scored by how many are wrong, and by precision, recall and F1" {
    make_stream "$FILE" "$BITS"
    run --separate-stderr evaluator -i "$FILE"
    [ "$status" -eq 0 ]
    [ "$stderr" = "" ]
    diff - <(echo "$output") <<'END'
predictions                 logits/s
samples                              4
samples with a wrong bit             3
wrong bits                           3
share of wrong bits            25.0000 %
precision                     0.500000
recall                        0.666667
F1                            0.571429
macro precision               0.333333
macro recall                  0.500000
macro F1                      0.388889
macro AUC                     0.458333

label  positives     errors  precision     recall         F1        AUC
    0          2          2   0.500000   0.500000   0.500000   0.250000
    1          1          1   0.500000   1.000000   0.666667   0.666667
    2          0          0          -          -          -          -
END
    run -0 --separate-stderr evaluator -i "$FILE" --json
    [[ $output == *'{"label":2,"positives":0,"errors":0,"precision":null,"recall":null,"f1":null,"auc":null}'* ]]
}

@test "a bit that is neither 0 nor 1 is refused with batch and sample" {
    make_stream "$FILE" "$BITS; columns['y'][2, 1] = 255"
    assert_fails 65 "batch 1: tensor 'y', sample 0 of the batch: bit 1 is 255, not 0 or 1" evaluator -i "$FILE"
}

@test "labels that came as bytes are not taken for bits" {
    make_stream "$FILE" "$BITS; columns['y'] = np.uint8([0, 1, 2, 0])"
    assert_fails 65 "'logits/s' has 3 outputs, but 'y' (u8: bits) has 1 a sample" evaluator -i "$FILE"
}

@test "a y of any other kind is refused, and the error lists the kinds" {
    make_stream "$FILE" "columns = {'y': [0, 1], 'logits/s': [[1, 0]] * 2}; more = dict(y=dict(dtype='u64'))"
    assert_fails 65 "tensor 'y' is u64, which is neither classes (i32) nor numbers (f32) nor bits (u8)" evaluator -i "$FILE"
    make_stream "$FILE" "columns = {'y': [[0], [1]], 'logits/s': [[1, 0]] * 2}"
    assert_fails 65 "'y'" evaluator -i "$FILE"
}

# ---- differences ----

PAIR="columns = {'id': [11, 12, 13, 14], 'logits/s': [[1, 0], [4, 20], [8, 25], [5, 20]],
    'logits/t': [[1, 0], [4, 20.25], [8, 24.5], [5, 20]]}"

@test "two predictions of classes are also compared by their largest difference" {
    make_stream "$FILE" "$PAIR; columns['y'] = [0, 1, 1, 1]"
    run -0 --separate-stderr evaluator -i "$FILE" --of logits/s --against logits/t
    [[ $output == *"agreement                     100.0000 %
KL "*"
RMS difference                0.197642
largest difference                 0.5
"* ]]
    run -0 --separate-stderr evaluator -i "$FILE" --of logits/s --against logits/t --class-bias 1=5
    [[ $output == *"
largest difference                 0.5
"* ]]
}

@test "--tolerance ends at the first sample that differs more, and names it" {
    make_stream "$FILE" "$PAIR"
    pair=(--of logits/s --against logits/t)
    run -0 --separate-stderr evaluator -i "$FILE" "${pair[@]}" --tolerance 0.5
    [[ $output == *"largest difference                 0.5"* ]]
    assert_fails 65 "batch 1: sample 0 of the batch (id 13): 'logits/s' and 'logits/t' differ by 0.5 in number 1; --tolerance allows 0.3" \
        evaluator -i "$FILE" "${pair[@]}" --tolerance 0.3
    assert_fails 65 "batch 0: sample 1 of the batch (id 12): 'logits/s' and 'logits/t' differ by 0.25 in number 1; --tolerance allows 0" \
        evaluator -i "$FILE" "${pair[@]}" --tolerance 0
    make_stream "$FILE" "$PAIR; del columns['id']"
    assert_fails 65 "batch 0: sample 1 of the batch: 'logits/s' and" evaluator -i "$FILE" "${pair[@]}" --tolerance 0
}

@test "--tolerance works for numbers and bits as for classes" {
    make_stream "$FILE" "$NUMBERS"
    evaluator -q -i "$FILE" --of logits/s --against logits/t --tolerance 4
    assert_fails 65 "'logits/s' and 'logits/t' differ by 4 in number 1" \
        evaluator -i "$FILE" --of logits/s --against logits/t --tolerance 3.9
    make_stream "$FILE" "$BITS; columns['logits/t'] = np.array(columns['logits/s']) + np.eye(4)[:, :3]"
    evaluator -q -i "$FILE" --of logits/s --against logits/t --tolerance 1
    assert_fails 65 "differ by 1 in number 0" evaluator -i "$FILE" --of logits/s --against logits/t --tolerance 0.9
}

@test "--tolerance without --against, or a wrong one, is refused" {
    make_stream "$FILE" "$PAIR"
    assert_fails 64 "--tolerance needs --against" evaluator -i "$FILE" --of logits/s --tolerance 1
    for wrong in -1 x nan inf ''; do
        assert_fails 64 "--tolerance" evaluator -i "$FILE" --of logits/s --against logits/t --tolerance "$wrong"
    done
}

@test "probabilities and logits have no difference" {
    make_stream "$FILE" "columns = {'soft/s': [[.5, .5]] * 2, 'logits/t': [[0, 0]] * 2}"
    run -0 --separate-stderr evaluator -i "$FILE" --of soft/s --against logits/t
    [[ $output != *difference* ]]
    assert_fails 65 "--tolerance: of 'soft/s' and 'logits/t' one holds logits, the other probabilities" \
        evaluator -i "$FILE" --of soft/s --against logits/t --tolerance 1
}

@test "a tensor to compare with that is not finite, or has another size, is refused" {
    make_stream "$FILE" "$PAIR; columns['logits/t'][2][0] = nan"
    assert_fails 65 "batch 1: tensor 'logits/t', sample 0 of the batch: number 0 is nan" \
        evaluator -i "$FILE" --of logits/s --against logits/t --tolerance 1
    make_stream "$FILE" "$PAIR; columns['logits/t'] = [[1]] * 4"
    assert_fails 65 "'logits/s' has 2 numbers a sample, but 'logits/t' has 1" \
        evaluator -i "$FILE" --of logits/s --against logits/t --tolerance 1
}
