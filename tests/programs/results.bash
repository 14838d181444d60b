# shellcheck shell=bash
# results.bash: for tests of recorded results, docs/results/NAME.json and NAME-steps.json, and of their page, docs/results-NAME.md.

# The commands on standard input that write a recording or a model.
that_write() {
    grep -E -- '--output [^ ]*\.(pst|safetensors)( |$)' | LC_ALL=C sort -u
}

# sort_commands NAME: writes the files `recorded`, and `made` of the lines on standard input, which are what make would run for all rows.
sort_commands() {
    [ -e "docs/results/$1-steps.json" ] || skip "no results of $1 are recorded yet"
    that_write >"$BATS_TEST_TMPDIR/made"
    jq -r '.made[].commands | join(" | ")' "docs/results/$1-steps.json" | that_write >"$BATS_TEST_TMPDIR/recorded"
}

# recorded_commands_are NAME: the recorded commands are those on standard input, no more and no fewer.
recorded_commands_are() {
    sort_commands "$1"
    diff "$BATS_TEST_TMPDIR/recorded" "$BATS_TEST_TMPDIR/made"
}

# recorded_commands_are_among NAME: the same for results that lack some rows.
recorded_commands_are_among() {
    sort_commands "$1"
    LC_ALL=C comm -23 "$BATS_TEST_TMPDIR/recorded" "$BATS_TEST_TMPDIR/made" >"$BATS_TEST_TMPDIR/others"
    head -n 5 "$BATS_TEST_TMPDIR/others"
    [ ! -s "$BATS_TEST_TMPDIR/others" ]
}

# page_is_reported NAME REPORT: the page is what the program writes from the results.
page_is_reported() {
    [ -e "docs/results/$1.json" ] || skip "no results of $1 are recorded yet"
    cp docs/results/"$1"*.json "$BATS_TEST_TMPDIR"
    "$2" "$BATS_TEST_TMPDIR" "$BATS_TEST_TMPDIR/page.md"
    cmp "$BATS_TEST_TMPDIR/page.md" "docs/results-$1.md"
}
