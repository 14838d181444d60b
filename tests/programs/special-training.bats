#!/usr/bin/env bats
# Specialists as docs/specialists.md trains them: from the generalist's weights, with either dustbin.
# tests/python/test_special_training_oracle.py compares steps.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 1000 --no-shuffle -o plain.pst
    loader digits --samples 500 --split test -o test.pst
    replay plain.pst --shuffle --epochs 2 | student-trainer -q --hidden 20 -r 0.05 -o g.safetensors
    teacher-forward g.safetensors -i plain.pst -o known.pst
    printf 'few = 3, 5, 8\n' >sets.txt
    mapped >mapped.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out
}

# mapped: special samples, with the generalist's logits, in the specialist's classes
mapped() {
    replay known.pst --shuffle --special @sets.txt:few --seed 1 | class-map --classes @sets.txt:few --dustbin other
}

# A specialist.
learn=(student-trainer -q --from g.safetensors --classes @sets.txt:few --targets hard)

# together MODEL [OPTION…]: what it and the generalist say of the test set
together() {
    teacher-forward g.safetensors -i test.pst | teacher-forward --other-classes --name s "$1" |
        specialist-combine --generalist logits/g "${@:2}"
}

@test "a specialist with the generalist's dustbin that has not learned yet is the generalist: the difference is exactly 0" {
    "${learn[@]}" -i mapped.pst --dustbin logits/g -r 1e-30 -o "$out.safetensors"
    together "$out.safetensors" -o "$out.pst"
    teacher-forward g.safetensors -i test.pst | temperature-softmax -o "$out.g.pst"
    cmp <(column "$out.pst" soft) <(column "$out.g.pst" soft/g)
}

@test "the lineage says which classes specialists know, with either dustbin" {
    "${learn[@]}" -i mapped.pst --dustbin logits/g -r 0.01 -o "$out.a.safetensors"
    "${learn[@]}" -i mapped.pst --dustbin-unit -r 0.01 -o "$out.b.safetensors"
    for model in a b; do
        together "$out.$model.safetensors" -o "$out.$model.pst"
        together "$out.$model.safetensors" -s s=3,5,8 -o "$out.said.pst" --force
        cmp <(column "$out.$model.pst" soft) <(column "$out.said.pst" soft)
    done
    run ! cmp -s <(column "$out.a.pst" soft) <(column "$out.b.pst" soft)
}

@test "the dustbin is as likely as the rest is in the set, unless oversampling is kept" {
    # Half of what is learned is special, and 30 % of the test set.
    dustbin() {
        teacher-forward --other-classes "$1" -i test.pst | temperature-softmax | stream-export --to csv --take soft/s |
            tail -n +2 | awk -F, '{sum += $4} END {print int(100 * sum / NR)}'
    }
    for keep in "" --keep-oversampling; do
        # shellcheck disable=SC2086
        replay known.pst --shuffle --special @sets.txt:few --epochs 8 | class-map --classes @sets.txt:few --dustbin other |
            student-trainer -q --from g.safetensors --classes @sets.txt:few --dustbin-unit --targets hard -r 0.02 $keep -o s.safetensors
        share=$(dustbin s.safetensors)
        echo "$keep $share"
        if [ -z "$keep" ]; then [ "$share" -ge 65 ]; else [ "$share" -lt 63 ]; fi
    done
}

@test "the model has the oversampling and the selected classes" {
    "${learn[@]}" -i mapped.pst --dustbin-unit -r 0.01 -o "$out.safetensors"
    stream-inspect "$out.safetensors" >"$out.txt"
    grep -q '"class_map":"3;5;8;0-2,4,6-7,9 of 10"' "$out.txt"
    grep -q '"oversampling_taken_out":[12]\.' "$out.txt"
    grep -q 'architecture *784-20-4$' "$out.txt"
}

@test "a training of a specialist that was cut short ends as one that was not" {
    for dustbin in --dustbin-unit "--dustbin logits/g" "--dustbin logits/g --ema 0.9"; do
        # shellcheck disable=SC2206
        options=($dustbin -r 0.01 --checkpoint "$out.checkpoint" --checkpoint-every 1)
        "${learn[@]}" -i mapped.pst "${options[@]}" -o "$out.1.safetensors"
        head -c "$(($(stat -c %s mapped.pst) / 2))" mapped.pst >"$out.half"
        run -65 "${learn[@]}" -i "$out.half" "${options[@]}" -o "$out.2.safetensors"
        [ -e "$out.checkpoint" ]
        "${learn[@]}" -i mapped.pst "${options[@]}" --resume -o "$out.2.safetensors"
        cmp "$out.1.safetensors" "$out.2.safetensors"
    done
}

@test "classes that are merged while some of them come more often are refused" {
    replay known.pst --shuffle --special 3 -o "$out.pst"
    assert_refused "the new class 0 merges the classes 3 and 4, of which one comes more often than the other by --special" \
        class-map --classes 'a = 3,4; b = *' -i "$out.pst"
    class-map --classes 'a = 0,4; b = 3; c = *' -i "$out.pst" >/dev/null
}

@test "labels of other classes than those of --classes are refused" {
    assert_fails 65 "--classes: the network's outputs are of the map 5;3;8;0-2,4,6-7,9 of 10, but 'y' went through 3;5;8;0-2,4,6-7,9 of 10" \
        student-trainer --from g.safetensors --classes 5,3,8 --dustbin-unit --targets hard -i mapped.pst -o "$out.safetensors"
    assert_fails 65 "the network has 3 outputs, but the stream has 4 classes" "${learn[@]}" -i mapped.pst -o "$out.safetensors"
    assert_fails 65 "the loss is about 10 outputs and the dustbin, but the stream has 4 classes" \
        student-trainer --from g.safetensors --dustbin logits/g --targets hard -i mapped.pst -o "$out.safetensors"
}

@test "options of specialists that cannot be are refused" {
    assert_fails 64 "--classes needs --from" student-trainer --hidden 5 --classes 3 -i mapped.pst -o "$out.safetensors"
    assert_fails 64 "--dustbin-unit needs --classes" student-trainer --from g.safetensors --dustbin-unit -i mapped.pst -o "$out.safetensors"
    assert_fails 64 "there are 10 classes" student-trainer --from g.safetensors --classes 11 -i mapped.pst -o "$out.safetensors"
    assert_fails 64 "--dustbin-unit and --dustbin exclude each other" "${learn[@]}" -i mapped.pst --dustbin-unit --dustbin logits/g -o "$out.safetensors"
    assert_fails 64 "at least two others" student-trainer --from g.safetensors --classes 0-8 --dustbin logits/g -i mapped.pst -o "$out.safetensors"
    assert_fails 64 "only logits have the dustbin's" "${learn[@]}" -i mapped.pst --dustbin y -o "$out.safetensors"
    assert_fails 64 "--learn-last 3: the network has 2 layers that learn" "${learn[@]}" -i mapped.pst --dustbin-unit --learn-last 3 -o "$out.safetensors"
    replay plain.pst --shuffle | student-trainer -q -a 784-10nobias -r 0.01 -o "$out.nobias.safetensors"
    assert_fails 65 "so its outputs cannot be selected" \
        student-trainer --from "$out.nobias.safetensors" --classes 3,5,8 --dustbin-unit --targets hard -i mapped.pst -o "$out.safetensors"
    change 'header["class_oversampling"] = [1, 2, 0, 1]' mapped.pst "$out.pst"
    assert_fails 65 "the header's class_oversampling are not 4 numbers above 0" \
        student-trainer --from g.safetensors --classes 3,5,8 --dustbin-unit --targets hard -i "$out.pst" -o "$out.safetensors"
}
