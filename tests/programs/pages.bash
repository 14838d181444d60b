# shellcheck shell=bash
# pages.bash: for tests that take the code out of a page of docs/, put it where the page says, build and run it.

# block PAGE LANGUAGE: the code block of that language in a page.
block() {
    sed -n "/^\`\`\`$2\$/,/^\`\`\`\$/p" "docs/$1" | sed '1d;$d'
}

# copy_tree: a copy of this tree with what is built in it, in $TREE; the caller changes to it.
copy_tree() {
    TREE=$BATS_TEST_TMPDIR/tree
    mkdir -p "$TREE/build" "$TREE/tests"
    cp -a Makefile include lib stages docs pipelines python "$TREE"
    cp -a tests/unit tests/tools tests/programs tests/python tests/{run,one} "$TREE/tests"
    cp -a "$BUILD"/{objects,stages,tests,libpipestill.a,libpipestill.so,pipestill} "$TREE/build"
}

# add_row PAGE TABLE: puts the page's row behind the last of the macro ROWS in a table of types.
add_row() {
    local row
    row=$(block "$1" row | sed 's/^ *//')
    sed -i -E "/^#define ROWS\(ROW\)/,/[^\\\\]\$/{s/ROW\((\w+)\)\$/ROW(\1) $row/}" "$2"
    grep -qF "$row" "$2"
}

# run_tests PATTERN…: runs tests of the copied tree on its own build; prints their results, and fails if one does.
run_tests() {
    local pattern
    for pattern in "$@"; do
        env -u MAKEFLAGS -u WRAPPER PATH=/usr/local/bin:/usr/bin:/bin TMPDIR="$BATS_TEST_TMPDIR" BUILD=build \
            AS_BUILT=1 tests/run "$pattern" || return
    done
}
