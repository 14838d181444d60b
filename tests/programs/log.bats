#!/usr/bin/env bats
# What a run reports, in its log and on standard error: once, in order, and with possible figures.
# shellcheck disable=SC2030,SC2031,SC2154 # bats runs each test in a shell of its own, and its run sets status and stderr
# shellcheck disable=SC2016 # what stands in single quotes is for another shell
bats_require_minimum_version 1.5.0

STUMBLE=${STAGES:?}/../tests/stumble # beside the stages, under valgrind too

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 300 --batch 10 --epochs 2 --seed 3 -o plain.pst
    student-trainer -a 784-12-10 -r 0.05 -i plain.pst -o a.safetensors
    teacher-forward a.safetensors -i plain.pst -o logits.pst
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out
    log=$BATS_TEST_TMPDIR/log
}

# field NAME EVENT: of the last such event in the log.
field() {
    /usr/bin/python3 -c 'import json, sys
print([line[sys.argv[1]] for line in map(json.loads, open(sys.argv[3])) if line["event"] == sys.argv[2]][-1])' "$1" "$2" "$log"
}

# less A B: whether a number is smaller than another.
less() {
    awk "BEGIN { exit !($1 < $2) }"
}

@test "the log of a run that fails early has its seconds" {
    run teacher-forward nowhere.safetensors -i plain.pst -o "$out" --log "$log"
    [ "$status" -eq 66 ]
    less "$(field seconds end)" 60
}

@test "the log of a run that fails ends with the event end" {
    run temperature-softmax -i plain.pst -o "$out" --log "$log"
    [ "$status" -eq 65 ]
    [[ $(tail -n 1 "$log") == *'"event":"end"'*'"status":65'* ]]
    [[ $(tail -n 2 "$log" | head -n 1) == *'"event":"error"'* ]]
}

# late FILE: gives the whole file a second after the stage has started.
late() {
    until [[ -e $log ]]; do sleep 0.02; done
    sleep 1
    cat "$1"
}

@test "the time of waiting in the log is not longer than the run" {
    [[ -z ${VALGRIND-} ]] || skip "a stage takes long to start there"
    late logits.pst | temperature-softmax --log "$log" -o "$out"
    less 0.9 "$(field waited_for_input end)"
    less "$(field waited_for_input end)" "$(field seconds end)"
}

@test "the progress line shows at most 100 percent of waiting" {
    [[ -z ${VALGRIND-} ]] || skip "a stage takes long to start there"
    script -qec true /dev/null >/dev/null 2>&1 || skip "no pseudo-terminal can be had here"
    script -qec 'stty cols 200; (sleep 1; head -c 200000 logits.pst; sleep 0.5; tail -c +200001 logits.pst) | temperature-softmax >"'"$out"'"' \
        /dev/null >"$log"
    grep -aoE 'waiting in [0-9]+%' "$log"
    run ! grep -aqE 'waiting in (1[0-9][1-9]|[2-9][0-9][0-9]|[0-9]{4,})%' "$log"
}

# on_terminal COMMAND…: runs a command whose standard error is a terminal.
on_terminal() {
    script -qec true /dev/null >/dev/null 2>&1 || skip "no pseudo-terminal can be had here"
    run -0 script -qec "$*" /dev/null
    echo "$output"
}

# Nehalem's kernels use neither AVX2 nor AVX-512.
needs_avx2() {
    grep -q '^flags.* avx2 ' /proc/cpuinfo || skip "this processor has no AVX2"
}

needs_avx512() {
    [[ -z ${VALGRIND-} ]] || skip "valgrind's processor has no AVX-512"
    for part in avx512f avx512bw avx512dq avx512vl; do
        grep -qw "$part" /proc/cpuinfo || skip "this processor has no AVX-512"
    done
}

@test "kernels that use little of the processor are reported once on a terminal, with the remedy" {
    needs_avx2
    export OPENBLAS_CORETYPE=Nehalem
    on_terminal teacher-forward a.safetensors -i plain.pst -o "$out"
    [[ $output =~ Nehalem\ kernels,\ which\ leave\ this\ processor\'s\ AVX(2|-512)\ unused\;\ set\ OPENBLAS_CORETYPE=(Haswell|SkylakeX)\ if ]]
    [ "$(grep -c OPENBLAS_CORETYPE <<<"$output")" -eq 1 ]
    on_terminal student-trainer -a 784-12-10 -i plain.pst -o "$out"
    [ "$(grep -c 'set OPENBLAS_CORETYPE=' <<<"$output")" -eq 1 ]
}

@test "kernels of AVX2 are reported if the processor has AVX-512" {
    needs_avx512
    for kernel in Haswell Zen; do
        OPENBLAS_CORETYPE=$kernel teacher-forward a.safetensors -i plain.pst -o "$out.$kernel" --log "$log.$kernel"
        grep -q '"event":"slow_blas","kernel":"'$kernel'","unused":"AVX-512","by_openblas_coretype":true,"faster":"SkylakeX"' "$log.$kernel"
    done
}

@test "slow kernels are reported in the log alone with --quiet, and if standard error is a file or pipe" {
    needs_avx2
    export OPENBLAS_CORETYPE=Nehalem
    on_terminal student-trainer --quiet -a 784-12-10 -i plain.pst -o "$out" --log "$log"
    [ -z "$output" ]
    [ "$(field kernel slow_blas)" = Nehalem ]
    rm "$log"
    run -0 --separate-stderr student-trainer -a 784-12-10 -i plain.pst -o "$out" --log "$log"
    [ -z "$stderr" ]
    [ "$(grep -c slow_blas "$log")" -eq 1 ]
}

@test "kernels that fit the processor, and stages that multiply no matrices, have no such event" {
    needs_avx512
    OPENBLAS_CORETYPE=SkylakeX teacher-forward a.safetensors -i plain.pst -o "$out" --log "$log"
    OPENBLAS_CORETYPE=Nehalem temperature-softmax -i "$out" -o "$out.soft" --log "$log"
    run ! grep slow_blas "$log"
}

@test "a checkpoint that cannot be written is reported once" {
    mkdir "$BATS_TEST_TMPDIR/folder"
    run --separate-stderr student-trainer -a 784-12-10 -i plain.pst -o "$out" --checkpoint "$BATS_TEST_TMPDIR/nowhere/c"
    echo "$stderr"
    [ "$status" -eq 74 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "one cause has one message, and each stage behind it reports that its stream was cut" {
    run --separate-stderr bash -o pipefail -c 'replay plain.pst | teacher-forward a.safetensors | "$0" --poison 100 |
        temperature-softmax -T 3 | averager >"$1"; echo "${PIPESTATUS[@]}"' "$STUMBLE" "$out"
    echo "$output: $stderr"
    [[ $output =~ ^(0|141)\ (0|141)\ 65\ 65\ 65$ ]]
    [ "${#stderr_lines[@]}" -eq 3 ]
    [[ ${stderr_lines[0]} == "stumble: batch "*"is poison" ]]
    [[ ${stderr_lines[1]} == "temperature-softmax: "*truncated* ]]
    [[ ${stderr_lines[2]} == "averager: "*truncated* ]]
}

@test "a reader that leaves early is not reported" {
    run --separate-stderr bash -c 'loader digits --samples 3000 | head -c 100 >/dev/null; echo "${PIPESTATUS[0]}"'
    [ "$output" = 141 ]
    [ -z "$stderr" ]
    run --separate-stderr bash -c 'stream-inspect --json logits.pst | head -n 1 >/dev/null'
    [ -z "$stderr" ]
}

@test "a student that began from a model gets no warning about learning too little" {
    run --separate-stderr student-trainer -a 784-12-10 -r 1e-12 -i plain.pst -o "$out"
    [[ $stderr == *"hardly anything is learned"* ]]
    run --separate-stderr student-trainer --from a.safetensors -r 1e-12 -i plain.pst -o "$out"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
}

@test "a student with hardly any loss gets no warning about learning too little" {
    student-trainer -a 784-60-10 -r 0.1 -i <(loader digits --samples 300 --batch 10 --epochs 20) -o "$out.teacher"
    teacher-forward "$out.teacher" --name t -i plain.pst | temperature-softmax -T 1000 -o "$out.soft"
    run --separate-stderr student-trainer -a 784-12-10 -r 1e-12 --soft-loss kl --targets soft -i "$out.soft" -o "$out.student"
    echo "$stderr"
    [ "$status" -eq 0 ]
}
