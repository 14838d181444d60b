#!/usr/bin/env bats
# Builds and runs the code that docs/adding-a-layer.md shows.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    load pages.bash
    skip_without_build
}

@test "one file, one row and one oracle make a layer, which is built, tested and trained" {
    copy_tree
    block adding-a-layer.md c >"$TREE/lib/nn/layers/gain.c"
    add_row adding-a-layer.md "$TREE/lib/nn/layers/table.c"
    block adding-a-layer.md python >"$BATS_TEST_TMPDIR/oracle"
    sed -i -e "/^# ---- the test ----/{e cat $BATS_TEST_TMPDIR/oracle; echo; echo" -e '}' "$TREE/tests/python/test_layer_oracle.py"
    cd "$TREE"
    BUILD=build make_here -s all unit-tests test-tools
    run_tests nn_gradient nn_network layer_oracle
    grep -q 'ok .* layer gain in 6-gain-4 is what numpy says' build/test-logs/test_layer_oracle.py.log
    loader="build/stages/loader digits --samples 60 --epochs 2"
    $loader | build/stages/student-trainer --quiet --arch 784-gain-20-10 -o student.safetensors
    $loader | build/stages/teacher-forward student.safetensors | build/stages/evaluator >/dev/null
}

@test "every layer of the table is in the table of docs/training.md" {
    while read -r name; do
        grep -qE "^\| $name \|" docs/training.md || { echo "$name is missing" && return 1; }
    done < <(grep -oP '\bROW\(\K\w+' lib/nn/layers/table.c)
}
