#!/usr/bin/env bats
# Builds and runs the code that docs/adding-a-teacher.md shows.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    load pages.bash
    skip_without_build
}

@test "one file, one row and one test make a teacher, which is built and asked" {
    copy_tree
    block adding-a-teacher.md c >"$TREE/lib/teacher/text.c"
    add_row adding-a-teacher.md "$TREE/lib/teacher/table.c"
    block adding-a-teacher.md bats >"$TREE/tests/programs/text-teacher.bats"
    cd "$TREE"
    BUILD=build make_here -s all
    run_tests text-teacher teacher-forward
}

@test "every teacher of the table is in the man page of teacher-forward" {
    while read -r name; do
        grep -qE "^\.It Sy $name$" docs/man/teacher-forward.1 || { echo "$name is missing" && return 1; }
    done < <(grep -oP '\bROW\(\K\w+' lib/teacher/table.c)
}
