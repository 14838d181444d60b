#!/usr/bin/env bats
# Builds and runs the code that docs/adding-a-loss.md shows.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    load pages.bash
    skip_without_build
}

# insert LANGUAGE FILE PATTERN: puts a block of the page behind the last line of a file that matches.
insert() {
    local line
    line=$(grep -nE -- "$3" "$TREE/$2" | tail -n 1 | cut -d : -f 1)
    block adding-a-loss.md "$1" >"$BATS_TEST_TMPDIR/block"
    sed -i "${line}r $BATS_TEST_TMPDIR/block" "$TREE/$2"
}

# Trains students on numbers, one in ten far off, by mse and by the page's type. Prints their errors on true numbers.
errors_with_outliers() {
    tests/python/make_targets.py number 1500 20 1 |
        tests/python/pst.py 'y = batch["y"]; y[batch["id"] % 10 == 0] += 30' >"$BATS_TEST_TMPDIR/numbers.pst"
    tests/python/make_targets.py number 500 1 2 >"$BATS_TEST_TMPDIR/test.pst"
    for loss in mse huber,delta=0.5; do
        build/stages/student-trainer -q -a 6-32-1 --loss "$loss" --optimiser adam -r 0.01 --schedule cosine \
            -i "$BATS_TEST_TMPDIR/numbers.pst" -o "$BATS_TEST_TMPDIR/student.safetensors"
        build/stages/teacher-forward "$BATS_TEST_TMPDIR/student.safetensors" -i "$BATS_TEST_TMPDIR/test.pst" |
            build/stages/evaluator --json | grep -o '"rmse":[^,]*' | head -n 1 | cut -d : -f 2
    done
}

@test "one file, one row, one oracle and two lines in the pages make a type of loss" {
    need_fresh_build
    copy_tree
    block adding-a-loss.md c >"$TREE/lib/nn/losses/huber.c"
    add_row adding-a-loss.md "$TREE/lib/nn/losses/table.c"
    insert python tests/python/test_loss_oracle.py '^    return .*\(p - t\) / len\(z\)$'
    # The backticks are part of the pattern.
    # shellcheck disable=SC2016
    insert markdown docs/training.md '^\| `bce` \|'
    insert roff docs/man/student-trainer.1 '^several labels a sample\.$'
    cd "$TREE"
    BUILD=build make_here all test-tools build/tests/test_nn_loss build/tests/test_nn_loss_parse >"$BATS_TEST_TMPDIR/made"
    [ "$(grep -c '^CC  *lib/' "$BATS_TEST_TMPDIR/made")" -eq 2 ]
    run_tests nn_loss losses loss_oracle
    grep -q "ok .* numpy agrees: huber" build/test-logs/test_loss_oracle.py.log
    mandoc -T lint -W warning docs/man/student-trainer.1
    errors_with_outliers >"$BATS_TEST_TMPDIR/errors"
    cat "$BATS_TEST_TMPDIR/errors"
    awk '{ rmse[NR] = $1 } END { exit !(rmse[2] < 0.25 * rmse[1]) }' "$BATS_TEST_TMPDIR/errors"
}
