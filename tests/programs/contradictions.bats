#!/usr/bin/env bats
# A stream's history is for people, and no stage decides by it. Contradictions are found by origins.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --batch 20 -o plain.pst
    student-trainer -q -a 784-12-10 -r 0.05 -i plain.pst -o a.safetensors
    student-trainer -q -a 784-9-10 -r 0.05 -s 2 -i plain.pst -o b.safetensors
    teacher-forward a.safetensors -i plain.pst -o a.pst
    temperature-softmax -T 4 -i a.pst -o a-soft.pst
    teacher-forward b.safetensors -i a.pst | temperature-softmax -T 4 | averager --teachers 2 -o mean.pst
    stream-join a-soft.pst --take soft/a -i plain.pst -o joined-soft.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    stream=$BATS_TEST_TMPDIR/stream.pst
    model=$BATS_TEST_TMPDIR/model.safetensors
}

# learns STREAM [OPTION…]: training ends well.
learns() {
    local from=$1
    shift
    student-trainer -a 784-8-10 -q -o "$model" -i "$from" "$@"
    rm "$model"
}

# refuses WORDS STREAM [OPTION…]: training fails before it begins.
refuses() {
    local words=$1 from=$2
    shift 2
    assert_fails 65 "$words" student-trainer -a 784-8-10 -q -o "$model" -i "$from" "$@"
    [ ! -e "$model" ]
}

@test "a temperature other than that at which the targets were made is refused by every stage" {
    for file in a-soft mean joined-soft; do
        tensor=soft/a
        [ $file = mean ] && tensor=soft
        change "spec('$tensor')['temperature'] = 7.0" $file.pst "$stream"
        refuses "tensor '$tensor' says that it is at temperature 7, but its lineage says another one" "$stream"
        assert_fails 65 "at temperature 7" stream-inspect --check -i "$stream"
    done
}

@test "targets without an origin are accepted at any temperature" {
    change 'spec("soft/a")["temperature"] = 7.0; spec("soft/a").pop("origin", None)' a-soft.pst "$stream"
    learns "$stream"
    change 'add("soft/mine", np.full((20, 10), 0.1, "f4"), temperature=3.0)' a-soft.pst "$stream"
    learns "$stream" --soft-targets soft/mine
    learns "$stream" --soft-targets soft/a
}

@test "an empty or false history changes nothing" {
    student-trainer -a 784-8-10 -q -o "$BATS_TEST_TMPDIR/expected" -i a-soft.pst
    for edit in 'header["history"] = []' 'header["history"] = [{"stage": "mine", "version": "1"}]' \
        'header["history"][0]["digest"] = "f" * 64' 'header["history"].reverse()'; do
        change "$edit" a-soft.pst "$stream"
        student-trainer -a 784-8-10 -q -o "$model" -i "$stream"
        cmp "$model" "$BATS_TEST_TMPDIR/expected"
    done
}

@test "several softmaxes, and targets turned back into logits, are learned from" {
    change 'drop("logits/a")' a-soft.pst "$BATS_TEST_TMPDIR/soft.pst"
    teacher-forward b.safetensors -i "$BATS_TEST_TMPDIR/soft.pst" | temperature-softmax -T 9 -o "$stream"
    learns "$stream" --soft-targets soft/a
    learns "$stream" --soft-targets soft/b
    temperature-softmax --from-probs -T 4 -i "$BATS_TEST_TMPDIR/soft.pst" --force -o "$stream"
    learns "$stream"
    learns "$stream" --soft-loss logits
}

@test "targets of other data than the inputs are refused by what differs" {
    loader digits --samples 40 --batch 20 --data-seed 9 | teacher-forward a.safetensors | temperature-softmax -T 4 \
        -o "$BATS_TEST_TMPDIR/other.pst"
    assert_fails 65 "was recorded from other inputs than those of plain.pst: loader digest=" \
        stream-join --take soft/a "$BATS_TEST_TMPDIR/other.pst" -i plain.pst -o "$stream"
    change 'import pst; other = pst.read(open("'"$BATS_TEST_TMPDIR"'/other.pst", "rb").read())[0]
header["lineage"] |= other["lineage"]
spec("soft/a")["origin"] = next(s for s in other["tensors"] if s["name"] == "soft/a")["origin"]' a-soft.pst "$stream"
    refuses "the targets 'soft/a' were computed from other inputs than 'x': loader digest=" "$stream"
    learns "$stream" --targets hard
}

@test "the lineage tells two models under one name apart" {
    teacher-forward --name a b.safetensors -i plain.pst | temperature-softmax -T 4 -o "$BATS_TEST_TMPDIR/b-soft.pst"
    for file in a-soft.pst "$BATS_TEST_TMPDIR/b-soft.pst"; do
        student-trainer -a 784-8-10 -q -o "$model" -i "$file"
        stream-inspect "$model" | grep -o 'model=[0-9a-f]*' >>"$BATS_TEST_TMPDIR/models"
    done
    [ "$(sort -u "$BATS_TEST_TMPDIR/models" | wc -l)" -eq 2 ]
}
