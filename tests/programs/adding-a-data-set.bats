#!/usr/bin/env bats
# Builds and runs the code that docs/adding-a-data-set.md shows.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    load pages.bash
    skip_without_build
}

@test "one file, one row and one test make a data set, which is built, loaded and learned from" {
    copy_tree
    block adding-a-data-set.md c >"$TREE/lib/data/sets/svmlight.c"
    add_row adding-a-data-set.md "$TREE/lib/data/sets/table.c"
    block adding-a-data-set.md bats >"$TREE/tests/programs/svmlight.bats"
    block adding-a-data-set.md roff >"$BATS_TEST_TMPDIR/item"
    # Behind the last item of the list of sets: before the .El that closes it.
    last=$(sed -n '/^\.Ss Sets/,/^\.Pp$/=' "$TREE/docs/man/loader.1" | tail -n 1)
    sed -i "$((last - 2))r $BATS_TEST_TMPDIR/item" "$TREE/docs/man/loader.1"
    cd "$TREE"
    BUILD=build make_here -s all unit-tests
    run_tests svmlight.bats
    run_tests test_data_view
    build/stages/loader --help | grep -q '^  svmlight\[:FILE\]'
    mandoc -T lint -W warning docs/man/loader.1
    diff <(build/stages/loader --help | sed -n '/^Options:/,/^Common options/p' | grep -oE -- '^ +(-., )? *--[a-z-]+' | grep -oE -- '--.*' | sort) \
        <(grep '^\.It.*Fl' docs/man/loader.1 | grep -oE -- 'Fl \\-[a-z-]+' | sed 's/Fl \\-/--/' | sort)
}

@test "every set of the table is in loader(1)" {
    while read -r name; do
        grep -qE "^\.It Cm $name( |$)" docs/man/loader.1 || { echo "$name is missing" && return 1; }
    done < <(grep -oP '\bROW\(\K\w+' lib/data/sets/table.c)
}
