#!/usr/bin/env bats
# Numbers at the edges of what can be computed: temperatures, and machines of another byte order. Locales are in
# tests/unit/test_nn_locale.c, because the programs set none.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 1200 --batch 20 --epochs 3 -o digits.pst
    student-trainer -q -a 784-16-10 -r 0.05 -i digits.pst -o teacher.safetensors
    teacher-forward teacher.safetensors --name t -i digits.pst -o logits.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    here=$BATS_TEST_TMPDIR
}

# learn OPTION…: a student of logits.pst or of what is given with -i; $here/log has its figures.
learn() {
    student-trainer -q -a 784-12-10 -r 0.02 -s 5 --log "$here/log" -o "$here/student.safetensors" "$@"
}

# figure LOG: the last epoch's soft loss.
figure() {
    sed -n 's/.*"event":"epoch".*"soft_loss":\([^,}]*\).*/\1/p; s/.*"soft_loss":\([^,}]*\).*"event":"epoch".*/\1/p' "$1" | tail -n 1
}

@test "at the highest temperature a student learns as it does from the logits" {
    temperature-softmax -T 1e6 -i logits.pst -o "$here/soft.pst"
    learn -i "$here/soft.pst" --targets soft
    soft=$(figure "$here/log")
    rm "$here/log"
    learn -i logits.pst --targets soft --soft-loss logits
    # A constant for each sample may be added to logits without a change of the divergence, so its loss is the smaller one.
    echo "soft loss $soft, on logits $(figure "$here/log")"
    awk -v soft="$soft" -v logits="$(figure "$here/log")" 'BEGIN { exit !(soft > 0 && soft < 1.2 * logits) }'
}

@test "at the highest temperature --from-probs gives the differences between logits back" {
    temperature-softmax -T 1e6 -i logits.pst | stream-select --drop logits/t | temperature-softmax --from-probs -T 1e6 -o "$here/back.pst"
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - logits.pst "$here/back.pst" <<'END'
import sys, pst
logits, back = (pst.column(pst.read(open(path, "rb").read())[1], "logits/t").astype("f8") for path in sys.argv[1:])
away = (back - back.max(1, keepdims=True)) - (logits - logits.max(1, keepdims=True))
assert abs(away).max() < 0.15, abs(away).max()
END
}

@test "a temperature that f32 cannot carry is refused, and the error names the loss to use" {
    for temperature in 1.1e6 1e7 1e9; do
        assert_fails 64 "above 1e+06 probabilities in f32 cannot carry the differences between logits" \
            temperature-softmax -T $temperature -i logits.pst
        [[ $stderr == *"--loss logits"* ]]
    done
    temperature-softmax -T 10 -i logits.pst -o "$here/soft.pst"
    change 'spec("soft/t")["temperature"] = 1e7; spec("soft/t").pop("origin", 0)' "$here/soft.pst" "$here/hot.pst"
    assert_fails 65 "tensor 'soft/t' is at temperature 1e+07, and above 1e+06" \
        student-trainer -q -a 784-12-10 -o "$here/s.safetensors" -i "$here/hot.pst"
    [[ $stderr == *"--loss logits"* ]]
    change 'spec("soft/t").pop("temperature", 0); spec("soft/t").pop("origin", 0)' "$here/soft.pst" "$here/silent.pst"
    assert_fails 64 "tensor 'soft/t' is at temperature 1e+07" \
        student-trainer -q -a 784-12-10 -o "$here/s.safetensors" -i "$here/silent.pst" --loss kl:soft/t,T=1e7
    student-trainer -q -a 784-12-10 -o "$here/s.safetensors" -i "$here/silent.pst" --loss kl:soft/t,T=1e6
}

@test "a build for a big-endian machine is refused" {
    echo '#include "pipestill/base.h"' >"$here/test.c"
    cc=(cc -fsyntax-only -w -I "$BATS_TEST_DIRNAME/../../include")
    "${cc[@]}" "$here/test.c"
    run "${cc[@]}" -U__BYTE_ORDER__ -D__BYTE_ORDER__=__ORDER_BIG_ENDIAN__ "$here/test.c"
    echo "$output"
    [ "$status" -ne 0 ]
    [[ $output == *"build it for a little-endian machine"* ]]
}
