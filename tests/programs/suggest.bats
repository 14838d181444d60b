#!/usr/bin/env bats
# What a stage suggests for an option that it does not have, and the tables that it takes this from.
# shellcheck disable=SC2154 # bats' run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0

setup() {
    load common
    FOLDER=$(dirname "$(command -v loader)")
}

# options_of STAGE: the long options that --help shows.
options_of() {
    "$1" --help | sed -nE 's/^ +(-[A-Za-z],)? *(--[a-z0-9-]+) .*/\2/p' | grep -vxE -- '--(help|version)' | LC_ALL=C sort
}

@test "--list-options has the stage, and a line of five columns for each option that --help shows" {
    for stage in "$FOLDER"/*; do
        stage=$(basename "$stage")
        run --separate-stderr "$stage" --list-options
        [ "$status" -eq 0 ]
        [ "$stderr" = "" ]
        [[ ${lines[0]} =~ ^$stage$'\t'(source|filter|sink|tool)$'\t'"$("$stage" --help | sed -n '1s/^[^:]*: //p')"$ ]]
        awk -F '\t' 'NR > 1 && (NF != 5 || $1 !~ /^--[a-z0-9-]+$/ || $2 !~ /^(-[A-Za-z])?$/ || $5 == "") { exit 1 }' <<<"$output"
        diff <(sed 1d <<<"$output" | cut -f 1 | LC_ALL=C sort) <(options_of "$stage")
    done
}

@test "the table has the values of an option" {
    run student-trainer --list-options
    [[ $output == *"--targets"$'\t\t'"WORD"$'\t'"auto hard soft both"$'\t'* ]]
    [[ $output == *"--quiet"$'\t'"-q"$'\t\t\t'* ]]
    [[ ${lines[0]} == *$'\t'sink$'\t'* ]]
}

@test "--help does not show --list-options, and no abbreviation matches it" {
    run ! grep -e --list-options <(loader --help)
    assert_fails 64 "there is no option '--list-options'" loader digits --list-options
}

@test "the name of an option in other programs is answered with our name" {
    assert_fails 64 "there is no option '--lr'; did you mean --learning-rate?" student-trainer --lr 0.1
    assert_fails 64 "there is no option '--batch-size=64'; did you mean --batch?" loader digits --batch-size=64
    assert_fails 64 "did you mean --temperature?" temperature-softmax --tau 3
}

@test "an option of other stages is answered with the stages' names" {
    assert_fails 64 "there is no option '--epochs' here; --epochs is an option of loader and replay" student-trainer --epochs 3
    assert_fails 64 "--batch is an option of loader, munge and replay" student-trainer --batch-size 64
    assert_fails 64 "--arch is an option of stream-inspect and student-trainer" loader --arch 784-10
    assert_fails 64 "--key is an option of averager, class-cluster, class-map and others" keygen --key x
}

@test "a short word that is not like any option gets no suggestion" {
    assert_fails 64 "there is no option '--zq'; --help lists them" loader --zq 3
}

@test "only programs of a folder of stages are asked for their options" {
    for folder in bin libexec/pipestill; do
        mkdir -p "$BATS_TEST_TMPDIR/$folder"
        cp "$(command -v student-trainer)" "$BATS_TEST_TMPDIR/$folder"
        # shellcheck disable=SC2016 # for sh to expand
        printf '#!/bin/sh\necho "$0" >>%s\nprintf "%s\\n"\n' "'$BATS_TEST_TMPDIR/asked'" 'added\tsource\tx\n--epochs\t\tN\t\tx' \
            >"$BATS_TEST_TMPDIR/$folder/added"
        chmod +x "$BATS_TEST_TMPDIR/$folder/added"
    done
    run -64 "$BATS_TEST_TMPDIR/bin/student-trainer" --epochs 3
    [[ $output == *"there is no option '--epochs'; --help lists them"* ]]
    [ ! -e "$BATS_TEST_TMPDIR/asked" ]
    run -64 "$BATS_TEST_TMPDIR/libexec/pipestill/student-trainer" --epochs 3
    [[ $output == *"--epochs is an option of added"* ]]
}
