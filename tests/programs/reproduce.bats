#!/usr/bin/env bats
# The paper's results can be had again bit for bit: shown on a small part, which pipelines/paper/small-part trains.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    export REPRODUCE_WORK=$BATS_TEST_TMPDIR REPRODUCE_RESULTS=$BATS_TEST_TMPDIR
}

needs_mnist() {
    loader mnist --limit 1 >/dev/null 2>&1 || skip "there is no MNIST; set MNIST_DIR"
}

@test "a teacher and its student come out bit for bit the same a second time" {
    needs_mnist
    pipelines/paper/small-part >"$BATS_TEST_TMPDIR/first"
    pipelines/paper/small-part >"$BATS_TEST_TMPDIR/second"
    diff "$BATS_TEST_TMPDIR/first" "$BATS_TEST_TMPDIR/second"
}

@test "where OpenBLAS uses the same kernels they have the digests of the recorded results" {
    needs_mnist
    [ -z "${SANITIZE-}" ] || skip "a sanitised build has other kernels"
    pipelines/paper/small-part >"$BATS_TEST_TMPDIR/part"
    core() { sed 's/.*"openblas_core": "\([^"]*\)".*/\1/' "$1"; }
    [ "$(core "$BATS_TEST_TMPDIR/part")" = "$(core docs/results/small-part.json)" ] || skip "other kernels of OpenBLAS"
    diff docs/results/small-part.json "$BATS_TEST_TMPDIR/part"
}

@test "a step that is done is not done again, and one that fails leaves no result" {
    . pipelines/paper/common.sh
    works() { echo made >>"$target"; }
    make_once result works
    make_once result works
    [ "$(cat result)" = made ]
    [ "$(cat result.seconds)" -ge 0 ]
    grep -q works result.commands
    run bash -c '. "$1"; fails() { true | false; touch "$target"; }; make_once other fails; touch after' \
        - "$BATS_TEST_DIRNAME/../../pipelines/paper/common.sh"
    [ "$status" -ne 0 ]
    [ ! -e other ]
    [ ! -e after ]
}
