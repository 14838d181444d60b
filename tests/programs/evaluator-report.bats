#!/usr/bin/env bats
# What evaluator prints: the worst samples, names of classes, short tables of many classes, and the three formats. Figures
# are compared with numpy's in tests/python/test_evaluator_oracle.py.
# shellcheck disable=SC2154 # bats' run sets output and stderr, where shellcheck does not see it
bats_require_minimum_version 1.5.0

setup() {
    load common
    load evaluator
    cd "$BATS_TEST_DIRNAME/../.." || return
    FILE=$BATS_TEST_TMPDIR/stream.pst
}

# Three samples; the second is wrong by far, the third by a little.
PETS="header = dict(classes=3, class_names=['cat', 'dog', 'Bär']); columns = {'id': np.uint64([7, 2**63 + 1, 9]), 'y': [0, 1, 2],
    'logits/s': [[9, 0, 0], [9, 0, 0], [1, 2, 1]]}"

# ---- the worst samples ----

@test "--worst lists the samples with the largest loss, with id, label, prediction, probability and loss" {
    make_stream "$FILE" "$PETS"
    run -0 --separate-stderr evaluator -i "$FILE" --worst 2
    [ "$stderr" = "" ]
    diff - <(echo "$output" | tail -n 4) <<'END'
the worst samples
sample                  id  label  predicted  p of label            loss
     1 9223372036854775809  1 dog  0 cat     0.000123379   9.000247 nats
     2                   9  2 Bär  1 dog        0.211942   1.551445 nats
END
    run -0 --separate-stderr evaluator -i "$FILE" --worst 2 --json
    [[ $output == *'"worst":[{"sample":1,"id":"9223372036854775809","label":1,"label_name":"dog","predicted":0,"predicted_name":"cat","probability":0.000123'*',"loss":9.000246'*'},{"sample":2,"id":9,'* ]]
}

@test "--worst lists equally bad samples in their order, and no more than there are" {
    make_stream "$FILE" "columns = {'y': [0, 1, 0, 1, 1], 'logits/s': [[1, 0]] * 5}"
    run -0 --separate-stderr evaluator -i "$FILE" --worst 4
    [ "$(echo "$output" | tail -n 4 | awk '{ print $1, $2 }' | paste -sd ,)" = "1 1,3 1,4 1,0 0" ]
    run -0 --separate-stderr evaluator -i "$FILE" --worst 100000 --format tsv
    [ "$(grep -c $'^worst\t.*\tloss\t' <<<"$output")" -eq 5 ]
}

@test "--worst of numbers is by the largest error, of bits by how many are wrong" {
    make_stream "$FILE" "columns = {'y': np.float32([[2, 10], [4, 20], [6, 30]]), 'logits/s': [[1, 10], [4, 15], [8, 27]]}"
    run -0 --separate-stderr evaluator -i "$FILE" --worst 2
    diff - <(echo "$output" | tail -n 3) <<'END'
sample  output      target  prediction       error
     1       1          20          15          -5
     2       1          30          27          -3
END
    make_stream "$FILE" "columns = {'y': np.uint8([[1, 0], [0, 1], [1, 1]]), 'logits/s': [[9, -9], [1, -2], [-50, 3]]}"
    run -0 --separate-stderr evaluator -i "$FILE" --worst 2
    diff - <(echo "$output" | tail -n 3) <<'END'
sample wrong bits            loss  label        bit      p of 1
     1          2   3.440190 nats      1          1    0.119203
     2          1  50.048587 nats      0          1 1.92875e-22
END
}

@test "--worst shows samples as they are with the biases that were found" {
    make_stream "$FILE" "columns = {'id': [5, 6, 7, 8], 'y': [1, 1, 0, 1], 'logits/a': [[1, 0], [1, 0], [9, 0], [0, 1]]}"
    run -0 --separate-stderr evaluator -i "$FILE" --fit-bias 1 --fit-by errors --worst 1
    read -r sample id label predicted _ <<<"${lines[-1]}"
    [ "$label" -eq "$predicted" ]
    [ "$id" -eq $((sample + 5)) ]
}

@test "--worst and --top need labels, and --top needs classes" {
    make_stream "$FILE" "columns = {'soft/a': [[.5, .5]] * 2, 'soft/b': [[.5, .5]] * 2}"
    assert_fails 65 "--worst needs labels, but the stream has no tensor 'y'" evaluator -i "$FILE" --of soft/a --against soft/b --worst 1
    assert_fails 65 "--top needs labels, but the stream has no tensor 'y'" evaluator -i "$FILE" --of soft/a --against soft/b --top 1
    make_stream "$FILE" "columns = {'y': np.float32([1, 2]), 'logits/s': [[1], [2]]}"
    assert_fails 64 "--top is for classes, but 'y' holds numbers" evaluator -i "$FILE" --top 1
    make_stream "$FILE" "columns = {'y': [0, 1], 'logits/s': [[1, 2]] * 2}"
    assert_fails 64 "--top 3: there are only 2 classes" evaluator -i "$FILE" --top 3
    for wrong in 0 -1 x 1000000; do
        assert_fails 64 "--worst: '$wrong' is not a whole number from 1 to 100000" evaluator -i "$FILE" --worst "$wrong"
    done
}

# ---- names ----

@test "classes, outputs and labels are called by the names in the header" {
    make_stream "$FILE" "$PETS"
    run -0 --separate-stderr evaluator -i "$FILE"
    diff - <(echo "$output" | tail -n 10) <<'END'
class    samples     errors    accuracy  precision         F1
0 cat          1          0  100.0000 %   0.500000   0.666667
1 dog          1          1    0.0000 %   0.000000   0.000000
2 Bär          1          1    0.0000 %          -   0.000000

confusion: a row for each true class, a column for each predicted one
           0      1      2
0 cat      1      0      0
1 dog      1      0      0
2 Bär      0      1      0
END
    run -0 --separate-stderr evaluator -i "$FILE" --json
    [[ $output == *'{"class":2,"name":"Bär","samples":1,'* ]]
    make_stream "$FILE" "header = dict(output_names=['width', 'height']); columns = {'y': np.float32([[1, 2], [3, 4]]), 'logits/s': [[1, 2]] * 2}"
    run -0 --separate-stderr evaluator -i "$FILE"
    [[ $output == *$'\n0 width '*$'\n1 height '* ]]
    make_stream "$FILE" "header = dict(output_names=['red', 'wet']); columns = {'y': np.uint8([[1, 0], [0, 1]]), 'logits/s': [[1, 2]] * 2}"
    run -0 --separate-stderr evaluator -i "$FILE" --json
    [[ $output == *'{"label":1,"name":"wet","positives":1,'* ]]
}

@test "hostile names are made plain, and long ones are cut in tables" {
    make_stream "$FILE" "header = dict(classes=3, class_names=['a\\x1b[2J\\tb\\nc', 'é' * 70, ''])
columns = {'y': [0, 1], 'logits/s': [[1, 0, 0]] * 2}"
    run -0 --separate-stderr evaluator -i "$FILE"
    [[ $output == *$'\n0 a?[2J?b?c                                 1          0 '* ]]
    [[ $output == *$'\n1 ééééééééééééééééééééééééééééééé…          1          1 '* ]]
    [[ $output != *$'\x1b'* ]]
    run -0 --separate-stderr evaluator -i "$FILE" --format tsv
    [[ $output == *$'\nclass\t0\ta?[2J?b?c\tsamples\t1\n'* ]]
    [ "$(awk -F '\t' 'NF != 5' <<<"$output")" = "" ]
}

@test "names are refused if they are not one text for each class" {
    for names in "['a', 'b']" "['a', 'b', 3]" "'abc'" "dict(a=1, b=2, c=3)"; do
        make_stream "$FILE" "header = dict(class_names=$names); columns = {'y': [0, 1], 'logits/s': [[1, 0, 0]] * 2}"
        assert_fails 65 "the header's class_names are not 3 texts" evaluator -i "$FILE"
    done
}

# ---- many classes ----

# Of the classes 0, 7, 14 and so on two of four samples are wrong, and their neighbours are predicted.
MANY="n = 1000; y = np.arange(4 * n) % n; wrong = (y % 7 == 0) & (np.arange(4 * n) < 2 * n)
header = dict(classes=n, class_names=[f'class {i}' for i in range(n)])
columns = {'y': y, 'logits/s': 9 * np.eye(n)[np.where(wrong, (y + 1) % n, y)]}"

@test "tables of 1,000 classes are short, show the worst, and say how to see all" {
    make_stream "$FILE" "$MANY"
    run -0 --separate-stderr evaluator -i "$FILE"
    [ "${#lines[@]}" -le 60 ]
    [ "$(awk 'length > 80' <<<"$output")" = "" ]
    [[ $output == *$'\n  0 class 0            4          2   50.0000 %   1.000000   0.666667\n  7 class 7 '* ]]
    [[ $output == *$'\n980 more are left out, those with fewer errors; --all-rows shows all\n'* ]]
    diff - <(echo "$output" | grep -A 3 'most frequent') <<'END'
the most frequent confusions
label          predicted        samples
  0 class 0      1 class 1            2
  7 class 7      8 class 8            2
END
    [ "$(grep -cE '^ *[0-9]+ class' <<<"$output")" -eq 40 ]
    run -0 --separate-stderr evaluator -i "$FILE" --all-rows
    [ "$(grep -cE '^ *[0-9]+ class .*%' <<<"$output")" -eq 1000 ]
    [[ $output != *"left out"* ]]
    run -0 --separate-stderr evaluator -i "$FILE" --format json
    [ "$(jq '.per_class | length' <<<"$output")" -eq 1000 ]
    [ "$(jq '.confusions | length' <<<"$output")" -eq 20 ]
}

@test "beyond 10 classes top-5 accuracy is shown, and --top chooses another K" {
    make_stream "$FILE" "columns = {'y': [0, 3, 4, 5], 'logits/s': [np.arange(11)[::-1]] * 4}"
    run -0 --separate-stderr evaluator -i "$FILE"
    [[ $output == *$'\ntop-5 accuracy                 75.0000 %\n'* ]]
    run -0 --separate-stderr evaluator -i "$FILE" --top 4 --json
    [[ $output == *'"top_4_accuracy":0.5,'* ]]
    run -0 --separate-stderr evaluator -i "$FILE" --top 1 --json
    [[ $output == *'"accuracy":0.25,"top_1_accuracy":0.25,'* ]]
    make_stream "$FILE" "columns = {'y': [0, 1], 'logits/s': [[1, 0]] * 2}"
    run -0 --separate-stderr evaluator -i "$FILE"
    [[ $output != *top-* ]]
}

# ---- AUC ----

@test "AUC of two classes counts ties half, and is undefined if one class is missing" {
    make_stream "$FILE" "columns = {'y': [0, 0, 1, 1], 'soft/s': [[.6, .4], [.5, .5], [.5, .5], [.2, .8]]}"
    run -0 --separate-stderr evaluator -i "$FILE"
    [[ $output == *$'\nAUC                           0.875000\n'* ]]
    make_stream "$FILE" "columns = {'y': [1, 1], 'soft/s': [[.6, .4], [.5, .5]]}"
    run -0 --separate-stderr evaluator -i "$FILE"
    [[ $output == *$'\nAUC                          undefined\n'* ]]
    run -0 --separate-stderr evaluator -i "$FILE" --json
    [[ $output == *'"auc":null,'* ]]
    run -0 --separate-stderr evaluator -i "$FILE" --format tsv
    [[ $output == *$'\nwhole\t\t\tauc\t\n'* ]]
}

@test "AUC is left out beyond --auc-scores, and one line says so" {
    make_stream "$FILE" "columns = {'y': np.uint8([[1, 0], [0, 1], [1, 1], [0, 0]]), 'logits/s': [[1, 2], [0, 1], [3, 4], [0, 0]]}"
    run -0 --separate-stderr evaluator -i "$FILE" --auc-scores 8 --json
    [[ $output == *'"macro_auc":0.875,'* ]]
    [ "$stderr" = "" ]
    run -0 --separate-stderr evaluator -i "$FILE" --auc-scores 7 --json
    [[ $output == *'"macro_auc":null,'* ]]
    [ "$stderr" = "evaluator: AUC is left out: there are more than 7 scores, of which each takes 5 bytes of memory; --auc-scores allows more" ]
    run -0 --separate-stderr evaluator -i "$FILE" --auc-scores 0 --json
    [[ $output == *'"macro_auc":null,'* ]]
    [ "$stderr" = "" ]
}

# ---- formats ----

@test "--format tsv is one table, a figure a line" {
    make_stream "$FILE" "$PETS"
    run -0 --separate-stderr evaluator -i "$FILE" --format tsv --worst 1
    diff - <(echo "$output" | grep -vE $'\t(negative|expected|brier|macro|f1|precision|balanced|loss|probability)' | tr '\t' '|') <<'END'
scope|row|name|figure|value
whole|||samples|3
whole|||errors|2
whole|||accuracy|0.33333333333333331
class|0|cat|samples|1
class|0|cat|errors|0
class|0|cat|accuracy|1
class|1|dog|samples|1
class|1|dog|errors|1
class|1|dog|accuracy|0
class|2|Bär|samples|1
class|2|Bär|errors|1
class|2|Bär|accuracy|0
confusion|0|cat|0|1
confusion|1|dog|0|1
confusion|2|Bär|1|1
worst|0||sample|1
worst|0||id|9223372036854775809
worst|0||label|1
worst|0||predicted|0
END
}

@test "--format tsv has biases that were found, and samples once" {
    make_stream "$FILE" "columns = dict(y=[0, 1, 1, 1], soft=[[.5, .5, 0]] * 4)"
    run -0 --separate-stderr evaluator -i "$FILE" --fit-bias 1 --against soft --format tsv --fit-by errors
    [ "$(grep -c $'^whole\t\t\tsamples\t4$' <<<"$output")" -eq 1 ]
    [[ ${lines[-1]} == $'class_bias\t1\t\tbias\t'* ]]
}

@test "--json is the same as --format json, and excludes another format" {
    make_stream "$FILE" "$PETS"
    diff <(evaluator -i "$FILE" --json) <(evaluator -i "$FILE" --format json)
    diff <(evaluator -i "$FILE") <(evaluator -i "$FILE" --format table)
    assert_fails 64 "--json" evaluator -i "$FILE" --json --format tsv
    assert_fails 64 "--all-rows" evaluator -i "$FILE" --format tsv --all-rows
    assert_fails 64 "--all-rows" evaluator -i "$FILE" --json --all-rows
    assert_fails 64 "--format: 'xml' is not one of table, json, tsv" evaluator -i "$FILE" --format xml
}

@test "figures that cannot be written as TSV are an error" {
    make_stream "$FILE" "$PETS"
    run bash -c "evaluator --format tsv <'$FILE' >/dev/full"
    [ "$status" -eq 74 ]
    [[ "$output" = "evaluator: standard output: "* ]]
}
