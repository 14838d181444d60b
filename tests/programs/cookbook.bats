#!/usr/bin/env bats
# The recipes of docs/cookbook.md that need no Python libraries, each run as it stands on data that is made here.
bats_require_minimum_version 1.5.0

setup() {
    page=$BATS_TEST_DIRNAME/../../docs/cookbook.md
    recipe=$BATS_TEST_DIRNAME/../python/recipe.py
    data=$BATS_TEST_DIRNAME/../python/recipe_data.py
    export OPENBLAS_NUM_THREADS=1
    cd "$BATS_TEST_TMPDIR" || return
}

# cook HEADING DATA…: makes data and runs the recipe on it; its output is in $output.
cook() {
    [[ $# -eq 1 ]] || /usr/bin/python3 "$data" "${@:2}"
    /usr/bin/python3 "$recipe" "$page" "$1" >recipe.sh
    run bash recipe.sh
    echo "$output"
    [ "$status" -eq 0 ]
}

# at_most WHAT NUMBER: whether evaluator's last figure of that name is not larger.
at_most() {
    local figure
    figure=$(sed -n "s/^$1  *\([0-9.]*\).*/\1/p" <<<"$output" | tail -n 1)
    awk -v figure="$figure" -v most="$2" 'BEGIN { exit !(figure != "" && figure <= most) }'
}

@test "every recipe is run, here or by make test-python" {
    grep '^## ' "$page" | cut -c 4- | sort >recipes
    { sed -n 's/^    cook "\([^"]*\)".*/\1/p' "$BATS_TEST_FILENAME"
        sed -n 's/.*cook("\([^"]*\)".*/\1/p' "$BATS_TEST_DIRNAME"/../python-client/test_cookbook.py; } | sort | diff recipes -
}

@test "a table goes from CSV to predictions" {
    cook "A table" customers
    at_most errors 15
    [ "$(head -n 1 predictions.csv)" = id,class,probability ]
    [ "$(wc -l <predictions.csv)" -eq 51 ]
    # The file's order, and its own ids and names.
    cut -d , -f 1 predictions.csv | tail -n +2 | diff - <(tail -n +2 new.csv | cut -d , -f 2)
    [ "$(cut -d , -f 2 predictions.csv | tail -n +2 | sort -u | paste -s -d ' ')" = "no yes" ]
}

@test "numbers and several labels are predicted" {
    cook "Numbers to predict, and several labels" houses films
    at_most "share of wrong bits" 10
    sleep 0.2 # for what runs beside the pipe
    [ "$(head -n 1 prices.csv)" = id,prediction.price ]
    [ "$(wc -l <prices.csv)" -eq 401 ]
    r2=$(sed -n 's/^R squared  *//p' <<<"$output")
    awk -v r2="$r2" 'BEGIN { exit !(r2 > 0.98) }'
}

@test "pictures are learned and predicted by their folders' names" {
    cook "Pictures" pictures
    [ "$(head -n 1 <<<"$output" | tr '\t' ,)" = id,class,probability ]
    [ "$(tail -n +2 <<<"$output" | cut -f 2 | paste -s -d ' ')" = "bars bars bars dots dots dots" ]
}

@test "arrays are learned from and predicted" {
    cook "Arrays" arrays
    /usr/bin/python3 -c 'import numpy as np
logits, y = np.load("logits.npy"), np.load("y.npy")
assert logits.shape == (400, 3) and (logits.argmax(1) == y).mean() > 0.9'
}

@test "Fashion-MNIST, or any set under MNIST's names, is found in a folder" {
    cook "Fashion-MNIST" fashion
    at_most errors 20
}

@test "several students learn at once from one teacher" {
    loader digits --samples 500 --epochs 4 | student-trainer -q --hidden 60 -o teacher.safetensors
    cook "Several students at once"
    for ((i = 0; i < 100; i++)); do
        [[ -e big.safetensors && -e small.safetensors ]] && break
        sleep 0.1
    done
    ls -l big.safetensors small.safetensors deep.safetensors
}

@test "a sweep is one recording and xargs" {
    loader digits --samples 500 --epochs 4 | student-trainer -q --hidden 60 -o teacher.safetensors
    cook "A sweep"
    [ "$(wc -l <<<"$output")" -eq 6 ]
    sort -c -n -k 3 <<<"$output"
}
