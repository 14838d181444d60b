#!/usr/bin/env bats
# Origins and lineage: what changes an origin, what does not, what is refused by it, and which sources a model names.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 60 --batch 20 -o digits.pst
    student-trainer -q -a 784-8-10 -o a.safetensors -i digits.pst
    student-trainer -q -a 784-8-10 -s 2 -o b.safetensors -i digits.pst
    soft -T 4 <digits.pst >soft.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
}

# soft OPTION…: the soft targets of teacher a.
soft() {
    teacher-forward --name t a.safetensors | temperature-softmax "$@"
}

# origin_of TENSOR: the same of the stream on standard input.
origin_of() {
    cat >"$out"
    origin "$out" "$1"
}

@test "an origin does not depend on order, number, batches, epochs, jobs or names" {
    x=$(origin digits.pst x)
    [[ $x =~ ^[0-9a-f]{64}$ ]]
    [ "$x" = "$(loader digits --samples 60 --no-shuffle --limit 30 --batch 7 --epochs 3 --seed 9 | origin_of x)" ]
    s=$(origin soft.pst soft/t)
    [ "$s" = "$(soft -T 4 --jobs 3 <digits.pst | origin_of soft/t)" ]
    cp a.safetensors "$BATS_TEST_TMPDIR/other.safetensors"
    [ "$s" = "$(teacher-forward "$BATS_TEST_TMPDIR/other.safetensors" <digits.pst | temperature-softmax -T 4 | origin_of soft/other)" ]
}

@test "an origin depends on the data, the augmentation and its seed, the model, the temperature and the mean" {
    {
        origin digits.pst x
        loader digits --samples 60 --data-seed 5 | origin_of x
        loader digits --samples 60 --shift 1 | origin_of x
        loader digits --samples 60 --shift 1 --seed 2 | origin_of x
        loader digits --samples 60 --split test | origin_of x
        origin digits.pst y
        origin digits.pst id
        origin soft.pst logits/t
        teacher-forward --name t b.safetensors <digits.pst | origin_of logits/t
        origin soft.pst soft/t
        soft -T 2 <digits.pst | origin_of soft/t
        averager <soft.pst | origin_of soft
        averager --logits <soft.pst | origin_of logits
    } >"$BATS_TEST_TMPDIR/origins"
    [ "$(sort -u "$BATS_TEST_TMPDIR/origins" | wc -l)" -eq 13 ]
}

@test "a tensor that is made from one without an origin has none" {
    change 'spec("x").pop("origin", None)' digits.pst "$BATS_TEST_TMPDIR/unknown.pst"
    [ "$(soft -T 4 <"$BATS_TEST_TMPDIR/unknown.pst" | origin_of soft/t)" = "not known" ]
    [ "$(origin "$out" y)" = "$(origin digits.pst y)" ]
}

@test "targets of other inputs than those beside them are refused by what differs" {
    loader digits --samples 60 --shift 1 -o "$BATS_TEST_TMPDIR/shifted.pst"
    change 'import pst; other = pst.read(open("'"$BATS_TEST_TMPDIR"'/shifted.pst", "rb").read())[0]
header["lineage"] |= other["lineage"]; spec("x")["origin"] = other["tensors"][0]["origin"]' soft.pst "$BATS_TEST_TMPDIR/mixed.pst"
    assert_fails 65 "computed from other inputs than 'x': loader augmentation_seed=0 here, loader without augmentation_seed there" \
        student-trainer -a 784-8-10 -o "$BATS_TEST_TMPDIR/model" -i "$BATS_TEST_TMPDIR/mixed.pst"
}

@test "recorded targets are joined to inputs that were made alike, and refused by what differs" {
    loader digits --samples 60 | stream-join soft.pst -o "$out"
    [ "$(origin "$out" soft/t)" = "$(origin soft.pst soft/t)" ]
    loader digits --samples 60 --shift 1 -o "$BATS_TEST_TMPDIR/shifted.pst"
    assert_fails 65 "recorded from other inputs than those of $BATS_TEST_TMPDIR/shifted.pst: loader augmentation_seed=0 here" \
        stream-join soft.pst -i "$BATS_TEST_TMPDIR/shifted.pst" --force -o "$out"
}

@test "a model says what it learned from, down to the data of its teacher" {
    student-trainer -q -a 784-6-10 -o "$BATS_TEST_TMPDIR/s.safetensors" -i soft.pst
    stream-inspect "$BATS_TEST_TMPDIR/s.safetensors" >"$BATS_TEST_TMPDIR/said"
    model=$(sha256sum <a.safetensors | cut -c 1-12)
    grep -q "temperature-softmax makes=soft temperature=4" "$BATS_TEST_TMPDIR/said"
    grep -q "teacher-forward makes=logits model=$model" "$BATS_TEST_TMPDIR/said"
    grep -A 2 "its model learned from" "$BATS_TEST_TMPDIR/said" | grep -q "loader .*makes=x"
    stream-inspect --json "$BATS_TEST_TMPDIR/s.safetensors" | grep -q "\"$(origin soft.pst soft/t)\""
}

@test "a model that was trained from another one names that model" {
    student-trainer -q --from a.safetensors -r 0.01 -o "$BATS_TEST_TMPDIR/s.safetensors" -i soft.pst
    stream-inspect "$BATS_TEST_TMPDIR/s.safetensors" | grep -q "student-trainer makes=model model=$(sha256sum <a.safetensors | cut -c 1-12)"
}

@test "a model file is the same byte for byte, whichever way its stream came" {
    train() {
        student-trainer -q -a 784-6-10 -o "$BATS_TEST_TMPDIR/$1.safetensors" "${@:2}"
    }
    train recorded -i soft.pst
    loader digits --samples 60 --batch 20 | soft -T 4 | train live
    loader digits --samples 60 --batch 20 | soft -T 4 --jobs 2 --zstd 1 | cat | train copied --threads 1
    loader digits --samples 60 --batch 20 | stream-join soft.pst | train joined
    loader digits --samples 60 --batch 20 | soft -T 4 | compactor --targets f32 --inputs digest -o "$BATS_TEST_TMPDIR/small.pst"
    loader digits --samples 60 --batch 20 | stream-join "$BATS_TEST_TMPDIR/small.pst" --take soft/t | train small
    for way in live copied joined small; do
        cmp "$BATS_TEST_TMPDIR/recorded.safetensors" "$BATS_TEST_TMPDIR/$way.safetensors"
    done
}

@test "a model whose lineage was changed is refused" {
    sed 's/"shift\|digits/&/; s/\\"makes\\":\\"x\\"/\\"makes\\":\\"z\\"/' a.safetensors >"$BATS_TEST_TMPDIR/changed.safetensors"
    assert_fails 65 "its checksum does not fit" stream-inspect "$BATS_TEST_TMPDIR/changed.safetensors"
    sed -i 's/"checksum"/"checksam"/' "$BATS_TEST_TMPDIR/changed.safetensors"
    assert_fails 65 "it was changed" stream-inspect "$BATS_TEST_TMPDIR/changed.safetensors"
    assert_fails 65 "it was changed" teacher-forward "$BATS_TEST_TMPDIR/changed.safetensors" -i digits.pst
}

@test "a filter in another language may add an entry for what it makes" {
    "$BATS_TEST_DIRNAME/../../pipelines/python-teacher.py" a.safetensors p <digits.pst | temperature-softmax -T 4 >"$out"
    [[ "$(origin "$out" soft/p)" =~ ^[0-9a-f]{64}$ ]]
    stream-inspect "$out" | grep -q "python-teacher makes=logits model=$(sha256sum <a.safetensors | cut -c 1-12)"
}
