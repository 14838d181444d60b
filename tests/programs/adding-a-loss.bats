#!/usr/bin/env bats
# What docs/adding-a-loss.md shows is taken from there, built and run.
bats_require_minimum_version 1.5.0

# block LANGUAGE: the code block of that language in the page.
block() {
    sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" docs/adding-a-loss.md | sed '1d;$d'
}

# insert LANGUAGE FILE PATTERN: puts a block behind the last line of a file that matches.
insert() {
    local line
    line=$(grep -nE -- "$3" "$tree/$2" | tail -n 1 | cut -d : -f 1)
    block "$1" >"$BATS_TEST_TMPDIR/block"
    sed -i "${line}r $BATS_TEST_TMPDIR/block" "$tree/$2"
}

@test "one file, one row, one oracle and two lines in the pages are a type of loss" {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    skip_without_build
    need_fresh_build
    tree=$BATS_TEST_TMPDIR/tree
    mkdir -p "$tree/build" "$tree/docs"
    cp -a Makefile include lib stages pipelines tests "$tree"
    cp -a docs/man docs/training.md "$tree/docs"
    cp -a "$BUILD"/{objects,stages,tests,libpipestill.a,libpipestill.so,pipestill} "$tree/build"
    block c >"$tree/lib/nn/losses/huber.c"
    sed -i 's/^\(    ROW(.*)\)$/\1 \\/' "$tree/lib/nn/losses/table.c"
    insert row lib/nn/losses/table.c '^    ROW\('
    insert python tests/python/test_loss_oracle.py '^    return .*\(p - t\) / len\(z\)$'
    # Backticks that are meant.
    # shellcheck disable=SC2016
    insert markdown docs/training.md '^\| `bce` \|'
    insert roff docs/man/student-trainer.1 '^several labels a sample\.$'

    cd "$tree"
    BUILD=build make_here all test-tools build/tests/test_nn_loss build/tests/test_nn_loss_parse >"$BATS_TEST_TMPDIR/made"
    [ "$(grep -c -- ' -c ' "$BATS_TEST_TMPDIR/made")" -eq 2 ]
    run env -i PATH=/usr/local/bin:/usr/bin:/bin TMPDIR="$BATS_TEST_TMPDIR" BUILD=build LEAVE_OUT=adding tests/run loss
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *"test_loss_oracle.py                     8 passed"* ]]
    run mandoc -T lint -W warning docs/man/student-trainer.1
    [ "$status" -eq 0 ]

    # One number in ten is far off: the student of squares goes after it, the other one does not.
    export PATH=$tree/build/stages:$PATH
    tests/python/make_targets.py number 1500 20 1 |
        tests/python/pst.py 'y = batch["y"]; y[batch["id"] % 10 == 0] += 30' >"$BATS_TEST_TMPDIR/numbers.pst"
    tests/python/make_targets.py number 500 1 2 >"$BATS_TEST_TMPDIR/test.pst"
    for loss in mse huber,delta=0.5; do
        student-trainer -q -a 6-32-1 --loss $loss --optimiser adam -r 0.01 --schedule cosine \
            -i "$BATS_TEST_TMPDIR/numbers.pst" -o "$BATS_TEST_TMPDIR/student.safetensors"
        teacher-forward "$BATS_TEST_TMPDIR/student.safetensors" -i "$BATS_TEST_TMPDIR/test.pst" | evaluator --json |
            grep -o '"rmse":[^,]*' | head -n 1 | cut -d : -f 2
    done >"$BATS_TEST_TMPDIR/errors"
    cat "$BATS_TEST_TMPDIR/errors"
    awk '{ rmse[NR] = $1 } END { exit !(rmse[2] < 0.25 * rmse[1]) }' "$BATS_TEST_TMPDIR/errors"
}
