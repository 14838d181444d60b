#!/usr/bin/env bats
# All experiments of pipelines/images and pipelines/specialists, with pictures of stripes and small nets.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    command -v jq >/dev/null || skip "jq is not installed; make reproduce-deps installs it"
    export CIFAR100_DIR=$BATS_FILE_TMPDIR/cifar WORK=$BATS_FILE_TMPDIR/work
    /usr/bin/python3 tests/python/make_cifar.py "$CIFAR100_DIR" 6 2
    export SETTINGS="held_out=--hold-out 100|kinds=12 dense|sets=0 1|size=60|special.seeds=1|s-8.seeds=1|dense.hidden=16|dense.rate=0.001"
    SETTINGS+="|G='conv3x3:8-bn-relu-maxpool8-conv3x3:16-bn-relu-gap'|s='conv3x3:4-bn-relu-maxpool8-gap'"
    [[ ! -e $BUILD/libpipestill.a ]] || { experiments images -j 2 all QUICK=1 && experiments specialists -j 2 all QUICK=1; }
}

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    load results.bash
    skip_without_build
    PATH=$PWD/pipelines/images:$PATH
    results=$WORK/results
}

# experiments FOLDER ARGUMENT…: make in pipelines/FOLDER, with small settings.
experiments() {
    local settings folder=$1
    shift
    IFS='|' read -ra settings <<<"$SETTINGS"
    make_here -s -C "pipelines/$folder" "$@" "${settings[@]}"
}

# Recipes that make -n prints, one a line.
one_a_line() {
    sed -e ':again' -e '/\\$/{N;b again' -e '}' -e 's/\\\n//g' | sed 's/[[:space:]]\+/ /g; s/^ //; s/ $//'
}

@test "all rows are made" {
    jq -e 'map(.row) == ["G-12", "G-60", "s-alone-8", "s-distilled-8", "s-alone-60", "s-distilled-60"]' "$results/images.json"
    jq -e 'map(.row) == ["generalist-12", "specialists-12", "control-12", "averaged-12", "distilled-back-12", "dense-generalist",
        "dense-specialists", "dense-control", "dense-averaged", "dense-distilled-back", "specialists-unit-12", "specialists-last-12",
        "specialists-labels-12", "distilled-back-s-12"]' "$results/specialists.json"
    jq -e 'all((.accuracy | length) == (.seeds | length) and (.seeds | length) > 0)' "$results/images.json"
    jq -e 'all(.seeds as $s | [.test, .conditional] | all(length == ($s | length)))' "$results/specialists.json"
}

@test "rows have differences with intervals: from the generalist, and from the control" {
    jq -e '.[] | select(.row == "s-distilled-8") | .against.row == "s-alone-8" and .against.interval[0] <= .against.mean
        and .against.mean <= .against.interval[1]' "$results/images.json"
    jq -e '.[] | select(.row == "dense-specialists") | .against.row == "dense-generalist" and .also.row == "dense-control"' "$results/specialists.json"
    # The difference of the means.
    jq -e '[.[] | select(.row == "specialists-12", .row == "generalist-12")] | map(.test | add / length) as $m
        | .[1].against.mean - ($m[1] - $m[0]) | fabs < 0.01' "$results/specialists.json"
}

@test "figures are those that evaluator counts" {
    said=$(replay "$WORK/test.pst" | teacher-forward --name model "$WORK/G-12-1.safetensors" | evaluator --json | jq '100 * .accuracy')
    jq -e --argjson said "$said" '.accuracy - $said | fabs < 0.01' "$WORK/G-12-1.json"
    jq -e --argjson said "$said" '.accuracy - $said | fabs < 0.01' "$WORK/generalist-12-1.json"
}

@test "conditional figures confine predictions to the sets, and pictures are counted by the sets that hold their class" {
    cd "$BATS_TEST_TMPDIR" || return
    printf 'a = 0, 1  # x, y\nb = 1, 2\n' >sets
    printf 'y,0,1,2,3\n0,1,2,3,4\n1,5,6,7,0\n3,0,0,0,1\n' >rows
    # Class 0 is wrong in set a; class 1 is right in a and wrong in b; only class 3 is right on the whole.
    [ "$(figures sets <rows)" = '{"samples": 3, "accuracy": 33.333, "conditional": 33.333, "covered": {"0": {"samples": 1, "accuracy": 100.0}, "1": {"samples": 1, "accuracy": 0.0}, "2": {"samples": 1, "accuracy": 0.0}}, "right": "001"}' ]
    run -1 figures sets </dev/null
}

@test "specialists take part, and the pages have every row and nothing of the template" {
    jq -e '.[] | select(.row == "specialists-12") | .heard | all(. >= 1 and . <= 2)' "$results/specialists.json"
    for row in specialists-12 dense-control specialists-last-12 distilled-back-s-12; do
        grep -qE "^\| \`$row\` \| .* [0-9.]+ " "$WORK/results-specialists.md"
    done
    run ! grep -q 'not run\|Not run\|@[a-z-]*@' "$WORK/results-images.md"
    run ! grep -q 'Not run\|@[a-z-]*@' "$WORK/results-specialists.md"
    grep -q 'specialists-60. .* not run' "$WORK/results-specialists.md"
}

@test "what is made is not made again" {
    run experiments specialists specialists-12 QUICK=1
    [ "$status" -eq 0 ]
    [[ $output != *making* ]]
    [[ $output == *"specialists-12: right "*" %"* ]]
}

@test "G is made once for both" {
    WORK=$BATS_TEST_TMPDIR/none experiments images -n G-12 QUICK=1 | one_a_line | grep -- '--output G-12-1' >"$BATS_TEST_TMPDIR/images"
    WORK=$BATS_TEST_TMPDIR/none experiments specialists -n specialists-12 QUICK=1 | one_a_line | grep -- '--output G-12-1' |
        diff "$BATS_TEST_TMPDIR/images" -
}

@test "the control sees as many pictures as all specialists together" {
    make_here -s -C pipelines/specialists -n control-12 specialists-12 SEED=1 WORK="$BATS_TEST_TMPDIR/none" | one_a_line >"$BATS_TEST_TMPDIR/commands"
    # 10 sets of 15 of 100 classes, each twice for the rest: three times the recording.
    [ "$(grep -c -- '--output special-12-' "$BATS_TEST_TMPDIR/commands")" -eq 10 ]
    grep -q -- '--size 15 ' "$BATS_TEST_TMPDIR/commands"
    grep -q '^replay transfer-12.pst --shuffle --epochs 3 .*--output control-12-1' "$BATS_TEST_TMPDIR/commands"
}

@test "every kind of candidate is trained and compared" {
    for candidate in images:G.baseline images:alone.baseline images:distilled.baseline specialists:special.baseline; do
        WORK=$BATS_TEST_TMPDIR/search experiments "${candidate%:*}" -j 2 search "KIND=${candidate#*:}" QUICK=1
        jq -e 'length == 1 and .[0].validation_errors > 0' "$BATS_TEST_TMPDIR/search/choices.json"
        rm "$BATS_TEST_TMPDIR"/search/*.choice
    done
}

@test "a search reads the validation split and never the test set" {
    for folder in images specialists; do
        WORK=$BATS_TEST_TMPDIR/search experiments $folder -n search | one_a_line | grep '^loader\|^replay' >"$BATS_TEST_TMPDIR/commands"
        grep -q '^loader .*--split validation' "$BATS_TEST_TMPDIR/commands"
        run ! grep -q -- '--split test\|test\.pst' "$BATS_TEST_TMPDIR/commands"
    done
    WORK=$BATS_TEST_TMPDIR/search experiments specialists -n search KIND=special.other 'try.special.other=--learning-rate 0.7 --targets hard' |
        one_a_line >"$BATS_TEST_TMPDIR/commands"
    grep -q -- '--learning-rate 0.7 .*--output special.other-12-0-1.safetensors' "$BATS_TEST_TMPDIR/commands"
    run ! grep -q baseline "$BATS_TEST_TMPDIR/commands"
}

@test "without pictures a row ends with a message that says where they are looked for" {
    CIFAR100_DIR=/nowhere WORK=$BATS_TEST_TMPDIR run --separate-stderr experiments specialists generalist-12
    [ "$status" -ne 0 ]
    [[ $stderr == *"/nowhere"* ]]
}

# commands: all that both folders would run.
commands() {
    for folder in images specialists; do
        SETTINGS='' WORK=$BATS_TEST_TMPDIR/none experiments $folder -n all apart
    done | one_a_line
}

@test "every command of the recorded results on pictures is still what make runs" {
    recorded_commands_are_among images < <(commands)
}

@test "every command of the recorded results of specialists is still what make runs" {
    recorded_commands_are_among specialists < <(commands)
}

@test "docs/results-images.md is what report writes from docs/results" {
    page_is_reported images pipelines/images/report
}

@test "docs/results-specialists.md is what report writes from docs/results" {
    page_is_reported specialists pipelines/specialists/report
}
