#!/usr/bin/env bats
# kill -9 of each process of a pool in turn, before it is ready, in the middle, and before the trailer. Either there is no
# student and exit codes report it, or it is the plain pipe's. A second run with --resume always gives the plain pipe's.
# shellcheck disable=SC2154,SC2034,SC2030,SC2031 # pool.bash sets and uses these
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    load pool
    [[ -n ${VALGRIND-} ]] || make_expected
}

setup() {
    [[ -z ${VALGRIND-} ]] || skip "too slow under valgrind"
    load common
    load pool
    cd "$BATS_FILE_TMPDIR" || return
    EVERY=("${STUDENT[@]}" --checkpoint-every 10)
}

teardown() {
    load pool
    end_processes
}

# begin PLACE: a pipeline whose loader waits at PLACE until open_gate.
begin() {
    echo "# $1"
    mkdir "$BATS_TEST_TMPDIR/$1"
    use_folder "$BATS_TEST_TMPDIR/$1"
    STUDENT=("${EVERY[@]}" --checkpoint "$here/checkpoint")
    feed=("$BATS_TEST_DIRNAME/../python/hold.py" input.pst "$1" "$here/gate")
    start_dispatcher
    # A shell that is killed before it has opened a named pipe leaves the other side waiting.
    wait_until is_now "$feeder" python3
    wait_until is_now "$dispatcher" dispatcher
}

# is_now PROCESS NAME: the shell has become that program.
is_now() {
    [[ $(cat "/proc/$1/comm") == "$2" ]]
}

open_gate() {
    : >"$here/gate"
}

# done_before PLACE: the workers have done all that comes before it.
done_before() {
    case $1 in
    middle) wait_until has_done 60 ;;
    trailer) wait_until has_done "$BATCHES" ;;
    esac
}

# The second run, which continues from the checkpoint if there is one.
assert_resumed() {
    [ ! -e "$student" ]
    end_processes
    feed=(cat input.pst)
    STUDENT+=(--resume)
    start_dispatcher
    start_worker after
    assert_same_student
}

kill_trainer() {
    pkill -KILL -P "$trainer" -x student-trainer
}

@test "kill -9 of the loader before it is ready, in the middle, before the trailer" {
    for place in ready middle trailer; do
        begin $place
        start_worker one
        done_before $place
        kill -KILL "$feeder"
        ends "$dispatcher" 65
        ends "$trainer" 65
        # Before the header comes, a dispatcher has no workers; this worker then waits for another dispatcher.
        [ $place = ready ] || ends "$worker" 69
        assert_resumed
    done
}

@test "kill -9 of the dispatcher before it is ready, in the middle, before the trailer" {
    for place in ready middle trailer; do
        begin $place
        start_worker one
        done_before $place
        kill -KILL "$dispatcher"
        ends "$dispatcher" 137
        ends "$trainer" 65
        assert_resumed
    done
}

@test "kill -9 of the only worker before it is ready, in the middle, before the trailer" {
    for place in ready middle trailer; do
        begin $place
        start_worker one
        done_before $place
        kill -KILL "$worker"
        start_worker two
        open_gate
        assert_same_student
    done
}

# ends_in_vain PROCESS: its reader has left, or had taken everything by then.
ends_in_vain() {
    local code=0
    wait_until has_ended "$1"
    wait "$1" || code=$?
    echo "it ended with $code"
    [ $code -eq 141 ] || [ $code -eq 0 ]
}

@test "kill -9 of the trainer before it is ready, in the middle, before the trailer" {
    for place in ready middle trailer; do
        begin $place
        start_worker one
        done_before $place
        wait_until kill_trainer
        # The pipes between may have room for all that is left.
        open_gate
        ends "$trainer" 137
        ends_in_vain "$dispatcher"
        assert_resumed
    done
}
