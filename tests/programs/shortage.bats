#!/usr/bin/env bats
# Shortage from outside: address space, file descriptors, sizes of files. tests/python/test_shortage.py lets allocations fail.
# shellcheck disable=SC2154 # bats' run sets status and stderr
# shellcheck disable=SC2016 # what stands in single quotes is for another shell
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 60 --batch 20 -o plain.pst
    student-trainer --arch 784-8-10 -q -i plain.pst -o a.safetensors
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out
    [[ -z ${SANITIZE-}${VALGRIND-} ]] || skip "the shadow memory is larger than any limit"
    unset OPENBLAS_NUM_THREADS
}

# limited LIMIT NUMBER COMMAND…: a command under a limit of ulimit (-v, in KiB), which must not hang.
limited() {
    run --separate-stderr timeout -s KILL 20 bash -c 'ulimit "$0" "$1" && exec "${@:2}"' "$@"
    echo "$*: exit code $status: $stderr"
}

# assert_short WORDS: the last command ended with 75 and one message.
assert_short() {
    [ "$status" -eq 75 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == *"$1"* ]]
}

@test "a stage whose matrix product finds no buffer ends with 75, and does not try for ever" {
    for space in 130000 190000; do
        limited -v "$space" student-trainer --arch 784-8-10 -i plain.pst -o "$out"
        assert_short "OpenBLAS needs 128 MiB of address space for each of 1 threads; raise the limit (ulimit -v)"
        limited -v "$space" teacher-forward a.safetensors -i plain.pst -o "$out"
        assert_short "OpenBLAS needs 128 MiB"
        [ ! -e "$out" ] && [ ! -e "$out.part" ]
    done
}

@test "each thread and each job that multiplies matrices has a buffer, or none begins" {
    limited -v 250000 student-trainer --threads 2 --arch 784-8-10 -i plain.pst -o "$out"
    assert_short "each of 2 threads"
    limited -v 350000 teacher-forward a.safetensors --jobs 4 -i plain.pst -o "$out"
    assert_short "each of 4 threads"
}

@test "a limit of address space that is large enough changes nothing" {
    limited -v 400000 student-trainer --arch 784-8-10 -i plain.pst -o "$out"
    [ "$status" -eq 0 ]
    cmp "$out" a.safetensors
}

@test "--help and a mistake on the command line end under a limit of address space" {
    limited -v 100000 student-trainer --help
    [ "$status" -eq 0 ]
    limited -v 100000 student-trainer --zzz
    [ "$status" -eq 64 ]
}

@test "a link without enough file descriptors ends a stage with 75" {
    for descriptors in 6 7 10 16; do
        for endpoint in tcp://127.0.0.1:9 listen:ipc://"$out.sock"; do
            limited -n "$descriptors" loader digits --samples 60 -o "$endpoint"
            assert_short "file descriptors, and "
            [[ $stderr == *"raise the limit (ulimit -n)" ]]
        done
    done
}

@test "a file that grows beyond the limit of its size is an I/O error" {
    limited -f 1 loader digits --samples 60 -o "$out"
    [ "$status" -eq 74 ]
    [[ $stderr == *"File too large" ]]
    [ ! -e "$out" ]
    limited -f 1 student-trainer --arch 784-8-10 -i plain.pst -o "$out"
    [ "$status" -eq 74 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [ ! -e "$out" ]
}
