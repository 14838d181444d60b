#!/usr/bin/env bats
# averager from outside. Its means are compared with numpy's in tests/python/test_filters_oracle.py.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 12 --batch 6 -o digits.pst
    load common
    change 'add("logits/a", (batch["x"].reshape(6, 784)[:, :10] / 7).astype("f4"))
add("logits/b", (batch["x"].reshape(6, 784)[:, 10:20] / 7).astype("f4"))' digits.pst logits.pst
    temperature-softmax -T 3 -i logits.pst -o soft.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    bad=$BATS_TEST_TMPDIR/bad.pst
    out=$BATS_TEST_TMPDIR/out.pst
}

@test "it adds soft and hands on everything else" {
    averager -i soft.pst -o "$out"
    for tensor in x y id logits/a logits/b soft/a soft/b; do
        diff <(column soft.pst $tensor) <(column "$out" $tensor)
    done
    [ "$(column "$out" soft | wc -l)" -eq 12 ]
}

@test "the mean of one teacher is that teacher" {
    change 'drop("soft/b"); drop("logits/b")' soft.pst "$BATS_TEST_TMPDIR/one.pst"
    averager -i "$BATS_TEST_TMPDIR/one.pst" -o "$out"
    diff <(column "$out" soft) <(column "$out" soft/a)
}

@test "a stream without soft targets is refused" {
    assert_refused "no tensor soft/NAME; is temperature-softmax before this stage?" averager -i logits.pst
    assert_refused "no tensor logits/NAME; is a teacher-forward before this stage?" averager --logits -i digits.pst
}

@test "a teacher without soft targets is refused by name" {
    change 'drop("soft/b")' soft.pst "$bad"
    assert_refused "teacher 'b' has logits, but no tensor soft/b" averager -i "$bad"
    change 'add("soft/c", batch["soft/b"], temperature=3.0); drop("soft/b")' soft.pst "$bad"
    assert_refused "teacher 'b' has logits, but no tensor soft/b" averager -i "$bad"
}

@test "teachers of different numbers of classes are refused" {
    change 'drop("soft/b"); add("soft/b", batch["soft/a"][:, :9], temperature=3.0)' soft.pst "$bad"
    assert_refused "'soft/a' has 10 classes, but 'soft/b' has 9" averager -i "$bad"
}

@test "teachers at different temperatures are refused" {
    change 'spec("soft/b")["temperature"] = 4.0' soft.pst "$bad"
    assert_refused "'soft/a' is at temperature 3, but 'soft/b' at 4" averager -i "$bad"
}

@test "soft targets of another type are refused" {
    change 'add("soft/c", batch["y"].reshape(6, 1))' soft.pst "$bad"
    assert_refused "'soft/c' is i32 [1], not f32 with one dimension" averager -i "$bad"
}

@test "rows that are not distributions are refused, with tensor, batch and sample" {
    for value in nan inf -0.5 0.9; do
        change "batch['soft/b'][5, 9] = np.float32('$value') if batch['seq'] else batch['soft/b'][5, 9]" soft.pst "$bad"
        assert_refused "batch 1: tensor 'soft/b', sample 5 of the batch: " averager -i "$bad"
        assert_refused "batch 1: tensor 'soft/b', sample 5 of the batch: " averager -g -i "$bad"
    done
}

@test "a logit that is NaN is refused" {
    change 'batch["logits/a"][0, 0] = np.nan' soft.pst "$bad"
    assert_refused "batch 0: tensor 'logits/a', sample 0 of the batch: number 0 is nan, not a finite number" averager --logits -i "$bad"
}

@test "weights with an unknown name, the same name twice, no number, or zeros alone are refused" {
    assert_refused "--weight names 'c', but the stream has no soft/c" averager -w c=1 -i soft.pst
    assert_fails 64 "--weight a=2: 'a' has a weight already" averager -w a=1 -w a=2 -i soft.pst
    for weight in a a= =1 a=-1 a=nan a=1x a=1e7; do
        assert_fails 64 "--weight $weight: a weight is NAME=W" averager -w $weight -i soft.pst
    done
    run --separate-stderr averager -w a=0 -w b=0 -i soft.pst -o "$out"
    [ "$status" -eq 64 ]
    [[ $stderr == *"the weights sum to 0"* ]]
}

@test "--teachers refuses any other number of teachers" {
    averager -n 2 -i soft.pst -o "$out"
    assert_refused "the stream has 2 teachers, but --teachers says 3" averager -n 3 -i soft.pst
}

@test "--geometric and --logits exclude each other" {
    assert_fails 64 "--geometric is of probabilities" averager -g --logits -i soft.pst
}

@test "averaging twice is refused" {
    averager -i soft.pst -o "$out"
    assert_refused "'soft' is in the stream already" averager -i "$out"
}

@test "the error for a mistyped option suggests the right one" {
    assert_fails 64 "did you mean --geometric?" averager --geometrical
}
