#!/usr/bin/env bats
# Hints from end to end: teacher-forward --hint, the losses features and attention, and what other stages do with the tensors.
# tests/python-client/test_hints.py compares them with PyTorch, tests/unit/test_nn_matches.c with finite differences.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

TEACHER='1x28x28-conv3x3:6,stride=2-bn-relu-res(conv3x3:6-bn-relu-conv3x3:6-bn)-relu-gap-12-10'
STUDENT='1x28x28-conv3x3:4,stride=2-bn-relu-res(conv3x3:4-tanh-conv3x3:4)-relu-gap-8-10'

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 120 --batch 30 --epochs 3 -o digits.pst
    student-trainer -q -a "$TEACHER" -r 0.1 -i digits.pst -o t.safetensors
    teacher-forward t.safetensors --hint 2 -i digits.pst | temperature-softmax -T 4 -o hint.pst
    teacher-forward t.safetensors --hint 2 --hint 3.2 --hint 5 -i digits.pst -o hints.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    model=$BATS_TEST_TMPDIR/model
    file=$BATS_TEST_TMPDIR/file
}

# train STREAM OPTION…: a student from hints.
train() {
    student-trainer -q -a "$STUDENT" -r 0.05 -i "$1" -o "$model" "${@:2}"
}

# weights MODEL: the digest of its weights, without the metadata.
weights() {
    /usr/bin/python3 -c 'import hashlib, sys
file = open(sys.argv[1], "rb").read()
print(hashlib.sha256(file[8 + int.from_bytes(file[:8], "little"):]).hexdigest())' "$1"
}

# refused CODE WORDS STREAM OPTION…: training fails and leaves no model.
refused() {
    assert_fails "$1" "$2" student-trainer -a "$STUDENT" -i "$3" -o "$model" "${@:4}"
    [ ! -e "$model" ]
}

# tensors STREAM: their names, with shapes.
tensors() {
    stream-inspect --json "$1" | head -n 1 | /usr/bin/python3 -c '
import json, sys
print(*[t["name"] + ":" + t["dtype"] + "x".join(map(str, t["shape"])) for t in json.load(sys.stdin)["tensors"]])'
}

# ---- teachers ----

@test "one hint is hint/NAME, and several are hint/NAME.LAYER" {
    [[ $(tensors hint.pst) == *" hint/t:f326x14x14 "* ]]
    [[ $(tensors hints.pst) == *" hint/t.2:f326x14x14 hint/t.3.2:f326x14x14 hint/t.5:f3212" ]]
    cmp <(column hint.pst hint/t) <(column hints.pst hint/t.2)
    teacher-forward t.safetensors --name other --hint 5 -i digits.pst -o "$file"
    [[ $(tensors "$file") == *" hint/other:f3212" ]]
    cmp <(column "$file" hint/other) <(column hints.pst hint/t.5)
}

@test "hints change no logit, and neither jobs nor threads change a hint" {
    teacher-forward t.safetensors -i digits.pst -o "$file"
    cmp <(column "$file" logits/t) <(column hints.pst logits/t)
    [ "$(origin "$file" logits/t)" = "$(origin hints.pst logits/t)" ]
    for option in "--jobs 3" "--threads 2"; do
        # shellcheck disable=SC2086 # an option and its value
        teacher-forward t.safetensors --hint 2 --hint 3.2 --hint 5 -i digits.pst $option -o "$file.$option"
        for name in hint/t.2 hint/t.3.2 hint/t.5 logits/t; do
            cmp <(column "$file.$option" $name) <(column hints.pst $name)
        done
    done
}

@test "a hint's origin depends on the model, the layer and the inputs, and not on its name" {
    teacher-forward t.safetensors --name other --hint 2 -i digits.pst -o "$file"
    [ "$(origin "$file" hint/other)" = "$(origin hints.pst hint/t.2)" ]
    [ "$(origin "$file" hint/other)" = "$(origin hint.pst hint/t)" ]
    [ "$(origin hints.pst hint/t.2)" != "$(origin hints.pst hint/t.3.2)" ]
    stream-inspect --summary hints.pst | grep -q 'teacher-forward makes=hint of layer 3.2 model='
}

@test "a layer that the teacher does not have is refused" {
    assert_fails 64 "--hint: t.safetensors: there is no layer 9: the network has 6; stream-inspect shows them" \
        teacher-forward t.safetensors --hint 9 -i digits.pst
    assert_fails 64 "there is no layer 3.5: the chain of layer 3, res, has 4" teacher-forward t.safetensors --hint 3.5 -i digits.pst
    assert_fails 64 "there is no layer 2.1: layer 2, bn, holds no others" teacher-forward t.safetensors --hint 2.1 -i digits.pst
    assert_fails 64 "'conv' is not the number of a layer" teacher-forward t.safetensors --hint conv -i digits.pst
    assert_fails 64 "layer 2 is there twice" teacher-forward t.safetensors --hint 2 --hint 2 -i digits.pst
    assert_fails 64 "when-top" teacher-forward t.safetensors --hint 2 --when-top 1 -i hint.pst
    assert_fails 64 "at most 8 hints" teacher-forward t.safetensors --hint 1 --hint 2 --hint 3 --hint 3.1 --hint 3.2 --hint 3.3 \
        --hint 4 --hint 5 --hint 6 -i digits.pst
    name=$(printf '%0120d' 0)
    assert_fails 64 "is too long for a tensor" teacher-forward t.safetensors --name "$name" --hint 2 --hint 3.2 -i digits.pst
}

# ---- students ----

@test "students learn from hints: the terms go down, and the model holds no projection" {
    train hints.pst --loss labels --loss features:hint/t.2:0.5,layer=2 --loss attention:hint/t.3.2:0.5,layer=3.1 \
        --loss features:hint/t.5,layer=5 --log "$file"
    /usr/bin/python3 - "$file" <<'END'
import json, sys
terms = [event["terms"] for event in map(json.loads, open(sys.argv[1])) if event["event"] == "epoch"]
names = ["features:hint/t.2,layer=2", "attention:hint/t.3.2,layer=3.1", "features:hint/t.5,layer=5"]
assert list(terms[0]) == ["labels:y", *names], terms
for name in names:
    assert 0 < terms[-1][name] < 0.9 * terms[0][name], (name, terms)
END
    stream-inspect "$model" >"$file"
    run ! grep -q match "$file"
    grep -q 'makes=hint of layer 3.2' "$file"
    student-trainer -q -a "$STUDENT" -r 0.05 -i digits.pst -o "$model.alone"
    [ "$(stream-inspect "$model" | sed -n '/^layers/,/^memory/p')" = "$(stream-inspect "$model.alone" | sed -n '/^layers/,/^memory/p')" ]
    teacher-forward "$model" -i digits.pst | evaluator | grep -q '^errors'
}

@test "terms of weight 0 are computed, and change no bit of the student" {
    train hint.pst --loss kl
    expected=$(weights "$model")
    train hint.pst --loss kl --loss features:hint/t:0,layer=2 --loss attention:hint/t:0,layer=2 --log "$file"
    [ "$(weights "$model")" = "$expected" ]
    grep -q '"features:hint/t,layer=2":[0-9]' "$file"
    train hint.pst --loss kl --loss features:hint/t:0.1,layer=2
    [ "$(weights "$model")" != "$expected" ]
}

@test "any number of threads gives the same bits" {
    terms=(--loss kl --loss "features:hint/t:0.5,layer=2" --loss "attention:hint/t:0.5,layer=3.1")
    train hint.pst "${terms[@]}"
    expected=$(weights "$model")
    train hint.pst "${terms[@]}" --threads 2
    [ "$(weights "$model")" = "$expected" ]
}

@test "a run that was cut short goes on to the same bits, also of its projections" {
    terms=(--loss "features:hint/t.2:0.5,layer=2" --loss "attention:hint/t.3.2,layer=3" --loss "features:hint/t.5,layer=5")
    for options in "--momentum 0.9" "--optimiser adam" "--clip 0.5"; do
        # shellcheck disable=SC2206 # an option and its value
        options=($options)
        train hints.pst "${terms[@]}" "${options[@]}"
        expected=$(weights "$model")
        head -c "$(($(stat -c %s hints.pst) * 6 / 10))" hints.pst >"$file"
        run -65 train "$file" "${terms[@]}" "${options[@]}" --checkpoint "$model.state" --checkpoint-every 1
        train hints.pst "${terms[@]}" "${options[@]}" --checkpoint "$model.state" --resume
        [ "$(weights "$model")" = "$expected" ]
    done
}

@test "a checkpoint of another layer is refused" {
    head -c "$(($(stat -c %s hint.pst) * 6 / 10))" hint.pst >"$file"
    run -65 train "$file" --loss features:hint/t,layer=2 --checkpoint "$model.state" --checkpoint-every 1
    refused 65 "was made with other options than these: loss is" hint.pst --loss features:hint/t,layer=3 \
        --checkpoint "$model.state" --resume -r 0.05
}

@test "a student learns from a hint alone, and another starts from it" {
    train hint.pst --loss features,layer=2
    student-trainer -q --from "$model" -r 0.05 -i hint.pst --loss kl --loss features,layer=2 --seed 4 -o "$model.2"
    student-trainer -q --from "$model" -r 0.05 -i hint.pst --loss kl --loss features,layer=2 --seed 5 -o "$model.3"
    [ "$(weights "$model.2")" != "$(weights "$model.3")" ]
    assert_fails 64 "--seed does nothing with --from" student-trainer --from "$model" -i hint.pst --loss kl --seed 4 -o "$model.4"
}

@test "a layer that is not there, and one before all layers that learn, are refused" {
    refused 64 "--loss features: there is no layer 7: the network has 6" hint.pst --loss features:hint/t,layer=7
    refused 64 "--loss attention: there is no layer 3.4" hint.pst --loss attention:hint/t,layer=3.4
    refused 64 "'3x' is not the number of a layer" hint.pst --loss features:hint/t,layer=3x
    refused 64 "--loss features needs layer=, the number of the student's layer" hint.pst --loss features:hint/t
    refused 64 "'layer=' is there twice" hint.pst --loss features:hint/t,layer=2,layer=3
    refused 64 "layer= is not the number of a layer" hint.pst --loss features:hint/t,layer=
    refused 64 "the loss kl has no 'layer='" hint.pst --loss kl,layer=2
    refused 64 "the loss features has no 'smoothing='" hint.pst --loss features,layer=2,smoothing=1
    refused 64 "the loss has the term features of 'hint/t' twice" hint.pst --loss features:hint/t,layer=2 --loss features:hint/t,layer=2
    assert_fails 64 "nothing up to layer 1 learns" student-trainer -a 1x28x28-avgpool2-conv3x3:3-gap-10 -i hint.pst -o "$model" \
        --loss features:hint/t,layer=1
}

@test "layers and hints that cannot be compared are refused with both shapes" {
    refused 65 "layer 4 gives 4, and the hint 'hint/t' is 6x14x14: only maps" hint.pst --loss features,layer=4
    refused 65 "layer 5 gives 8, and the hint 'hint/t.5' is 12: attention is of maps" hints.pst --loss attention:hint/t.5,layer=5
    refused 65 "layer 2 gives 4x14x14, and the hint 'hint/t.5' is 12: only maps" hints.pst --loss features:hint/t.5,layer=2
    assert_fails 65 "layer 1 gives 3x28x28, and the hint 'hint/t' is 6x14x14: heights and widths differ" \
        student-trainer -a 1x28x28-conv3x3:3-gap-10 -i hint.pst -o "$model" --loss attention,layer=1
}

@test "a hint that is missing, of another kind, or one of several is refused" {
    refused 65 "the stream has no hints; 'teacher-forward MODEL --hint LAYER'" digits.pst --loss features,layer=2
    refused 65 "the stream has no tensor 'hint/x'; it has: " hint.pst --loss features:hint/x,layer=2
    refused 65 "the stream has several hint/NAME; choose with --loss features:TENSOR" hints.pst --loss features,layer=2
    refused 65 "tensor 'y' is i32 of rank 0 a sample, and a hint is f32, f16 or u8 of rank 1 to 3" hint.pst --loss features:y,layer=2
    change 'batch["hint/t"][1, 2, 3, 4] = np.nan' hint.pst "$file"
    refused 65 "tensor 'hint/t', sample 1 of the batch: number 438 is nan, not a finite number" "$file" --loss features,layer=2
}

@test "a hint of other inputs than those beside it is refused" {
    loader digits --samples 120 --batch 30 --epochs 3 --data-seed 9 -o "$file"
    change 'import pst; other = pst.read(open("'"$file"'", "rb").read())[0]
header["lineage"] |= other["lineage"]; spec("x")["origin"] = other["tensors"][0]["origin"]; drop("soft/t"); drop("logits/t")' hint.pst "$file.mixed"
    refused 65 "the targets 'hint/t' were computed from other inputs than 'x': loader digest=" "$file.mixed" --loss features,layer=2
    assert_fails 65 "was recorded from other inputs than those of $file: loader digest=" stream-join --take hint/t hint.pst -i "$file"
}

# ---- other stages ----

@test "stages that do not use hints hand them on" {
    teacher-forward t.safetensors --name b --hint 3 -i hints.pst | temperature-softmax -T 4 | averager -o "$file"
    [[ $(tensors "$file") == *" hint/t.2:f32"*" hint/b:f32"*" soft:f3210" ]]
    cmp <(column "$file" hint/t.2) <(column hints.pst hint/t.2)
    stream-select --drop 'hint/*' -i hints.pst -o "$file.1"
    [[ $(tensors "$file.1") != *hint* ]]
    stream-select --rename hint/t.2=hint/t --drop hint/t.3.2 --drop hint/t.5 -i hints.pst -o "$file.2"
    [ "$(origin "$file.2" hint/t)" = "$(origin hint.pst hint/t)" ]
}

@test "a compact recording keeps hints, as they are or in f16" {
    train hint.pst --loss kl --loss features,layer=2
    compactor -i hint.pst -o "$file"
    cmp <(column "$file" hint/t) <(column hint.pst hint/t)
    compactor --hints f16 --inputs digest -i hint.pst -o "$file.half"
    [[ $(tensors "$file.half") == *" hint/t:f166x14x14 "* ]]
    /usr/bin/python3 - <(column "$file.half" hint/t) <(column hint.pst hint/t) <<'END'
import sys, numpy
half, whole = map(numpy.loadtxt, sys.argv[1:])
assert (half == whole.astype("f2")).all() and abs(half - whole).max() <= 2**-11 * abs(whole).max()
END
    [ "$(origin "$file.half" hint/t)" != "$(origin hint.pst hint/t)" ]
    stream-inspect --check "$file.half"
    loader digits --samples 120 --batch 30 --epochs 3 | stream-join "$file.half" -o "$file.joined"
    [[ $(tensors "$file.joined") == *" hint/t:f166x14x14 "* ]]
    train "$file.joined" --loss kl --loss features,layer=2
    compactor --restore -i "$file" | student-trainer -q -a "$STUDENT" -r 0.05 --loss kl --loss features,layer=2 -o "$model.2"
    assert_fails 64 "--hints" compactor --restore --hints f16 -i "$file"
}

@test "a number that f16 cannot hold is refused" {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - "$file" <<'END'
import sys, numpy
from pipestill_stream import stream
header = [{"name": name, "dtype": "f32", "shape": [3]} for name in ("x", "logits/t", "hint/t")]
numbers = numpy.array([[1, 2, 3], [4, 5, 6]], "f4")
hint = numpy.array([[1, 2, 3], [4, 70000, 6]], "f4")
open(sys.argv[1], "wb").write(stream(header, [{"x": numbers, "logits/t": numbers, "hint/t": hint}], batches=1))
END
    assert_refused "tensor 'hint/t', sample 1 of the batch: f16 cannot hold 70000" compactor --hints f16 -i "$file"
    compactor -i "$file" -o "$file.2"
}

# ---- the page ----

@test "the worked pipe of docs/hints.md runs" {
    cd "$BATS_TEST_TMPDIR"
    /usr/bin/python3 "$BATS_TEST_DIRNAME/../python/recipe.py" "$BATS_TEST_DIRNAME/../../docs/hints.md" "A worked pipe" >recipe.sh
    run -0 bash recipe.sh
    [[ $output == *"  5     bn-relu "*"32x14x14"* && $output == *"  5     bn-relu "*"8x14x14"* ]]
    grep -q '"features:hint/teacher,layer=5":' student.log
    ls attentive.safetensors fitnet.safetensors
}
