#!/usr/bin/env bats
# What docs/faq.md shows is run, and the figures that it gives are those of the results.
bats_require_minimum_version 1.5.0

setup() {
    docs=$BATS_TEST_DIRNAME/../../docs
    tools=$BATS_TEST_DIRNAME/../python
    export OPENBLAS_NUM_THREADS=1
    cd "$BATS_TEST_TMPDIR" || return
}

# follow HEADING [OPTION…]: runs the commands of a section, with options of set; their output is in $output.
follow() {
    /usr/bin/python3 "$tools/recipe.py" "$docs/faq.md" "$1" | sed "1a set ${2:--e} ${3-}" >commands
    run bash commands
    echo "$output"
    [ "$status" -eq 0 ]
}

# at_most WHAT NUMBER: whether the last figure of that name is not larger.
at_most() {
    local figure
    figure=$(sed -n "s/^$1  *\([0-9.]\+\).*/\1/p" <<<"$output" | tail -n 1)
    awk -v figure="$figure" -v most="$2" 'BEGIN { exit !(figure != "" && figure <= most) }'
}

@test "the pipe for users of PyTorch trains a student by labels and soft targets" {
    follow "Coming from PyTorch"
    at_most errors 1500
}

@test "the pipe for users of Keras trains a model and stops early" {
    # A trainer that stops early succeeds, but then the loader before it ends with 141.
    follow "Coming from Keras" +o pipefail
    at_most errors 1200
}

@test "the pipe for users of Kaldi leads from a folder of Kaldi's to word errors" {
    /usr/bin/python3 -B "$tools/make_corpus.py" data --kaldi --speakers 6 --utterances 8
    follow "Coming from Kaldi"
    at_most WER 20
}

@test "every figure stands in the results, or is printed by the command beside it" {
    { cat "$docs"/results*.md "$docs"/{benchmarks,recordings,specialists,decoding}.md
        stream-inspect --arch 784-800-800-10 | sed ':again; s/\([0-9]\)\([0-9]\{3\}\)\([ ,]\)/\1,\2\3/; t again'; } >known
    sed -n '/^## Why/,/^## How safe/p' "$docs/faq.md" | sed 's/](.*)//; s/<[^>]*>//' | grep -oE '[0-9][0-9,]*(\.[0-9]+)?' | sed 's/,$//' |
        grep -E '[0-9]{2}|\.' | sort -u >given
    [ "$(wc -l <given)" -gt 40 ]
    while read -r figure; do
        grep -qE "(^|[^0-9.,])${figure//./\\.}([^0-9]|$)" known || { echo "nowhere: $figure" && false; }
    done <given
}
