#!/usr/bin/env bats
# stream-select from outside: some tensors are left out or renamed; the others, and all samples, stay as they are.
# shellcheck disable=SC2154 # bats' run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 60 --batch 20 --epochs 2 -o plain.pst
    student-trainer --arch 784-12-10 -q -i plain.pst -o t.safetensors
    teacher-forward t.safetensors --name a -i plain.pst | teacher-forward t.safetensors --name b |
        temperature-softmax -T 4 -o soft.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
}

# tensors: the names of the tensors of the stream on standard input.
tensors() {
    stream-inspect --json | head -n 1 | /usr/bin/python3 -c '
import json, sys
print(*[tensor["name"] for tensor in json.load(sys.stdin)["tensors"]])'
}

# origins STREAM: name and origin of each tensor.
origins() {
    stream-inspect --json "$1" | head -n 1 | /usr/bin/python3 -c '
import json, sys
for tensor in json.load(sys.stdin)["tensors"]: print(tensor["name"], tensor["origin"], tensor.get("temperature"))'
}

@test "it keeps, drops and renames what patterns match, in the stream's order" {
    [ "$(stream-select --keep id --keep 'soft/?' -i soft.pst | tensors)" = "id soft/a soft/b" ]
    [ "$(stream-select --drop '*/[ac]' -i soft.pst | tensors)" = "x y id logits/b soft/b" ]
    [ "$(stream-select -k 's*' -k x -d '*/b' -i soft.pst | tensors)" = "x soft/a" ]
    [ "$(stream-select -d '*/b' -r soft/a=soft -r 'log*=teacher/a' -i soft.pst | tensors)" = "x y id teacher/a soft" ]
    [ "$(stream-select -r soft/a=soft/b -d soft/b -i soft.pst | tensors)" = "x y id logits/a logits/b soft/b" ]
}

@test "what is handed on is what came, with its origin, and so are the samples" {
    stream-select -d logits/a -r soft/a=soft/first -i soft.pst -o "$out"
    for tensor in x id logits/b; do
        diff <(column soft.pst $tensor) <(column "$out" $tensor)
    done
    diff <(column soft.pst soft/a) <(column "$out" soft/first)
    diff <(origins soft.pst | grep -v logits/a | sed 's:^soft/a :soft/first :') <(origins "$out")
    sums() { stream-inspect --check --json "$1" | grep -o '"sample_checksum":[0-9]*'; }
    [ "$(sums soft.pst)" = "$(sums "$out")" ]
    stream-inspect --json "$out" | head -n 1 |
        grep -q '"stage":"stream-select","version":"[0-9.]*","drop":\["logits/a"\],"rename":\["soft/a=soft/first"\],"effect":"adds"'
}

@test "a student of what is left is that of the whole stream" {
    student-trainer -a 784-9-10 -q --soft-targets soft/b -i soft.pst -o "$BATS_TEST_TMPDIR/whole"
    stream-select --drop 'logits/*' --drop soft/a -i soft.pst |
        student-trainer -a 784-9-10 -q --soft-targets soft/b -o "$BATS_TEST_TMPDIR/part"
    cmp "$BATS_TEST_TMPDIR/whole" "$BATS_TEST_TMPDIR/part"
}

@test "an invalid choice is refused, and the error lists the stream's tensors" {
    assert_refused "--keep 'soft' matches no tensor; the stream has: x, y, id, logits/a, logits/b, soft/a, soft/b" \
        stream-select --keep x --keep soft -i soft.pst
    assert_refused "--drop 'z*' matches no tensor" stream-select --drop 'z*' -i soft.pst
    assert_refused "--rename 'soft/c' matches no tensor that is handed on" stream-select --rename soft/c=soft -i soft.pst
    assert_refused "--rename 'x' matches no tensor that is handed on" stream-select --drop x --rename x=z -i soft.pst
    assert_refused "'soft' is in the stream already" stream-select --rename 'soft/*=soft' -i soft.pst
    assert_refused "'y' is in the stream already" stream-select --rename soft/a=y -i soft.pst
    assert_refused "'id' must be one u64" stream-select --drop id --rename x=id -i soft.pst
    assert_refused "no tensor is left" stream-select --drop '*' -i soft.pst
    assert_fails 64 "nothing to do" stream-select
    assert_fails 64 "'soft' is not OLD=NEW" stream-select --rename soft
    assert_fails 64 "a name has 1 to 127 bytes" stream-select --rename soft=
    assert_fails 64 "a name has 1 to 127 bytes" stream-select --keep "$(printf 'x%.0s' {1..128})"
    head -c 40000 soft.pst >"$BATS_TEST_TMPDIR/cut.pst"
    assert_refused "truncated" stream-select --keep x -i "$BATS_TEST_TMPDIR/cut.pst"
}
