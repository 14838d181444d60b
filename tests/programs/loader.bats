#!/usr/bin/env bats
# loader from outside: which samples come, in which order, and the errors for bad input.
bats_require_minimum_version 1.5.0

setup() {
    read_stream=$BATS_TEST_DIRNAME/read_stream.py
    images=$BATS_TEST_TMPDIR/images
    labels=$BATS_TEST_TMPDIR/labels
    # Twelve samples of 2 by 2, of the classes 0, 1, 2 in turn.
    {
        printf '\0\0\10\3\0\0\0\14\0\0\0\2\0\0\0\2'
        for i in 1 2 3 4 5 6 7 8 9 a b c; do printf '%s%s%s%s' $i $i $i $i; done
    } >"$images"
    printf '\0\0\10\1\0\0\0\14\0\1\2\0\1\2\0\1\2\0\1\2' >"$labels"
}

# stream FIELDS OPTIONS…: the batches as JSON, with these fields, without the header.
stream() {
    local fields=$1
    shift
    # Split into words on purpose.
    # shellcheck disable=SC2086
    loader "$@" | "$read_stream" $fields | tail -n +2
}

# flat FIELD OPTIONS…: that field of all samples, in one line.
flat() {
    stream "$@" | /usr/bin/python3 -c '
import json, sys
print(*(sample for line in sys.stdin for field in json.loads(line).values() for sample in field))'
}

# A failure: exit code, nothing on standard output, one line on standard error that names the stage.
assert_fails() {
    local code=$1 words=$2
    shift 2
    run --separate-stderr "$@"
    [ "$status" -eq "$code" ]
    [ -z "$output" ]
    # bats sets these two.
    # shellcheck disable=SC2154
    [[ ${stderr_lines[0]} == "loader: "*"$words"* ]] || {
        # shellcheck disable=SC2154
        echo "'$words' is not in '$stderr'"
        return 1
    }
}

header() {
    loader "$@" | "$read_stream" | head -n 1
}

@test "a header says what is loaded, and how" {
    run header digits --samples 100 -b 8 --epochs 3 --seed 4 --shift 1
    [[ $output == *'"classes": 10'* ]]
    [[ $output == *'"samples": 100,'* ]]
    [[ $output == *'"epochs": 3, "format"'* ]]
    [[ $output == *'"batches": 39'* ]]
    [[ $output == *'"data": "digits"'* ]]
    [[ $output == *'"seed": 4'* ]]
    [[ $output == *'"shift": 1'* ]]
    [[ $output == *'"split": "train"'* ]]
    [[ $output == *'"dtype": "u8", "name": "x", '*'"scale": 0.003921'*', "shape": [28, 28]'* ]]
    [[ $output == *'"dtype": "i32", "name": "y", '*'"shape": []'* ]]
    [[ $output == *'"dtype": "u64", "name": "id", '*'"shape": []'* ]]
}

@test "a pair of IDX files is loaded as it is" {
    run stream 'seq epoch n y id x' --images "$images" --labels "$labels" --no-shuffle -b 8 --limit 12
    [ "${#lines[@]}" -eq 2 ]
    [[ ${lines[0]} == *'"seq": 0, "epoch": 0, "n": 8, "y": [0, 1, 2, 0, 1, 2, 0, 1], "id": [0, 1, 2, 3, 4, 5, 6, 7]'* ]]
    [[ ${lines[0]} == *'"x": [[[49, 49], [49, 49]], [[50, 50], [50, 50]]'* ]]
    [[ ${lines[1]} == *'"seq": 1, "epoch": 0, "n": 4, "y": [2, 0, 1, 2]'* ]]
}

@test "gzip makes no difference, not even to the digest" {
    before=$(loader --images "$images" --labels "$labels" | "$read_stream")
    digest=$(grep -o '"digest": "[0-9a-f]*"' <<<"$before")
    gzip "$images" "$labels"
    after=$(loader --images "$images.gz" --labels "$labels.gz" | "$read_stream")
    [ "$(tail -n +2 <<<"$after")" = "$(tail -n +2 <<<"$before")" ]
    [ "$(grep -o '"digest": "[0-9a-f]*"' <<<"$after")" = "$digest" ]
    by_hand=$( (zcat "$images.gz" | sha256sum && zcat "$labels.gz" | sha256sum) | cut -c 1-64 | sha256sum | cut -c 1-64)
    [[ $digest == *"$by_hand"* ]]
}

@test "without labels there is no y" {
    run header --images "$images"
    [[ $output != *'"name": "y"'* ]]
    [[ $output == *'"classes": 0, '*'"data": '* ]]
}

@test "batches never span epochs, and each epoch has another order of the same samples" {
    run stream 'seq epoch n id' --images "$images" --labels "$labels" -b 8 --epochs 3
    [ "${#lines[@]}" -eq 6 ]
    [[ ${lines[1]} == *'"epoch": 0, "n": 4'* ]]
    [[ ${lines[2]} == *'"epoch": 1, "n": 8'* ]]
    orders=$(for epoch in 1 2 3; do
        printf '%s\n' "${lines[@]}" | sed -n "$((2 * epoch - 1)),$((2 * epoch))p" | grep -o '"id": .*' | tr -dc '0-9, \n' |
            tr '\n' ',' | tr -d ' '
        echo
    done)
    [ "$(sort -u <<<"$orders" | wc -l)" -eq 3 ]
    [ "$(tr ',' '\n' <<<"$orders" | grep . | sort | uniq -c | grep -c '^ *3 ')" -eq 12 ]
}

@test "the order depends on the seed only" {
    one=$(flat id digits --samples 200 --seed 1 -b 7)
    [ "$one" = "$(flat id digits --samples 200 --seed 1 -b 64 --shift 2)" ]
    [ "$one" != "$(flat id digits --samples 200 --seed 2 -b 7)" ]
}

@test "validation and test splits keep the set's order unless --shuffle is given" {
    held=$(flat id --images "$images" --labels "$labels" --split validation --hold-out 9)
    [ "$held" = "$(tr ' ' '\n' <<<"$held" | sort -n | xargs)" ]
    [ "$held" != "$(flat id --images "$images" --labels "$labels" --split validation --hold-out 9 --shuffle)" ]
    first=$(flat id digits --split test --samples 50 -b 1 | cut -d ' ' -f 1-2)
    [ "$first" = "281474976710656 281474976710657" ]
    first=$(flat id digits --split test --samples 50 -b 1 --shuffle | cut -d ' ' -f 1-2)
    [ "$first" != "281474976710656 281474976710657" ]
}

@test "the samples that are held out are those that the training split leaves" {
    train=$(flat id --images "$images" --labels "$labels" -b 1 --hold-out 3)
    validation=$(flat id --images "$images" --labels "$labels" -b 1 --hold-out 3 --split validation)
    [ "$(wc -w <<<"$train")" -eq 9 ]
    [ "$(wc -w <<<"$validation")" -eq 3 ]
    [ "$(tr ' ' '\n' <<<"$train $validation" | sort -n | xargs)" = "0 1 2 3 4 5 6 7 8 9 10 11" ]
}

@test "a sample's bits depend on seed, epoch and id only" {
    options=(digits --samples 100 --seed 3 --shift 2 --elastic 1.5 --rotate 10 --scale-jitter 0.1 --epochs 2)
    pairs() {
        loader "${options[@]}" "$@" | "$read_stream" epoch id digest | tail -n +2 | /usr/bin/python3 -c '
import json, sys
for line in sys.stdin:
    batch = json.loads(line)
    for sample in zip(batch["id"], batch["digest"]):
        print(batch["epoch"], *sample)' | sort
    }
    all=$(pairs)
    [ "$(wc -l <<<"$all")" -eq 200 ]
    [ "$(cut -d ' ' -f 3 <<<"$all" | sort -u | wc -l)" -eq 200 ]
    [ "$(pairs -b 7 --no-shuffle)" = "$all" ]
    some=$(pairs --only-classes 3,5-6)
    [ "$(wc -l <<<"$some")" -gt 10 ]
    [ -z "$(comm -23 <(echo "$some") <(echo "$all"))" ]
}

@test "a stream that begins with a later batch is the rest of the whole one" {
    options=(digits --samples 50 --epochs 3 -b 20 --shift 1 --elastic 1)
    loader "${options[@]}" | "$read_stream" | tail -n +2 >"$BATS_TEST_TMPDIR/whole"
    for start in 1 2 3 7 8 9; do
        run header "${options[@]}" --start "$start"
        [[ $output == *"\"first\": $start"* ]]
        [[ $output == *'"batches": 9'* ]]
        stream 'seq epoch n y id digest' "${options[@]}" --start "$start" >"$BATS_TEST_TMPDIR/rest"
        cmp "$BATS_TEST_TMPDIR/rest" <(tail -n +$((start + 1)) "$BATS_TEST_TMPDIR/whole")
    done
    assert_fails 64 "the stream has only 9 batches" loader "${options[@]}" --start 10
}

@test "epochs 0 goes on until the reader leaves" {
    # The inner shell expands PIPESTATUS.
    # shellcheck disable=SC2016
    run --separate-stderr bash -c 'loader digits --samples 10 --epochs 0 | head -c 1000000 | wc -c; exit "${PIPESTATUS[0]}"'
    [ "$status" -eq 141 ]
    [ "$output" -eq 1000000 ]
    output=$(loader digits --samples 10 --epochs 0 2>/dev/null | head -c 4000 | "$read_stream" | head -n 1)
    [[ $output == *'"samples": 10'* ]]
    [[ $output != *'"batches": '[1-9]* ]]
}

@test "classes are chosen and left out" {
    options=(--images "$images" --labels "$labels" --no-shuffle)
    [ "$(flat y "${options[@]}" --only-classes 0,2)" = "0 2 0 2 0 2 0 2" ]
    [ "$(flat y "${options[@]}" --omit-classes 0-1)" = "2 2 2 2" ]
    [ "$(flat y "${options[@]}" --only-classes 0-1 --omit-classes 0)" = "1 1 1 1" ]
}

@test "digits are another set with another data seed, and the same with the same" {
    one=$(flat digest digits --samples 20)
    [ "$one" = "$(flat digest digits --samples 20)" ]
    [ "$one" != "$(flat digest digits --samples 20 --data-seed 1)" ]
    run header digits --split test
    [[ $output == *'"samples": 5000,'* ]]
    run header digits
    [[ $output == *'"samples": 10000,'* ]]
}

@test "a command line that is wrong is refused" {
    assert_fails 64 "which data? One of the sets digits, mnist, idx," loader
    assert_fails 64 "there is no set 'imagenet', and no such file; there are the sets digits, mnist, idx" loader imagenet
    assert_fails 64 "--batch: '1048577' is not a whole number from 1 to 1048576" loader digits --batch 1048577
    assert_fails 64 "--epochs: '-1'" loader digits --epochs -1
    assert_fails 64 "there is no option '--epoch-count'" loader digits --epoch-count 3
    assert_fails 64 "--fraction: '0'" loader digits --fraction 0
    assert_fails 64 "--fraction: '1.5'" loader digits --fraction 1.5
    assert_fails 64 "--only-classes: there is no class 10; there are 10" loader digits --only-classes 10
    assert_fails 64 "--omit-classes: 'x' is not a list of classes" loader digits --omit-classes x
    assert_fails 64 "the classes chosen have no samples" loader digits --omit-classes 0-9
    assert_fails 64 "10000 samples cannot be held out of 10000" loader digits --hold-out 10000
    assert_fails 64 "--split validation needs --hold-out" loader digits --split validation
    assert_fails 64 "exclude each other" loader digits --shuffle --no-shuffle
    assert_fails 64 "--images is for idx, and not for digits" loader digits --images "$images"
    assert_fails 64 "--samples is for digits, and not for idx" loader --images "$images" --samples 3
    assert_fails 64 "idx has no test part of its own" loader --images "$images" --split test
    assert_fails 64 "need labels, and there are none that are classes in images" loader --images "$images" --only-classes 1
    assert_fails 64 "one argument too many" loader digits mnist
}

@test "damaged files are refused, by name and place" {
    head -c 40 "$images" >"$BATS_TEST_TMPDIR/short"
    assert_fails 65 "short: too short: it ends at byte 40, but must have 64" loader --images "$BATS_TEST_TMPDIR/short"
    (cat "$images" && echo) >"$BATS_TEST_TMPDIR/long"
    assert_fails 65 "long: too long: more follows after the last element, at byte 64" loader --images "$BATS_TEST_TMPDIR/long"
    assert_fails 65 "not an IDX file" loader --images "$BATS_TEST_DIRNAME/loader.bats"
    printf '\0\0\10\1\0\0\0\2\0\1' >"$BATS_TEST_TMPDIR/fewer"
    assert_fails 65 "fewer: 2 labels, but $images has 12 samples" loader --images "$images" --labels "$BATS_TEST_TMPDIR/fewer"
    assert_fails 65 "label 2 of sample 2, at byte 10: there are 2 classes" loader --images "$images" --labels "$labels" --classes 2
    assert_fails 66 "/nowhere: cannot be opened: No such file" loader --images /nowhere
}

@test "samples that are not images cannot be moved" {
    printf '\0\0\10\2\0\0\0\1\0\0\0\2ab' >"$BATS_TEST_TMPDIR/vectors"
    assert_fails 64 "vectors: only images can be moved" loader --images "$BATS_TEST_TMPDIR/vectors" --shift 1
    printf '\0\0\10\3\0\0\0\1\0\0\0\1\0\0\0\101%065d' 0 >"$BATS_TEST_TMPDIR/wide"
    assert_fails 64 "more than 64 by 64" loader --images "$BATS_TEST_TMPDIR/wide" --rotate 1
    [ "$(flat id --images "$BATS_TEST_TMPDIR/wide" --shift 1)" = "0" ]
}

@test "if MNIST is not found, the error names MNIST_DIR" {
    MNIST_DIR=/nowhere assert_fails 66 "MNIST is not in MNIST_DIR=/nowhere" loader mnist
    cd "$BATS_TEST_TMPDIR"
    if [ ! -e /usr/share/mnist ] && [ ! -e /usr/local/share/mnist ]; then
        unset MNIST_DIR
        HOME=/nowhere assert_fails 66 "set MNIST_DIR" loader mnist
    fi
}

@test "an output that cannot be written is an error" {
    [ -e /dev/full ] || skip "there is no /dev/full"
    run --separate-stderr bash -c 'loader digits >/dev/full'
    [ "$status" -eq 74 ]
    run --separate-stderr loader digits --samples 10 -o "$BATS_TEST_TMPDIR/nowhere/stream"
    [ "$status" -eq 74 ]
    loader digits --samples 10 -o "$BATS_TEST_TMPDIR/stream"
    "$read_stream" <"$BATS_TEST_TMPDIR/stream" >/dev/null
}

@test "MNIST streams whole, with a validation split, in less than 64 MiB" {
    [ -n "${MNIST_DIR-}" ] || skip "MNIST_DIR is not set"
    run header mnist --hold-out 5000 -b 100
    [[ $output == *'"samples": 55000,'* ]]
    [[ $output == *'"batches": 550'* ]]
    [[ $output == *'"data": "mnist"'* ]]
    run header mnist --split test
    [[ $output == *'"samples": 10000,'* ]]
    [ -z "${SANITIZE-}" ] || return 0
    # The loader waits at the full pipe while the peak of its resident memory is read.
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    loader mnist --epochs 0 >"$BATS_TEST_TMPDIR/pipe" 2>/dev/null &
    exec 9<"$BATS_TEST_TMPDIR/pipe"
    head -c 60000000 <&9 >/dev/null
    peak=$(awk '/VmHWM/ { print $2 }' "/proc/$!/status")
    exec 9<&-
    wait
    [ "$peak" -gt 45000 ]
    [ "$peak" -lt 65536 ]
}
