#!/usr/bin/env bats
# stream-export from outside: which columns come, what is refused, and files that appear only when they are whole.
# tests/python/test_export_oracle.py checks what the formats hold.
# shellcheck disable=SC2154 # bats' run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 60 --batch 20 -o plain.pst
    student-trainer --arch 784-12-10 -q -i plain.pst -o t.safetensors
    teacher-forward t.safetensors --name a -i plain.pst -o logits.pst
    temperature-softmax -T 4 -i logits.pst -o soft.pst
    teacher-forward t.safetensors --name b -i logits.pst -o two.pst
    compactor --targets top-k --top 3 -i soft.pst -o compact.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out
}

# header_of WORD…: the line of names that an export to CSV has.
header_of() {
    stream-export --to csv "$@" 2>/dev/null | sed 1q
}

@test "the usual columns are the sample, its label and what is predicted; without predictions all" {
    [ "$(header_of -i logits.pst)" = "id,y,argmax,probability" ]
    [[ "$(header_of -i plain.pst)" == "id,y,x.0,x.1,"*",x.783" ]]
    [ "$(stream-select --drop y --drop id -i logits.pst | header_of)" = "argmax,probability" ]
    [ "$(header_of --of logits/b -i two.pst)" = "id,y,argmax,probability" ]
}

@test "--take is a list, or given several times, and the order is the user's" {
    [ "$(header_of --take class,id --take y,soft/a,entropy -i soft.pst)" = \
        "class,id,y,$(printf 'soft/a.%d,' {0..9})entropy" ]
    stream-select --rename 'soft/a=one,two' -i soft.pst -o "$out.pst"
    [ "$(header_of --take 'one,two' -i "$out.pst")" = "$(printf ',"one,two.%d"' {0..9} | cut -c 2-)" ]
    [ "$(header_of --take 'id,y' -i "$out.pst")" = "id,y" ]
}

@test "the exported predictions are those that evaluator counts" {
    errors=$(evaluator --json -i logits.pst | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["errors"])')
    [ "$errors" -eq "$(stream-export --to tsv --no-header --take y,argmax -i logits.pst | awk '$1 != $2' | wc -l)" ]
}

@test "softened probabilities are reported" {
    run --separate-stderr stream-export --to csv --of soft/a -i soft.pst
    [ "$status" -eq 0 ]
    [ "$stderr" = "stream-export: soft/a is softened at T = 4, and so are the probabilities, margins and entropies" ]
    run --separate-stderr stream-export --to csv --take soft/a -i soft.pst
    [ -z "$stderr" ]
}

@test "a file appears when it is whole, and replaces an older one" {
    for form in csv tsv jsonl npz; do
        echo old >"$out"
        stream-export --to $form -i logits.pst -o "$out"
        cmp "$out" <(stream-export --to $form -i logits.pst)
        cmp "$out" <(stream-export --to $form -o - <logits.pst)
    done
    stream-export --to npy --take logits/a -i logits.pst -o "$out"
    cmp "$out" <(stream-export --to npy --take logits/a -i logits.pst)
    [ "$(ls -A "$BATS_TEST_TMPDIR")" = out ]
}

@test "a stream that is damaged or cut short gives no file, and leaves the old one" {
    head -c 40000 logits.pst >"$out.cut"
    head -c 30000 logits.pst >"$out.damaged"
    printf '\377\377\377\377' >>"$out.damaged"
    tail -c +30005 logits.pst >>"$out.damaged"
    echo old >"$out"
    for form in csv jsonl npz; do
        for stream in "$out.cut" "$out.damaged"; do
            assert_fails 65 ", batch " stream-export --to $form -i "$stream" -o "$out"
            [ "$(cat "$out")" = old ]
        done
    done
    [ "$(find "$BATS_TEST_TMPDIR" -type f ! -name 'separate-stderr*' | wc -l)" -eq 3 ] # separate-stderr* are bats' own
}

@test "a signal leaves no file and nothing beside it" {
    for form in csv npz; do
        mkfifo "$out.pipe"
        stream-export --to $form -i "$out.pipe" -o "$out" 3>&- &
        exporter=$!
        exec 9>"$out.pipe"
        head -c 40000 logits.pst >&9
        for ((i = 0; i < 100; i++)); do
            [ ! -e "$out.part" ] || break
            sleep 0.1
        done
        [ -e "$out.part" ]
        kill -TERM $exporter
        status=0
        wait $exporter || status=$?
        [ "$status" -eq 143 ]
        exec 9>&-
        rm "$out.pipe"
        [ -z "$(ls -A "$BATS_TEST_TMPDIR")" ]
    done
}

@test "a reader that has enough ends it quietly" {
    loader digits --samples 20000 -o "$out.pst"
    for form in csv jsonl; do
        run --separate-stderr bash -c "stream-export --to $form -i '$out.pst' | head -n 2 >/dev/null; echo \${PIPESTATUS[0]}"
        [ "$output" = 141 ]
        [ -z "$stderr" ]
    done
}

@test "lines come with their batch, and do not wait for the next one" {
    mkfifo "$out.pipe"
    stream-export --to csv -i "$out.pipe" >"$out" 3>&- &
    exporter=$!
    exec 9>"$out.pipe"
    head -c 40000 logits.pst >&9
    for ((i = 0; i < 100; i++)); do
        [ "$(wc -l <"$out")" -lt 41 ] || break
        sleep 0.1
    done
    [ "$(wc -l <"$out")" -eq 41 ]
    exec 9>&-
    status=0
    wait $exporter || status=$?
    [ "$status" -eq 65 ]
}

@test "an output that cannot be written is an I/O error" {
    for form in csv jsonl npz; do
        assert_fails 74 "No space left on device" stream-export --to $form -i logits.pst -o /dev/full
    done
    assert_fails 74 "$out/none/a: cannot be written" stream-export --to csv -i logits.pst -o "$out/none/a"
    [[ -n ${VALGRIND-} ]] || # valgrind needs that folder itself
        TMPDIR=$out/none assert_fails 74 "$out/none: no temporary file can be made in it" stream-export --to npz -i logits.pst
}

@test "a column that is not there is refused, and those that are there are named" {
    assert_fails 65 "there is no column 'soft'; the stream has: x, y, id, logits/a; derived: label, argmax, class" \
        stream-export --to csv --take id,soft -i logits.pst
    assert_fails 65 "column 'class': the stream holds no predictions: logits, logits/NAME, soft or soft/NAME; is teacher-forward before" \
        stream-export --to csv --take class -i plain.pst
    assert_fails 65 "'compactor --restore'" stream-export --to csv --take soft/a -i compact.pst
    assert_fails 65 "several logits/NAME; average them first, or choose with --of" stream-export --to csv -i two.pst
    assert_fails 65 "the stream has no tensor 'logits/c'; it has: x, y, id, logits/a" \
        stream-export --to csv --of logits/c -i logits.pst
    assert_fails 65 "--of x: predictions are logits" stream-export --to csv --of x -i logits.pst
    stream-select --drop y -i plain.pst >"$out.pst"
    assert_fails 65 "column 'label': " stream-export --to csv --take label -i "$out.pst"
    change 'add("y", batch["y"].astype(np.float32))
drop("x")
spec("y")["dtype"] = "f32"' logits.pst "$out.pst"
    assert_fails 65 "column 'class' is of a predicted class, but 'logits/a' predicts numbers; take 'prediction'" \
        stream-export --to csv --take class -i "$out.pst"
}

@test "a command line that is wrong is refused" {
    assert_fails 64 "--to is needed" stream-export -i logits.pst
    assert_fails 64 "--to" stream-export --to parquet -i logits.pst
    assert_fails 64 "--take 'id,,y': a name has 1 to 127 bytes" stream-export --to csv --take id,,y -i logits.pst
    assert_fails 64 "--take: 'id' is there twice" stream-export --to csv --take id --take y,id -i logits.pst
    assert_fails 64 "--of does nothing" stream-export --to csv --take id --of logits/a -i logits.pst
    assert_fails 64 "--as does nothing" stream-export --to csv --take id --as bits -i logits.pst
    assert_fails 64 "--no-header needs --to csv or --to tsv" stream-export --to jsonl --no-header -i logits.pst
    assert_fails 64 "an npy file holds one array, but 4 columns are taken (id, y, ...)" \
        stream-export --to npy -i logits.pst
    cp logits.pst "$out.pst"
    assert_fails 64 "--output writes this file, and --input names it, too" \
        stream-export --to csv -i "$out.pst" -o "$out.pst"
    cmp logits.pst "$out.pst"
}

# on_terminal COMMAND…: what a command writes to a terminal.
on_terminal() {
    /usr/bin/python3 -c '
import os, pty, sys
pty.spawn(sys.argv[1:], lambda fd: os.read(fd, 65536))' "$@" </dev/null
}

@test "a terminal gets no arrays, and no names that control it" {
    [[ $(on_terminal stream-export --to npz -i logits.pst) == *"standard output is a terminal, and npz is not text"* ]]
    change 'header["class_names"] = ["\x1b[31m", "\x9b2J", "é"] + list("defghij")' logits.pst "$out.pst"
    for form in csv jsonl; do
        stream-export --to $form --take label,y -i "$out.pst" >"$out"
        grep -qiE $'\x1b|u001b' "$out"
        # A progress line, which comes if this takes long, controls the terminal, too.
        on_terminal stream-export --quiet --to $form --take label,y -i "$out.pst" >"$out"
        run ! grep -qiE $'\x1b|\xc2\x9b|u001b' "$out"
        grep -q '?\[31m' "$out"
    done
}
