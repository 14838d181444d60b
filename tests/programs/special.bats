#!/usr/bin/env bats
# Samples of special classes: loader and replay take them more often, and what comes of it.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 300 --no-shuffle -o plain.pst
    printf 'few = 3, 5\nmany = 0-7\n' >sets.txt
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
}

# taken STREAM: seq, epoch, label and id of each sample
taken() {
    stream-export --to csv --take seq,epoch,label,id -i "$1" | tail -n +2
}

# half FILE: whether half of each batch of 16, but for the last of an epoch, is of classes 3 and 5
half() {
    taken "$1" | awk -F, '{n[$1]++; s[$1] += $3 == 3 || $3 == 5} END {for (b in n) if (n[b] == 16 && s[b] != 8) exit 1}'
}

@test "half of each batch is special, in loader and in replay" {
    loader digits --samples 300 --special 3,5 --epochs 2 --batch 16 --seed 4 -o "$out"
    half "$out"
    replay plain.pst --shuffle --special 3,5 --epochs 2 --batch 16 --seed 4 -o "$out.2"
    half "$out.2"
    # One rule, so one order.
    diff <(taken "$out") <(taken "$out.2")
    diff <(column "$out" x) <(column "$out.2" x)
    # Each special sample once an epoch.
    [ "$(taken "$out" | awk -F, '$3 == 3 || $3 == 5 {print $2, $4}' | sort | uniq -d | wc -l)" -eq 0 ]
    run ! diff -q <(taken "$out") <(loader digits --samples 300 --special 3,5 --epochs 2 --batch 16 --seed 5 | taken -)
}

@test "a set of a file, and another share, are taken" {
    loader digits --samples 300 --special @sets.txt:few --special-share 0.25 --batch 16 -o "$out"
    diff <(taken "$out") <(loader digits --samples 300 --special 3,5 --special-share 0.25 --batch 16 | taken -)
    taken "$out" | awk -F, '{n[$1]++; s[$1] += $3 == 3 || $3 == 5} END {for (b in n) if (n[b] == 16 && s[b] != 4) exit 1}'
    diff <(taken "$out") <(replay plain.pst --shuffle --special @sets.txt:few --special-share 0.25 --batch 16 | taken -)
}

@test "a stream that begins later is the end of the whole one" {
    loader digits --samples 300 --special 3 --epochs 3 --batch 8 --shift 2 -o "$out"
    loader digits --samples 300 --special 3 --epochs 3 --batch 8 --shift 2 --start 9 -o "$out.2"
    diff <(taken "$out" | awk -F, '$1 >= 9') <(taken "$out.2")
    replay plain.pst --shuffle --special 3 --epochs 3 --batch 8 -o "$out.3"
    replay plain.pst --shuffle --special 3 --epochs 3 --batch 8 --start 9 -o "$out.4"
    diff <(taken "$out.3" | awk -F, '$1 >= 9') <(taken "$out.4")
}

@test "special samples are taken of those that are chosen" {
    replay plain.pst --shuffle --only-classes 3,4 --special 3 --batch 16 -o "$out"
    taken "$out" | awk -F, '$3 != 3 && $3 != 4 {exit 1}'
    loader digits --samples 300 --only-classes 3,4 --special 3 --batch 16 -o "$out.2"
    diff <(taken "$out") <(taken "$out.2")
}

@test "which samples come more often does not change what they are: targets that were recorded before fit" {
    student-trainer -q -a 784-5-10 -r 0.1 -i plain.pst -o "$out.safetensors"
    teacher-forward "$out.safetensors" -i plain.pst -o "$out.targets"
    loader digits --samples 300 --special 3,5 | stream-join "$out.targets" | temperature-softmax | student-trainer -q --hidden 5 -o "$out.student"
}

@test "the header says how much more often each class comes" {
    # Each digit is 30 of 300: 60 are special.
    oversampling() { stream-inspect --json "$1" | head -n 1 | /usr/bin/python3 -c 'import json, sys
print(*[f"{f:.4f}" for f in json.load(sys.stdin)["class_oversampling"]])'; }
    counts=$(stream-inspect --json plain.pst | head -n 1 | /usr/bin/python3 -c 'import json, sys
c = json.load(sys.stdin)["class_counts"]; s = c[3] + c[5]; print(f"{150 / s:.4f} {150 / (300 - s):.4f}")')
    read -r special rest <<<"$counts"
    loader digits --samples 300 --special 3,5 -o "$out"
    [ "$(oversampling "$out")" = "$rest $rest $rest $special $rest $special $rest $rest $rest $rest" ]
    replay plain.pst --shuffle --special 3,5 -o "$out.2"
    [ "$(oversampling "$out.2")" = "$(oversampling "$out")" ]
    stream-inspect --json "$out" | head -n 1 | grep -vq class_counts
}

@test "special classes that cannot be taken more often are refused" {
    assert_fails 64 "--special: all samples are of these classes; there is no rest" loader digits --special 0-9
    assert_fails 64 "--special: all samples are of these classes; there is no rest" replay plain.pst --shuffle --only-classes 3 --special 3
    assert_fails 64 "--special: these classes have no samples" replay plain.pst --shuffle --omit-classes 3 --special 3
    assert_fails 64 "there are 10 classes" loader digits --special 11
    assert_fails 64 "--special and --no-shuffle exclude each other" loader digits --special 3 --no-shuffle
    assert_fails 64 "--special draws samples in an order of its own; it needs --shuffle" loader digits --special 3 --split test
    assert_fails 64 "--special needs --shuffle" replay plain.pst --special 3
    assert_fails 64 "--special-share needs --special" replay plain.pst --shuffle --special-share 0.2
    assert_fails 64 "special classes are not mixed" loader digits --special 3 --mixup 0.2
    stream-select --drop y -i plain.pst -o "$out"
    assert_fails 64 "--special needs labels" replay "$out" --shuffle --special 3
    printf '1,2\n3,4\n' >"$out.csv"
    assert_fails 64 "--special needs labels that are classes" loader "csv:$out.csv" --header no --label 1 --regression --special 1
}
