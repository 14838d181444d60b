#!/usr/bin/env bats
# student-trainer reads ahead in a thread of its own, unless --threads is 1. Only the time of a run may differ by it.
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 600 --batch 20 | student-trainer --quiet --arch 784-8-10 -o teacher.safetensors
    loader digits --samples 600 --batch 20 | teacher-forward --name t teacher.safetensors | temperature-softmax -T 4 -o soft.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    student=$BATS_TEST_TMPDIR/student.safetensors
    TRAINING=(student-trainer --quiet --arch 784-8-10 --output "$student")
    [[ $(nproc) -gt 1 ]] || skip "there is one processor, so nothing is read ahead"
}

# until_waits PROCESS COUNT: waits, without a limit of time, until it has so many threads and all of them sleep.
until_waits() {
    local states
    while states=$(cat "/proc/$1/task"/*/stat | sed 's/.*) \(.\).*/\1/' | tr -d '\n') && [[ $states != "$(printf "%${2}s" '' | tr ' ' S)" ]]; do
        [[ -d /proc/$1 ]] || return 1 # it ended
        sleep 0.02
    done
}

@test "a thread reads ahead unless --threads is 1" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    for given in "2 " "1 --threads 1"; do
        exec 4<>"$BATS_TEST_TMPDIR/pipe"
        # The option is two words, or none.
        # shellcheck disable=SC2086
        "${TRAINING[@]}" ${given#* } -i "$BATS_TEST_TMPDIR/pipe" 3>&- 4>&- &
        head -c 60000 soft.pst >&4
        until_waits $! "${given%% *}"
        exec 4>&-
        wait $! || [ $? -eq 65 ]
    done
}

@test "a model is the same byte for byte with and without reading ahead" {
    "${TRAINING[@]}" -i soft.pst
    mv "$student" "$BATS_TEST_TMPDIR/ahead.safetensors"
    "${TRAINING[@]}" --threads 1 -i soft.pst
    cmp "$student" "$BATS_TEST_TMPDIR/ahead.safetensors"
}

@test "a damaged batch is refused after all batches before it are learned, as without reading ahead" {
    local size
    size=$(stat -c %s soft.pst)
    { head -c $((size / 2)) soft.pst && printf 'damage' && tail -c +$((size / 2 + 7)) soft.pst; } >"$BATS_TEST_TMPDIR/damaged.pst"
    cp soft.pst "$BATS_TEST_TMPDIR/short.pst"
    truncate -s $((size - 1000)) "$BATS_TEST_TMPDIR/short.pst"
    for file in damaged short; do
        run -65 "${TRAINING[@]}" --checkpoint "$student.checkpoint" -i "$BATS_TEST_TMPDIR/$file.pst"
        echo "$output" >"$BATS_TEST_TMPDIR/$file.ahead"
        mv "$student.checkpoint" "$BATS_TEST_TMPDIR/$file.checkpoint"
        run -65 "${TRAINING[@]}" --threads 1 --checkpoint "$student.checkpoint" -i "$BATS_TEST_TMPDIR/$file.pst"
        echo "$output" | diff - "$BATS_TEST_TMPDIR/$file.ahead"
        cmp "$student.checkpoint" "$BATS_TEST_TMPDIR/$file.checkpoint"
        rm "$student.checkpoint"
    done
}

@test "a training that fails ends at once, although its input goes on" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    { cat soft.pst || true; exec sleep 1000; } >"$BATS_TEST_TMPDIR/pipe" 3>&- &
    source=$!
    run timeout 60 "${TRAINING[@]}" --learning-rate 1e30 -i "$BATS_TEST_TMPDIR/pipe"
    kill $source
    [ "$status" -ne 0 ] && [ "$status" -ne 124 ]
    [ ! -e "$student" ]
}

@test "a signal ends a training that waits for input" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    for signal in "INT 130" "TERM 143" "HUP 129"; do
        exec 4<>"$BATS_TEST_TMPDIR/pipe"
        env --default-signal=INT "${TRAINING[@]}" -i "$BATS_TEST_TMPDIR/pipe" 3>&- 4>&- &
        head -c 60000 soft.pst >&4
        until_waits $! 2
        kill "-${signal% *}" $!
        status=0
        wait $! || status=$?
        exec 4>&-
        [ "$status" -eq "${signal#* }" ]
    done
}

@test "a header whose numbers are as large as they can be is no trouble" {
    change 'header["samples"] = 4294967295; header["epochs"] = 4294967297; header["batches"] = 1' soft.pst "$BATS_TEST_TMPDIR/false.pst"
    for given in "" "--threads 1"; do
        # The option is two words, or none.
        # shellcheck disable=SC2086
        run "${TRAINING[@]}" $given -i "$BATS_TEST_TMPDIR/false.pst"
        [ "$status" -lt 128 ]
    done
}
