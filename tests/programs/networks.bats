#!/usr/bin/env bats
# Networks beyond dense layers, from outside: their architectures, what stream-inspect says of them, that they learn, and that
# interruptions change nothing. Their numbers are compared with numpy's and PyTorch's elsewhere.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

CONV="1x28x28-conv3x3:6,stride=2-bn-relu-res(conv3x3:6-bn)-relu-maxpool2-flatten-10"

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 600 --batch 20 --epochs 4 -o digits.pst
    loader digits --samples 60 --batch 20 -o short.pst
    loader digits --split test --samples 200 -o test.pst
    student-trainer -q -a "$CONV" -r 0.02 -i digits.pst -o conv.safetensors
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    model=$BATS_TEST_TMPDIR/model.safetensors
    file=$BATS_TEST_TMPDIR/network
}

# assert_arch_fails CODE WORDS ARCHITECTURE MARK: training fails, and stderr shows MARK, a line of blanks and carets.
assert_arch_fails() {
    run --separate-stderr student-trainer -a "$3" -i short.pst -o "$model"
    echo "exit code $status: $stderr"
    [ "$status" -eq "$1" ]
    [[ $stderr == *"$2"* ]]
    [ "${stderr_lines[1]}" = "student-trainer: $4" ]
    [ ! -e "$model" ]
}

# ---- architectures ----

@test "a fault in an architecture is shown with a mark below its place" {
    assert_arch_fails 64 "--arch: 'rleu' is not a layer; layers are like: 800" 784-30-rleu-10 '       ^^^^'
    assert_arch_fails 64 "layer 2, shuffle, has 4 groups, which do not divide its 6 channels (its input is 6x28x28)" \
        1x28x28-conv3:6-shuffle4-gap-10 '                ^^^^^^^^'
    assert_arch_fails 64 "layer 2, conv, has 5 groups, which do not divide its 6 channels and 8 maps (its input is 6x28x28)" \
        1x28x28-conv3:6-conv3:8,groups=5-gap-10 '                ^^^^^^^^^^^^^^^^'
    assert_arch_fails 64 "in layer 1, res: layer 1, conv, has a padding of 4, but its kernel is 3 high" \
        "1x28x28-res(conv3:6,pad=4)-gap-10" '            ^^^^^^^^^^^^^'
}

@test "a long architecture is shown around the fault" {
    assert_arch_fails 64 "'conv' is not a layer conv" "1x28x28-20*(conv3x3:4-relu)-conv3x3:4-conv3x3:4-conv3x3:4-conv-conv3x3:4-gap-10" \
        "                                           ^^^^"
    [[ ${stderr_lines[0]} == "student-trainer: ..."*-conv-* ]]
}

@test "an architecture in a file may have lines, blanks and comments" {
    printf '# a network\n1x28x28\n\nconv3x3:4, stride=2 - bn - relu  # half\n2*( res( conv3x3:4 - bn )\n relu )\ngap 10' >"$file"
    student-trainer -q -a "@$file" -i short.pst -o "$model"
    student-trainer -q -a '1x28x28-conv3x3:4,stride=2-bn-relu-2*(res(conv3x3:4-bn)-relu)-gap-10' -i short.pst -o "$BATS_TEST_TMPDIR/same"
    student-trainer -q -a '1x28x28-conv3x3:4,stride=2-bn-relu-res(conv3x3:4-bn)-relu-res(conv3x3:4-bn)-relu-gap-10' -i short.pst \
        -o "$BATS_TEST_TMPDIR/long"
    cmp "$model" "$BATS_TEST_TMPDIR/same"
    cmp "$model" "$BATS_TEST_TMPDIR/long"
}

@test "a fault in a file is shown with its line" {
    printf '1x28x28\n# a comment\nconv3x3:4 bn\nconv9 gap 10\n' >"$file"
    assert_arch_fails 65 "$file: line 4: 'conv9' is not a layer conv" "@$file" '                     ^^^^^'
    printf '\n# nothing\n' >"$file"
    assert_fails 65 "begin with the shape of the inputs" student-trainer -a "@$file" -i short.pst -o "$model"
    assert_fails 66 "cannot be opened" student-trainer -a "@$BATS_TEST_TMPDIR/none" -i short.pst -o "$model"
    printf '784-\0-10' >"$file"
    assert_fails 65 "is not a text of layers" student-trainer -a "@$file" -i short.pst -o "$model"
    assert_fails 65 "is not a regular file" student-trainer -a "@$BATS_TEST_TMPDIR" -i short.pst -o "$model"
}

# ---- learning ----

@test "a convolutional student learns" {
    teacher-forward conv.safetensors --name it -i test.pst | evaluator --json >"$BATS_TEST_TMPDIR/figures"
    errors=$(grep -o '"errors":[0-9]*' "$BATS_TEST_TMPDIR/figures" | head -n 1 | cut -d : -f 2)
    echo "$errors errors"
    [ "$errors" -le 90 ]
}

@test "an interrupted run of a network with statistics ends at the same bytes" {
    checkpoint=$BATS_TEST_TMPDIR/checkpoint
    run -65 student-trainer -q -a "$CONV" -r 0.02 --checkpoint "$checkpoint" -i <(head -c 1000000 digits.pst) -o "$model"
    [ -s "$checkpoint" ]
    student-trainer -q -a "$CONV" -r 0.02 --checkpoint "$checkpoint" --resume -i digits.pst -o "$model"
    cmp "$model" conv.safetensors
}

@test "a network that learns on from a model keeps its statistics" {
    student-trainer -q --from conv.safetensors -r 0.000000001 -i <(loader digits --samples 60 --batch 60) -o "$model"
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - conv.safetensors "$model" <<'END'
import sys, safetensors
old, new = (safetensors.read(path) for path in sys.argv[1:])
name = "layers.1.running_var"
assert abs(new[name] / old[name] - 1).max() < 0.5 and (new[name] != old[name]).any() and (old[name] != 1).all()
assert abs(new["layers.0.weight"] - old["layers.0.weight"]).max() < 1e-4
END
}

@test "--hidden takes maps from the stream if its first layer does" {
    student-trainer -q --hidden 'conv3x3:4,stride=2-bn-relu-gap' -i short.pst -o "$model"
    student-trainer -q -a '1x28x28-conv3x3:4,stride=2-bn-relu-gap-10' -i short.pst -o "$BATS_TEST_TMPDIR/same"
    cmp "$model" "$BATS_TEST_TMPDIR/same"
    assert_fails 64 "--hidden: layer 1, conv, has 3 groups, which do not divide its 1 channels" \
        student-trainer --hidden 'conv3x3:3,groups=3-gap' -i short.pst -o "$BATS_TEST_TMPDIR/none"
}

@test "--clip limits the norm of a step, and one that is not reached changes nothing" {
    learn() { student-trainer -q -a "$CONV" -r 0.5 --momentum 0 -i "$1" -o "$2" "${@:3}"; }
    loader digits --samples 20 --batch 20 -o one.pst
    learn short.pst "$BATS_TEST_TMPDIR/free"
    learn short.pst "$BATS_TEST_TMPDIR/high" --clip 1e9
    student-trainer -q -a "$CONV" -r 1e-30 --momentum 0 -i one.pst -o "$BATS_TEST_TMPDIR/start"
    learn one.pst "$BATS_TEST_TMPDIR/clipped" --clip 0.01
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - "$BATS_TEST_TMPDIR" <<'END'
import sys, safetensors
free, high, start, clipped = (safetensors.read(f"{sys.argv[1]}/{name}") for name in ("free", "high", "start", "clipped"))
assert all((free[name] == high[name]).all() for name in free)
learned = [name for name in start if "running" not in name]
norm = sum(((clipped[name].astype(float) - start[name]) ** 2).sum() for name in learned) ** 0.5
assert abs(norm / (0.5 * 0.01) - 1) < 1e-3, norm
assert all((clipped[name] == start[name]).all() for name in start if "running" in name)
END
}

# ---- an average of weights ----

@test "--ema writes the average of the weights after each step, with statistics" {
    learn() {
        loader digits --samples "$1" --batch 20 --no-shuffle |
            student-trainer -q -a "$CONV" -r 0.5 -o "$BATS_TEST_TMPDIR/$2" "${@:3}"
    }
    learn 20 one
    learn 40 two
    learn 60 three
    learn 60 average --ema 0.8 --log "$BATS_TEST_TMPDIR/log"
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - "$BATS_TEST_TMPDIR" <<'END'
import sys, safetensors
one, two, three, average = (safetensors.read(f"{sys.argv[1]}/{name}") for name in ("one", "two", "three", "average"))
for name in one:
    expected = (0.64 * one[name].astype(float) + 0.8 * two[name] + three[name]) / 2.44
    assert abs(average[name] - expected).max() < 1e-6 * (1 + abs(expected).max()), name
END
    grep -q '"event":"network".*"ema":0.8' "$BATS_TEST_TMPDIR/log"
    stream-inspect "$BATS_TEST_TMPDIR/average" >"$BATS_TEST_TMPDIR/shown"
    grep -q "^weights *average of 3 steps, decay 0.8$" "$BATS_TEST_TMPDIR/shown"
}

@test "--validate judges the average, which is also written" {
    loader digits --samples 60 --batch 10 --epochs 3 -o "$BATS_TEST_TMPDIR/many.pst"
    student-trainer -q -a "$CONV" -r 0.05 --ema 0.9 --validate test.pst -i "$BATS_TEST_TMPDIR/many.pst" -o "$model" --log "$BATS_TEST_TMPDIR/log"
    best=$(grep -o '"validation_errors":[0-9]*' "$BATS_TEST_TMPDIR/log" | cut -d: -f2 | sort -n | head -1)
    teacher-forward "$model" -i test.pst | evaluator --json >"$BATS_TEST_TMPDIR/said"
    grep -q "\"errors\": *${best}[,}.]" "$BATS_TEST_TMPDIR/said"
    student-trainer -q -a "$CONV" -r 0.05 --ema 0.9 --validate test.pst --keep-last -i "$BATS_TEST_TMPDIR/many.pst" -o "$BATS_TEST_TMPDIR/last"
    student-trainer -q -a "$CONV" -r 0.05 --ema 0.9 -i "$BATS_TEST_TMPDIR/many.pst" -o "$BATS_TEST_TMPDIR/alone"
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - "$BATS_TEST_TMPDIR" <<'END'
import sys, safetensors
last, alone = (safetensors.read(f"{sys.argv[1]}/{name}") for name in ("last", "alone"))
assert all((last[name] == alone[name]).all() for name in last)
END
}

@test "a run with --ema that was stopped goes on to the same bits, and not with another decay" {
    loader digits --samples 60 --batch 10 --epochs 3 -o "$BATS_TEST_TMPDIR/many.pst"
    learn=(student-trainer -q -a "$CONV" -r 0.05 --validate test.pst)
    "${learn[@]}" --ema 0.9 -i "$BATS_TEST_TMPDIR/many.pst" -o "$model"
    checkpoint=$BATS_TEST_TMPDIR/checkpoint again=$BATS_TEST_TMPDIR/again
    run -65 "${learn[@]}" --ema 0.9 --checkpoint "$checkpoint" -i <(head -c 100000 "$BATS_TEST_TMPDIR/many.pst") -o "$again"
    [ -s "$checkpoint" ]
    assert_fails 65 "ema is 0.5 here, 0.9 there" "${learn[@]}" --ema 0.5 --checkpoint "$checkpoint" --resume -i "$BATS_TEST_TMPDIR/many.pst" -o "$again"
    "${learn[@]}" --ema 0.9 --checkpoint "$checkpoint" --resume -i "$BATS_TEST_TMPDIR/many.pst" -o "$again"
    cmp "$model" "$again"
}

# ---- what a network takes ----

@test "stream-inspect shows layers, shapes, parameters, multiply-adds and memory of a model" {
    stream-inspect conv.safetensors >"$file"
    grep -qE '^  1 +conv3x3:6,stride=2 +6x14x14 +54 +10584$' "$file"
    grep -qE '^  3 +res\(\)-relu +6x14x14 +336 +63504$' "$file"
    grep -qE '^  3\.2 +bn +6x14x14 +12 +0$' "$file"
    grep -qE '^  6 +10 +10 +2950 +2940$' "$file"
    grep -qE '^  in all +3352 +77028$' "$file"
    grep -q '^statistics     24, ' "$file"
    grep -qE '^memory +for 128 samples: in use [0-9.]+ MB, in training [0-9.]+ MB$' "$file"
    stream-inspect --json conv.safetensors | /usr/bin/python3 -c '
import json, sys
network = json.load(sys.stdin)["network"]
assert network["parameters"] == 3352 and network["multiply_adds"] == 77028 and network["layers"][2]["chain"][1]["out"] == [6, 14, 14]
assert network["memory"]["use"] < network["memory"]["training"]'
}

@test "stream-inspect --arch shows a network without a model" {
    printf '3x32x32\nconv3x3:8\nres(conv3x3:16,stride=2-bn)\ngap 10' >"$file"
    run -0 stream-inspect --arch "@$file"
    [[ $output == *"conv1x1:16,stride=2"* ]]
    run -0 stream-inspect --json --arch "@$file"
    [[ $output == *'"architecture":"3x32x32-conv3x3:8-res(conv3x3:16,stride=2-bn|conv1x1:16,stride=2-bn)-gap-10"'* ]]
    assert_fails 64 "'rleu' is not a layer" stream-inspect --arch 784-rleu-10
    echo 784-rleu-10 >"$file"
    assert_fails 65 "'rleu' is not a layer" stream-inspect --arch "@$file"
    run --separate-stderr stream-inspect --arch "@$file"
    [ "${stderr_lines[1]}" = "stream-inspect:     ^^^^" ]
    [[ ${stderr_lines[2]} == "stream-inspect: $file: line 1: 'rleu' is not a layer;"* ]]
    run --separate-stderr stream-inspect --arch @none
    [ "$stderr" = "stream-inspect: none: cannot be opened: No such file or directory" ]
    assert_fails 64 "--arch shows a network, and 'short.pst' is something else" stream-inspect --arch 784-10 short.pst
    assert_fails 64 "--arch" stream-inspect --arch 784-10 --summary
}

@test "a network that does not fit in memory is refused before it is trained, with the number" {
    big='1x28x28-conv1x1:1300-2*(200*(bn-relu))-gap-10'
    assert_fails 75 "the network takes " student-trainer -a "$big" -i short.pst -o "$model"
    [[ $stderr =~ takes\ [0-9.]+\ [GT]B\ of\ memory\ for\ batches\ of\ 20\ samples,\ and\ [0-9.]+\ [MG]B\ are\ free ]]
}

@test "a model with a type of layer that is not known is refused, and still shown" {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B - "$model" <<'END'
import sys, numpy, safetensors
safetensors.write(sys.argv[1], {"layers.0.weight": numpy.zeros((10, 784), "f4")}, format="pipestill-model-1",
                  architecture="784-attention8-10nobias")
END
    assert_fails 65 "'attention8' is not a layer" teacher-forward "$model" -i test.pst
    [[ $stderr == *"a newer pipestill may know it"* ]]
    assert_fails 65 "'attention8' is not a layer" student-trainer --from "$model" -i short.pst -o "$BATS_TEST_TMPDIR/other"
    run -0 --separate-stderr stream-inspect "$model"
    [[ $output == *"layers.0.weight"* && $stderr == *"its layers are not shown: "*"'attention8' is not a layer"* ]]
}

# ---- docs/networks.md ----

@test "the ten examples of docs/networks.md have the parameters and multiply-adds that stand there" {
    cd "$BATS_TEST_TMPDIR"
    /usr/bin/python3 - "$BATS_TEST_DIRNAME/../../docs/networks.md" <<'END' >figures
import re, sys
page = open(sys.argv[1], encoding="utf-8").read()
found = re.findall(r"^\*\*[^\n]*: (\d+), (\d+)\n\n```network\n(.*?)```", page, re.M | re.S)
assert len(found) == 10 == page.count("```network")
for number, (parameters, products, text) in enumerate(found):
    open(f"net-{number}", "w").write(text)
    print(number, parameters, products)
END
    while read -r number parameters products; do
        stream-inspect --json --arch "@net-$number" >shown
        grep -q "\"parameters\":$parameters,\"statistics\":[0-9]*,\"multiply_adds\":$products.0,\"memory\"" shown
    done <figures
}
