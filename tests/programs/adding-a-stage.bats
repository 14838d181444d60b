#!/usr/bin/env bats
# Builds and runs the code that docs/adding-a-stage.md shows.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

# block LANGUAGE: the code block of that language in the page.
block() {
    sed -n "/^\`\`\`$1\$/,/^\`\`\`\$/p" docs/adding-a-stage.md | sed '1d;$d'
}

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    skip_without_build
    CODE=$BATS_TEST_TMPDIR/label-noise.c
    PROGRAM=$BATS_TEST_TMPDIR/label-noise
    PREFIX=$BATS_TEST_TMPDIR/prefix
    export PKG_CONFIG_PATH=$PREFIX/lib/pkgconfig
    block c >"$CODE"
}

# A small part of the output is enough to know that it runs in a pipe and does what it is for.
check_program() {
    local labels="/usr/bin/python3 tests/programs/read_stream.py y"
    loader digits --samples 300 --no-shuffle >"$BATS_TEST_TMPDIR/clean.pst"
    "$PROGRAM" --share 1 <"$BATS_TEST_TMPDIR/clean.pst" >"$BATS_TEST_TMPDIR/noisy.pst"
    run -1 diff -q <($labels <"$BATS_TEST_TMPDIR/clean.pst" | sed 1d) <($labels <"$BATS_TEST_TMPDIR/noisy.pst" | sed 1d)
}

# compile ARGUMENT…: with the compiler and the sanitizers of the library; a warning is an error.
compile() {
    # shellcheck disable=SC2086 # a list of words
    "${CC:-gcc}" -std=c17 -Wall -Wextra -Wconversion -Werror ${CFLAGS_EXAMPLE-} "$@" -o "$PROGRAM"
}

@test "one file in stages, a man page and a test make a stage, which make and tests/run find" {
    need_fresh_build
    tree=$BATS_TEST_TMPDIR/tree
    mkdir -p "$tree/build" "$tree/tests/unit"
    cp -a Makefile ./*.md LICENSE include lib stages pipelines python docs "$tree"
    cp -a tests/programs tests/python tests/{run,one} "$tree/tests"
    cp -a "$BUILD"/{objects,stages,libpipestill.a,libpipestill.so,pipestill,completion} "$tree/build"
    block c >"$tree/stages/label-noise.c"
    block roff >"$tree/docs/man/label-noise.1"
    block bats >"$tree/tests/programs/label-noise.bats"
    cd "$tree"
    BUILD=build make_here all >"$BATS_TEST_TMPDIR/made"
    [ "$(grep '^CC ' "$BATS_TEST_TMPDIR/made" | xargs)" = "CC stages/label-noise.c" ]
    run env -i PATH=/usr/local/bin:/usr/bin:/bin TMPDIR="$BATS_TEST_TMPDIR" BUILD=build tests/run label-noise
    echo "$output"
    [ "$status" -eq 0 ]
    [ "${lines[-1]}" = "5 passed, 0 failed" ]
    run build/pipestill --list
    [[ "$output" = *"label-noise          make a share of the hard targets wrong"* ]]
    BUILD=build make_here -s DESTDIR="$BATS_TEST_TMPDIR/root" install >"$BATS_TEST_TMPDIR/made"
    [ -x "$BATS_TEST_TMPDIR/root/usr/local/libexec/pipestill/label-noise" ]
    [ -e "$BATS_TEST_TMPDIR/root/usr/local/share/man/man1/label-noise.1" ]
}

@test "the example's man page is clean" {
    block roff >"$BATS_TEST_TMPDIR/label-noise.1"
    run mandoc -T lint -W warning "$BATS_TEST_TMPDIR/label-noise.1"
    [ "$status" -eq 0 ]
}

@test "the example's own example runs" {
    make_here -s PREFIX="$PREFIX" install >/dev/null
    # shellcheck disable=SC2046 # lists of words
    compile "$CODE" $(pkg-config --cflags --libs pipestill)
    export LD_LIBRARY_PATH=$PREFIX/lib PATH=$BATS_TEST_TMPDIR:$PATH
    run bash -o pipefail -c "$(label-noise --help | sed -n '/^Example:/,$p' | sed -n 2p)"
    [ "$status" -eq 0 ]
    [[ "$output" = *"share=0.3"* ]]
}

@test "outside the tree the example is built with pkg-config and the shared library" {
    make_here -s PREFIX="$PREFIX" install >/dev/null
    # shellcheck disable=SC2046
    compile "$CODE" $(pkg-config --cflags --libs pipestill) -Wl,-rpath,"$PREFIX/lib"
    [[ "$(readelf -d "$PROGRAM")" = *"[libpipestill.so.0]"* ]]
    check_program
}

@test "outside the tree the example is built with the archive, and holds no OpenBLAS" {
    make_here -s PREFIX="$PREFIX" install >/dev/null
    # shellcheck disable=SC2046
    compile "$CODE" $(pkg-config --cflags pipestill) -Wl,--as-needed \
        "$(pkg-config --variable=libdir pipestill)/libpipestill.a" $(pkg-config --static --libs pipestill)
    run ! grep -E 'pipestill|openblas' <(readelf -d "$PROGRAM")
    check_program
}
