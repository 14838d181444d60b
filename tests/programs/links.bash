# What tests of links share; `load links` brings it in.
# shellcheck shell=bash

# All processes of `start` end with the test, also if it fails.
started=()
# A process in the background must not hold bats' own file descriptor.
start() {
    "$@" 3>&- &
    started+=($!)
}

stop_all() {
    local process
    for process in "${started[@]}"; do
        kill -KILL "$process" 2>/dev/null || true
        kill -CONT "$process" 2>/dev/null || true
    done
    wait
}

# free_port: a port without a listener at the moment.
free_port() {
    /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# await COMMAND…: until it succeeds, for twenty seconds at most.
await() {
    local tries
    for ((tries = 0; tries < 200; tries++)); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "waited in vain: $*"
    return 1
}

# ends PROCESS CODE SECONDS: the process ends within these seconds with that exit code.
ends() {
    local process=$1 code=$2 tries status=0
    for ((tries = 0; tries < $3 * 10; tries++)); do
        kill -0 "$process" 2>/dev/null || break
        sleep 0.1
    done
    if kill -0 "$process" 2>/dev/null; then
        echo "process $process still runs after $3 s"
        return 1
    fi
    wait "$process" || status=$?
    echo "process $process: exit code $status, expected $code"
    [ "$status" -eq "$code" ]
}

# proxy TARGET [OPTION…]: starts tests/python/proxy.py before port TARGET; $near is the port to connect to, $proxy the process.
proxy() {
    local file
    file=$(mktemp -u "$BATS_TEST_TMPDIR/port.XXXXXX")
    start "$BATS_TEST_DIRNAME/../python/proxy.py" "$1" "$file" "${@:2}" 2>"$file.said"
    proxy=${started[-1]}
    await test -e "$file"
    # shellcheck disable=SC2034 # for the tests
    near=$(cat "$file")
    ln "$file.said" "$BATS_TEST_TMPDIR/proxy.$proxy"
}

# assert_cut PROXY LEAST: ends a proxy, which has cut the connections at least so often.
assert_cut() {
    kill -TERM "$1"
    wait "$1"
    cat "$BATS_TEST_TMPDIR/proxy.$1"
    [ "$(sed -n 's/.* connections, \([0-9]*\) cuts.*/\1/p' "$BATS_TEST_TMPDIR/proxy.$1")" -ge "$2" ]
}
