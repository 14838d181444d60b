#!/usr/bin/env bats
# loader --standardise and --like: what they do to samples, and what models make of it.
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR" || return
    read_stream=$BATS_TEST_DIRNAME/read_stream.py
}

# make_set: 200 samples of three columns with means far from 0, and labels that they tell.
make_set() {
    /usr/bin/python3 - <<'END'
import numpy as np
random = np.random.default_rng(3)
y = np.arange(200) % 2
x = random.normal(size=(200, 3)) * [100, 1, 0] + [5000, -3, 7]
x[:, 0] += 300 * y
for name, array, code, kind in (("x", x, 14, ">f8"), ("y", y, 8, ">u1")):
    with open(name, "wb") as file:
        file.write(bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.astype(kind).tobytes())
np.save("x.npy", x)
END
}

# statistics: mean and deviation of each column of x in the stream on standard input, to three digits.
statistics() {
    "$read_stream" x | /usr/bin/python3 -c 'import json, sys
import numpy as np
lines = [json.loads(line) for line in sys.stdin]
x = np.concatenate([np.array(line["x"]) for line in lines if "x" in line])
print(np.round(x.mean(0), 3) + 0.0, np.round(x.std(0), 3))'
}

@test "numbers of each column get mean 0 and deviation 1, and a column that never varies keeps its deviation" {
    make_set
    run bash -c "loader idx:x,y --standardise -o s.pst && $(declare -f statistics); read_stream='$read_stream'; statistics <s.pst"
    [[ $output == "[0. 0. 0.] [1. 1. 0.]" ]]
}

@test "mean and deviation are those of the training split, whichever split is loaded" {
    make_set
    for split in train validation; do
        loader idx:x,y --standardise --hold-out 50 --split $split -o $split.pst
        "$read_stream" <$split.pst | head -n 1 | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["inputs"])' >$split.inputs
    done
    diff train.inputs validation.inputs
    loader idx:x,y --standardise -o all.pst
    "$read_stream" <all.pst | head -n 1 | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["inputs"])' >all.inputs
    run ! diff -q all.inputs train.inputs
}

@test "a test part of a set is standardised by its training part" {
    loader digits --limit 500 --standardise -o train.pst
    loader digits --limit 500 --standardise --split test -o test.pst
    for name in train test; do
        "$read_stream" <$name.pst | head -n 1 | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["inputs"])' >$name.inputs
    done
    diff train.inputs test.inputs
}

@test "--like makes new samples as a model or a recording says" {
    make_set
    loader idx:x,y --standardise --hold-out 50 -o train.pst
    replay train.pst --epochs 20 --shuffle | student-trainer -q --hidden 8 -r 0.1 -o student.safetensors
    loader idx:x,y --hold-out 50 --split validation --standardise -o expected.pst --run one
    for file in train.pst student.safetensors; do
        loader idx:x,y --hold-out 50 --split validation --like $file -o new.pst --force --run one
        diff <("$read_stream" x y id <expected.pst | tail -n +2) <("$read_stream" x y id <new.pst | tail -n +2)
        # The same numbers have the same origin, whichever way they were asked for.
        stream-inspect --json expected.pst | grep -o '"origin":"[^"]*"' >expected.origins
        stream-inspect --json new.pst | grep -o '"origin":"[^"]*"' | diff expected.origins -
    done
    teacher-forward student.safetensors <new.pst | evaluator --json | grep -q '"samples":50,"errors":[0-6],'
}

@test "a model refuses numbers that were not standardised as those that it learned from" {
    make_set
    loader idx:x,y --standardise --hold-out 50 --epochs 2 | student-trainer -q --hidden 4 -o student.safetensors
    loader idx:x,y -o plain.pst
    assert_fails 65 "student.safetensors learned from inputs that were standardised, and the stream's are not: loader --like MODEL makes them fit" \
        teacher-forward student.safetensors -i plain.pst
    loader idx:x,y --standardise -o other.pst
    assert_fails 65 "standardised otherwise" teacher-forward student.safetensors -i other.pst
    student-trainer -q --hidden 4 -o plain.safetensors <plain.pst
    assert_fails 65 "plain.safetensors learned from inputs that were not standardised" teacher-forward plain.safetensors -i other.pst
    assert_fails 65 "standardised otherwise" student-trainer -q --hidden 4 -o s.safetensors --validate other.pst \
        -i <(loader idx:x,y --standardise --hold-out 50)
}

@test "bytes stay bytes, and each network standardises them" {
    loader digits --limit 300 --standardise -o a.pst
    loader digits --limit 300 -o b.pst
    diff <("$read_stream" x <a.pst | tail -n +2) <("$read_stream" x <b.pst | tail -n +2)
    student-trainer -q --hidden 20 -o a.safetensors <a.pst
    student-trainer -q --hidden 20 -o b.safetensors <b.pst
    run ! cmp -s a.safetensors b.safetensors
    # What a model does with bytes, it says itself.
    teacher-forward a.safetensors --name t <a.pst | "$read_stream" logits/t | tail -n +2 >with
    teacher-forward a.safetensors --name t <b.pst | "$read_stream" logits/t | tail -n +2 >without
    diff with without
}

@test "a model that is trained further keeps its own mean and deviation of bytes" {
    loader digits --limit 300 --standardise | student-trainer -q --hidden 4 -o a.safetensors
    loader digits --limit 20 --standardise | student-trainer -q --from a.safetensors -o b.safetensors
    for model in a b; do
        stream-inspect --json $model.safetensors | grep -o '"inputs":"{[^}]*}"' >$model.inputs
        stream-inspect --json $model.safetensors | grep -o '"input_scale":"[^"]*"' >>$model.inputs
    done
    [ "$(wc -l <a.inputs)" -eq 2 ]
    diff a.inputs b.inputs
}

@test "samples are standardised after their augmentations" {
    /usr/bin/python3 - <<'END'
import numpy as np
x = np.random.default_rng(1).integers(0, 1000, (40, 2, 6, 6)).astype(">i2")
x[:, 1] += 500
with open("pictures", "wb") as file:
    file.write(bytes([0, 0, 11, 4]) + np.array(x.shape, ">u4").tobytes() + x.tobytes())
END
    loader idx:pictures --standardise --shift 2 --no-shuffle -o moved.pst
    run bash -c "loader idx:pictures --shift 2 --no-shuffle -o plain.pst
        paste -d '\n' <('$read_stream' x <moved.pst) <('$read_stream' x <plain.pst)"
    /usr/bin/python3 - "$output" <<'END'
import json, sys
import numpy as np
lines = [json.loads(line) for line in sys.argv[1].splitlines()]
header, batches = lines[0], [line["x"] for line in lines[2:]]
inputs = header["inputs"]
moved, plain = np.array(batches[0], "f8"), np.array(batches[1], "f8")
expected = (plain - np.array(inputs["mean"])[:, None, None]) / np.array(inputs["deviation"])[:, None, None]
assert np.abs(moved - expected).max() < 1e-5, np.abs(moved - expected).max()
END
}

@test "files without a description of inputs are refused" {
    make_set
    assert_fails 66 "nothing: cannot be opened" loader idx:x,y --like nothing
    assert_fails 65 "not a pipestill stream, but an IDX file" loader idx:x,y --like x
    assert_fails 64 "--like" loader idx:x,y --like x --standardise
    assert_fails 65 "channels or columns" loader idx:x,y --like <(loader digits --limit 10 --standardise)
}

# make_prices: numbers to predict that are far from 0 and far apart, and of which one is always the same.
make_prices() {
    /usr/bin/python3 -c 'import random
random.seed(4)
print("area,price,share,one")
for _ in range(200):
    area = random.uniform(40, 200)
    print(f"{area:.2f},{3000 * area + 1e6:.0f},{area / 4000:.6f},5")' >prices.csv
    prices=(prices.csv --label "price,share,one" --regression)
}

@test "numbers to predict of any size are learned, and given as they are" {
    make_prices
    loader "${prices[@]}" --standardise --epochs 30 | student-trainer -q --hidden 16 -o model.safetensors
    loader "${prices[@]}" --like model.safetensors | teacher-forward model.safetensors | evaluator --format tsv >figures
    for name in price share; do
        r2=$(awk -F '\t' -v name=$name '$1 == "output" && $3 == name && $4 == "r2" { print $5 }' figures)
        echo "$name: $r2"
        awk -v r2="$r2" 'BEGIN { exit !(r2 > 0.98) }'
    done
    loader "${prices[@]}" --like model.safetensors --no-shuffle --limit 1 | teacher-forward model.safetensors --name t | "$read_stream" logits/t | tail -n 1 |
        /usr/bin/python3 -c 'import json, sys; price, share, one = json.load(sys.stdin)["logits/t"][0]; assert price > 1e6 and share < 0.06 and abs(one - 5) < 0.5'
}

@test "a model of numbers that learns on, or is taken up again, goes on where it was" {
    make_prices
    loader "${prices[@]}" --standardise --epochs 20 -o all.pst
    student-trainer -q --hidden 8 -i all.pst -o whole.safetensors
    head -c 30000 all.pst | student-trainer -q --hidden 8 -o half.safetensors --checkpoint state --checkpoint-every 3 2>/dev/null || true
    [ -e state ]
    student-trainer -q --hidden 8 -i all.pst -o half.safetensors --checkpoint state --resume
    cmp whole.safetensors half.safetensors
    # A step of no size changes nothing but rounding.
    student-trainer -q --from whole.safetensors -r 1e-9 -i all.pst -o further.safetensors
    for model in whole further; do
        teacher-forward $model.safetensors --name t -i all.pst | evaluator --of logits/t --json | grep -o '"rmse":[0-9.]*' | head -n 1 | cut -d : -f 2 >$model.rmse
    done
    awk -v a="$(<whole.rmse)" -v b="$(<further.rmse)" 'BEGIN { exit !((a - b) ^ 2 < 1e-4 * a * a) }'
}
