#!/usr/bin/env bats
# All experiments of pipelines/speech, with a corpus of tones and labels by flat start.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    command -v jq >/dev/null || skip "jq is not installed; make reproduce-deps installs it"
    export AN4_DIR=$BATS_FILE_TMPDIR/corpus WORK=$BATS_FILE_TMPDIR/work
    # Two of the speakers are for validation, and small rows have two utterances.
    /usr/bin/python3 tests/python/make_corpus.py "$AN4_DIR" --speakers 6 --test-speakers 2 --utterances 8
    export SETTINGS="held_out=--hold-out-speakers 2|hidden=32|flat.hidden=32|small.utterances=4|teachers=1 2"
    [[ ! -e $BUILD/libpipestill.a ]] || speech -j 2 all QUICK=1 LABELS=flat
}

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    load results.bash
    skip_without_build
    SPEECH=$PWD/pipelines/speech
    PATH=$SPEECH:$PATH
}

# speech ARGUMENT…: make in pipelines/speech, with small settings.
speech() {
    local settings
    IFS='|' read -ra settings <<<"$SETTINGS"
    make_here -s -C pipelines/speech "$@" "${settings[@]}"
}

# Recipes that make -n prints, one a line.
one_a_line() {
    sed -e ':again' -e '/\\$/{N;b again' -e '}' -e 's/\\\n//g' | sed 's/[[:space:]]\+/ /g; s/^ //; s/ $//'
}

@test "all rows are made from files of sound, without anything from elsewhere" {
    jq -e 'map(.row) == ["one", "ensemble", "distilled", "small-hard", "small-soft", "wer-cv-one", "wer-cv-ensemble",
        "wer-cv-distilled", "align-flat"]' "$WORK/results/speech.json"
    jq -e 'all((.frames | length) == (.seeds | length) and (.wer | length) == (.seeds | length))' "$WORK/results/speech.json"
    [ ! -e "$WORK/pocketsphinx.ctm" ]
}

@test "a row has its figures, their mean and spread, intervals, and the difference from another row" {
    jq -e '.[] | select(.row == "distilled") | .seeds == [1, 2]
        and ([.frames_figures, .wer_figures] | all(.mean <= 100 and .sd >= 0 and .over_utterances[0] <= .over_utterances[1]
            and (.over_speakers | length) == 2 and .against.row == "one" and (.against.over_utterances | length) == 2))' \
        "$WORK/results/speech.json"
    # The mean of the row is that of its nets.
    jq -e '.[] | select(.row == "one") | (.frames | add / length) - .frames_figures.mean | fabs < 0.02' "$WORK/results/speech.json"
}

@test "frames right are those that evaluator counts" {
    said=$(evaluator --input "$WORK/one-1.answers" --json | jq '.samples - .errors')
    [ "$(jq .right "$WORK/one-1.json")" -eq "$said" ]
    [ "$(jq '[.utterances[].right] | add' "$WORK/one-1.json")" -eq "$said" ]
}

@test "a row that is asked for alone gets targets from its teachers" {
    speech -n small-soft SEED=1 QUICK=1 LABELS=flat WORK="$BATS_TEST_TMPDIR/none" | one_a_line >"$BATS_TEST_TMPDIR/commands"
    grep -q '^replay small-1.pst .* | averager --teachers 2 | compactor .* --output taught-small-1.pst$' "$BATS_TEST_TMPDIR/commands"
}

@test "folds share no speaker, and each utterance is in one" {
    for fold in 1 2 3; do
        fold 1 3 "$fold" test >"$BATS_TEST_TMPDIR/$fold.test"
        fold 1 3 "$fold" train >"$BATS_TEST_TMPDIR/$fold.train"
        sort "$BATS_TEST_TMPDIR/$fold".{test,train} | cmp - <(utterances | cut -d ' ' -f 2 | sort)
        utterances | awk 'NR == FNR { listed[$1] = 1; next } $2 in listed { print $1 }' "$BATS_TEST_TMPDIR/$fold.test" - |
            sort -u >"$BATS_TEST_TMPDIR/$fold.speakers"
    done
    sort "$BATS_TEST_TMPDIR"/?.test | cmp - <(utterances | cut -d ' ' -f 2 | sort)
    [ -z "$(sort "$BATS_TEST_TMPDIR"/?.speakers | uniq -d)" ]
    [ "$(wc -l <"$BATS_TEST_TMPDIR/1.test")" -ge 16 ]
}

@test "agreement counts the frames that have the same state, or the same phone, in both alignments" {
    printf '%s\n' ';; a comment' 'u1 1 0.00 0.05 AA.0' 'u1 1 0.05 0.05 AA.1' 'u2 1 0.00 0.03 B.0' >"$BATS_TEST_TMPDIR/a"
    printf '%s\n' 'u1 1 0.00 0.03 AA.0' 'u1 1 0.03 0.05 AA.1' 'u1 1 0.08 0.02 B.0' 'u3 1 0.00 0.03 B.0' >"$BATS_TEST_TMPDIR/b"
    [ "$(agreement "$BATS_TEST_TMPDIR"/{a,b})" = '{"frames": 10, "states": 6, "phones": 8}' ]
}

@test "the page has every row, and nothing of the template is left" {
    for row in one ensemble distilled small-hard small-soft wer-cv-one wer-cv-ensemble wer-cv-distilled align-flat; do
        grep -qE "^\| \`$row\` \| .* [0-9.]+ " "$WORK/results-speech.md"
    done
    run ! grep -q 'not run\|Not run\|@[a-z]' "$WORK/results-speech.md"
}

@test "what is made is not made again" {
    run speech one QUICK=1 LABELS=flat
    [ "$status" -eq 0 ]
    [[ $output != *making* ]]
    [[ $output == *"one: frames right "*" %; word errors "*" %"* ]]
}

@test "a search reads the validation speakers and never the test set" {
    export WORK=$BATS_TEST_TMPDIR/search
    speech -n search | one_a_line | grep '^loader\|^replay' >"$BATS_TEST_TMPDIR/commands"
    grep -q '^loader .*--split validation' "$BATS_TEST_TMPDIR/commands"
    run ! grep -q -- '--split test\|test\.pst' "$BATS_TEST_TMPDIR/commands"
    speech -n search KIND=one 'try.one.other=--learning-rate 0.7' | one_a_line >"$BATS_TEST_TMPDIR/commands"
    grep -q -- '--learning-rate 0.7 .*--output one.other.safetensors' "$BATS_TEST_TMPDIR/commands"
    run ! grep -q distilled "$BATS_TEST_TMPDIR/commands"
}

@test "every kind of candidate is trained and compared" {
    for kind in one.baseline one-live.speed distilled.t1 distilled-live.speed small-hard.baseline small-soft.baseline; do
        speech -j 2 search KIND=$kind QUICK=1 LABELS=flat WORK="$BATS_TEST_TMPDIR/search"
        jq -e 'length > 0 and all(.validation_errors > 0)' "$BATS_TEST_TMPDIR/search/choices.json"
        rm "$BATS_TEST_TMPDIR"/search/*.choice
    done
}

@test "without a corpus a row ends with a message that says where it is looked for" {
    AN4_DIR=/nowhere WORK=$BATS_TEST_TMPDIR run --separate-stderr speech one LABELS=flat
    [ "$status" -ne 0 ]
    [[ $stderr == *"loader: a corpus of speech is not in AN4_DIR=/nowhere: "* ]]
}

@test "align says which corpus it needs" {
    run -64 env -u AN4_DIR pipelines/speech/align
    [[ $output == "align: no corpus: name its folder, or set AN4_DIR" ]]
}

@test "every command of the recorded results is still what make runs" {
    recorded_commands_are speech < <(SETTINGS='' WORK=$BATS_TEST_TMPDIR/none speech -n all | one_a_line)
}

@test "docs/results-speech.md is what report writes from docs/results" {
    page_is_reported speech pipelines/speech/report
}
