#!/usr/bin/env bats
# munge as its page describes it: which samples come out, and what is refused. tests/python/test_munge_oracle.py compares
# with numpy.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    awk 'BEGIN { srand(3); print "a,colour,b,y"
        for (i = 0; i < 60; i++) printf "%.3f,%s,%.2f,%d\n", rand(), substr("redbluegreen", 1 + 3 * int(3 * rand()), 3), 50 * rand(), (rand() > 0.5) }' >table.csv
    loader csv:table.csv --label y --batch 16 -o table.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
}

@test "samples are unlabelled, have ids of their own, and a header that a teacher can use" {
    munge table.pst --times 3 -o "$out"
    [ "$(stream-inspect --json "$out" | head -n 1 | /usr/bin/python3 -c '
import json, sys
h = json.load(sys.stdin)
print([t["name"] for t in h["tensors"]], h["samples"], h["classes"], [c["name"] for c in h["inputs"]["columns"]])')" = \
        "['x', 'id'] 180 2 ['a', 'colour', 'b']" ]
    diff <(column "$out" id) <(seq 0 179)
    student-trainer -q -a 5-4-2 -i table.pst -o "$BATS_TEST_TMPDIR/m.safetensors"
    teacher-forward "$BATS_TEST_TMPDIR/m.safetensors" -i "$out" | temperature-softmax | student-trainer -q -a 5-4-2 -o "$BATS_TEST_TMPDIR/s.safetensors"
    stream-inspect "$BATS_TEST_TMPDIR/s.safetensors" | grep -q 'munge'
    stream-inspect "$BATS_TEST_TMPDIR/s.safetensors" | grep -q 'loader .*makes=x'
}

@test "the order of the table and the size of batches change nothing, from a file or a pipe" {
    munge table.pst --size 100 --seed 2 -o "$out"
    loader csv:table.csv --label y --batch 7 --no-shuffle | munge --size 100 --seed 2 -b 30 -o "$out.2"
    diff <(column "$out" x) <(column "$out.2" x)
    munge table.pst --size 100 --seed 3 -o "$out.3"
    run ! diff -q <(column "$out" x) <(column "$out.3" x)
}

@test "every method makes any number of samples, fewer and more than the table has" {
    for method in munge autogluon random nbe; do
        for size in 1 60 61 150; do
            [ "$(munge table.pst -m $method --size $size -o "$out.$method$size" && column "$out.$method$size" x | wc -l)" = "$size" ]
            # colour is one of three
            column "$out.$method$size" x | awk '$2 + $3 + $4 != 1 {exit 1}'
        done
        diff <(column "$out.${method}60" x) <(column "$out.${method}150" x | head -n 60)
    done
}

@test "constant columns stay, and a table whose rows are all alike is made again and reported" {
    change 'batch["x"][:, 0] = 3' table.pst "$BATS_TEST_TMPDIR/constant.pst"
    for method in munge autogluon random nbe; do
        munge "$BATS_TEST_TMPDIR/constant.pst" -m $method --times 2 -o "$out.$method" 2>/dev/null
        [ "$(column "$out.$method" x | cut -d ' ' -f 1 | sort -u)" = "3.0" ]
    done
    change 'batch["x"][:] = [3, 0, 1, 0, 2]' table.pst "$BATS_TEST_TMPDIR/alike.pst"
    for method in munge autogluon random nbe; do
        run --separate-stderr munge "$BATS_TEST_TMPDIR/alike.pst" -m $method --times 2 -o "$out.alike$method"
        [ "$status" -eq 0 ]
        [[ $stderr == *"120 of 120 samples are rows of the table as they were: its columns differ too little"* ]]
    done
    # Categories that are all alike, and numbers that are not.
    change 'batch["x"][:, 1:4] = [0, 1, 0]' table.pst "$BATS_TEST_TMPDIR/kind.pst"
    munge "$BATS_TEST_TMPDIR/kind.pst" --times 2 -o "$out.kind"
    [ "$(column "$out.kind" x | cut -d ' ' -f 2-4 | sort -u)" = "0.0 1.0 0.0" ]
}

@test "numbers near the end of f32, and a tiny --spread, make finite samples" {
    awk 'BEGIN { print "a,b,y"
        for (i = 1; i < 5; i++) printf "3.%de38,-%d.1e35,0\n-3.%de38,%d.1e37,1\n", i % 4, i, i % 4, i }' >"$BATS_TEST_TMPDIR/large.csv"
    loader csv:"$BATS_TEST_TMPDIR/large.csv" --label y -o "$BATS_TEST_TMPDIR/large.pst"
    for how in "-m munge" "-m munge --spread 1e-300" "-m autogluon" "-m nbe"; do
        for seed in 1 2 3; do
            # shellcheck disable=SC2086 # words of the command
            munge "$BATS_TEST_TMPDIR/large.pst" $how --times 9 --seed $seed -o - >"$out"
            [ "$(stream-inspect --summary "$out" | awk '$1 == "x" && NF > 5 { print $6 }')" = 0 ]
        done
    done
}

@test "one row has no neighbours, but can be drawn from" {
    loader csv:table.csv --label y --limit 1 -o "$BATS_TEST_TMPDIR/one.pst"
    assert_fails 65 "a table of one row has no neighbours to mix it with" munge "$BATS_TEST_TMPDIR/one.pst"
    assert_fails 65 "a table of one row has no neighbours to mix it with" munge "$BATS_TEST_TMPDIR/one.pst" -m autogluon
    munge "$BATS_TEST_TMPDIR/one.pst" -m random --size 3 -o "$out" 2>/dev/null
    [ "$(column "$out" x | sort -u | wc -l)" = 1 ]
}

@test "streams that are not a table are refused" {
    loader digits --samples 20 -o "$BATS_TEST_TMPDIR/digits.pst"
    assert_fails 65 "tensor 'x' is" munge "$BATS_TEST_TMPDIR/digits.pst"
    stream-select --drop x -i table.pst -o "$BATS_TEST_TMPDIR/bare.pst"
    assert_fails 65 "'x'" munge "$BATS_TEST_TMPDIR/bare.pst"
    loader csv:table.csv --label y --epochs 2 -o "$BATS_TEST_TMPDIR/twice.pst"
    assert_fails 65 "sample 0 comes twice; the table must be one epoch" munge "$BATS_TEST_TMPDIR/twice.pst"
    change 'batch["x"][3, 1] = np.nan' table.pst "$BATS_TEST_TMPDIR/nan.pst"
    assert_fails 65 "tensor 'x', sample 3 of the batch: number 1 is nan" munge "$BATS_TEST_TMPDIR/nan.pst"
    head -c 900 table.pst >"$BATS_TEST_TMPDIR/cut.pst"
    run --separate-stderr munge "$BATS_TEST_TMPDIR/cut.pst" -o "$out"
    [ "$status" -eq 65 ]
    [ ! -e "$out" ]
    assert_fails 66 "none.pst" munge "$BATS_TEST_TMPDIR/none.pst"
}

@test "options that do nothing or contradict each other are refused" {
    assert_fails 64 "--times" munge table.pst --size 3 --times 2
    assert_fails 64 "-p" munge table.pst -m random -p 0.2
    assert_fails 64 "--components needs --method nbe" munge table.pst --components 3
    assert_fails 64 "--probability" munge table.pst -p 1.2
    assert_fails 64 "--spread" munge table.pst -s 0
}
