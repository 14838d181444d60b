#!/usr/bin/env bats
# The experiments of pipelines/paper: the commands that make runs, the files that it keeps, and the same bits a second time.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    command -v jq >/dev/null || skip "jq is not installed; make reproduce-deps installs it"
    PAPER=$PWD/pipelines/paper
    PATH=$PAPER:$PATH
    export WORK=$BATS_TEST_TMPDIR/work
    mkdir "$WORK"
    # An experiment with the built-in digits, which takes a second.
    cat >"$BATS_TEST_TMPDIR/tiny.mk" <<'MAKE'
tiny-%.safetensors: private seconds = 7
tiny-%.safetensors:
	loader digits --samples 400 --epochs $(or $(EPOCHS),2) --seed $* | \
	    student-trainer --arch 784-20-10 --seed $* $(resumable) $(output)
tiny-%.json: tiny-%.safetensors
	loader digits --split test --samples 100 | teacher-forward --name model $< | evaluator --json
$(eval $(call row,tiny,tiny,12,tiny-%))
broken.pst:
	loader digits --samples 100 | false | cat
MAKE
    EXPERIMENTS=(env -u MAKEFLAGS -u MAKELEVEL make --no-print-directory -C "$WORK" -f "$PAPER/steps.mk"
        -f "$PAPER/reproduction.mk" -f "$PAPER/reproduction/mnist.mk" -f "$BATS_TEST_TMPDIR/tiny.mk")
}

# paper ARGUMENT…: make in pipelines/paper, as a user runs it.
paper() {
    skip_without_build
    make_here -s -C "$PAPER" "$@"
}

# experiments ARGUMENT…: make in WORK with the rules of MNIST and those of setup.
experiments() {
    "${EXPERIMENTS[@]}" "$@"
}

# Recipes that make -n prints, one a line.
one_a_line() {
    sed -e ':again' -e '/\\$/{N;b again' -e '}' -e 's/\\\n//g' | sed 's/[[:space:]]\+/ /g; s/^ //; s/ $//'
}

weights() {
    local header
    header=$(od -An -tu8 -N8 "$1")
    tail -c +$((9 + header)) "$1" | sha256sum | cut -d ' ' -f 1
}

@test "every command of the recorded results is still what make runs" {
    jq -r '.steps? // empty | .[] | select(.makes | test("\\.(pst|safetensors)$")) | .commands | join(" | ")' \
        docs/results/[!ac]*.json docs/results/alone.json | LC_ALL=C sort >"$WORK/recorded"
    [ "$(wc -l <"$WORK/recorded")" -ge 100 ]
    experiments -f "$PAPER/reproduction/long.mk" -n all apart | one_a_line | grep -vE 'evaluator|tiny' | LC_ALL=C sort >"$WORK/now"
    diff "$WORK/recorded" "$WORK/now"
}

@test "a row with a seed makes that seed and what it needs, and a dry run needs no MNIST" {
    MNIST_DIR=/nowhere paper -n distilled SEED=2 | one_a_line >"$WORK/commands"
    [ "$(grep -c -- '--output teacher-[123].safetensors$' "$WORK/commands")" -eq 3 ]
    [ "$(grep -c -- '--output teacher-bent-[12].safetensors$' "$WORK/commands")" -eq 2 ]
    grep -q '^replay taught.pst --shuffle --epochs 60 --seed 2 .*--output distilled-2.safetensors$' "$WORK/commands"
    run ! grep -q 'distilled-[13]' "$WORK/commands"
    MNIST_DIR=/nowhere paper -n distilled SEED=2 QUICK=1 | grep -q '^replay taught.pst --shuffle --epochs 6 --seed 2 '
}

@test "without MNIST a row ends with a message that says where it is looked for" {
    skip_without_build
    MNIST_DIR=/nowhere run --separate-stderr paper student-alone
    [ "$status" -ne 0 ]
    [[ $stderr == "loader: MNIST is not in MNIST_DIR=/nowhere: "* ]]
    [ ! -e "$WORK/alone-1.safetensors" ]
}

@test "a search reads the validation split and never the test set" {
    paper -n search | one_a_line | grep '^loader' >"$WORK/commands"
    [ "$(grep -c -- '--split validation' "$WORK/commands")" -ge 6 ]
    run ! grep -q -- '--split test' "$WORK/commands"
    run ! grep -vE -- '--hold-out (5000|10000)\b' "$WORK/commands"
    paper -n search KIND=alone 'try.alone.other=--learning-rate 0.7' | one_a_line >"$WORK/commands"
    grep -q -- '--learning-rate 0.7 .*--output alone.other.safetensors' "$WORK/commands"
    run ! grep -q distilled "$WORK/commands"
}

@test "a search counts the errors of each candidate" {
    cat >"$BATS_TEST_TMPDIR/tiny.mk" <<'MAKE'
what.tiny := a tiny student
epochs.tiny := 2
try.tiny.slow := --learning-rate 0.01
try.tiny.fast := --learning-rate 0.1
tiny.%.safetensors:
	loader digits --samples 400 --hold-out 100 --epochs $(epochs) | student-trainer --arch 784-20-10 $(try)
%.json: %.safetensors
	loader digits --samples 400 --split validation --hold-out 100 | teacher-forward --name model $< | evaluator --json
MAKE
    make_in=("${EXPERIMENTS[@]//reproduction/search}")
    "${make_in[@]}" search results KIND=tiny
    jq -e 'map(.setting) == ["--learning-rate 0.1", "--learning-rate 0.01"] and all(.what == "a tiny student" and .epochs == 2)' \
        "$WORK/choices.json"
    [ "$(jq '.[0].validation_errors' "$WORK/choices.json")" -eq "$(jq .errors "$WORK/tiny.fast.json")" ]
}

@test "the results are an array with one object for each row" {
    experiments -j 2 tiny
    experiments results RESULTS="$WORK/results"
    jq -e 'length == 1 and (.[0] | keys == ["errors", "mean", "paper", "row", "sd", "seconds"])' "$WORK/results/summary.json"
    [ "$(jq -c '.[0].errors' "$WORK/results/summary.json")" = "$(jq -cs 'map(.errors)' "$WORK"/tiny-[123].json)" ]
    jq -e '.rows[0].seeds == [1, 2, 3] and (.steps | length) == 6' "$WORK/results/tiny.json"
    [ "$(jq -r '.steps[0].sha256' "$WORK/results/tiny.json")" = "$(sha256sum <"$WORK/tiny-1.safetensors" | cut -d ' ' -f 1)" ]
    [ "$(jq -r '.steps[0].commands[0]' "$WORK/results/tiny.json")" = "loader digits --samples 400 --epochs 2 --seed 1" ]
}

@test "what is made is not made again, unless what it was made from is newer" {
    experiments tiny SEED=1
    run experiments tiny SEED=1
    [[ $output != *making* ]]
    touch -d '+2 seconds' "$WORK/tiny-1.safetensors"
    run experiments tiny SEED=1
    [[ $output == *"making tiny-1.json"* ]]
    [[ $output != *"making tiny-1.safetensors"* ]]
}

@test "a recipe that fails leaves no file" {
    run experiments broken.pst
    [ "$status" -ne 0 ]
    [ -z "$(find "$WORK" -name 'broken.pst' -o -name 'broken.pst.step' -o -name 'broken.pst.out')" ]
}

@test "a training that ends before its input does makes its file, and without --patience that is a failure" {
    step=$BATS_TEST_DIRNAME/../../pipelines/paper/step
    cd "$BATS_TEST_TMPDIR"
    "$step" early 1 'yes | head -n 1 >early # --patience'
    [[ $(cat early) == y ]] && [ -s early.step ]
    run "$step" late 1 'yes | head -n 1 >late'
    [ "$status" -eq 141 ]
    run "$step" nothing 1 'yes | head -n 1 >other # --patience'
    [ "$status" -eq 141 ]
}

@test "after Ctrl-C the same command continues from the checkpoint and gives the same bits" {
    setsid env --default-signal=INT "${EXPERIMENTS[@]}" tiny-1.safetensors EPOCHS=200 3>&- &
    make=$!
    for ((i = 0; i < 600; i++)); do
        [ ! -e "$WORK/tiny-1.safetensors.checkpoint" ] || break
        sleep 0.05
    done
    kill -INT -- "-$make"
    run ! wait "$make"
    for ((i = 0; i < 600; i++)); do # on a busy machine the trainer saves what it has after make has ended
        pgrep -s "$make" >/dev/null || break
        sleep 0.05
    done
    [ ! -e "$WORK/tiny-1.safetensors" ]
    [ -e "$WORK/tiny-1.safetensors.checkpoint" ]
    experiments tiny-1.safetensors EPOCHS=200
    [ ! -e "$WORK/tiny-1.safetensors.checkpoint" ]
    interrupted=$(weights "$WORK/tiny-1.safetensors")
    rm "$WORK"/tiny-1*
    experiments tiny-1.safetensors EPOCHS=200
    [ "$(weights "$WORK/tiny-1.safetensors")" = "$interrupted" ]
}

@test "progress says how many files are made and what time is left" {
    EVERY=0.1 run progress "${EXPERIMENTS[@]}" tiny SEED=1 EPOCHS=200
    [ "$status" -eq 0 ]
    [[ $output == *"0 of 2 files are made; about 0:09 minutes left"* ]]
    [[ $output == *"0 of 2 files are made; tiny-1.safetensors"*", about "* ]]
}

@test "a second make in the same folder is refused" {
    exec 7>"$WORK/lock"
    flock 7
    run progress true
    [ "$status" -eq 1 ]
    [[ $output == "progress: another make is at work in $WORK: "* ]]
}

@test "the experiment of the README is made as it says" {
    sed -n "/^\`\`\`make\$/,/^\`\`\`\$/p" "$PAPER/README.md" | sed '1d;$d' >"$BATS_TEST_TMPDIR/tiny.mk"
    experiments -n distilled-live SEED=1 QUICK=1 | one_a_line >"$WORK/commands"
    grep -q '^loader mnist --epochs 6 --seed 1 | teacher-forward teacher-1.*--output distilled-live-1.safetensors$' \
        "$WORK/commands"
    grep -q 'teacher-forward --name model distilled-live-1.safetensors | evaluator --json$' "$WORK/commands"
}

@test "docs/results.md is what report writes from docs/results" {
    mkdir "$WORK/results"
    cp docs/results/*.json "$WORK/results"
    report "$WORK/results" "$WORK/results.md"
    cmp "$WORK/results.md" docs/results.md
    cmp "$WORK/results/sweep-30.svg" docs/results/sweep-30.svg
}

@test "a teacher and its student come out bit for bit the same a second time, and as recorded for these kernels" {
    loader mnist --limit 1 >/dev/null 2>&1 || skip "there is no MNIST; set MNIST_DIR"
    paper small-part/student.safetensors
    for model in teacher student; do weights "$WORK/small-part/$model.safetensors"; done >"$BATS_TEST_TMPDIR/first"
    rm -r "$WORK/small-part"
    paper small-part/student.safetensors
    for model in teacher student; do weights "$WORK/small-part/$model.safetensors"; done | diff "$BATS_TEST_TMPDIR/first" -
    [ -z "${SANITIZE-}" ] || skip "a sanitised build has other kernels"
    core=$(OPENBLAS_VERBOSE=2 teacher-forward --version 2>&1 | sed -n 's/^Core: //p')
    [ "$core" = "$(jq -r .openblas_core docs/results/small-part.json)" ] || skip "other kernels of OpenBLAS"
    jq -r '.teacher, .student' docs/results/small-part.json | diff - "$BATS_TEST_TMPDIR/first"
}
