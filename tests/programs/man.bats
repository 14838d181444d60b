#!/usr/bin/env bats
# Every stage has a man page; it lints clean and lists the options that --help lists, no more and no fewer.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    mapfile -t stages < <(cd "${STAGES:-build/stages}" && ls)
    [ "${#stages[@]}" -ge 7 ]
}

# help_options STAGE own|common: the options of --help, a name a line, short ones too.
help_options() {
    local from='^Options:' to='^Common options:'
    [ "$2" = common ] && from=$to && to='^Example'
    "$1" --help | sed -n "/$from/,/$to/p" | grep -E '^ +-' |
        sed -E 's/^( *(-[A-Za-z],)? *--[a-z0-9-]+).*/\1/' | grep -oE -- '--?[A-Za-z][A-Za-z0-9-]*' | sort -u
}

# man_options FILE: the options that a page explains, or lists, under .It.
man_options() {
    grep '^\.It.* *Fl' "$1" | sed 's/Fl Fl /--/g; s/Fl \\-/--/g; s/Fl /-/g' | grep -oE -- '(^| )--?[A-Za-z][A-Za-z0-9-]*' |
        tr -d ' ' | sort -u
}

@test "every stage has a man page" {
    for stage in "${stages[@]}"; do
        echo "$stage"
        [ -s "docs/man/$stage.1" ]
        grep -qx "\.Nm $stage" "docs/man/$stage.1"
    done
}

@test "the man pages lint clean" {
    mandoc -T lint -W warning docs/man/*.1
}

@test "no word of a heading is a macro, such as In" {
    run grep -nE '^\.S[sh] ((Ad|Ar|At|Cm|Em|Er|Fl|Fn|Ic|In|It|Li|No|Ns|Op|Pa|Pf|Sq|Sy|Tn|Xr)( |$)|.* (In|It|No|Op|At|Er) )' docs/man/*.1
    echo "$output"
    [ "$status" -eq 1 ]
}

@test "a man page has all of the stage's own options, and none that the stage does not have" {
    for stage in "${stages[@]}"; do
        echo "$stage"
        help_options "$stage" own >"$BATS_TEST_TMPDIR/own"
        help_options "$stage" common >"$BATS_TEST_TMPDIR/common"
        [ -s "$BATS_TEST_TMPDIR/common" ]
        man_options "docs/man/$stage.1" >"$BATS_TEST_TMPDIR/man"
        diff "$BATS_TEST_TMPDIR/own" <(comm -23 "$BATS_TEST_TMPDIR/man" <(comm -23 "$BATS_TEST_TMPDIR"/{common,own}))
    done
}

@test "pipestill(1) has the options common to all stages, and no others" {
    for stage in "${stages[@]}"; do
        help_options "$stage" common
    done | sort -u >"$BATS_TEST_TMPDIR/common"
    man_options docs/man/pipestill.1 | grep -vx -- --list | diff "$BATS_TEST_TMPDIR/common" -
}

@test "a man page says what --help says of the stage's purpose" {
    for stage in "${stages[@]}"; do
        diff <("$stage" --help | sed -n '1s/^[^:]*: //p') <(sed -n 's/^\.Nd //p' "docs/man/$stage.1")
    done
}

# examples FILE: the lines of a page's examples, as they are to be typed.
examples() {
    sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/p' "$1" |
        awk '/^\.Ed/ { inside = 0 } inside { print } /^\.Bd -literal/ { inside = 1 } /^\.Dl / { print substr($0, 5) }' |
        sed 's/\\e/\\/g; s/\\(aq/'"'"'/g; s/\\-/-/g'
}

@test "examples stand on terminals of 80 columns as they are to be typed" {
    for page in docs/man/*.1; do
        mandoc -T utf8 -O width=78 "$page" | sed 's/.\x08//g' >"$BATS_TEST_TMPDIR/shown"
        examples "$page" >"$BATS_TEST_TMPDIR/examples"
        bash -n "$BATS_TEST_TMPDIR/examples"
        while IFS= read -r line; do
            echo "$page: $line"
            # The line stands there whole, behind nothing but blanks.
            line=$line awk '
                BEGIN { line = ENVIRON["line"]; gsub(/^ */, "", line) }
                { shown = $0; gsub(/^ */, "", shown) }
                shown == line { found++; wide += length($0) > 80 }
                END { exit !found || wide > 0 }' "$BATS_TEST_TMPDIR/shown"
        done <"$BATS_TEST_TMPDIR/examples"
    done
}

@test "files of keys are called alike on every page, in --help and in pipelines" {
    files=(README.md docs/*.md docs/man/*.1 pipelines/mnist-* "$BATS_TEST_TMPDIR/help")
    for stage in "${stages[@]}"; do "$stage" --help; done >"$BATS_TEST_TMPDIR/help"
    # used OPTION: the values that the option has anywhere, without folders and quotes, if they are names of files.
    used() { grep -hoE -- "$1 +[^ ,.;)|]*\.?[a-z]*" "${files[@]}" | awk '{ print $2 }' | tr -d "\"'\`" | sed 's|.*/||' | grep '^[a-z]' | sort -u; }
    [ "$(used --allow | grep -vE '^allowed$')" = "" ]
    [ "$(used --key | grep -vE '^[a-z]+\.key$')" = "" ]
    [ "$(used --server-key | grep -F . | grep -vE '^[a-z]+\.public$')" = "" ]
    [ "$(used --key | wc -l)" -ge 3 ]
}

@test "the pages that a page refers to exist" {
    mapfile -t pages < <(sed -n 's/^\.Xr \([a-z-]*\) 1.*/\1/p' docs/man/*.1 | sort -u)
    for page in "${pages[@]}"; do
        echo "$page"
        [ -s "docs/man/$page.1" ] || [ "$page" = gzip ]
    done
}
