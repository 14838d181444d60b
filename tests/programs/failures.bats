#!/usr/bin/env bats
# No failure is mistaken for another one: file systems without locks, names that are not UTF-8, hosts with two addresses,
# and a shortage of memory are reported as what they are.
# shellcheck disable=SC2154 # bats' run sets status, stderr and stderr_lines
bats_require_minimum_version 1.5.0

TOOLS=${STAGES:?}/../tests
NOT_UTF8=$'m\xff'

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 300 --batch 20 --seed 3 -o plain.pst
    student-trainer -a 784-12-10 -r 0.05 -i plain.pst -o a.safetensors
    teacher-forward a.safetensors -i plain.pst -o logits.pst
}

setup() {
    load common
    load links
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out
}

teardown() {
    stop_all
}

# shimmed SETTING COMMAND…: runs a command with tests/tools/shim_world.c and this setting.
shimmed() {
    env "$1" ASAN_OPTIONS="verify_asan_link_order=0:${ASAN_OPTIONS-}" LD_PRELOAD="$TOOLS/shim_world.so" "${@:2}"
}

# ---- locks ----

# goes_on_unlocked COMMAND…: one line says that there are no locks, and all the rest is as usual.
goes_on_unlocked() {
    local number
    for number in 37 38 95; do # ENOLCK, ENOSYS, EOPNOTSUPP
        rm -f "$out"
        run --separate-stderr shimmed SHIM_FLOCK=$number "$@"
        echo "errno $number, exit code $status: $stderr"
        [ "$status" -eq 0 ]
        [ "${#stderr_lines[@]}" -eq 1 ]
        [[ $stderr == "$1: "*": its file system has no locks (flock), so take care that no other process writes it" ]]
        [ -s "$out" ]
    done
}

@test "a file system without locks is reported once, and the run goes on" {
    goes_on_unlocked temperature-softmax -i logits.pst -o "$out"
    goes_on_unlocked student-trainer -a 784-12-10 -i plain.pst -o "$out" --checkpoint "$out.checkpoint"
}

@test "a recording is repaired on a file system without locks" {
    head -c 100000 logits.pst >"$out.part"
    run --separate-stderr shimmed SHIM_FLOCK=38 stream-repair "$out.part"
    [ "$status" -eq 0 ]
    [[ $stderr == *"no locks"* ]]
    [[ $output == *"whole now"* ]]
}

@test "a recording is followed on a file system without locks" {
    head -c 100000 logits.pst >"$out.part"
    start shimmed SHIM_FLOCK=38 replay --follow "$out" -o "$out.followed"
    await test -s "$out.followed.part"
    tail -c +100001 logits.pst >>"$out.part"
    ends "${started[-1]}" 0 20
    cmp logits.pst "$out.followed"
}

@test "a reader that tests the lock of a recording does not stop its writer" {
    : >"$out.part"
    # A reader that is stopped during the test holds the lock for longer than former writers waited.
    flock --shared "$out.part" sleep 1 3>&- &
    await bash -c "! flock --nonblock '$out.part' true"
    temperature-softmax -i logits.pst -o "$out"
    wait $!
}

@test "--follow reports a recording that was whole long ago" {
    cp logits.pst "$out"
    run --separate-stderr replay --follow "$out" -o "$out.new"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    touch -d '2 hours ago' "$out"
    run --separate-stderr replay --follow "$out" -o "$out.newer"
    [ "$status" -eq 0 ]
    [[ $stderr =~ "is whole since 720"[0-9]" s, and nothing is writing it; is it the one that is meant?" ]]
}

# ---- names ----

@test "files whose names are not UTF-8 are read and written" {
    local name=$BATS_TEST_TMPDIR/$NOT_UTF8
    cp a.safetensors "$name.safetensors"
    teacher-forward "$name.safetensors" -i plain.pst -o "$name.pst" --log "$name.log"
    stream-inspect "$name.pst" | grep -F 'logits/m?'
    printf '\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\2abcdefgh' >"$name.idx"
    loader idx --images "$name.idx" -o "$out"
    stream-inspect --json "$out" | grep -F '"data":"m?.idx"'
    assert_fails 66 "m?.nowhere: " temperature-softmax -i "$name.nowhere" --log "$out.log"
    grep -F 'm?.nowhere: cannot be opened' "$out.log"
}

@test "a name is not cut within a letter" {
    local name=$BATS_TEST_TMPDIR/a
    name+=$(printf 'é%.0s' {1..60})
    cp a.safetensors "$name.safetensors"
    teacher-forward "$name.safetensors" -i plain.pst -o "$out"
    printf '\0\0\x08\x03\0\0\0\2\0\0\0\2\0\0\0\2abcdefgh' >"$name.idx"
    loader idx --images "$name.idx" -o "$out.idx"
    stream-inspect --json "$out.idx" | grep -F '"data":"aéé'
}

@test "a value of an option that is not UTF-8 is a wrong command line" {
    assert_fails 64 "--run: its value is not UTF-8" loader digits --samples 20 --run "$NOT_UTF8"
    assert_fails 64 "--keep: 'm?' is not UTF-8" stream-select --keep "$NOT_UTF8" -i plain.pst
    assert_fails 64 "--take: 'm?' is not UTF-8" stream-export --to csv --take "$NOT_UTF8" -i plain.pst
    assert_fails 64 "--weight: 'm?=1' is not UTF-8" averager --weight "$NOT_UTF8=1" -i plain.pst
}

# ---- hosts ----

@test "a listener's address may be a name" {
    local port
    port=$(free_port)
    start averager --logits -i "listen:tcp://localhost:$port" -o "$out"
    replay logits.pst -o "tcp://localhost:$port"
    ends "${started[-1]}" 0 20
    stream-inspect --check "$out"
}

@test "an address of another machine is unavailable" {
    assert_fails 69 "this machine does not have that address" loader digits --samples 20 --insecure \
        -o listen:tcp://192.0.2.1:7901
}

@test "a host with addresses of both versions is reached at the address that answers" {
    local port
    port=$(free_port)
    [[ -e /proc/net/if_inet6 ]] || skip "this machine has no IPv6"
    start averager --logits -i "listen:tcp://[::1]:$port" -o "$out"
    shimmed SHIM_HOSTS=1 replay logits.pst -o "tcp://twofold.test:$port" --peer-timeout 20
    ends "${started[-1]}" 0 20
    stream-inspect --check "$out"
    start averager --logits -i "listen:tcp://127.0.0.1:$port" -o "$out.4"
    shimmed SHIM_HOSTS=1 replay logits.pst -o "tcp://twofold.test:$port" --peer-timeout 20
    ends "${started[-1]}" 0 20
}
