#!/usr/bin/env bats
# Runs the commands of docs/tutorial.md in their order, and compares what they print with the page.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    page=$PWD/docs/tutorial.md
    tools=$PWD/tests/python
}

# follow HEADING: runs the commands of a section in an empty folder, and compares their outputs with the page.
follow() {
    local shown
    mkdir "$BATS_TEST_TMPDIR/present" "$BATS_TEST_TMPDIR/outputs"
    /usr/bin/python3 "$tools/recipe.py" "$page" "$1" "$BATS_TEST_TMPDIR/outputs" >"$BATS_TEST_TMPDIR/commands"
    cd "$BATS_TEST_TMPDIR/present" || return
    bash "$BATS_TEST_TMPDIR/commands" || { tail "$BATS_TEST_TMPDIR"/outputs/*.happened && false; }
    for shown in "$BATS_TEST_TMPDIR"/outputs/*.{shown,near}; do
        echo "$shown"
        /usr/bin/python3 "$tools/near.py" "$shown" "${shown%.*}.happened"
    done
    cat "$BATS_TEST_TMPDIR"/outputs/*.happened >"$BATS_TEST_TMPDIR/happened"
}

@test "the programs are built by the commands of README.md, which readme.bats runs" {
    /usr/bin/python3 "$tools/recipe.py" "$page" "Install and build" | grep -E '^(make|eval) ' >"$BATS_TEST_TMPDIR/commands"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/commands")" -eq 3 ]
    grep -E '^    (make|eval) ' README.md | head -n 3 | sed 's/^ *//; s/ *#.*//' | diff - "$BATS_TEST_TMPDIR/commands"
}

@test "a table leads to a student that is better than the one that learned alone" {
    follow "A student of your own table"
    awk '/^(alone|distilled) .* of 1000/ { errors[$1] = $2 } END { exit !(errors["distilled"] < errors["alone"]) }' "$BATS_TEST_TMPDIR/happened"
    awk '/^(alone|distilled) .* of 1000/ { loss[$1] = $5 } END { exit !(loss["distilled"] < loss["alone"]) }' "$BATS_TEST_TMPDIR/happened"
}

@test "sound files lead to word errors, and to fewer of them by the student that was distilled" {
    command -v espeak-ng >/dev/null || skip "espeak-ng is not installed; make test-deps installs it"
    follow "From sound files to word errors"
    awk '/^difference of WER/ { difference = $4 } END { exit !(difference < 0) }' "$BATS_TEST_TMPDIR/happened"
}

@test "every block of commands is in a section that a test follows" {
    # shellcheck disable=SC2016 # the dollar is part of the pattern
    diff <(grep '^## ' "$page" | cut -c 4-) <(sed -n 's/.*\(follow\|"\$page"\) "\([A-Z][^"]*\)".*/\2/p' "$BATS_TEST_FILENAME")
    run ! awk '/^## / { exit 1 } /^```/ { exit }' "$page"
}
