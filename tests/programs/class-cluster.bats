#!/usr/bin/env bats
# class-cluster as its page describes it: sets of classes as a text, and what is refused. tests/python/test_cluster_oracle.py
# compares with numpy.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 120 --batch 30 -o plain.pst
    student-trainer -q -a 784-9-10 -r 0.05 -i plain.pst -o a.safetensors
    teacher-forward a.safetensors -i plain.pst | temperature-softmax -T 4 -o soft.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
    sets=$BATS_TEST_TMPDIR/sets.txt
}

# classes FILE: the classes of all its sets, one on a line.
classes() {
    sed -n 's/ *#.*//; s/^set-[0-9]* = //p' "$1" | tr -d ' ' | tr , '\n'
}

@test "every class is in one set, and the text names the predictions and the method" {
    class-cluster --sets 3 --of soft/a -i soft.pst -o "$sets"
    [ "$(head -n 1 "$sets")" = "# class-cluster: 3 sets of 10 classes that soft/a predicts together, by online K-means, seed 0" ]
    [ "$(grep -c '^set-[0-2] = [0-9]' "$sets")" = 3 ]
    [ "$(classes "$sets" | sort -n | xargs)" = "0 1 2 3 4 5 6 7 8 9" ]
}

@test "the same sets come out again, on standard output too, without labels and with batches of another size" {
    class-cluster -k 4 -s 5 --of soft/a -i soft.pst -o "$sets"
    replay soft.pst --batch 7 | stream-select --keep soft/a | class-cluster -k 4 -s 5 | diff "$sets" -
}

@test "K-means that has not settled after --rounds says so" {
    run --separate-stderr class-cluster -k 4 --rounds 1 --of soft/a -i soft.pst -o "$sets"
    [ "$status" -eq 0 ]
    [[ $stderr == *"K-means still changed in round 1, the last of --rounds"* ]]
    run --separate-stderr class-cluster -k 4 --of soft/a -i soft.pst -o "$sets"
    [ -z "$stderr" ]
}

@test "sets have at most --size classes; with --fill all have as many and overlap" {
    class-cluster -k 3 -n 4 --of soft/a -i soft.pst -o "$sets"
    [ "$(grep -c '\(,.*\)\{4\}' "$sets")" = 0 ]
    [ "$(classes "$sets" | sort -n | xargs)" = "0 1 2 3 4 5 6 7 8 9" ]
    class-cluster -k 3 -n 6 --fill --of soft/a -i soft.pst -o "$sets"
    [ "$(classes "$sets" | wc -l)" = 18 ]
    [ "$(classes "$sets" | sort -u | wc -l)" = 10 ]
}

@test "class-map takes a set by its name, from a file that was edited, too" {
    class-cluster -k 3 -n 4 --of soft/a -i soft.pst -o "$sets"
    printf 'mine = 7, 3 # by hand\n"a; b" = 1; last = 8,9\n' >>"$sets"
    for set in set-1 mine 'a; b' last; do
        class-map --classes "@$sets:$set" --dustbin other -i soft.pst -o "$out.$set"
    done
    list=$(sed -n 's/^set-1 = \([^#]*\).*/\1/p' "$sets")
    class-map --classes "$list" --dustbin other -i soft.pst | cmp <(stream-inspect --json "$out.set-1" | sed 's/.*"lineage"//') <(stream-inspect --json - | sed 's/.*"lineage"//')
    diff <(column soft.pst logits/a | cut -d' ' -f4,8 | awk '{print $2, $1}') <(column "$out.mine" logits/a | cut -d' ' -f1,2)
    diff <(column soft.pst logits/a | cut -d' ' -f9,10) <(column "$out.last" logits/a | cut -d' ' -f1,2)
}

@test "names of classes stand behind the numbers" {
    change "header['class_names'] = ['zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'line\nend', 'nine']" soft.pst "$BATS_TEST_TMPDIR/named.pst"
    class-cluster -k 1 --of soft/a -i "$BATS_TEST_TMPDIR/named.pst" -o "$sets"
    [ "$(tail -n 1 "$sets")" = "set-0 = 0, 1, 2, 3, 4, 5, 6, 7, 8, 9  # zero, one, two, three, four, five, six, seven, line?end, nine" ]
}

@test "as many sets as there are classes have one class each" {
    class-cluster -k 10 --of soft/a -i soft.pst -o "$sets"
    [ "$(classes "$sets" | sort -n | xargs)" = "0 1 2 3 4 5 6 7 8 9" ]
    [ "$(grep -c , "$sets")" = 1 ]
}

@test "a class with the same prediction for all samples is in a set, and is named" {
    change 'batch["soft/a"] = np.eye(10, dtype="f4")[batch["id"] % 7]' soft.pst "$BATS_TEST_TMPDIR/seven.pst"
    run --separate-stderr class-cluster -k 2 --of soft/a -i "$BATS_TEST_TMPDIR/seven.pst" -o "$sets" --log "$BATS_TEST_TMPDIR/log"
    [ "$status" -eq 0 ]
    [[ $stderr == *"3 of 10 classes are predicted alike in all samples, so where they belong is not known"* ]]
    [ "$(classes "$sets" | sort -n | xargs)" = "0 1 2 3 4 5 6 7 8 9" ]
    grep -q '"never_change": *3' "$BATS_TEST_TMPDIR/log"
}

@test "a covariance of one sample is refused, and one of samples that are all alike" {
    loader digits --samples 1 | teacher-forward a.safetensors -o "$BATS_TEST_TMPDIR/one.pst"
    run --separate-stderr class-cluster -k 2 -i "$BATS_TEST_TMPDIR/one.pst" -o "$sets"
    [ "$status" -eq 65 ]
    [[ $stderr == *"the stream has one sample only; a covariance needs two samples or more"* ]]
    [ ! -e "$sets" ]
    change 'batch["logits/a"][:] = np.arange(10)' soft.pst "$BATS_TEST_TMPDIR/alike.pst"
    assert_fails 65 "all 120 samples have the same predictions" class-cluster -k 2 --of logits/a -i "$BATS_TEST_TMPDIR/alike.pst"
}

@test "invalid numbers of sets and invalid sizes are refused" {
    assert_fails 65 "--sets 11: 'soft/a' has 10 classes only" class-cluster -k 11 --of soft/a -i soft.pst
    assert_fails 65 "3 sets of 3 classes hold 9, but 'soft/a' has 10; give more --sets or more --size" class-cluster -k 3 -n 3 --of soft/a -i soft.pst
    assert_fails 64 "--fill needs --size" class-cluster -k 3 --fill --of soft/a -i soft.pst
    assert_fails 64 "--sets" class-cluster -i soft.pst
    assert_fails 64 "--sets" class-cluster -k 0 -i soft.pst
}

@test "streams without predictions are refused" {
    assert_fails 65 "the stream has no soft targets and no logits" class-cluster -k 2 -i plain.pst
    assert_fails 64 "--of x: only logits and soft targets are predictions" class-cluster -k 2 --of x -i soft.pst
    change 'batch["soft/a"][3] = 0.2' soft.pst "$BATS_TEST_TMPDIR/sum.pst"
    assert_fails 65 "sample 3 of the batch: its probabilities add up to 2" class-cluster -k 2 --of soft/a -i "$BATS_TEST_TMPDIR/sum.pst"
    compactor --targets top-k --top 3 -i soft.pst -o "$BATS_TEST_TMPDIR/compact.pst"
    assert_fails 65 "'compactor --restore' before this stage restores it" class-cluster -k 2 -i "$BATS_TEST_TMPDIR/compact.pst"
}

@test "a set that a file does not hold is refused" {
    class-cluster -k 3 --of soft/a -i soft.pst -o "$sets"
    assert_fails 65 "sets.txt: no set is called 'set-3'" class-map -c "@$sets:set-3" -d other -i soft.pst
    assert_fails 66 "cannot be opened" class-map -c "@$sets.none:set-3" -d other -i soft.pst
    assert_fails 64 "'@:set-3' is neither @FILE nor @FILE:SET" class-map -c "@:set-3" -d other -i soft.pst
    printf 'a = 1\nb = 3, 4, 3\nc = 12\na = 2\n' >"$sets"
    assert_fails 65 "sets.txt, line 4: a second set is called 'a'" class-map -c "@$sets:a" -d other -i soft.pst
    assert_fails 65 "sets.txt, line 2: class 3 is in two new classes, first in line 2" class-map -c "@$sets:b" -d other -i soft.pst
    assert_fails 65 "sets.txt, line 3: '12': there are 10 classes, counted from 0" class-map -c "@$sets:c" -d other -i soft.pst
}

@test "an output that cannot be written is refused before anything is read" {
    assert_fails 74 "none/sets" class-cluster -k 3 -i /dev/null -o "$BATS_TEST_TMPDIR/none/sets"
}
