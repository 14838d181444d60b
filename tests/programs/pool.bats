#!/usr/bin/env bats
# dispatcher and worker: if workers fail or leave, the student is still the plain pipe's to the last bit; and a run that
# cannot go on gives the reason.
# shellcheck disable=SC2154,SC2034,SC2030,SC2031 # bats' run sets stderr, pool.bash the others
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    load pool
    make_expected
}

setup() {
    # A dozen processes under valgrind take minutes a test, so only these run there.
    local few="^(one worker|the last worker|a worker with another|a command that fails|without workers|the state)"
    [[ -z ${VALGRIND-} || $BATS_TEST_DESCRIPTION =~ $few ]] || skip "too slow under valgrind"
    load common
    load pool
    cd "$BATS_FILE_TMPDIR" || return
    use_folder "$BATS_TEST_TMPDIR"
    worker_options=()
}

teardown() {
    load pool
    end_processes
}

# ---- the same bits ----

@test "one worker gives the plain pipe's student" {
    start_dispatcher
    start_worker one
    assert_same_student
    ends "$worker" 0
}

@test "two workers give the plain pipe's student, and one of them is a chain of its own options" {
    start_dispatcher
    start_worker one
    worker_options=(--ahead 1)
    start_worker two
    assert_same_student
    ends "$worker" 0
}

@test "four workers give the plain pipe's student" {
    start_dispatcher
    for name in one two three four; do start_worker "$name"; done
    assert_same_student
}

@test "the stream behind a dispatcher is the plain pipe's but for the dispatcher in its history" {
    start_worker one "teacher-forward -n t teacher.safetensors | temperature-softmax -T 4 | averager"
    dispatcher "$endpoint" -i input.pst -o "$here/out.pst"
    stream-inspect "$here/out.pst" | grep -q dispatcher
    "${STUDENT[@]}" -i "$here/out.pst" -o "$student"
    cmp expected.safetensors "$student"
}

@test "a worker killed with -9 in the middle costs nothing but time" {
    hold
    start_dispatcher
    start_worker one
    victim=$worker
    start_worker two
    go_on_until 20
    kill -KILL "$victim"
    go_on
    assert_same_student
    says dispatcher "is gone"
}

@test "the last worker is killed with -9, and a new one much later completes the student" {
    hold
    start_dispatcher
    start_worker one
    go_on_until 20
    kill -KILL "$worker"
    wait_until says dispatcher "no worker is here"
    start_worker two
    go_on
    assert_same_student
}

@test "four workers, one killed with -9 and replaced again and again, give the plain pipe's student" {
    hold
    start_dispatcher
    for name in one two three; do start_worker "$name"; done
    for at in 15 30 45 60 75 90; do
        start_worker "victim-$at"
        go_on_until "$at"
        kill -KILL "$worker"
    done
    go_on
    assert_same_student
}

@test "a stopped worker's batches go to another one after its time, and its answers are dropped" {
    hold
    start_dispatcher --batch-timeout 0.5
    start_worker one
    stopped=$worker
    go_on_until 5
    kill -STOP "$stopped"
    start_worker two "$slow | teacher-forward -n t teacher.safetensors"
    wait_until says dispatcher "has not answered batch"
    kill -CONT "$stopped"
    go_on
    assert_same_student
}

@test "a worker's answers that come late, after another's, are dropped" {
    hold
    start_dispatcher --batch-timeout 0.5 --peer-timeout 600
    worker_options=(--peer-timeout 600)
    start_worker one
    stopped=$worker
    go_on_until 5
    kill -STOP "$stopped"
    start_worker two
    wait_until says dispatcher "has not answered batch"
    go_on_until 70 # the first worker's command did at most three of them
    kill -CONT "$stopped"
    wait_until has_answered_twice
    go_on
    assert_same_student
}

has_answered_twice() {
    kill -USR1 "$dispatcher"
    says dispatcher "[1-9][0-9]* answered twice"
}

@test "a late worker does not get the same batches again, and a line says that all workers are late" {
    hold
    start_dispatcher --batch-timeout 0.5
    start_worker one
    wait_until says dispatcher "worker .*:$worker has not answered batch 0 for [0-9.]* s$"
    wait_until says dispatcher "no worker has answered for 0.5 s (--batch-timeout), and 1 is here"
    go_on
    assert_same_student
    [ "$(of_last_pool_event given_out_again)" -eq 0 ]
    [ "$(of_last_pool_event given_out)" -eq "$BATCHES" ]
}

@test "the time limit of a batch begins when its worker can begin it" {
    loader digits --samples 120 --batch 20 --epochs 1 -o "$here/six.pst"
    feed=(cat "$here/six.pst")
    start_dispatcher --batch-timeout 4
    worker_options=(--ahead 5) # the fifth waits longer than that for the others
    start_worker one "$STUMBLE --sleep 1000 | teacher-forward -n t teacher.safetensors"
    ends "$trainer" 0
    ends "$dispatcher" 0
    run ! says dispatcher "has not answered"
    [ "$(of_last_pool_event given_out)" -eq 6 ]
}

@test "workers whose links are cut again and again give the plain pipe's student" {
    local port
    port=$(free_port)
    endpoint=tcp://127.0.0.1:$port
    hold
    start_dispatcher
    proxy_before "$port" --delay 2 --cut-every 1 --seed 4
    endpoint=tcp://127.0.0.1:$near
    start_worker one
    start_worker two
    # On average, each of the two has come back twice.
    wait_until has_come 6
    go_on
    assert_same_student
}

# has_come N: workers have greeted so often.
has_come() {
    (($(grep -c "worker .* is here" "$here/dispatcher.err") >= $1))
}

@test "answers that remain from another run are dropped" {
    # A worker goes on with its jobs while there is no dispatcher, and the next dispatcher has other batches.
    loader digits --samples 1200 --batch 20 --epochs 2 --seed 4 -o "$here/another.pst"
    feed=(cat "$here/another.pst")
    worker_options=(--stay)
    hold
    start_dispatcher
    start_worker one
    go_on_until 10
    kill -KILL "$dispatcher"
    ends "$dispatcher" 137
    ends "$trainer" 65
    go_on_until 11
    go_on
    feed=(cat input.pst)
    start_dispatcher
    assert_same_student
}

@test "answers of another run in a session that is over are dropped, and counted" {
    start_dispatcher --batch-timeout 0.5
    "$HECKLE" "$endpoint" late-run --seconds 600 2>"$here/heckle.err" 3>&- &
    processes+=("$!")
    wait_until says dispatcher "has not answered batch"
    start_worker one
    assert_same_student
    [ "$(of_last_pool_event of_another_run)" -eq 3 ]
    run ! says dispatcher "failed"
}

@test "a worker that cannot start a thread fails a batch, closes what it opened, and goes on with the next try" {
    [[ -z ${SANITIZE-}${VALGRIND-} ]] || skip "these have an allocator of their own"
    for thread in 0 1 2 3; do # 0: all start
        mkdir "$BATS_TEST_TMPDIR/$thread"
        use_folder "$BATS_TEST_TMPDIR/$thread"
        hold
        start_dispatcher
        LD_PRELOAD=$STAGES/../tests/shim_shortage.so PST_SHORTAGE_THREAD=$thread start_worker one
        go_on_until 1
        pipes=$(find "/proc/$worker/fd" -lname 'pipe:*' | wc -l)
        go_on
        assert_same_student
        ((thread > 0)) || { expected=$pipes && continue; }
        says one "batch 0: out of memory for a thread"
        echo "$pipes pipes are open, not $expected?"
        [ "$pipes" -eq "$expected" ]
    done
}

@test "a worker that answers for another run fails, and is dismissed" {
    hold
    start_dispatcher
    start_worker one
    go_on_until 1
    "$HECKLE" "$endpoint" another-run --seconds 600 2>"$here/heckle.err" 3>&- &
    processes+=("$!")
    wait_until says dispatcher "worker heckler is dismissed: it failed three times in a row"
    says dispatcher "worker heckler: batch [0-9]* failed: the answer is of another run"
    go_on
    assert_same_student
    [ "$(of_last_pool_event of_another_run)" -eq 3 ]
}

@test "an answer that does not belong to its job is a failure" {
    hold
    start_dispatcher
    start_worker one
    wait_until says dispatcher "1 now"
    "$HECKLE" "$endpoint" wrong-check --seconds 600 2>"$here/heckle.err" 3>&- &
    processes+=("$!")
    wait_until says dispatcher "worker heckler is dismissed: it failed three times in a row"
    says dispatcher "worker heckler: batch [0-9]* failed: the answer is to something else"
    go_on
    assert_same_student
}

# of_last_pool_event NAME: what the dispatcher's log says at the end.
of_last_pool_event() {
    grep '"event":"pool"' "$here/dispatcher.log" | tail -n 1 | /usr/bin/python3 -c '
import json, sys
print(json.loads(sys.stdin.read())[sys.argv[1]])' "$1"
}

@test "a worker that joins in the middle takes part" {
    hold
    start_dispatcher
    start_worker one
    go_on_until 20
    start_worker two "$STUMBLE --count $here/second | teacher-forward -n t teacher.safetensors"
    wait_until test -s "$here/second"
    go_on
    assert_same_student
}

@test "a worker that gets a signal ends by it, and its command with it" {
    hold
    start_dispatcher
    start_worker one
    go_on_until 10
    kill -TERM "$worker"
    ends "$worker" 143
    wait_until says dispatcher "is gone"
    run ! pgrep -f "stumble.*$done_file"
    start_worker two
    go_on
    assert_same_student
}

@test "a worker whose command still runs after the last job ends by a signal" {
    start_dispatcher
    start_worker one "teacher-forward -n t teacher.safetensors; sleep 600"
    assert_same_student
    sleep 0.5 # by now it waits for its command; before, it would end sooner
    local asked=$SECONDS
    kill -TERM "$worker"
    ends "$worker" 143
    ((SECONDS - asked < 10))
}

@test "a dispatcher killed with -9 leaves no student; the workers find the next one" {
    worker_options=(--stay)
    hold
    start_dispatcher
    start_worker one
    go_on_until 20
    kill -KILL "$dispatcher"
    ends "$dispatcher" 137
    ends "$trainer" 65
    [ ! -e "$student" ]
    kill "$feeder" 2>/dev/null || true
    start_dispatcher
    go_on
    assert_same_student
    kill -0 "$worker"
}

# ---- the others in the pipeline ----

@test "a loader killed with -9 leaves no student, and each exit code says so" {
    hold
    start_dispatcher --window 8 # most of the input is still to come when the loader goes
    start_worker one
    go_on_until 10
    kill -KILL "$feeder"
    go_on
    ends "$dispatcher" 65
    ends "$trainer" 65
    ends "$worker" 69
    says dispatcher "truncated"
    [ ! -e "$student" ]
}

# has_gone STAGE: no such filter runs behind the dispatcher any more. The kernel keeps 15 letters of a name.
has_gone() {
    local parents
    parents=$(pgrep -P "$trainer" -d ,)
    ! pgrep -P "$trainer${parents:+,$parents}" -x "${1:0:15}" >/dev/null
}

# kill_trainer_at N: after N batches. A filter notices it when it writes. If the pipes had room for all that is left, the
# dispatcher would never notice it. The shell that waits for the filters holds the dispatcher's pipe open, too.
kill_trainer_at() {
    pkill -KILL -P "$trainer" -x student-trainer
    echo $(($1 + 10)) >"$here/allowed"
    wait_until has_gone averager
    echo $(($1 + 20)) >"$here/allowed"
    wait_until has_gone temperature-softmax
    wait_until has_ended "$trainer"
    go_on
}

@test "a trainer killed with -9 ends the dispatcher and, through it, the workers" {
    hold
    start_dispatcher
    start_worker one
    go_on_until 10
    kill_trainer_at 10
    ends "$dispatcher" 141
    ends "$worker" 69
    [ ! -e "$student" ]
}

@test "a trainer killed with -9 and resumed over another pool gives the same student" {
    STUDENT+=(--checkpoint "$here/checkpoint" --checkpoint-every 10)
    hold
    start_dispatcher
    start_worker one
    go_on_until 60
    wait_until test -e "$here/checkpoint"
    kill_trainer_at 60
    ends "$dispatcher" 141
    ends "$worker" 69
    STUDENT+=(--resume)
    start_dispatcher
    start_worker two
    assert_same_student
}

# ---- what cannot go on ----

@test "a worker with another model is refused, and both are named" {
    hold
    start_dispatcher
    start_worker one
    go_on_until 10
    start_worker other "$STUMBLE | teacher-forward -n t other.safetensors"
    ends "$worker" 69
    says other "is refused: it does not do what worker .*:[0-9]* does: 'logits/t': teacher-forward model="
    says dispatcher "worker .*:$worker is refused: it does not do what worker"
    go_on
    assert_same_student
}

@test "a worker of another version is refused, and both are named" {
    hold
    start_dispatcher
    start_worker one
    go_on_until 1
    run "$HECKLE" "$endpoint" next-version
    [[ $output == *"refused: it speaks version 2, this side version 1"* ]]
    says dispatcher "a peer is refused: it speaks version 2, this side version 1"
    go_on
    assert_same_student
}

@test "messages of an authenticated peer that break the protocol stop nothing" {
    local port
    port=$(free_port)
    endpoint=tcp://127.0.0.1:$port
    keygen "$here/head.key" >"$here/head.public"
    keygen "$here/worker.key" >"$here/worker.public"
    worker_options=(--key "$here/worker.key" --server-key "$here/head.public")
    hold
    start_dispatcher --key "$here/head.key" --allow "$here/worker.public" --batch-timeout 2
    start_worker one
    go_on_until 5
    run "$HECKLE" "$endpoint" nonsense "${worker_options[@]}"
    [ "$status" -eq 0 ]
    says dispatcher "a peer is refused: a message that is not of dispatcher and worker"
    go_on
    assert_same_student
}

@test "a worker whose command adds something else is refused" {
    hold
    start_dispatcher
    start_worker one
    go_on_until 10
    start_worker other "$STUMBLE --add | teacher-forward -n t teacher.safetensors"
    ends "$worker" 69
    says dispatcher "is refused"
    go_on
    assert_same_student
}

@test "a command that fails gives its reason, also to the dispatcher, and its worker is dismissed while others work" {
    hold
    start_dispatcher
    start_worker one
    go_on_until 5
    start_worker broken "echo nothing works here >&2; exit 7"
    ends "$worker" 69
    says broken "nothing works here"
    says dispatcher "worker .*:$worker: batch [0-9]* failed: the command ended with exit code 7; it said: nothing works here"
    says dispatcher "dismissed: it failed three times in a row"
    go_on
    assert_same_student
}

@test "a missing command is reported by the dispatcher" {
    start_dispatcher
    worker "$endpoint" -- no-such-command 2>"$here/one.err" 3>&- &
    worker=$!
    processes+=("$worker")
    ends "$dispatcher" 65
    ends "$worker" 69
    says dispatcher "no-such-command: cannot be started: No such file or directory"
    [ ! -e "$student" ]
}

@test "a batch that fails three times stops the run with the reason" {
    start_dispatcher
    poisoned="$slow --poison 333 | teacher-forward -n t teacher.safetensors"
    for name in one two three four; do start_worker "$name" "$poisoned"; done
    ends "$dispatcher" 65
    says dispatcher "failed three times, at .*:[0-9]*, .*:[0-9]* and .*:[0-9]*: .*sample 333 is poison"
    [ "$(grep -c 'failed: ' "$here/dispatcher.err")" -eq 3 ]
    [ "$(blamed | sort -u | wc -l)" -eq 3 ]
    ends "$worker" 69
    ends "$trainer" 65
    [ ! -e "$student" ]
}

# blamed: the three workers at which a batch failed.
blamed() {
    sed -n 's/.*failed three times, at \(.*:[0-9]*\), \(.*:[0-9]*\) and \(.*:[0-9]*\): .*/\1\n\2\n\3/p' "$here/dispatcher.err"
}

@test "a batch at which three workers' commands hang stops the run with the reason" {
    start_dispatcher --batch-timeout 1
    hanging="$STUMBLE --hang 333 | teacher-forward -n t teacher.safetensors"
    for name in one two three; do start_worker "$name" "$hanging"; done
    ends "$dispatcher" 65
    says dispatcher "failed three times, at .*: the command has not answered it for 1 s (--batch-timeout)"
    [ "$(blamed | sort -u | wc -l)" -eq 3 ]
    ends "$worker" 69
    ends "$trainer" 65
    [ ! -e "$student" ]
}

@test "a batch at which the only worker's command hangs stops the run too, after three times its time" {
    start_dispatcher --batch-timeout 1
    start_worker one "$STUMBLE --hang 333 | teacher-forward -n t teacher.safetensors"
    ends "$dispatcher" 65
    says dispatcher "no worker has answered for 1 s"
    says dispatcher "failed three times, at .*: the command has not answered it for 1 s (--batch-timeout)"
    [ "$(blamed | sort -u | wc -l)" -eq 1 ]
    ends "$worker" 69
}

@test "a batch that ends ten workers stops the run with the reason" {
    start_dispatcher
    worker_options=(--ahead 1)
    for name in {1..10}; do
        start_worker "$name" "{ $STUMBLE --poison 333 || kill -KILL \$PPID; } | teacher-forward -n t teacher.safetensors"
    done
    ends "$dispatcher" 65
    says dispatcher "has cost 10 workers, which went while they were at it, the last one .*:[0-9]*$"
    [ "$(grep -c 'is gone' "$here/dispatcher.err")" -eq 10 ]
    ends "$trainer" 65
}

@test "a worker that reports a batch as failed again and again neither ends the run nor stops other workers" {
    hold
    start_dispatcher
    for name in one two three; do start_worker "$name"; done
    go_on_until 3
    "$HECKLE" "$endpoint" fails --seconds 600 2>"$here/heckle.err" 3>&- &
    processes+=("$!")
    wait_until says dispatcher "worker heckler is dismissed: it failed three times in a row"
    go_on
    assert_same_student
    [ "$(grep -c 'heckler: batch .* failed: I do not like it' "$here/dispatcher.err")" -eq 3 ]
}

@test "a worker that asks for far too many jobs takes none from the others" {
    hold
    start_dispatcher --batch-timeout 2
    start_worker one
    go_on_until 3
    "$HECKLE" "$endpoint" greed --seconds 600 2>"$here/heckle.err" 3>&- &
    processes+=("$!")
    wait_until says dispatcher "worker heckler is here"
    go_on
    assert_same_student
}

@test "a worker that gives back every job is dismissed, and named" {
    start_dispatcher
    run "$HECKLE" "$endpoint" returns --seconds 10
    echo "$output"
    [[ $output == "refused: is dismissed: it gives back every job untried"* ]]
    says dispatcher "worker heckler is dismissed: it gives back every job untried (0 left)"
    start_worker one
    assert_same_student
}

@test "a worker that greets again and again is dismissed, and named" {
    start_dispatcher
    run "$HECKLE" "$endpoint" greets --seconds 10
    echo "$output"
    [[ $output == "refused: is dismissed: it greets again and again, and does no job in between"* ]]
    says dispatcher "worker heckler is dismissed: it greets again and again, and does no job in between (0 left)"
    start_worker one
    assert_same_student
}

# docs/pool.md has the commands.
@test "a worker's false answers are found if the teacher is asked again about samples of a recording" {
    for lie in "" --lie; do
        rm -f "$here/logits.pst"
        dispatcher "$endpoint" -i input.pst -o "$here/logits.pst" 2>>"$here/dispatcher.err" 3>&- &
        dispatcher=$!
        processes+=("$dispatcher")
        start_worker one "teacher-forward -n t teacher.safetensors | $STUMBLE $lie"
        ends "$dispatcher" 0
        run bash -c 'set -o pipefail
            replay "$1" --sample 500 --seed 7 | teacher-forward --name again teacher.safetensors |
                evaluator --of logits/again --against logits/t --tolerance 1e-4' sh "$here/logits.pst"
        echo "$output"
        [ "$status" -eq $((${#lie} > 0 ? 65 : 0)) ]
    done
    [[ $output == *"logits/t"* ]]
}

@test "a worker's name is printed without control characters" {
    hold
    start_dispatcher
    "$HECKLE" "$endpoint" paints --seconds 600 2>"$here/heckle.err" 3>&- &
    processes+=("$!")
    wait_until says dispatcher "dispatcher: worker heck?\\[2J?dispatcher: all is well??1m?1m is here (1 now)"
    run ! grep -qaP '[\x00-\x09\x0b-\x1f\x7f-\xff]' "$here/dispatcher.err"
    wait_until grep -q '"name":"heck?\[2J?dispatcher' "$here/dispatcher.log"
}

@test "a worker's command inherits neither its log nor its sockets" {
    worker_options=(--log "$here/worker.log")
    start_dispatcher
    start_worker one "ls -l /proc/self/fd >$here/files; $STUMBLE | teacher-forward -n t teacher.safetensors"
    assert_same_student
    cat "$here/files"
    run ! grep -E 'worker.log|socket:|anon_inode' "$here/files"
}

@test "a command that changes a tensor of its input is refused" {
    start_dispatcher
    start_worker one "$STUMBLE --cheat | teacher-forward -n t teacher.safetensors"
    ends "$dispatcher" 65
    says dispatcher "the command changed tensor 'x'; a worker's command may only add"
}

@test "a command that does not hand on a tensor is refused" {
    start_dispatcher
    start_worker one "teacher-forward -n t teacher.safetensors | temperature-softmax | compactor --inputs digest"
    ends "$dispatcher" 65
    says dispatcher "the command does not hand on tensor 'x'; a worker's command may only add"
}

@test "a command that answers with other batches is refused" {
    worker_options=(--ahead 1)
    start_dispatcher
    start_worker one "teacher-forward -n t teacher.safetensors -i input.pst"
    ends "$dispatcher" 65
    says one "the command wrote more batches than it read"
    says dispatcher "the command changed tensor 'x'" # the file's first batches, in place of others
}

@test "without workers a dispatcher waits, says so, and gives up after --no-worker-timeout" {
    assert_waits_in_vain() {
        run --separate-stderr dispatcher "$endpoint" --no-worker-timeout 1 -i input.pst -o "$here/out.pst"
        echo "$stderr"
        [ "$status" -eq 69 ]
        [[ ${stderr_lines[0]} == "dispatcher: no worker is here; waiting for one at"* ]]
        [[ ${stderr_lines[1]} == *"no worker for 1 s (--no-worker-timeout)" ]]
        [ ! -e "$here/out.pst" ]
    }
    assert_waits_in_vain
}

@test "a worker without a dispatcher gives up after --patience" {
    assert_fails 69 "no dispatcher for 1 s (--patience)" worker "$endpoint" --patience 1 -- cat
}

@test "a truncated input is an error that the dispatcher sends to the workers" {
    head -c 300000 input.pst >"$here/cut.pst"
    start_worker one
    run --separate-stderr dispatcher "$endpoint" -i "$here/cut.pst" -o "$here/out.pst"
    echo "$stderr"
    [ "$status" -eq 65 ]
    [[ $stderr == *"truncated"* ]]
    [ ! -e "$here/out.pst" ]
    ends "$worker" 69
    says one "the run has failed: .*truncated"
}

# The stage before gets the reason at once; by itself it would notice only after --peer-timeout.
@test "a dispatcher that fails while its window is full sends the reason to the stage before it" {
    loader digits --samples 2000 --batch 20 --epochs 1000 -o "listen:ipc://$here/input" 2>"$here/loader.err" 3>&- &
    feeder=$!
    processes+=("$feeder")
    run dispatcher "$endpoint" --window 4 --no-worker-timeout 1 -i "ipc://$here/input" -o "$here/out.pst"
    [ "$status" -eq 69 ]
    SECONDS=0
    ends "$feeder" 141
    [ "$SECONDS" -lt 25 ]
    says loader "the other side ended: dispatcher: .*no worker for 1 s"
}

@test "a dispatcher that fails while it waits for input sends the reason to the stage before it" {
    mkfifo "$here/in.fifo"
    "$STUMBLE" -o "listen:ipc://$here/input" <"$here/in.fifo" 2>"$here/before.err" 3>&- &
    feeder=$!
    processes+=("$feeder")
    exec 8>"$here/in.fifo"
    head -c 100000 input.pst >&8
    run dispatcher "$endpoint" --no-worker-timeout 1 -i "ipc://$here/input" -o "$here/out.pst" 8>&-
    [ "$status" -eq 69 ]
    SECONDS=0
    tail -c +100001 input.pst >&8 || true # its reader may end before it has all
    exec 8>&-
    ends "$feeder" 141
    [ "$SECONDS" -lt 25 ]
    says before "the other side ended: dispatcher: .*no worker for 1 s"
}

@test "malformed endpoints are refused" {
    assert_fails 64 "tcp://host:port" dispatcher tcp://nowhere -i input.pst
    assert_fails 64 "tcp://host:port" worker tcp://nowhere -- cat
    assert_fails 64 "the dispatcher listens" worker listen:ipc://x -- cat
    assert_fails 64 "without keys" dispatcher 'tcp://0.0.0.0:5999' -i input.pst
    assert_fails 64 "is missing" worker "$endpoint"
    assert_fails 69 "the host is not known" worker tcp://no-such-host.invalid:5555 -- cat
    assert_fails 69 "the host is not known" dispatcher tcp://no-such-host.invalid:5555 -i input.pst
}

@test "a second dispatcher at the same address says that it is in use" {
    local place
    for place in "ipc://$here/pool" "tcp://127.0.0.1:$(free_port)"; do
        endpoint=$place
        hold
        start_dispatcher
        start_worker one
        wait_until says dispatcher "is here"
        assert_fails 75 "in use" dispatcher "$endpoint" -i input.pst
        end_processes
        rm "$here/dispatcher.err"
    done
}

@test "an address in use is an error before there is any input" {
    dispatcher "$endpoint" -i input.pst -o /dev/null 2>"$here/dispatcher.err" 3>&- &
    processes+=("$!")
    wait_until says dispatcher "no worker is here; waiting for one at ipc:"
    mkfifo "$here/nothing"
    exec 8<>"$here/nothing" # a pipe without a writer
    run timeout 60 dispatcher "$endpoint" -o /dev/null <&8 8>&-
    exec 8>&-
    echo "$output"
    [ "$status" -eq 75 ]
    [[ $output == *"in use"* ]]
}

# start_dispatcher_without_input: it listens, and waits for input from file descriptor 8.
start_dispatcher_without_input() {
    mkfifo "$here/input"
    dispatcher "$endpoint" -o "$here/out.pst" <"$here/input" 2>"$here/dispatcher.err" 3>&- &
    dispatcher=$!
    processes+=("$dispatcher")
    exec 8>"$here/input"
    wait_until test -S "$here/pool"
}

@test "SIGUSR1 before there is any input ends nothing" {
    start_dispatcher_without_input
    kill -USR1 "$dispatcher"
    start_worker one 8>&-
    cat input.pst >&8
    exec 8>&-
    ends "$dispatcher" 0
    says dispatcher "workers, [0-9]* batches in flight" # the signal may come when there is input already
    ends "$worker" 0
}

# stop_dispatcher_by SIGNAL CODE: while it has a worker.
stop_dispatcher_by() {
    kill -"$1" "$dispatcher"
    ends "$dispatcher" "$2"
    [ ! -e "$here/pool" ]
}

@test "a dispatcher that gets a signal ends its workers, and leaves no socket behind" {
    for signal in INT TERM; do
        hold
        rm -f "$here/one.err"
        dispatcher "$endpoint" -i input.pst -o "$here/$signal.pst" 2>"$here/dispatcher.err" 3>&- &
        dispatcher=$!
        processes+=("$dispatcher")
        start_worker one
        go_on_until 3
        # A shell's background processes ignore SIGINT, unless they install a handler.
        stop_dispatcher_by $signal $((128 + $(kill -l $signal)))
        ends "$worker" 69
        says one "the run has failed: the dispatcher was stopped by a signal"
        [ ! -e "$here/$signal.pst" ]
        : >"$done_file"
    done
}

@test "a dispatcher that gets a signal before there is any input ends by it" {
    start_dispatcher_without_input
    sleep 0.2 # until it reads
    stop_dispatcher_by TERM 143
    exec 8>&-
}

# peak PROCESS: the most memory that it has had, in MiB.
peak() {
    awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$1/status"
}

# peak_with OPTION…: the same for a dispatcher with a stream of 260 MB and no worker, once its window is full.
peak_with() {
    local before=-1 now=0
    rm -f "$here/input"
    loader digits --samples 4096 --epochs 80 --batch 512 -o "listen:ipc://$here/input" 2>>"$here/loader.err" 3>&- &
    processes+=("$!")
    dispatcher "$endpoint" -i "ipc://$here/input" "$@" --window-bytes "${bytes-64M}" -o /dev/null 2>>"$here/dispatcher.err" 3>&- &
    dispatcher=$!
    processes+=("$dispatcher")
    # The window is full when the memory does not grow any more.
    while ((now != before)); do
        before=$now
        sleep 1
        now=$(peak "$dispatcher")
    done
    end_processes
    most=$now
}

@test "the dispatcher's memory is bounded by its window" {
    [[ -z ${SANITIZE-} ]] || skip "the sanitizers keep what is freed"
    peak_with --window 4
    few=$most
    peak_with --window 64
    many=$most
    bytes=2M
    peak_with --window 64
    echo "MiB: 4 batches $few, 64 batches $many, 2 MiB $most"
    # A batch is 0.4 MB. Credit and window count separately, so there may be twice as many.
    [ "$few" -lt 24 ]
    [ "$many" -lt 80 ]
    [ "$most" -lt 24 ]
    [ "$many" -gt $((few + 15)) ]
}

@test "answers that wait for an earlier one count towards the window too" {
    [[ -z ${SANITIZE-} ]] || skip "the sanitizers keep what is freed"
    hold
    dispatcher "$endpoint" --window-bytes 2M -i input.pst -o /dev/null 2>>"$here/dispatcher.err" 3>&- &
    dispatcher=$!
    processes+=("$dispatcher")
    start_worker one "$slow | $STUMBLE --add --width 200000" # 4 MB a batch; it has the oldest ones
    wait_until says dispatcher "is here"
    start_worker two "$STUMBLE --count $here/second | $STUMBLE --sleep 1 --add --width 200000"
    wait_until test -s "$here/second"
    local before=-1 now=0
    while ((now != before)); do
        before=$now
        sleep 1
        now=$(peak "$dispatcher")
    done
    echo "MiB: $now"
    [ "$now" -lt 80 ]
    go_on
    ends "$dispatcher" 0
    ends "$worker" 0
}

# ---- what it shows ----

@test "the state of the pool is in the log, and SIGUSR1 prints it" {
    hold
    start_dispatcher
    start_worker one
    go_on_until 20
    kill -USR1 "$dispatcher"
    wait_until says dispatcher "1 workers, [0-9]* batches in flight"
    says dispatcher "worker .*:$worker: here, [0-9]* batches answered"
    go_on
    assert_same_student
    grep '"event":"pool"' "$here/dispatcher.log" | tail -n 1 | /usr/bin/python3 -c '
import json, sys
event = json.loads(sys.stdin.read())
assert event["workers"][0]["answered"] == int(sys.argv[1]), event
assert event["given_out_again"] == 0 and event["answered_twice"] == 0, event' "$BATCHES"
}

@test "workers that have left are summed up, and the log has the speed of the whole run" {
    hold
    start_dispatcher
    for name in one two three; do
        start_worker "$name"
        go_on_until $(($(wc -l <"$done_file") + 5))
        kill -KILL "$worker"
        wait_until says dispatcher "0 left"
        : >"$here/dispatcher.err"
    done
    start_worker four
    wait_until says dispatcher "1 now"
    kill -USR1 "$dispatcher"
    wait_until says dispatcher "3 workers went: [0-9]* batches answered, 0 failed"
    says dispatcher "given out, [0-9]* of them again, [0-9]* answered twice, [1-9][0-9]* samples/s"
    go_on
    assert_same_student
    grep '"event":"pool"' "$here/dispatcher.log" | tail -n 1 | /usr/bin/python3 -c '
import json, sys
event = json.loads(sys.stdin.read())
assert event["departed"]["workers"] >= 3 and len(event["workers"]) <= 1, event
answered = event["departed"]["answered"] + sum(worker["answered"] for worker in event["workers"])
assert answered == int(sys.argv[1]) and event["samples_per_second"] > 0, event' "$BATCHES"
}

@test "the terminal shows what the pool does, also if the output is a pipe" {
    script -qec true /dev/null >/dev/null 2>&1 || skip "no pseudo-terminal can be had here"
    start_worker one
    script -qec "dispatcher $endpoint -i input.pst | cat >$here/out.pst" "$here/typescript" >/dev/null
    grep -q "dispatcher: [0-9]* workers, 0 batches in flight, $BATCHES given out, 0 of them again, 0 answered twice, [0-9]* samples/s" \
        "$here/typescript"
    start_worker two
    script -qec "dispatcher --quiet $endpoint -i input.pst | cat >$here/out.pst" "$here/typescript" >/dev/null
    run -1 grep "given out" "$here/typescript"
}

# ---- pipelines ----

# pipeline NAME [ARGUMENT…]: one of pipelines/, with the data, teacher and student of these tests.
pipeline() {
    BUILD=$STAGES/.. WORK=$here TEACHER=$PWD/teacher.safetensors DATA="${INPUT[*]:1}" STUDENT="${STUDENT[*]:1}" \
        COMMAND="$STUMBLE --sleep ${pace:-2} | teacher-forward -n t $PWD/teacher.safetensors" \
        "$BATS_TEST_DIRNAME/../../pipelines/$1" "${@:2}" 3>&-
}

@test "pipelines/mnist-pool, with workers being killed, gives the plain pipe's student" {
    teacher-forward teacher.safetensors -n t -i input.pst | temperature-softmax -T 20 | "${STUDENT[@]}" -o "$here/plain.safetensors"
    pace=40
    KILL=0.4 run --separate-stderr pipeline mnist-pool 3
    echo "$stderr"
    [ "$status" -eq 0 ]
    [[ $stderr == *"killed"* ]]
    cmp "$here/plain.safetensors" "$student"
}

@test "pipelines/mnist-two-hosts, over three network namespaces with keys, gives the plain pipe's student" {
    ip netns add "pst-try-$$" 2>/dev/null || skip "network namespaces cannot be made here"
    # If the root is not a mount, as in a chroot, namespaces can be made but not entered.
    local entered=yes
    ip netns exec "pst-try-$$" true 2>/dev/null || entered=no
    ip netns del "pst-try-$$"
    [ "$entered" = yes ] || skip "network namespaces cannot be entered here"
    teacher-forward teacher.safetensors -n t -i input.pst | temperature-softmax -T 20 | "${STUDENT[@]}" -o "$here/plain.safetensors"
    run --separate-stderr pipeline mnist-two-hosts
    echo "$stderr"
    [ "$status" -eq 0 ]
    [ "$(grep -c 'worker .* is here' <<<"$stderr")" -eq 2 ]
    cmp "$here/plain.safetensors" "$student"
}
