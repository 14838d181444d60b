#!/usr/bin/env bats
# Keys, and attacks on a link's port: no attacker gets in or stops the run, and memory stays bounded.
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell of its own; bats' run sets stderr and output
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    keygen listener.key >listener.public
    keygen trainer.key >trainer.public
    keygen stranger.key >stranger.public
    cp trainer.public allowed
    loader digits --samples 60 --batch 5 --epochs 6 -o stream.pst
    student-trainer -a 784-12-10 -r 0.05 --targets hard --quiet -i stream.pst -o expected.safetensors
}

setup() {
    load common
    load links
    cd "$BATS_FILE_TMPDIR" || return
    port=$(free_port)
    student=$BATS_TEST_TMPDIR/student.safetensors
    LISTENER=(--key listener.key --allow allowed)
    TRAINER=(--key trainer.key --server-key "$(cut -d ' ' -f 2 listener.public)")
}

teardown() {
    stop_all
}

# listens [OPTION…]: a source at $port that ends only after a reader has come.
listens() {
    start loader digits --samples 60 --batch 5 --epochs 6 -o "listen:tcp://127.0.0.1:$port" "$@" \
        2>"$BATS_TEST_TMPDIR/listener.err"
    listener=${started[-1]}
    await is_open
}

is_open() {
    (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null
}

# learns [OPTION…]: the trainer reads the stream.
learns() {
    student-trainer -a 784-12-10 -r 0.05 --targets hard --quiet -i "tcp://127.0.0.1:$port" -o "$student" "$@"
}

# After every attack the run goes on, and its student is the right one.
assert_unmoved() {
    kill -0 "$listener"
    rm -f "$student"
    learns "${TRAINER[@]}"
    cmp expected.safetensors "$student"
    wait "$listener"
}

# assert_turned_away WORDS OPTION…: a trainer with these options gets nothing.
assert_turned_away() {
    local words=$1
    shift
    assert_fails 69 "$words" learns_nothing "$@"
    [ ! -e "$student" ]
}

learns_nothing() {
    learns --peer-timeout 1 "$@" 2>&1 >/dev/null | sed 's/^student-trainer/learns_nothing/' >&2
    return "${PIPESTATUS[0]}"
}

throw() {
    "$BATS_TEST_DIRNAME/../python/zmtp.py" "$port" "$@"
}

# peak PROCESS: the most memory that it has had, in MiB.
peak() {
    awk '/^VmHWM/ { print int($2 / 1024) }' "/proc/$1/status"
}

# reserved PROCESS: the most address space that it has had, in MiB; memory that is reserved and not touched counts here only.
reserved() {
    awk '/^VmPeak/ { print int($2 / 1024) }' "/proc/$1/status"
}

# ---- key files ----

@test "a file whose name has as many letters as a key is still a file" {
    name=$(printf '%040d' 1)
    cp listener.public "$name"
    listens "${LISTENER[@]}"
    student-trainer -a 784-12-10 -r 0.05 --targets hard --quiet -i "tcp://127.0.0.1:$port" -o "$student" \
        --key trainer.key --server-key "$name"
    cmp expected.safetensors "$student"
}

@test "--server-key takes the line that keygen prints, as well as the key alone and a file with it" {
    for key in "$(cat listener.public)" "$(cut -d ' ' -f 2 listener.public)" listener.public; do
        rm -f "$student"
        listens "${LISTENER[@]}"
        student-trainer -a 784-12-10 -r 0.05 --targets hard --quiet -i "tcp://127.0.0.1:$port" -o "$student" \
            --key trainer.key --server-key "$key"
        cmp expected.safetensors "$student"
    done
    assert_fails 66 "public short: cannot be opened" loader digits -o "tcp://127.0.0.1:$port" --key trainer.key \
        --server-key "public short"
}

@test "keygen writes a pair that only its owner can read, and prints the public half" {
    cd "$BATS_TEST_TMPDIR"
    umask 000
    run --separate-stderr keygen new.key
    [ "$status" -eq 0 ]
    [ "$(stat -c %a new.key)" = 600 ]
    [[ $output =~ ^public\ .{40}$ ]]
    [ "$(sed -n 1p new.key)" = "$output" ]
    [[ $(sed -n 2p new.key) =~ ^secret\ .{40}$ ]]
    [ "$(keygen other.key)" != "$output" ]
}

@test "keygen overwrites nothing, and needs one name" {
    cp listener.key "$BATS_TEST_TMPDIR/before"
    assert_fails 74 "listener.key" keygen listener.key
    cmp listener.key "$BATS_TEST_TMPDIR/before"
    assert_fails 74 "no/folder" keygen no/folder
    assert_fails 64 "FILE is missing" keygen
}

@test "a key that others can read is refused" {
    cp listener.key "$BATS_TEST_TMPDIR/open.key"
    for mode in 644 640 604; do
        chmod $mode "$BATS_TEST_TMPDIR/open.key"
        assert_fails 65 "others can read this secret key" \
            loader digits -o "listen:tcp://127.0.0.1:$port" --key "$BATS_TEST_TMPDIR/open.key" --allow allowed
    done
}

@test "files that are no keys and lists without keys are refused" {
    echo nonsense >"$BATS_TEST_TMPDIR/nonsense"
    chmod 600 "$BATS_TEST_TMPDIR/nonsense"
    : >"$BATS_TEST_TMPDIR/empty"
    local out=listen:tcp://127.0.0.1:$port
    assert_fails 65 "is not a key of keygen" loader digits -o "$out" --key "$BATS_TEST_TMPDIR/nonsense" --allow allowed
    assert_fails 66 "cannot be opened" loader digits -o "$out" --key "$BATS_TEST_TMPDIR/none" --allow allowed
    assert_fails 66 "cannot be opened" loader digits -o "$out" --key listener.key --allow "$BATS_TEST_TMPDIR/none"
    assert_fails 65 "no key is in it" loader digits -o "$out" --key listener.key --allow "$BATS_TEST_TMPDIR/empty"
    assert_fails 65 "line 1: is not a public key" \
        loader digits -o "$out" --key listener.key --allow "$BATS_TEST_TMPDIR/nonsense"
    assert_fails 65 "holds no public key" loader digits -o "tcp://127.0.0.1:$port" --key trainer.key \
        --server-key "$BATS_TEST_TMPDIR/nonsense"
}

@test "a key at the end of a long comment is a part of the comment, in an allow-list and in a key file" {
    local before
    for before in 253 254 255 511; do
        printf '%s\n#%0*d%s\n' "$(cat trainer.public)" "$before" 0 "$(cut -d ' ' -f 2 stranger.public)" \
            >"$BATS_TEST_TMPDIR/list"
        listens --key listener.key --allow "$BATS_TEST_TMPDIR/list"
        rm -f "$student"
        assert_turned_away "does not accept this key" --key stranger.key --server-key listener.public
        { kill -KILL "$listener" && wait "$listener"; } 2>/dev/null || true
        printf '#%0*d%s\n%s\n' "$before" 0 "$(cat stranger.public)" "$(cat listener.public)" >"$BATS_TEST_TMPDIR/server"
        listens "${LISTENER[@]}"
        TRAINER=(--key trainer.key --server-key "$BATS_TEST_TMPDIR/server")
        assert_unmoved
    done
}

@test "a list or public key that everyone can write is refused" {
    cp allowed listener.public "$BATS_TEST_TMPDIR"
    chmod 666 "$BATS_TEST_TMPDIR"/{allowed,listener.public}
    assert_fails 65 "allowed: everyone can write here who may connect; 'chmod o-w" \
        loader digits -o "listen:tcp://127.0.0.1:$port" --key listener.key --allow "$BATS_TEST_TMPDIR/allowed"
    assert_fails 65 "listener.public: everyone can write here" \
        loader digits -o "tcp://127.0.0.1:$port" --key trainer.key --server-key "$BATS_TEST_TMPDIR/listener.public"
}

@test "a named pipe in place of a key file is refused, not waited for" {
    mkfifo -m 600 "$BATS_TEST_TMPDIR/fifo"
    local here=tcp://127.0.0.1:$port fifo=$BATS_TEST_TMPDIR/fifo options
    for options in "-o listen:$here --key $fifo --allow allowed" "-o listen:$here --key listener.key --allow $fifo" \
        "-o $here --key trainer.key --server-key $fifo"; do
        # shellcheck disable=SC2086
        run -65 timeout 10 loader digits $options
        [[ $output == *"fifo: is not a regular file"* ]]
    done
}

@test "a list may have comments, bare keys, and keys with a # in them" {
    local key=
    for ((try = 0; try < 300; try++)); do
        rm -f "$BATS_TEST_TMPDIR/hash.key"
        key=$(keygen "$BATS_TEST_TMPDIR/hash.key" | cut -d ' ' -f 2)
        [[ $key == ?*#* ]] && break
    done
    [[ $key == *#* ]]
    printf '# who may read\n\n%s # the first\n  %s\t#the second\n' "$(cat stranger.public)" "$key" \
        >"$BATS_TEST_TMPDIR/list"
    listens --key listener.key --allow "$BATS_TEST_TMPDIR/list"
    TRAINER=(--key "$BATS_TEST_TMPDIR/hash.key" --server-key listener.public)
    assert_unmoved
}

@test "options of keys that do not go together are usage errors" {
    assert_fails 64 "--allow" loader digits -o "listen:tcp://127.0.0.1:$port" --key listener.key
    assert_fails 64 "--server-key" loader digits -o "tcp://127.0.0.1:$port" --key listener.key
    assert_fails 64 "need --key" loader digits -o "tcp://127.0.0.1:$port" --server-key listener.public
    assert_fails 64 "need --key" loader digits -o "listen:tcp://127.0.0.1:$port" --allow allowed
}

@test "a link beyond this machine needs keys, or an explicit --insecure" {
    for address in 0.0.0.0 '*' '[::]'; do
        assert_fails 64 "without keys" loader digits -o "listen:tcp://$address:$port"
    done
    start loader digits --samples 60 --batch 5 --epochs 6 -o "listen:tcp://0.0.0.0:$port" --insecure
    learns
    cmp expected.safetensors "$student"
}

# ---- keys on a link ----

@test "the student is the same over an encrypted link" {
    listens "${LISTENER[@]}"
    assert_unmoved
    start student-trainer -a 784-12-10 -r 0.05 --targets hard --quiet -i "listen:tcp://127.0.0.1:$port" \
        -o "$BATS_TEST_TMPDIR/second" --key trainer.key --allow listener.public
    loader digits --samples 60 --batch 5 --epochs 6 -o "tcp://127.0.0.1:$port" --key listener.key \
        --server-key trainer.public
    wait "${started[-1]}"
    cmp expected.safetensors "$BATS_TEST_TMPDIR/second"
}

@test "no key, a key not on the list, and a wrong listener's key get nothing" {
    listens "${LISTENER[@]}"
    assert_turned_away "--peer-timeout 1"
    assert_turned_away "the listener does not accept this key" --key stranger.key --server-key listener.public
    assert_turned_away "has other keys" --key trainer.key --server-key stranger.public
    assert_unmoved
}

@test "a plain client at an encrypted port, and an encrypted one at a plain port, get nothing" {
    listens "${LISTENER[@]}"
    run throw plain
    [ "$output" = closed ]
    assert_unmoved
    rm "$student"
    port=$(free_port)
    listens
    assert_turned_away "speaks something else" "${TRAINER[@]}"
    TRAINER=()
    assert_unmoved
}

# ---- rubbish ----

@test "garbage, an HTTP request and a frame of 4 GiB change nothing" {
    for keys in with without; do
        port=$(free_port)
        if [ $keys = with ]; then
            listens "${LISTENER[@]}"
        else
            listens
            TRAINER=()
        fi
        before=$(peak "$listener")
        for what in garbage http huge; do
            run throw $what
            echo "$keys keys, $what: $output"
            [ "$output" = closed ]
        done
        echo "memory: $before, $(peak "$listener") MiB"
        [ "$(peak "$listener")" -lt $((before + 64)) ]
        assert_unmoved
    done
}

# assert_refuses PROCESS BYTES…: announcements of so many end their connections, and the process reserves nothing for them.
assert_refuses() {
    local process=$1 before size
    before=$(reserved "$process")
    for size in "${@:2}"; do
        run throw huge --size "$size"
        echo "$size bytes: $output"
        [ "$output" = closed ] || return
    done
    echo "address space: $before, $(reserved "$process") MiB"
    [ "$(reserved "$process")" -lt $((before + 1024)) ]
}

@test "a frame that is announced as too large ends the connection before memory is reserved" {
    listens
    assert_refuses "$listener" 4294967296 2000000
    TRAINER=()
    assert_unmoved
    port=$(free_port)
    rm "$student"
    start student-trainer -a 784-12-10 -r 0.05 --targets hard --quiet -i "listen:tcp://127.0.0.1:$port" -o "$student" \
        --max-message 3000000
    await is_open
    assert_refuses "${started[-1]}" 4294967296 5000000
    run throw huge --size 2000000
    [ "$output" = "still open" ]
    loader digits --samples 60 --batch 5 --epochs 6 -o "tcp://127.0.0.1:$port"
    wait "${started[-1]}"
    cmp expected.safetensors "$student"
}

@test "a thousand silent connections keep no worker out" {
    listens "${LISTENER[@]}"
    before=$(peak "$listener")
    mkfifo "$BATS_TEST_TMPDIR/hold"
    start throw half-open <>"$BATS_TEST_TMPDIR/hold" >"$BATS_TEST_TMPDIR/held"
    await grep -q "1000 connections" "$BATS_TEST_TMPDIR/held"
    echo "memory: $before, $(peak "$listener") MiB"
    [ "$(peak "$listener")" -lt $((before + 256)) ]
    assert_unmoved
}
