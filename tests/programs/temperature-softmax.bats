#!/usr/bin/env bats
# temperature-softmax from outside. Its numbers are compared with numpy's in tests/python/test_filters_oracle.py.
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 12 --batch 6 -o digits.pst
    load common
    change 'add("logits/a", (batch["x"].reshape(6, 784)[:, :10] / 7).astype("f4"))' digits.pst logits.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
}

@test "it adds soft/NAME and hands on everything else" {
    temperature-softmax -T 3 -i logits.pst -o "$out"
    for tensor in x y id logits/a; do
        diff <(column logits.pst $tensor) <(column "$out" $tensor)
    done
    column "$out" soft/a >"$BATS_TEST_TMPDIR/soft"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/soft")" -eq 12 ]
}

@test "an unknown tensor passes through byte for byte" {
    change 'add("other/z", np.arange(12, dtype="i4").reshape(6, 2))' logits.pst "$BATS_TEST_TMPDIR/more.pst"
    temperature-softmax -i "$BATS_TEST_TMPDIR/more.pst" -o "$out"
    diff <(column "$BATS_TEST_TMPDIR/more.pst" other/z) <(column "$out" other/z)
}

@test "a stream without a teacher's logits is refused" {
    assert_refused "no tensor logits/NAME; is a teacher-forward before this stage?" temperature-softmax -i digits.pst
    assert_refused "no tensor soft/NAME" temperature-softmax --from-probs -i logits.pst
}

@test "softening the same teacher twice is refused" {
    temperature-softmax -i logits.pst -o "$out"
    assert_refused "'soft/a' is in the stream already" temperature-softmax -T 2 -i "$out"
}

@test "a logit that is NaN or infinite is refused, with tensor, batch and sample" {
    for bad in nan inf -inf; do
        change "batch['logits/a'][4, 2] = batch['seq'] and np.float32('$bad')" logits.pst "$BATS_TEST_TMPDIR/bad.pst"
        assert_refused "batch 1: tensor 'logits/a', sample 4 of the batch: number 2 is $bad, not a finite number" \
            temperature-softmax -i "$BATS_TEST_TMPDIR/bad.pst"
    done
}

@test "logits of another type or shape are refused" {
    change 'add("logits/b", batch["y"].reshape(6, 1))' logits.pst "$BATS_TEST_TMPDIR/bad.pst"
    assert_refused "tensor 'logits/b' is i32 [1], not f32 with one dimension" temperature-softmax -i "$BATS_TEST_TMPDIR/bad.pst"
}

@test "--from-probs refuses numbers that are not probabilities or do not add up to 1" {
    temperature-softmax -i logits.pst -o "$BATS_TEST_TMPDIR/soft.pst"
    for edit in '[2, 0] = np.nan' '[2, 0] = -0.1' '[2, 0] = 1.1' '[2, :] = 0' '[2, :] = 0.2'; do
        change "drop('logits/a'); batch['soft/a']$edit" "$BATS_TEST_TMPDIR/soft.pst" "$BATS_TEST_TMPDIR/bad.pst"
        assert_refused "tensor 'soft/a', sample 2 of the batch: " \
            temperature-softmax --from-probs -i "$BATS_TEST_TMPDIR/bad.pst"
    done
}

@test "--from-probs at another temperature than the stream's is refused" {
    temperature-softmax -T 20 -i logits.pst | "$BATS_TEST_DIRNAME/../python/pst.py" 'drop("logits/a")' \
        >"$BATS_TEST_TMPDIR/soft.pst"
    assert_refused "'soft/a' is at temperature 20; give -T 20" temperature-softmax --from-probs \
        -i "$BATS_TEST_TMPDIR/soft.pst"
    temperature-softmax --from-probs -T 20 -i "$BATS_TEST_TMPDIR/soft.pst" -o "$out"
}

@test "a temperature that is not above 0 is a mistake of the command line" {
    for temperature in 0 -1 nan inf 1e999 warm '' 2x; do
        assert_fails 64 "--temperature: '$temperature' is not a number above 0" \
            temperature-softmax -T "$temperature" -i logits.pst
    done
}

@test "the error for a mistyped option suggests the right one" {
    assert_fails 64 "did you mean --temperature?" temperature-softmax --temprature 3
}
