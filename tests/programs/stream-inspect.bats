#!/usr/bin/env bats
# stream-inspect: what is in a stream, and whether it is whole.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    loader digits --samples 300 --seed 7 -o whole.pst
}

@test "header, history, a line a batch and figures are shown" {
    run -0 --separate-stderr stream-inspect whole.pst
    [ -z "$stderr" ]
    [[ $output == *"classes    10"* ]]
    [[ $output == *"x "*"u8"*"[n, 28, 28]"* ]]
    [[ $output == *"loader 0."* ]]
    [ "$(grep -c '^batch ' <<<"$output")" -eq 3 ]
    [[ $output == *"whole.pst: whole, 3 batches, 300 samples" ]]
}

@test "--summary leaves the lines of batches out" {
    run -0 stream-inspect --summary whole.pst
    [ "$(grep -c '^batch ' <<<"$output")" -eq 0 ]
}

@test "--check says one line, and does not call a named input standard input" {
    run -0 stream-inspect --check whole.pst
    [ "$output" = "whole.pst: whole, 3 batches, 300 samples" ]
    run -0 stream-inspect --check -i whole.pst
    [ "$output" = "the stream: whole, 3 batches, 300 samples" ]
}

@test "--json is a line each for header, batches and end" {
    run -0 stream-inspect --json whole.pst
    /usr/bin/python3 -c 'import json, sys
lines = [json.loads(line) for line in sys.stdin]
assert [line["kind"] for line in lines] == ["header", "batch", "batch", "batch", "end"], lines
assert lines[-1]["whole"] is True and lines[-1]["samples"] == 300
assert 0 <= lines[-1]["tensors"]["y"]["least"] <= lines[-1]["tensors"]["y"]["most"] <= 9' <<<"$output"
}

@test "a stream that is cut or damaged is not whole" {
    head -c 150000 whole.pst >cut.pst
    run -65 --separate-stderr stream-inspect --check cut.pst
    [ -z "$output" ]
    [[ $stderr == *"truncated"* ]]
    cp whole.pst damaged.pst
    printf 'X' | dd of=damaged.pst bs=1 seek=100000 conv=notrunc status=none
    run -65 --separate-stderr stream-inspect --check damaged.pst
    [[ $stderr == *"batch "*"checksum"* ]]
}
