#!/usr/bin/env bats
# teacher-forward from outside. Its logits are compared with numpy's in tests/python/test_filters_oracle.py.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --batch 20 -o digits.pst
    student-trainer -a 784-8-10 -o a.safetensors -i digits.pst
    student-trainer -a 784-12-6-10 -s 5 -o b.safetensors -i digits.pst
    student-trainer -a 784-10 -o 'a name.with dots.safetensors' -i digits.pst
    load common
    change 'header["classes"] = 2; batch["y"] %= 2' digits.pst two.pst
    student-trainer -a 784-2 -o two.safetensors -i two.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    bad=$BATS_TEST_TMPDIR/bad.pst
    out=$BATS_TEST_TMPDIR/out.pst
}


@test "a chain of two teachers adds the logits of both" {
    teacher-forward a.safetensors -i digits.pst | teacher-forward b.safetensors -o "$out"
    for tensor in x y id; do
        diff <(column digits.pst $tensor) <(column "$out" $tensor)
    done
    # Each gives what it gives alone.
    for teacher in a b; do
        teacher-forward $teacher.safetensors -i digits.pst --force -o "$BATS_TEST_TMPDIR/alone.pst"
        diff <(column "$BATS_TEST_TMPDIR/alone.pst" logits/$teacher) <(column "$out" logits/$teacher)
    done
    run ! diff -q <(column "$out" logits/a) <(column "$out" logits/b)
}

@test "the stream has the digest of the model that answered" {
    teacher-forward a.safetensors -i digits.pst -o "$out"
    digest=$(sha256sum <a.safetensors | cut -d ' ' -f 1)
    stream-inspect "$out" >"$BATS_TEST_TMPDIR/said"
    grep -F "model=\"$digest\"" "$BATS_TEST_TMPDIR/said"
    grep -F 'architecture="784-8-10"' "$BATS_TEST_TMPDIR/said"
}

@test "a teacher has the name of its file, without folders and ending, or that of --name" {
    teacher-forward "$PWD/a name.with dots.safetensors" -i digits.pst -o "$out"
    column "$out" 'logits/a name.with dots' >"$BATS_TEST_TMPDIR/column"
    teacher-forward --name ours a.safetensors -i digits.pst --force -o "$out"
    column "$out" logits/ours >"$BATS_TEST_TMPDIR/column"
}

@test "the same name twice is refused, another --name helps" {
    teacher-forward a.safetensors -i digits.pst -o "$out"
    assert_refused "'logits/a' is in the stream already" teacher-forward a.safetensors -i "$out"
    [[ $stderr == *--name* ]]
    teacher-forward a.safetensors -n again -i "$out" -o "$BATS_TEST_TMPDIR/both.pst"
    diff <(column "$BATS_TEST_TMPDIR/both.pst" logits/a) <(column "$BATS_TEST_TMPDIR/both.pst" logits/again)
}

@test "a tensor is named by its file, with '?' for what is not UTF-8" {
    cp a.safetensors $'\xff.safetensors'
    teacher-forward $'\xff.safetensors' -i digits.pst -o "$out"
    diff <(column "$out" 'logits/?') <(teacher-forward a.safetensors -i digits.pst | column /dev/stdin logits/a)
    assert_fails 65 "its name is not UTF-8" teacher-forward --name $'\xff' a.safetensors -i digits.pst
}

@test "a name that is too long is refused, not cut" {
    assert_fails 64 "--name: at most" teacher-forward -n "$(printf '%0300d' 7)" a.safetensors -i digits.pst
}

@test "a model that does not fit is refused" {
    assert_refused "two.safetensors has 2 outputs, but the stream has 10 classes" \
        teacher-forward two.safetensors -i digits.pst
    change 'x = batch["x"][:, :27]; drop("x"); add("x", x, scale=1 / 255)' digits.pst "$bad"
    assert_refused "a.safetensors takes 784 inputs, but 'x' has 756 elements" teacher-forward a.safetensors -i "$bad"
    change 'drop("x")' digits.pst "$bad"
    assert_refused "the stream has no inputs 'x'" teacher-forward a.safetensors -i "$bad"
}

@test "bytes are scaled as in training, not as the stream says" {
    teacher-forward a.safetensors -i digits.pst -o "$out"
    change 'spec("x")["scale"] = 0.5; spec("x")["offset"] = -0.5' digits.pst "$bad"
    teacher-forward a.safetensors -i "$bad" -o "$BATS_TEST_TMPDIR/other.pst"
    diff <(column "$out" logits/a) <(column "$BATS_TEST_TMPDIR/other.pst" logits/a)
}

# as_foreign FROM TO: a model as another tool would write it, without metadata.
as_foreign() {
    /usr/bin/python3 - "$1" "$2" <<'END'
import json, sys
data = open(sys.argv[1], "rb").read()
end = 8 + int.from_bytes(data[:8], "little")
header = json.loads(data[8:end])
del header["__metadata__"]
text = json.dumps(header).encode()
open(sys.argv[2], "wb").write(len(text).to_bytes(8, "little") + text + data[end:])
END
}

@test "a foreign model is asked with the activation that the user names, and not without one" {
    student-trainer -a 784-16-tanh-10 -r 0.1 -o tanh.safetensors -i digits.pst
    as_foreign tanh.safetensors foreign.safetensors
    assert_refused "foreign.safetensors: does not say which activation stands between its layers; give --activation" \
        teacher-forward foreign.safetensors -i digits.pst
    for activation in tanh relu; do
        teacher-forward --activation $activation --mean 0 --deviation 1 foreign.safetensors -i digits.pst \
            -o "$BATS_TEST_TMPDIR/$activation.pst"
    done
    teacher-forward --name foreign tanh.safetensors -i digits.pst -o "$out"
    diff <(column "$out" logits/foreign) <(column "$BATS_TEST_TMPDIR/tanh.pst" logits/foreign)
    run ! diff -q <(column "$out" logits/foreign) <(column "$BATS_TEST_TMPDIR/relu.pst" logits/foreign)
}

@test "an activation that is not known, or contradicts the model, is a mistake of the command line" {
    assert_fails 64 "--activation swish: known are: relu, leaky, tanh" \
        teacher-forward --activation swish a.safetensors -i digits.pst
    assert_fails 64 "a.safetensors: says that its activation is relu; leave --activation tanh out" \
        teacher-forward --activation tanh a.safetensors -i digits.pst
}

@test "an invalid mean or deviation is a mistake of the command line" {
    as_foreign a.safetensors foreign.safetensors
    for words in "--mean 0.5:--mean and --deviation belong together" \
        "--deviation 0.5:--mean and --deviation belong together" \
        "--mean 0.5 --deviation 0:--deviation 0: give 1 positive numbers" \
        "--mean x --deviation 1:--mean x: give 1 numbers" \
        "--mean 1,2 --deviation 1,2:--mean has 2 numbers; give one, or one for each of 28 channels"; do
        # shellcheck disable=SC2086 # options are words
        assert_fails 64 "${words#*:}" teacher-forward ${words%%:*} --activation relu foreign.safetensors -i digits.pst
    done
    assert_fails 64 "a.safetensors says itself how its inputs are scaled" \
        teacher-forward --mean 0.5 --deviation 1 a.safetensors -i digits.pst
}

@test "a model whose inputs have another shape is refused" {
    student-trainer -a 28x28-flatten-10 -o shaped.safetensors -i digits.pst
    teacher-forward shaped.safetensors -i digits.pst -o "$out"
    change 'x = batch["x"].reshape(-1, 14, 56); drop("x"); add("x", x, scale=1 / 255)' digits.pst "$bad"
    assert_refused "in another shape (channels come first): x is u8 [14, 56], not u8 [28, 28]" teacher-forward shaped.safetensors -i "$bad"
}

@test "an input that is NaN or infinite is refused, with batch and sample" {
    for value in nan inf; do
        change "x = (batch['x'] / 255).astype('f4'); x[3, 2, 1] = np.float32('$value'); drop('x'); add('x', x)" \
            digits.pst "$bad"
        assert_refused "batch 0: tensor 'x', sample 3" teacher-forward a.safetensors -i "$bad"
    done
}

@test "a model that is missing, damaged or no model is refused before anything is read" {
    assert_fails 66 "none.safetensors" teacher-forward none.safetensors -i digits.pst -o "$out"
    head -c 1000 a.safetensors >"$BATS_TEST_TMPDIR/cut.safetensors"
    assert_refused "cut.safetensors" teacher-forward "$BATS_TEST_TMPDIR/cut.safetensors" -i digits.pst
    assert_refused "digits.pst" teacher-forward digits.pst -i digits.pst
    assert_fails 64 "MODEL is missing" teacher-forward -i digits.pst
    assert_fails 64 "one argument too many" teacher-forward a.safetensors b.safetensors -i digits.pst
}

@test "a batch that grows and shrinks is answered like any other" {
    for size in 1 7 40; do
        loader digits --samples 40 --batch $size --no-shuffle | teacher-forward a.safetensors --force -o "$out"
        column "$out" logits/a >"$BATS_TEST_TMPDIR/of-$size"
    done
    /usr/bin/python3 - "$BATS_TEST_TMPDIR"/of-{1,7,40} <<'END'
import sys
import numpy
one, seven, forty = (numpy.loadtxt(name) for name in sys.argv[1:])
assert numpy.allclose(one, forty, atol=1e-4) and numpy.allclose(seven, forty, atol=1e-4)
END
}
