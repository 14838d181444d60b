#!/usr/bin/env bats
# specialist-combine as its page describes it: which specialists are combined, their classes, and what is refused.
# tests/python/test_specialist_oracle.py compares numbers.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 120 --batch 30 -o plain.pst
    replay plain.pst --epochs 40 -o long.pst
    student-trainer -q -a 784-9-10 -r 0.1 -i long.pst -o g.safetensors
    student-trainer -q -a 784-9-10 -r 0.1 -s 7 -i plain.pst -o other.safetensors
    teacher-forward g.safetensors -i plain.pst | temperature-softmax -o soft.pst
    # One learned from labels, one from the generalist, one from another generalist.
    class-map -c 3,5,8 -d rest -i plain.pst | student-trainer -q -a 784-7-4 --targets hard -o a.safetensors
    class-map -c 5,1 -d rest -i soft.pst | student-trainer -q -a 784-7-3 -o b.safetensors
    teacher-forward other.safetensors -i plain.pst | temperature-softmax |
        class-map -c 5,1 -d rest | student-trainer -q -a 784-7-3 -o c.safetensors
    teacher-forward g.safetensors -i plain.pst |
        teacher-forward --other-classes a.safetensors | teacher-forward --other-classes b.safetensors -o asked.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
}

@test "the lineage says which classes a specialist knows, and saying it as well changes nothing" {
    specialist-combine -g logits/g -i asked.pst -o "$out"
    specialist-combine -g logits/g -s a=3,5,8 -s b=5,1 -i asked.pst -o "$out.2"
    printf 'x = 5,1\n' >"$BATS_TEST_TMPDIR/sets"
    specialist-combine -g logits/g -s a -s "b=@$BATS_TEST_TMPDIR/sets:x" -i asked.pst -o "$out.3"
    for other in "$out.2" "$out.3"; do
        diff <(column "$out" soft) <(column "$other" soft)
        [ "$(origin "$out" soft)" = "$(origin "$other" soft)" ]
    done
    run ! diff -q <(column soft.pst soft/g) <(column "$out" soft)
    diff <(column asked.pst x) <(column "$out" x)
}

@test "soft targets are combined as logits are, at their temperature" {
    specialist-combine -g logits/g -i asked.pst -o "$out"
    temperature-softmax -i asked.pst | specialist-combine -g soft/g -o "$out.2"
    paste -d ' ' <(column "$out" soft) <(column "$out.2" soft) | awk '{for (i = 1; i <= 10; i++) if (($i - $(i + 10)) ^ 2 > 1e-12) exit 1}'
    temperature-softmax -T 3 -i asked.pst | specialist-combine -g soft/g --name both -o "$out.3"
    stream-inspect "$out.3" | grep -q 'soft/both .*T = 3'
}

@test "a specialist that --specialist does not name is left out" {
    specialist-combine -g logits/g -s a -i asked.pst -o "$out"
    stream-select --drop logits/b -i asked.pst | specialist-combine -g logits/g -o "$out.2"
    diff <(column "$out" soft) <(column "$out.2" soft)
}

@test "only the specialists that were asked count, and several jobs write and count the same" {
    teacher-forward g.safetensors -i plain.pst |
        teacher-forward --other-classes --when-top 3,5,8 --by logits/g a.safetensors |
        teacher-forward --other-classes --when-top 1,5 --by logits/g b.safetensors -o "$out.asked" 2>"$BATS_TEST_TMPDIR/said"
    specialist-combine -g logits/g -i asked.pst -o "$out.all" --log "$BATS_TEST_TMPDIR/log1"
    specialist-combine -g logits/g -i "$out.asked" -o "$out" --log "$BATS_TEST_TMPDIR/log2"
    # Fewer rows at once: the last bits of a network's answers may differ.
    paste -d ' ' <(column "$out" soft) <(column "$out.all" soft) | awk '{for (i = 1; i <= 10; i++) if (($i - $(i + 10)) ^ 2 > 1e-10) exit 1}'
    [ "$(grep -o '"samples": *120, *"alone.*steps' "$BATS_TEST_TMPDIR/log1")" = "$(grep -o '"samples": *120, *"alone.*steps' "$BATS_TEST_TMPDIR/log2")" ]
    specialist-combine -g logits/g --jobs 3 -i "$out.asked" -o "$out.jobs" --log "$BATS_TEST_TMPDIR/log3"
    diff <(column "$out" soft) <(column "$out.jobs" soft)
    [ "$(grep -o '"combined".*' "$BATS_TEST_TMPDIR/log2")" = "$(grep -o '"combined".*' "$BATS_TEST_TMPDIR/log3")" ]
}

@test "an untrained specialist is the generalist: the difference is exactly 0" {
    teacher-forward g.safetensors -i plain.pst | teacher-forward --name copy g.safetensors -o "$out.twice"
    specialist-combine -g logits/g -s copy=3,5,8 -i "$out.twice" -o "$out"
    diff <(column soft.pst soft/g) <(column "$out" soft)
}

@test "a specialist of all classes but one, with a dustbin, gives what a specialist of all classes gives" {
    change 'q = batch["soft/g"] ** 0.5; q /= q.sum(1, keepdims=True); add("soft/f", q, temperature=1.0); add("soft/e", q[:, [0, 1, 2, 4, 5, 6, 7, 8, 9, 3]], temperature=1.0)' \
        soft.pst "$out.both"
    specialist-combine -g soft/g -n 10 -s f=0,1,2,3,4,5,6,7,8,9 -i "$out.both" -o "$out.all"
    specialist-combine -g soft/g -n 10 -s e=0,1,2,4,5,6,7,8,9 -i "$out.both" -o "$out"
    paste -d ' ' <(column "$out" soft) <(column "$out.all" soft) | awk '{for (i = 1; i <= 10; i++) if (($i - $(i + 10)) ^ 2 > 1e-10) exit 1}'
}

@test "a specialist that learned from another generalist is refused" {
    teacher-forward g.safetensors -i plain.pst | teacher-forward --other-classes c.safetensors -o "$out.c"
    assert_refused "'logits/c' learned from the model $(sha256sum <other.safetensors | cut -c 1-12), but the generalist 'logits/g' is $(sha256sum <g.safetensors | cut -c 1-12); --other-generalist takes it all the same" \
        specialist-combine -g logits/g -i "$out.c"
    specialist-combine -g logits/g --other-generalist -i "$out.c" -o "$out"
    teacher-forward other.safetensors -i plain.pst | teacher-forward --other-classes c.safetensors | specialist-combine -g logits/other >/dev/null
    # A specialist that was asked by the answers of another generalist.
    teacher-forward g.safetensors -i plain.pst | teacher-forward other.safetensors |
        teacher-forward --other-classes --when-top 3,5,8 --by logits/other a.safetensors -o "$out.by" 2>/dev/null
    assert_refused "'asked/a' was decided by the model $(sha256sum <other.safetensors | cut -c 1-12)" specialist-combine -g logits/g -s a -i "$out.by"
}

@test "a lineage with very many ways to each entry is gone through once" {
    change '
import hashlib, json
add("soft/f", batch["soft/g"], temperature=1.0)
origin = spec("soft/g")["origin"]
for i in range(60):
    entry = {"stage": "stream-select", "from": [origin, origin], "n": str(i)}
    origin = hashlib.sha256(json.dumps(entry, separators=(",", ":"), sort_keys=True).encode()).hexdigest()
    header["lineage"][origin] = entry
spec("soft/f")["origin"] = origin' soft.pst "$out.deep"
    timeout 60 specialist-combine -g soft/g -s f=0,1,2,3,4,5,6,7,8,9 -i "$out.deep" -o "$out"
}

@test "classes other than those that the model learned are refused" {
    assert_refused "--specialist logits/b: it would be the map 1;5;0,2-4,6-9 of 10, but the model learned 5;1;0,2-4,6-9 of 10" \
        specialist-combine -g logits/g -s a -s b=1,5 -i asked.pst
    assert_refused "'logits/b' has 3 numbers, but of 4 classes it must be 5 with a dustbin, the last, 4 without, or 10 for all classes" specialist-combine -g logits/g -s b=1,5,6,7 -i asked.pst
}

@test "a specialist without its classes in the lineage needs them from an option" {
    change 'add("logits/d", np.zeros((batch["id"].size, 3), "f4"))' asked.pst "$out.d"
    assert_refused "which classes does 'logits/d' know? Its lineage does not say; give --specialist d=CLASSES" specialist-combine -g logits/g -i "$out.d"
    specialist-combine -g logits/g -s a -s d=0,9 -i "$out.d" -o "$out"
    teacher-forward g.safetensors -i plain.pst | teacher-forward other.safetensors -o "$out.two"
    assert_refused "which classes does 'logits/other' know?" specialist-combine -g logits/g -i "$out.two"
}

@test "invalid lists of classes are refused" {
    assert_fails 64 "--specialist: '10': there are 10 classes, counted from 0" specialist-combine -g logits/g -s b=10 -i asked.pst
    assert_fails 64 "class 5 is in two new classes" specialist-combine -g logits/g -s b=5,5 -i asked.pst
    assert_fails 64 "'x = 5,1' merges classes, but a specialist tells them apart" specialist-combine -g logits/g -s 'b=x = 5,1' -i asked.pst
    assert_fails 64 "not NAME or NAME=CLASSES" specialist-combine -g logits/g -s b= -i asked.pst
    assert_fails 64 "not NAME or NAME=CLASSES" specialist-combine -g logits/g -s =5 -i asked.pst
    assert_fails 64 "--specialist names 'logits/b' twice" specialist-combine -g logits/g -s b -s b=5,1 -i asked.pst
    assert_fails 64 "'logits/g' is the generalist" specialist-combine -g logits/g -s g=5,1 -i asked.pst
    assert_refused "the stream has no tensor 'logits/z'" specialist-combine -g logits/g -s z -i asked.pst
}

@test "streams that cannot be combined are refused" {
    assert_fails 64 "--generalist" specialist-combine -i asked.pst
    assert_fails 64 "--generalist x: only logits and soft targets are predictions" specialist-combine -g x -i asked.pst
    assert_refused "the stream has no specialists: no soft/NAME beside 'soft/g'" specialist-combine -g soft/g -i soft.pst
    assert_refused "'soft/copy' has no dustbin; the generalist's can stand for it if all are logits" specialist-combine -g soft/g -s copy=1 \
        -i <(teacher-forward g.safetensors --name copy -i <(stream-select --drop soft/g -i soft.pst) | temperature-softmax)
    change 'batch["logits/b"][3, 1] = np.nan' asked.pst "$out.nan"
    assert_refused "tensor 'logits/b', sample 3 of the batch: number 1 is nan" specialist-combine -g logits/g -i "$out.nan"
    temperature-softmax -i asked.pst -o "$out.soft"
    stream-select --drop logits/b -i asked.pst | temperature-softmax | stream-select --drop 'logits/*' |
        teacher-forward --other-classes b.safetensors | temperature-softmax -T 2 -o "$out.two"
    assert_refused "'soft/b' is at temperature 2, but 'soft/g' at 1: soften them alike" specialist-combine -g soft/g -i "$out.two"
    compactor --targets top-k --top 3 --of soft/g -i "$out.soft" -o "$out.compact"
    assert_refused "the stream has no plain targets" specialist-combine -g soft/g -i "$out.compact"
}

@test "what is combined is learned from, and stands in the model's lineage" {
    specialist-combine -g logits/g -i asked.pst | student-trainer -q -a 784-7-10 -o "$BATS_TEST_TMPDIR/back.safetensors"
    stream-inspect "$BATS_TEST_TMPDIR/back.safetensors" | grep -q 'specialist-combine'
}
