# What the tests of dispatcher and worker share; `load pool` brings it in after `load common`.
# shellcheck shell=bash disable=SC2154,SC2034 # variables that the tests set and use

BATCHES=120
INPUT=(loader digits --samples 1200 --batch 20 --epochs 2 --shift 1 --seed 3) # 120 batches
STUDENT=(student-trainer -q -a 784-16-10 -r 0.05 --seed 9)
STUMBLE=${STAGES:?}/../tests/stumble # beside the stages, under valgrind too
HECKLE=$STAGES/../tests/heckle

# Makes the teacher, another one, and the student that every run of a pool must give to the last bit.
make_expected() {
    loader digits --samples 200 --batch 20 --epochs 2 -o lessons.pst
    student-trainer -q -a 784-12-10 -r 0.05 -i lessons.pst -o teacher.safetensors
    student-trainer -q -a 784-12-10 -r 0.05 -s 2 -i lessons.pst -o other.safetensors
    "${INPUT[@]}" -o input.pst
    teacher-forward teacher.safetensors -n t -i input.pst | softened >soft.pst
    "${STUDENT[@]}" -i soft.pst -o expected.safetensors
}

softened() {
    temperature-softmax -T 4 | averager
}

# use_folder FOLDER: where this test keeps its socket, logs and counts.
use_folder() {
    here=$1
    endpoint=ipc://$here/pool
    student=$here/student.safetensors
    done_file=$here/batches
    : >"$done_file"
    slow="$STUMBLE --sleep 2 --count $done_file --allow $here/allowed"
    processes=()
    feed=(cat input.pst)
}

# start_dispatcher [OPTION…]: the whole pipeline but its workers, in the background; $trainer is its process.
start_dispatcher() {
    # Not a pipeline, because the tests need the number of each process.
    rm -f "$here"/{in,out}.fifo
    mkfifo "$here"/{in,out}.fifo
    "${feed[@]}" >"$here/in.fifo" 3>&- &
    feeder=$!
    dispatcher "$endpoint" --log "$here/dispatcher.log" "$@" <"$here/in.fifo" >"$here/out.fifo" \
        2>>"$here/dispatcher.err" 3>&- &
    dispatcher=$!
    (
        set -o pipefail
        softened <"$here/out.fifo" 2>>"$here/filters.err" | "${STUDENT[@]}" -o "$student" 2>>"$here/trainer.err"
    ) 3>&- &
    trainer=$!
    processes+=("$feeder" "$dispatcher" "$trainer")
}

# proxy_before PORT [OPTION…]: starts tests/python/proxy.py before a port; $near is the port to connect to.
proxy_before() {
    "$BATS_TEST_DIRNAME/../python/proxy.py" "$1" "$here/port" "${@:2}" 2>>"$here/proxy.err" 3>&- &
    processes+=("$!")
    wait_until test -e "$here/port"
    near=$(<"$here/port")
}

# free_port: a port without a listener at the moment.
free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# start_worker NAME [COMMAND]: in the background; $worker is its process. The command is one of the shell.
start_worker() {
    worker "$endpoint" "${worker_options[@]}" -- sh -c \
        "${2-$slow | teacher-forward -n t teacher.safetensors}" 2>>"$here/$1.err" 3>&- &
    worker=$!
    processes+=("$worker")
}

# wait_until COMMAND…: tries it until it succeeds, for a minute or two at most.
wait_until() {
    local tries
    for ((tries = 0; tries < 1200; tries++)); do
        "$@" && return 0
        sleep 0.05
    done
    echo "in vain: $*"
    tail -n 5 "$here"/*.err
    return 1
}

# has_done N: so many batches have been worked on, by any workers.
has_done() {
    (($(wc -l <"$done_file") >= $1))
}

# go_on_until N: lets the workers do so many batches, and waits until they have. hold: none
# yet. go_on: all.
go_on_until() {
    echo "$1" >"$here/allowed.new"
    mv "$here/allowed.new" "$here/allowed"
    wait_until has_done "$1"
}

hold() {
    echo 0 >"$here/allowed"
}

go_on() {
    rm -f "$here/allowed"
}

# says FILE WORDS: the program has said so.
says() {
    grep -q -- "$2" "$here/$1.err" && return
    cat "$here/$1.err"
    return 1
}

has_ended() {
    ! kill -0 "$1" 2>/dev/null
}

# ends PROCESS CODE: it ends with this exit code.
ends() {
    local code=0
    wait_until has_ended "$1"
    wait "$1" || code=$?
    echo "process $1 ended with $code, expected $2"
    if [ "$code" -ne "$2" ]; then
        tail -n 5 "$here"/*.err
        return 1
    fi
}

assert_same_student() {
    ends "$trainer" 0
    ends "$dispatcher" 0
    cmp expected.safetensors "$student"
}

end_processes() {
    local process
    for process in "${processes[@]}"; do
        kill -CONT "$process" 2>/dev/null || true
        kill -KILL "$process" 2>/dev/null || true
    done
    # A killed worker leaves its command, which writes here until it has noticed.
    [[ -z ${done_file-} ]] || pkill -KILL -f -- "--count $done_file" || true
    wait || true
}
