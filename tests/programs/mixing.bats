#!/usr/bin/env bats
# loader --mixup and --cutmix from outside: what becomes of samples and labels, which stages learn from them, and which refuse
# them. tests/unit/test_data_mix.c checks what is drawn.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 200 --no-shuffle -o plain.pst
    loader digits --samples 200 --no-shuffle --mixup 1 -o mixed.pst
    student-trainer -q --hidden 16 -i plain.pst -o teacher.safetensors
    teacher-forward teacher.safetensors --name t -i mixed.pst | temperature-softmax -T 2 -o taught.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
    model=$BATS_TEST_TMPDIR/model.safetensors
    log=$BATS_TEST_TMPDIR/log
}

# calculate SCRIPT ARGUMENT…: with load(path), which gives the header and, by name, each tensor of a stream.
calculate() {
    /usr/bin/python3 -B - "$BATS_TEST_DIRNAME/../python" "${@:2}" <<END
import sys
sys.path.insert(0, sys.argv.pop(1))
import numpy as np, pst
def load(path):
    header, batches = pst.read(open(path, "rb").read())
    return header, {t["name"]: pst.column(batches, t["name"]) for t in header["tensors"]}
$1
END
}

# terms MODEL: the terms of its loss.
terms() {
    stream-inspect --json "$1" | tr -d '\\ ' | grep -o '"terms":\[[^]]*\]'
}

# ---- what is mixed ----

@test "labels become shares, and pictures sums of two by these shares" {
    calculate '
(_, plain), (header, mixed) = load("plain.pst"), load("mixed.pst")
assert header["classes"] == 10 and "class_counts" not in header
spec = next(t for t in header["tensors"] if t["name"] == "y")
assert (spec["dtype"], spec["shape"], spec["temperature"]) == ("f32", [10], 1)
assert (mixed["id"] == plain["id"]).all() and abs(mixed["y"].sum(1) - 1).max() < 1e-6
two = (mixed["y"] > 0).sum(1) == 2
assert two.sum() > 150
for i in np.flatnonzero(two)[:40]:
    own = mixed["y"][i, plain["y"][i]].astype(float)
    others = plain["x"][plain["y"] == np.argmax(np.where(np.arange(10) == plain["y"][i], 0, mixed["y"][i]))]
    away = abs(own * plain["x"][i] + (1 - own) * others - mixed["x"][i]).max((1, 2))
    assert (away <= 0.5 + 1e-4).any(), (i, away.min())
'
}

@test "a mixed sample does not depend on batches or order, and another epoch mixes it otherwise" {
    digests() { "$BATS_TEST_DIRNAME/read_stream.py" digest | grep -o '"[0-9a-f]\{16\}"'; }
    digests <mixed.pst >"$BATS_TEST_TMPDIR/whole"
    for options in "--batch 7" "--batch 200" "--batch 1 --start 3"; do
        # Split into words on purpose.
        # shellcheck disable=SC2086
        loader digits --samples 200 --no-shuffle --mixup 1 $options | digests >"$BATS_TEST_TMPDIR/some"
        cmp <(tail -n "$(wc -l <"$BATS_TEST_TMPDIR/some")" "$BATS_TEST_TMPDIR/whole") "$BATS_TEST_TMPDIR/some"
    done
    loader digits --samples 200 --shuffle --mixup 1 | digests | sort | cmp - <(sort "$BATS_TEST_TMPDIR/whole")
    loader digits --samples 200 --no-shuffle --mixup 1 --epochs 2 | digests >"$BATS_TEST_TMPDIR/two"
    [ "$(sort -u "$BATS_TEST_TMPDIR/two" | wc -l)" -ge 390 ]
}

@test "pictures that threads decode are mixed the same for any number of them" {
    mkdir -p "$BATS_TEST_TMPDIR"/set/{0,1,2}
    cd "$BATS_TEST_TMPDIR" || return
    /usr/bin/python3 -c 'for i in range(90): open(f"set/{i % 3}/{i}.pgm", "wb").write(b"P5 40 30 255\n" + (b"%04d" % i) * 300)'
    mixed=(loader images:set --epochs 3 --run r --shift 1 --mixup 0.4 --cutmix 1 -b 16)
    "${mixed[@]}" -o one.pst --decoders 1
    for count in 0 2 7; do
        "${mixed[@]}" --decoders $count | cmp - one.pst
    done
}

@test "rows of numbers, numbers to predict and weights are mixed" {
    printf 'a,b,price,w\n' >"$BATS_TEST_TMPDIR/t.csv"
    for i in {1..30}; do echo "$i,$((i % 7)).5,$((3 * i)),$((i % 3 + 1))"; done >>"$BATS_TEST_TMPDIR/t.csv"
    table=(loader "$BATS_TEST_TMPDIR/t.csv" --label price --regression --weight w --standardise --no-shuffle)
    "${table[@]}" -o "$BATS_TEST_TMPDIR/plain.pst"
    "${table[@]}" --mixup 1 -o "$BATS_TEST_TMPDIR/mixed.pst"
    calculate '
(_, plain), (_, mixed) = load(sys.argv[1] + "/plain.pst"), load(sys.argv[1] + "/mixed.pst")
for i in range(30):
    differences = plain["y"] - plain["y"][i]
    rest = (mixed["y"][i] - plain["y"][i]) / np.where(differences == 0, np.inf, differences)
    away = abs(plain["x"][i] + rest[:, None] * (plain["x"] - plain["x"][i]) - mixed["x"][i]).max(1)
    away += abs(plain["weight"][i] + rest * (plain["weight"] - plain["weight"][i]) - mixed["weight"][i])
    assert away.min() < 1e-4, (i, away.min())
' "$BATS_TEST_TMPDIR"
    student-trainer -q --hidden 4 -i "$BATS_TEST_TMPDIR/mixed.pst" -o "$model"
    [ "$(terms "$model")" = '"terms":["mse:y:1"]' ]
}

@test "samples without labels are mixed, and a teacher gives their soft targets" {
    mkdir -p "$BATS_TEST_TMPDIR/set"
    cd "$BATS_TEST_TMPDIR" || return
    /usr/bin/python3 -c 'for i in range(30): open(f"set/{i}.pgm", "wb").write(b"P5 28 28 255\n" + bytes([i * 8]) * 784)'
    loader images:set --cutmix 1 | teacher-forward "$BATS_FILE_TMPDIR/teacher.safetensors" --name t |
        temperature-softmax -T 2 | student-trainer -q --arch 784-8-10 -o "$model" --log "$log"
    [ "$(terms "$model")" = '"terms":["kl:soft/t:1,T=2"]' ]
    run ! grep -q error_share "$log"
}

# ---- what learns from it ----

@test "labels that are shares are learned with cross-entropy, and soft targets of the mixed pictures" {
    student-trainer -q --hidden 8 -i mixed.pst -o "$model" --log "$log"
    [ "$(terms "$model")" = '"terms":["cross-entropy:y:1,T=1"]' ]
    run ! grep -q error_share "$log"
    student-trainer -q --hidden 8 -i mixed.pst --loss cross-entropy:y -o "$model.same"
    calculate '
import safetensors
one, same = (safetensors.read(path) for path in sys.argv[1:])
assert all((one[name] == same[name]).all() for name in one)
' "$model" "$model.same"
    student-trainer -q --hidden 8 -i taught.pst -o "$model"
    [ "$(terms "$model")" = '"terms":["kl:soft/t:1,T=2"]' ]
    student-trainer -q --hidden 8 -i taught.pst --targets both --hard-weight 0.1 --soft-weight 0.9 -o "$model"
    [ "$(terms "$model")" = '"terms":["cross-entropy:y:0.1,T=1","kl:soft/t:0.9,T=2"]' ]
}

@test "mixed pictures are recorded by their digests and joined again" {
    small=$BATS_TEST_TMPDIR/small.pst
    compactor --targets top-k --top 3 --inputs digest -i taught.pst -o "$small"
    stream-join "$small" -i mixed.pst | student-trainer -q --hidden 8 -o "$model"
    assert_fails 65 "loader without augmentation_seed here" stream-join "$small" -i plain.pst -o "$out"
    loader digits --samples 200 --no-shuffle --mixup 1 --seed 4 -o "$BATS_TEST_TMPDIR/other.pst"
    assert_fails 65 "loader augmentation_seed=4 here" stream-join "$small" -i "$BATS_TEST_TMPDIR/other.pst" -o "$out"
}

@test "the choice of samples is in the origins, because samples are mixed in" {
    origins() { stream-inspect --json "$1" | grep -o '"name":"[a-z]*","dtype[^}]*"origin":"[0-9a-f]*"' | sort; }
    loader digits --samples 200 --no-shuffle --mixup 1 --limit 100 | cat >"$BATS_TEST_TMPDIR/fewer.pst"
    origins mixed.pst >"$BATS_TEST_TMPDIR/all"
    origins "$BATS_TEST_TMPDIR/fewer.pst" >"$BATS_TEST_TMPDIR/fewer"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/all")" -eq 3 ]
    [[ $(comm -12 "$BATS_TEST_TMPDIR/all" "$BATS_TEST_TMPDIR/fewer") == '"name":"id"'*([!$'\n']) ]]
}

@test "the pipe of docs/augmentation.md makes a student that is better for mixing" {
    [[ -z ${SANITIZE-}${VALGRIND-} ]] || skip "it takes long, and its programs are checked elsewhere"
    cd "$BATS_TEST_TMPDIR" || return
    # The settings are those of the page, so this takes some ten seconds.
    # shellcheck disable=SC2016
    sed -n '/^```sh$/,/^```$/p' "$BATS_TEST_DIRNAME/../../docs/augmentation.md" | grep -v '^```' >pipe
    bash -eo pipefail pipe
    errors() { grep -o '"errors":[0-9]*' "$1" | head -n 1 | cut -d: -f2; }
    sed -e '1,2d' -e 's/ --mixup 1 --cutmix 1//' pipe | sed 's/figures/unmixed/' >without
    bash -eo pipefail without
    echo "mixed $(errors figures), unmixed $(errors unmixed)"
    [ "$(errors figures)" -lt 600 ]
    [ "$(errors unmixed)" -gt "$(($(errors figures) + 100))" ]
}

# ---- refusals ----

@test "a stage that needs one label a sample refuses mixed samples" {
    words="tensor 'y' holds shares of classes, for samples were mixed, and labels are needed; leave out loader's --mixup"
    assert_fails 65 "$words" evaluator -i taught.pst
    assert_fails 65 "--validate mixed.pst: $words" student-trainer --hidden 8 --validate mixed.pst -i plain.pst -o "$model"
    assert_fails 65 "learn from them with --loss cross-entropy:y" student-trainer --hidden 8 --loss labels -i mixed.pst -o "$model"
    assert_fails 65 "--class-weight needs labels" student-trainer --hidden 8 --class-weight 1=2 -i mixed.pst -o "$model"
}

@test "a stage that needs no labels takes mixed samples" {
    evaluator --of logits/t --against soft/t -i taught.pst --json | grep -q '"samples":200'
    stream-export --to csv -i taught.pst -o "$BATS_TEST_TMPDIR/table.csv"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/table.csv")" -eq 201 ]
    replay mixed.pst --limit 10 | stream-inspect >"$BATS_TEST_TMPDIR/said"
}

@test "what cannot be mixed is refused" {
    printf 'a,b,label\n1,2,0\n3,4,1\n' >"$BATS_TEST_TMPDIR/table.csv"
    assert_fails 64 "--cutmix: only images have rectangles; --mixup mixes all numbers" \
        loader "$BATS_TEST_TMPDIR/table.csv" --label label --cutmix 1 -o "$out"
    assert_fails 64 "--mixup: there is only one sample" loader digits --samples 1 --mixup 1 -o "$out"
    assert_fails 64 "--mixup: a number below 0.001" loader digits --mixup 1e-9 -o "$out"
}
