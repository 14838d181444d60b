#!/usr/bin/env bats
# Links over tcp:// and ipc://: the same student as over a pipe on every network, and a clear end if the other side has
# gone. The tests wait much longer than the times after which a stage gives up.
# shellcheck disable=SC2030,SC2031,SC2154 # every test is a subshell of its own; bats' run sets stderr, proxy near
bats_require_minimum_version 1.5.0

SOURCE=(loader digits --samples 60 --batch 5 --epochs 6 --seed 3) # 72 batches
TRAINING=(student-trainer -a 784-12-10 -r 0.05 --targets hard --quiet)

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    "${SOURCE[@]}" -o stream.pst
    "${TRAINING[@]}" -i stream.pst -o expected.safetensors
}

setup() {
    load common
    load links
    cd "$BATS_FILE_TMPDIR" || return
    student=$BATS_TEST_TMPDIR/student.safetensors
    port=$(free_port)
}

teardown() {
    stop_all
}

# trains WRITER READER: a link between these endpoints, with the writer started first if $first is writer.
trains() {
    local source=("${SOURCE[@]}" -o "$1") sink=("${TRAINING[@]}" -i "$2" -o "$student")
    rm -f "$student"
    if [ "${first-writer}" = writer ]; then
        start "${source[@]}"
        sleep "${apart-0}"
        timeout 120 "${sink[@]}"
        wait "${started[-1]}"
    else
        start "${sink[@]}"
        sleep "${apart-0}"
        timeout 120 "${source[@]}"
        wait "${started[-1]}"
    fi
    cmp expected.safetensors "$student"
}

@test "a listener that waits for its first connection says so once, after five seconds, and in the log" {
    for side in writer reader; do
        local file=$BATS_TEST_TMPDIR/$side here="listen:ipc://$BATS_TEST_TMPDIR/$side.socket"
        rm -f "$student"
        if [ $side = writer ]; then
            start "${SOURCE[@]}" -o "$here" --log "$file.log" 2>"$file.err"
        else
            start "${TRAINING[@]}" -i "$here" -o "$student" --log "$file.log" 2>"$file.err"
        fi
        sleep 3
        [ ! -s "$file.err" ]
        await test -s "$file.err"
        sleep 1.5
        if [ $side = writer ]; then
            "${TRAINING[@]}" -i "${here#listen:}" -o "$student"
        else
            "${SOURCE[@]}" -o "${here#listen:}"
        fi
        wait "${started[-1]}"
        cmp expected.safetensors "$student"
        [ "$(grep -cxE "[a-z-]+: $here: waiting for the other side to connect" "$file.err")" -eq 1 ]
        [ "$(grep -c '"event":"waiting"' "$file.log")" -eq 1 ]
    done
}

@test "a listener that is stopped while it waits says nothing else, and one whose other side comes soon says nothing" {
    start "${TRAINING[@]}" -i "listen:ipc://$BATS_TEST_TMPDIR/stopped" -o "$student" 2>"$BATS_TEST_TMPDIR/err"
    await test -s "$BATS_TEST_TMPDIR/err"
    kill -TERM "${started[-1]}"
    ends "${started[-1]}" 143 5
    [ "$(wc -l <"$BATS_TEST_TMPDIR/err")" -eq 1 ]
    start "${SOURCE[@]}" -o "listen:ipc://$BATS_TEST_TMPDIR/soon" 2>"$BATS_TEST_TMPDIR/err"
    "${TRAINING[@]}" -i "ipc://$BATS_TEST_TMPDIR/soon" -o "$student"
    wait "${started[-1]}"
    [ ! -s "$BATS_TEST_TMPDIR/err" ]
}

# endless ENDPOINT…: a source that never ends, in the background.
endless() {
    start loader digits --samples 2000 --batch 5 --epochs 1000000 -o "$@" 2>"$BATS_TEST_TMPDIR/writer.err"
    writer=${started[-1]}
}

# training ENDPOINT…: a trainer in the background.
training() {
    start "${TRAINING[@]}" -o "$student" --log "$BATS_TEST_TMPDIR/log" -i "$@" 2>"$BATS_TEST_TMPDIR/reader.err"
    reader=${started[-1]}
}

# Waits until the trainer has begun.
learns() {
    await grep -q progress "$BATS_TEST_TMPDIR/log"
}

# ---- the same student ----

@test "the student is the same over tcp and ipc, whichever side listens" {
    trains "listen:tcp://127.0.0.1:$port" "tcp://127.0.0.1:$port"
    local host=localhost
    getent hosts localhost >/dev/null || host=127.0.0.1 # a bare root may have no /etc/hosts
    trains "tcp://$host:$port" "listen:tcp://127.0.0.1:$port"
    trains "listen:ipc://$BATS_TEST_TMPDIR/s" "ipc://$BATS_TEST_TMPDIR/s"
    trains "ipc://$BATS_TEST_TMPDIR/s" "listen:ipc://$BATS_TEST_TMPDIR/s"
}

@test "the student is the same whichever side is started first, seconds before the other" {
    apart=1.5 first=reader
    trains "listen:tcp://127.0.0.1:$port" "tcp://127.0.0.1:$port"
    trains "tcp://127.0.0.1:$port" "listen:tcp://127.0.0.1:$port"
    first=writer
    trains "listen:ipc://$BATS_TEST_TMPDIR/s" "ipc://$BATS_TEST_TMPDIR/s"
    trains "ipc://$BATS_TEST_TMPDIR/s" "listen:ipc://$BATS_TEST_TMPDIR/s"
}

@test "the student is the same with a window of one batch, and of one byte" {
    TRAINING+=(--window 1)
    trains "listen:tcp://127.0.0.1:$port" "tcp://127.0.0.1:$port"
    TRAINING[-1]=9
    TRAINING+=(--window-bytes 1)
    trains "tcp://127.0.0.1:$port" "listen:tcp://127.0.0.1:$port"
}

@test "the student is the same through a network with 10 ms delay each way" {
    proxy "$port" --delay 10
    trains "listen:tcp://127.0.0.1:$port" "tcp://127.0.0.1:$near"
    trains "tcp://127.0.0.1:$near" "listen:tcp://127.0.0.1:$port"
}

@test "the student is the same if the connection breaks again and again" {
    TRAINING+=(--window 8)
    proxy "$port" --cut-every 0.3 --cut-after 30000 --delay 2 --seed 1
    trains "tcp://127.0.0.1:$near" "listen:tcp://127.0.0.1:$port"
    assert_cut "$proxy" 3
    proxy "$port" --cut-every 0.3 --cut-after 30000 --delay 2 --seed 1
    trains "listen:tcp://127.0.0.1:$port" "tcp://127.0.0.1:$near"
    assert_cut "$proxy" 3
}

@test "the student is the same through a chain of links that stall and break" {
    local second
    proxy "$port" --cut-every 0.6 --stall-every 0.5 --cut-after 60000 --seed 2
    local first_proxy=$proxy
    TRAINING+=(--window 8)
    second=$(free_port)
    start teacher-forward expected.safetensors --name t -i "listen:tcp://127.0.0.1:$port" \
        -o "listen:tcp://127.0.0.1:$second" --window 8
    start "${SOURCE[@]}" -o "tcp://127.0.0.1:$near"
    proxy "$second" --cut-every 0.6 --cut-after 60000 --seed 3
    "${TRAINING[@]}" -i "tcp://127.0.0.1:$near" -o "$student"
    cmp expected.safetensors "$student"
    wait "${started[1]}"
    wait "${started[2]}"
    assert_cut "$first_proxy" 2
    assert_cut "$proxy" 2
}

# ---- a side that goes ----

@test "a reader whose writer is killed ends with 69, without a model" {
    endless "listen:tcp://127.0.0.1:$port"
    training "tcp://127.0.0.1:$port" --peer-timeout 3
    learns
    kill -KILL "$writer"
    ends "$reader" 69 12
    grep -q "the other side is lost" "$BATS_TEST_TMPDIR/reader.err"
    [ ! -e "$student" ]
}

@test "a listening reader whose writer is killed ends with 69, without a model" {
    training "listen:tcp://127.0.0.1:$port" --peer-timeout 3
    endless "tcp://127.0.0.1:$port"
    learns
    kill -KILL "$writer"
    ends "$reader" 69 12
    [ ! -e "$student" ]
}

@test "a writer whose reader is killed ends with 69" {
    endless "listen:ipc://$BATS_TEST_TMPDIR/s" --peer-timeout 3
    training "ipc://$BATS_TEST_TMPDIR/s"
    learns
    kill -KILL "$reader"
    ends "$writer" 69 12
    training "listen:ipc://$BATS_TEST_TMPDIR/s"
    endless "ipc://$BATS_TEST_TMPDIR/s" --peer-timeout 3
    await grep -q progress "$BATS_TEST_TMPDIR/log"
    kill -KILL "$reader"
    ends "$writer" 69 12
}

@test "a side that is stopped is noticed by the other" {
    endless "listen:tcp://127.0.0.1:$port" --peer-timeout 3
    training "tcp://127.0.0.1:$port"
    learns
    kill -STOP "$reader"
    ends "$writer" 69 15
    kill -KILL "$reader"
    rm -f "$BATS_TEST_TMPDIR/log"
    endless "listen:tcp://127.0.0.1:$port"
    training "tcp://127.0.0.1:$port" --peer-timeout 3
    learns
    kill -STOP "$writer"
    ends "$reader" 69 15
    [ ! -e "$student" ]
}

@test "a writer whose reader has enough ends with 141, and says so" {
    start loader digits --samples 2000 --batch 5 --epochs 1000 -o "listen:tcp://127.0.0.1:$port" \
        2>"$BATS_TEST_TMPDIR/writer.err"
    # A stage that refuses the header has left early.
    assert_fails 65 "" evaluator -i "tcp://127.0.0.1:$port"
    ends "${started[-1]}" 141 10
    grep -q "the other side ended: evaluator: " "$BATS_TEST_TMPDIR/writer.err"
}

@test "a stage that fails in the middle gives its reason to both sides" {
    local out
    out=$(free_port)
    head -c 30000 stream.pst >"$BATS_TEST_TMPDIR/cut.pst"
    start teacher-forward expected.safetensors -i "$BATS_TEST_TMPDIR/cut.pst" -o "listen:tcp://127.0.0.1:$out"
    assert_fails 69 "the other side ended: teacher-forward: " "${TRAINING[@]}" -i "tcp://127.0.0.1:$out" -o "$student"
    [ ! -e "$student" ]
    ends "${started[-1]}" 65 10
}

@test "a reader refuses a stream of batches above its --max-message, and the writer ends too" {
    exchange --batch 60 "${SOURCE[@]}"
    start "${exchanged[@]}" -o "listen:tcp://127.0.0.1:$port" 2>"$BATS_TEST_TMPDIR/writer.err"
    assert_fails 65 "--max-message" "${TRAINING[@]}" --max-message 2000 -i "tcp://127.0.0.1:$port" -o "$student"
    ends "${started[-1]}" 141 10
}

@test "a message that the network is too slow for ends both sides with 69, its size and a remedy" {
    local reader writer near other
    other=$(free_port)
    proxy "$port" --rate 250000
    start loader digits --samples 4096 --batch 4096 --peer-timeout 4 -o "listen:tcp://127.0.0.1:$port" \
        2>"$BATS_TEST_TMPDIR/listening.err"
    writer=${started[-1]}
    training "tcp://127.0.0.1:$near" --peer-timeout 4
    proxy "$other" --rate 250000
    start "${TRAINING[@]}" -o "$student" --peer-timeout 4 -i "listen:tcp://127.0.0.1:$other"
    assert_fails 69 "a message of 3260509 bytes does not get through" \
        loader digits --samples 4096 --batch 4096 --peer-timeout 4 -o "tcp://127.0.0.1:$near"
    [[ $stderr == *"make batches smaller, or --peer-timeout (4) larger on both sides"* ]]
    ends "${started[-1]}" 69 30
    ends "$writer" 69 60
    ends "$reader" 69 30
    grep -q "a message of 3260509 bytes does not get through" "$BATS_TEST_TMPDIR/listening.err"
    cat "$BATS_TEST_TMPDIR/reader.err"
    grep -q "the other side ended: loader: .* does not get through" "$BATS_TEST_TMPDIR/reader.err"
    [ ! -e "$student" ]
}

# ---- who may be at the other end ----

@test "a second writer is turned away, and the first goes on" {
    training "listen:tcp://127.0.0.1:$port"
    endless "tcp://127.0.0.1:$port"
    learns
    assert_fails 69 "this link has a peer already" loader digits --samples 100 -o "tcp://127.0.0.1:$port"
    kill -0 "$writer"
    kill -0 "$reader"
}

@test "two writers or two readers make no link" {
    endless "listen:tcp://127.0.0.1:$port"
    assert_fails 69 "both ends of this link want to write" loader digits --samples 100 -o "tcp://127.0.0.1:$port"
    kill -0 "$writer"
    port=$(free_port)
    training "listen:tcp://127.0.0.1:$port"
    assert_fails 69 "both ends of this link want to read" evaluator -i "tcp://127.0.0.1:$port"
    kill -0 "$reader"
}

@test "a writer notices that its reader was started anew, and the new reader waits for a writer of its own" {
    endless "tcp://127.0.0.1:$port" --peer-timeout 20
    training "listen:tcp://127.0.0.1:$port"
    learns
    kill -KILL "$reader"
    wait "$reader" || true # a large process takes a while to end, and holds its port until then
    rm -f "$BATS_TEST_TMPDIR/log"
    training "listen:tcp://127.0.0.1:$port"
    ends "$writer" 69 20
    grep -q "started anew" "$BATS_TEST_TMPDIR/writer.err"
    kill -0 "$reader"
    "${SOURCE[@]}" -o "tcp://127.0.0.1:$port"
    wait "$reader"
    cmp expected.safetensors "$student"
}

@test "a writer that sends more than it was granted is refused, and both sides say so" {
    local here=$BATS_TEST_TMPDIR
    loader digits --samples 5000 --seed 1 -o "$here/large.pst" # 4 MB
    for window in "--window 4" "--window-bytes 300k"; do
        rm -f "$here/s"
        # The reader is blocked, so no more may come than it granted.
        # shellcheck disable=SC2086,SC2016
        start bash -c '"$STAGES/../tests/passthrough" -i "listen:ipc://$1" '"$window"' 2>"$2" | { sleep 2; cat >/dev/null; }
            exit "${PIPESTATUS[0]}"' sh "$here/s" "$here/reader.err"
        reader=${started[-1]}
        await test -S "$here/s"
        run "$STAGES/../tests/heckle" "ipc://$here/s" flood "$here/large.pst" --seconds 30 # it ends when it is refused
        echo "$output"
        [[ $output == *"failed: "*"the other side is refused: it has sent more than it was granted"* ]]
        ends "$reader" 65 10
        [[ $(cat "$here/reader.err") == *"listen:ipc://$here/s: the other side is refused: it has sent more than it was granted"* ]]
        [ "$(wc -l <"$here/reader.err")" -eq 1 ]
    done
}

@test "another version is refused by name" {
    endless "listen:tcp://127.0.0.1:$port"
    run /usr/bin/python3 -B "$BATS_TEST_DIRNAME/../python/zmtp.py" "$port" hello --version 2
    [[ $output == *"another version of pipestill"* ]]
    kill -0 "$writer"
}

@test "a reader that greets again under its name, but of another session, is refused" {
    endless "listen:tcp://127.0.0.1:$port"
    run /usr/bin/python3 -B "$BATS_TEST_DIRNAME/../python/zmtp.py" "$port" twice
    echo "$output"
    [ "${#lines[@]}" -eq 2 ]
    [ "${lines[0]}" = "kind 1" ]
    [ "${lines[1]}" = "kind 9 the other side was started anew; this stream cannot go on" ]
    kill -0 "$writer"
}

@test "messages of an authenticated peer that break the protocol stop nothing" {
    keygen "$BATS_TEST_TMPDIR/one.key" >"$BATS_TEST_TMPDIR/one.public"
    keygen "$BATS_TEST_TMPDIR/two.key" >"$BATS_TEST_TMPDIR/two.public"
    local listens=(--key "$BATS_TEST_TMPDIR/one.key" --allow "$BATS_TEST_TMPDIR/two.public")
    local connects=(--key "$BATS_TEST_TMPDIR/two.key" --server-key "$BATS_TEST_TMPDIR/one.public")
    start "${SOURCE[@]}" -o "listen:tcp://127.0.0.1:$port" "${listens[@]}"
    "$STAGES/../tests/heckle" "tcp://127.0.0.1:$port" nonsense "${connects[@]}"
    kill -0 "${started[0]}"
    "${TRAINING[@]}" -i "tcp://127.0.0.1:$port" "${connects[@]}" -o "$student"
    wait "${started[0]}"
    cmp expected.safetensors "$student"
}

# ---- endpoints ----

@test "malformed endpoints are usage errors" {
    for endpoint in tcp://localhost tcp://localhost: tcp://localhost:0 tcp://localhost:65536 tcp://:5 tcp://localhost:x \
        'tcp://*:5' ipc:// 'listen:ipc://*' udp://localhost:5 listen:tcp://5 "ipc://$(printf '%0200d' 0)"; do
        echo "$endpoint"
        assert_fails 64 "" loader digits --samples 10 -o "$endpoint"
    done
}

@test "an abstract socket is refused, because every user could connect" {
    for endpoint in ipc://@pool listen:ipc://@pool; do
        assert_fails 64 "an abstract socket has no permissions" loader digits --samples 10 -o "$endpoint"
        assert_fails 64 "an abstract socket has no permissions" evaluator -i "$endpoint"
        assert_fails 64 "an abstract socket has no permissions" dispatcher "$endpoint"
    done
    assert_fails 64 "an abstract socket has no permissions" worker ipc://@pool -- cat
}

@test "the address of a listener that accepts no connection at the moment is in use, and not waited for" {
    # Its queue has room for one connection, and is full.
    # shellcheck disable=SC2016
    start /usr/bin/python3 -c '
import socket, sys, time
listener, first = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[1])
listener.listen(0)
first.connect(sys.argv[1])
open(sys.argv[1] + ".full", "w").close()
time.sleep(600)' "$BATS_TEST_TMPDIR/busy"
    await test -e "$BATS_TEST_TMPDIR/busy.full"
    run --separate-stderr timeout 10 loader digits --samples 10 -o "listen:ipc://$BATS_TEST_TMPDIR/busy"
    echo "$stderr"
    [ "$status" -eq 75 ]
    [[ $stderr == *"the address is in use by another program"* ]]
}

@test "a malformed link makes no file, and a path that looks like a link does" {
    mkdir "$BATS_TEST_TMPDIR/here"
    cd "$BATS_TEST_TMPDIR/here"
    for name in listen: listen:- listen:foo listen:host:5555 listen:mem://x tcp: tcp:5555 ipc: ipc:/tmp/s mem: mem:x; do
        echo "$name"
        assert_fails 64 "known are -, a file's name, tcp://host:port, ipc://path, and listen: before these two" \
            loader digits --samples 10 -o "$name"
        [[ $stderr == *"a file of this name is ./$name"* ]]
        assert_fails 64 "a file of this name is ./$name" evaluator -i "$name"
    done
    [ -z "$(ls)" ]
    loader digits --samples 10 -o ./listen:foo
    stream-inspect --check -i ./listen:foo
    mkdir tcp:
    loader digits --samples 10 -o ./tcp://foo
    stream-inspect --check -i "$PWD/tcp://foo"
    loader digits --samples 10 -o listen
    [ -s listen ]
}

@test "a host that is not known, and one that does not answer, end with 69" {
    assert_fails 69 "the host is not known" loader digits --samples 10 -o tcp://no-such-host.invalid:5
    assert_fails 69 "the other side does not answer (--peer-timeout 1)" \
        loader digits --samples 10 -o "tcp://127.0.0.1:$port" --peer-timeout 1
    assert_fails 69 "the other side does not answer (--peer-timeout 1)" evaluator -i "ipc://$BATS_TEST_TMPDIR/none" --peer-timeout 1
}

@test "an address in use is not taken over, and a file is not replaced" {
    endless "listen:tcp://127.0.0.1:$port"
    assert_fails 69 "both ends" loader digits --samples 10 -o "tcp://127.0.0.1:$port"
    assert_fails 75 "in use" loader digits --samples 10 -o "listen:tcp://127.0.0.1:$port"
    endless "listen:ipc://$BATS_TEST_TMPDIR/s"
    await test -S "$BATS_TEST_TMPDIR/s"
    assert_fails 75 "in use" loader digits --samples 10 -o "listen:ipc://$BATS_TEST_TMPDIR/s"
    kill -KILL "$writer"
    wait "$writer" || true
    trains "listen:ipc://$BATS_TEST_TMPDIR/s" "ipc://$BATS_TEST_TMPDIR/s"
    echo precious >"$BATS_TEST_TMPDIR/file"
    assert_fails 64 "there is a file" loader digits --samples 10 -o "listen:ipc://$BATS_TEST_TMPDIR/file"
    [ "$(cat "$BATS_TEST_TMPDIR/file")" = precious ]
}

@test "a signal ends a stage that waits for the other side" {
    training "listen:tcp://127.0.0.1:$port"
    sleep 1
    kill -TERM "$reader"
    ends "$reader" 143 10
}
