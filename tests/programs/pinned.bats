#!/usr/bin/env bats
# Students of today's kinds do not change by one bit: tests/pinned/digests holds the SHA-256 of the weights of students
# made by the first edition (commit PINNED), with the BLAS kernel and the kind of processor that they belong to. On
# any other machine that commit is built, and the students of both are compared.
bats_require_minimum_version 1.5.0

PINNED=fb2d7f5c9cf363350521f96133024b89a6f8977f

# made_by_pinned: what the first edition's stages make here, for which it is built.
made_by_pinned() {
    local tree=$BATS_FILE_TMPDIR/pinned
    mkdir -p "$tree"
    git archive "$PINNED" | tar -x -C "$tree"
    env -u MAKEFLAGS -u MAKELEVEL -u BUILD -u SANITIZE make -s -j2 -C "$tree" BUILD=build >/dev/null
    mkdir "$BATS_TEST_TMPDIR/theirs"
    PATH=$tree/build/stages:$PATH tests/pinned/students "$BATS_TEST_TMPDIR/theirs"
}

@test "students of every kind have the weights that the first edition gave them" {
    cd "$BATS_TEST_DIRNAME/../.." || return
    expected=$BATS_TEST_TMPDIR/expected
    mkdir "$BATS_TEST_TMPDIR/ours"
    if [ "$("$BUILD/tests/processor")" = "$(head -n 1 tests/pinned/digests)" ]; then
        sed 1d tests/pinned/digests >"$expected"
    else
        git cat-file -e "$PINNED" || skip "neither the pinned processor nor the pinned commit is here"
        made_by_pinned >"$expected"
    fi
    tests/pinned/students "$BATS_TEST_TMPDIR/ours" >"$BATS_TEST_TMPDIR/actual"
    [ "$(wc -l <"$expected")" -ge 30 ]
    diff "$expected" "$BATS_TEST_TMPDIR/actual"
}
