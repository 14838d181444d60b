#!/usr/bin/env bats
# class-map as its page describes it: which classes come out, what happens to the others, and what is refused.
# tests/python/test_class_map_oracle.py compares numbers.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 120 --batch 30 -o plain.pst
    student-trainer -q -a 784-9-10 -r 0.05 -i plain.pst -o a.safetensors
    teacher-forward a.safetensors -i plain.pst | temperature-softmax -T 4 -o soft.pst
    stream-select --drop y -i soft.pst -o unlabelled.pst
    # The same with names. The last name, "7", is not the number of its class.
    local names='["zero", "one", "two", "three", "four", "five", "six", "seven", "eight, or so", "7"]'
    "$BATS_TEST_DIRNAME/../python/pst.py" "header['class_names'] = $names" <soft.pst >named.pst
    # Models that have the names, and some of them in another order.
    student-trainer -q -a 784-5-10 -i named.pst --targets hard -o names.safetensors
    class-map --classes seven,three -d other -i named.pst | student-trainer -q -a 784-5-3 --targets hard -o special.safetensors
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
    map=$BATS_TEST_TMPDIR/map
}

# header STREAM KEY: what the header says, as JSON.
header() {
    stream-inspect --json "$1" | head -n 1 | /usr/bin/python3 -c '
import json, sys
print(json.dumps(json.load(sys.stdin).get(sys.argv[1])))' "$2"
}

# sum_of STREAM: the sum over its samples, in any order.
sum_of() {
    stream-inspect --check --json "$1" | grep -o '"sample_checksum":[0-9]*'
}

# ---- maps ----

@test "a list selects classes in its order, and a dustbin takes the others" {
    class-map --classes 8,7 --dustbin other -i soft.pst -o "$out"
    [ "$(header "$out" classes)" = 3 ]
    [ "$(header "$out" class_names)" = '["8", "7", "other"]' ]
    diff <(column soft.pst logits/a | cut -d' ' -f9,8 | awk '{print $2, $1}') \
        <(column "$out" logits/a | cut -d' ' -f1,2)
    diff <(column soft.pst y | awk '{print $1 == 8 ? 0 : $1 == 7 ? 1 : 2}') <(column "$out" y)
    diff <(column soft.pst x) <(column "$out" x)
    diff <(sum_of soft.pst) <(sum_of "$out")
}

@test "shares of mixed samples are mapped as soft targets are, and learned from" {
    loader digits --samples 120 --batch 30 --mixup 0.4 --seed 2 |
        class-map --classes 'small = 0-4; eight = 8' --dustbin other -o "$out"
    loader digits --samples 120 --batch 30 --mixup 0.4 --seed 2 -o "$out.mixed"
    diff <(column "$out.mixed" y | awk '{ printf "%.5f %.5f %.5f\n", $1 + $2 + $3 + $4 + $5, $9, $6 + $7 + $8 + $10 }') \
        <(column "$out" y | awk '{ printf "%.5f %.5f %.5f\n", $1, $2, $3 }')
    student-trainer -q -a 784-8-3 -i "$out" -o "$BATS_TEST_TMPDIR/student.safetensors"
    assert_fails 65 "of the batch: all its probability is in classes that the map leaves out" \
        class-map --classes 0-4 -i "$out.mixed" -o "$out.lost"
    class-map --classes 0-4 --drop-samples -i "$out.mixed" -o "$out.kept"
    column "$out.kept" y | awk '{ sum = 0; for (i = 1; i <= NF; i++) sum += $i; if (sum < 0.9999 || sum > 1.0001) bad = 1 }
        END { exit bad || NR == 0 }'
}

@test "counts of classes are merged, and agree with the labels" {
    class-map --classes 'small = 0-4; large = *' -i soft.pst -o "$out"
    [ "$(header "$out" class_counts)" = "[$(column "$out" y | grep -c 0), $(column "$out" y | grep -c 1)]" ]
}

@test "a file has names, ranges, quotes, comments, other line endings and the rest in the middle" {
    printf '\n  # what is wanted\r\nodd = one, 3 , five # seven is not\r\nrest=*\r\n"eight, or so"\n"7", seven;zero\n' >"$map"
    class-map --map "$map" -i named.pst -o "$out"
    [ "$(header "$out" class_names)" = '["odd", "rest", "eight, or so", "7", "seven", "zero"]' ]
    diff <(column named.pst y | awk '{split("5 0 1 0 1 0 1 4 2 3", new); print new[$1 + 1]}') <(column "$out" y)
}

@test "--like gives the classes of a model, with the dustbin in the model's place" {
    class-map --like special.safetensors --dustbin other -i named.pst -o "$out"
    [ "$(header "$out" class_names)" = '["seven", "three", "other"]' ]
    diff <(class-map --classes 'seven, three' -d other -i named.pst | stream-inspect --json --check | tail -n 1) \
        <(stream-inspect --json --check "$out" | tail -n 1)
    [ "$(origin "$out" soft/a)" = "$(class-map --classes 7,3 -d rest -i named.pst -o "$out.2" && origin "$out.2" soft/a)" ]
    class-map --like names.safetensors -i named.pst -o "$out.3"
    diff <(column named.pst soft/a) <(column "$out.3" soft/a)
}

@test "a model learns from mapped targets and its classes have their names" {
    stream-inspect special.safetensors | grep -q 'seven, three, other'
    class-map --classes seven,three -d other -i named.pst | teacher-forward special.safetensors | stream-inspect --check
    class-map --classes three,seven -d other -i named.pst -o "$out"
    assert_refused "class 0 is 'seven' to special.safetensors, but 'three' in the stream" teacher-forward special.safetensors -i "$out"
}

@test "two ways to write a map give one origin, for large maps too" {
    printf 'a=%s\nb=0\n' "$(seq -s, 9 -1 1)" >"$map"
    class-map --map "$map" -i soft.pst -o "$out"
    class-map --classes 'x = 1-9; y = *' -i soft.pst -o "$out.2"
    for tensor in y logits/a soft/a; do
        [ "$(origin "$out" $tensor)" = "$(origin "$out.2" $tensor)" ]
        [ "$(origin "$out" $tensor)" != "$(origin soft.pst $tensor)" ]
    done
    [ "$(origin "$out" x)" = "$(origin soft.pst x)" ]
}

# ---- what is left out ----

@test "--drop-samples leaves out samples, whole batches too, and says how many" {
    loader digits --samples 120 --batch 3 --no-shuffle | teacher-forward a.safetensors -o "$BATS_TEST_TMPDIR/few.pst"
    cd "$BATS_TEST_TMPDIR"
    run --separate-stderr class-map --classes 7 --drop-samples -i few.pst -o "$out"
    left=$(column few.pst y | grep -c 7)
    [[ "${stderr_lines[1]}" == "class-map: $((120 - left)) samples were left out" ]]
    [[ "${stderr_lines[0]}" == "class-map: logits/a: classes that are left out had "*" % of the probability, and at most "* ]]
    [ "$(column "$out" id | wc -l)" = "$left" ]
    diff <(paste <(column few.pst id) <(column few.pst y) | awk '$2 == 7 {print $1}') <(column "$out" id)
    [ "$(header "$out" samples)$(header "$out" batches)" = nullnull ]
    stream-inspect "$out" | grep -q 'effect="selects"'
    [ "$(origin "$out" x)" = "$(origin few.pst x)" ]
    stream-inspect --check "$out"
    for jobs in 1 3; do class-map --classes 7 --drop-samples --jobs $jobs -i few.pst 2>/dev/null | md5sum; done | uniq | wc -l | grep -qx 1
}

@test "what was left out stands in the log, the same for any number of jobs" {
    for jobs in 1 3; do
        class-map --classes 0-6 --jobs $jobs --log "$BATS_TEST_TMPDIR/log$jobs" -i unlabelled.pst >/dev/null 2>&1
        grep '"event": *"dropped"' "$BATS_TEST_TMPDIR/log$jobs" | grep -o '"tensor".*' >"$BATS_TEST_TMPDIR/said$jobs"
        [ "$(wc -l <"$BATS_TEST_TMPDIR/said$jobs")" -eq 2 ]
    done
    cmp "$BATS_TEST_TMPDIR"/said{1,3}
}

@test "a label that is left out is an error that names the sample and both remedies" {
    assert_refused "sample 0 of the batch: label $(column soft.pst y | head -n 1) is a class that the map leaves out; --dustbin NAME keeps such samples, --drop-samples leaves them out" \
        class-map --classes "$(seq -s, 0 9 | sed "s/$(column soft.pst y | head -n 1),\?//; s/,\$//")" -i soft.pst
}

@test "a row that is left with no class is an error, or is dropped with its sample" {
    change 'if batch["seq"] == 1: batch["soft/a"][4] = np.eye(10, dtype="f4")[9]' unlabelled.pst "$BATS_TEST_TMPDIR/sure.pst"
    assert_refused "batch 1: tensor 'soft/a', sample 4 of the batch: all its probability is in classes that the map leaves out" \
        class-map --classes 0-8 -i "$BATS_TEST_TMPDIR/sure.pst"
    class-map --classes 0-8 --drop-samples -i "$BATS_TEST_TMPDIR/sure.pst" -o "$out"
    [ "$(column "$out" id | wc -l)" = 119 ]
}

@test "a stream that begins in its middle is not cut" {
    replay soft.pst --start 2 >"$BATS_TEST_TMPDIR/middle.pst"
    assert_fails 64 "begins with batch 2" class-map --classes 7 --drop-samples -i "$BATS_TEST_TMPDIR/middle.pst"
    class-map --classes 0-6 -d more -i "$BATS_TEST_TMPDIR/middle.pst" | stream-inspect --check
}

# ---- back ----

@test "a map to another order and back gives the same stream" {
    class-map -c 9,3-8,0,2,1 -i named.pst | class-map -c 9,3-8,0,2,1 --inverse --old-classes names.safetensors -o "$out"
    for tensor in x y id logits/a soft/a; do
        diff <(column named.pst $tensor) <(column "$out" $tensor)
    done
    [ "$(header "$out" class_names)$(header "$out" class_counts)" = "$(header named.pst class_names)$(header named.pst class_counts)" ]
}

@test "a merged class is spread evenly, and a label of it cannot go back" {
    class-map -c 'even = 0,2,4,6,8; odd = *' -i soft.pst -o "$out"
    assert_refused "label $(column "$out" y | head -n 1) stands for several old classes" \
        class-map -c 'even = 0,2,4,6,8; odd = *' --inverse --old-classes 10 -i "$out"
    stream-select -d y -i "$out" -o "$out.1"
    class-map -c 'even = 0,2,4,6,8; odd = *' --inverse --old-classes 10 -i "$out.1" -o "$out.2"
    column "$out.2" soft/a | awk '$1 != $3 || $2 != $4 {exit 1}'
    # If it is merged again it is the same, but for rounding.
    class-map -c 'even = 0,2,4,6,8; odd = *' -i "$out.2" -o "$out.3"
    paste <(column "$out" logits/a) <(column "$out.3" logits/a) | awk '($1 - $3) ^ 2 > 1e-10 {exit 1}'
}

# ---- one tensor ----

@test "a teacher of other classes is asked, and --of makes its classes the stream's" {
    loader digits --samples 60 -o "$BATS_TEST_TMPDIR/ten.pst"
    cd "$BATS_TEST_TMPDIR"
    teacher=$BATS_FILE_TMPDIR/special.safetensors
    assert_refused "has 3 outputs, but the stream has 10 classes; for --other-classes there is class-map" teacher-forward "$teacher" -i ten.pst
    teacher-forward "$teacher" --other-classes -i ten.pst -o asked.pst
    [ "$(header asked.pst classes)" = 10 ]
    assert_refused "'logits/special' has 3 classes, but 10 are expected here; --of maps some tensors only" class-map -c 0-9 -i asked.pst
    assert_refused "--of: the map leads to 3 classes, but the stream has 10" class-map --of logits/special -c 0-2 -i asked.pst
    # The inverse of a map from ten classes to three makes ten of three.
    class-map --of logits/special -c '7,3;other=*' --inverse --old-classes 10 -i asked.pst -o "$out"
    [ "$(header "$out" classes)" = 10 ]
    diff <(column ten.pst y) <(column "$out" y)
    diff <(column asked.pst logits/special | awk '{print $1, $2}') <(column "$out" logits/special | awk '{print $8, $4}')
}

@test "without a map --of finds the stream's classes by their names" {
    class-map --like special.safetensors -d other -i named.pst | stream-select --drop 'logits/*' --drop 'soft/*' |
        teacher-forward names.safetensors --other-classes --name big -o "$BATS_TEST_TMPDIR/big.pst"
    class-map --of logits/big --old-classes names.safetensors --dustbin other -i "$BATS_TEST_TMPDIR/big.pst" -o "$out"
    diff <(column "$BATS_TEST_TMPDIR/big.pst" logits/big | awk '{print $8, $4}') <(column "$out" logits/big | awk '{print $1, $2}')
    assert_refused "class 0 is 'three' to the map, but 'seven' in the stream" class-map --of logits/big \
        --old-classes names.safetensors -c three,seven -d other -i "$BATS_TEST_TMPDIR/big.pst"
    assert_refused "the stream's classes, class 2: no class is called 'other'" class-map --of logits/big --old-classes names.safetensors -i "$BATS_TEST_TMPDIR/big.pst"
}

# ---- what is refused ----

@test "a list that does not fit the classes is refused with its word" {
    while IFS='|' read -r list words; do
        assert_fails 64 "$words" class-map -c "$list" -i named.pst
    done <<'END'
7,11|'11': there are 10 classes, counted from 0
99999999999999999999999|there are 10 classes
7-3|'7-3': a range begins with the smaller number
7,7|class 7 ('seven') is in two new classes
a = 7,7|class 7 ('seven') is named twice in one new class
nine|no class is called 'nine'
7,,8|a class is missing before ','
a =|a class is missing at the end
=7|a class is missing before '='
a = 7, b = 8|a second '='
a = 7 : 0|':0': a weight is a number from 0.000001 to 1000000
7:2|'7' is alone, so it has no weight
a = *, 7|'*' is the rest and stands alone
*|'*' is the rest and stands alone
a = *; b = *|a second class takes the rest; the first is 'a'
a = 0-9; b = *|nothing is left for 'b': all 10 classes are named
a = 1; a = 2|two new classes are called 'a'
a = 1; "a" = 2|two new classes are called 'a'
# nothing|it names no class
"7|a name has no closing quote
"7" 8|there must be a comma between classes
END
    assert_fails 64 "'seven' is a name, but the old classes have none" class-map -c seven -i soft.pst
    assert_fails 64 "all 10 classes are named" class-map -c 0-9 -d other -i soft.pst
}

@test "a file that does not fit the classes is refused with its line" {
    printf '# one\n7\n\nx = 8\ny = 3, 8\n' >"$map"
    assert_refused "map, line 5: class 8 is in two new classes, first in line 4" class-map --map "$map" -i soft.pst
    printf '7\nx = \xff\xfe\n' >"$map"
    assert_refused "map, line 2: '??' is not UTF-8" class-map --map "$map" -i soft.pst
    printf '7\n8\0\n' >"$map"
    assert_refused "there is a byte 0 in it: this is no text" class-map --map "$map" -i soft.pst
    : >"$map"
    assert_refused "map: it names no class" class-map --map "$map" -i soft.pst
    seq 0 1000000 >"$map"
    assert_refused "map, line 11: '10': there are 10 classes" class-map --map "$map" -i soft.pst
    head -c 68000000 /dev/zero | tr '\0' '#' >"$map"
    assert_refused "a map has at most 67108864 bytes" class-map --map "$map" -i soft.pst
    assert_fails 66 "map" class-map --map "$BATS_TEST_TMPDIR/none-map" -i soft.pst
    assert_refused ".: is not a regular file" class-map --map . -i soft.pst
}

@test "two classes of one name must be given by number" {
    change "header['class_names'] = ['crane', 'crane', *'abcdefgh']" soft.pst "$BATS_TEST_TMPDIR/cranes.pst"
    assert_fails 64 "classes 0 and 1 are both called 'crane'; say the number" class-map -c crane -i "$BATS_TEST_TMPDIR/cranes.pst"
    class-map -c 1,0,2-9 -i "$BATS_TEST_TMPDIR/cranes.pst" -o "$out"
    [ "$(header "$out" class_names | grep -o crane | wc -l)" = 2 ]
    change "header['class_names'] = ['one']" soft.pst "$BATS_TEST_TMPDIR/one.pst"
    assert_refused "the header names 1 classes, but there are 10" class-map -c 0-9 -i "$BATS_TEST_TMPDIR/one.pst"
}

@test "a stream that cannot be mapped is refused" {
    compactor --targets top-k --top 3 -i soft.pst -o "$BATS_TEST_TMPDIR/compact.pst"
    assert_refused "'compactor --restore' before this stage restores it" class-map -c 7 -i "$BATS_TEST_TMPDIR/compact.pst"
    stream-select -k x -k id -i soft.pst -o "$BATS_TEST_TMPDIR/bare.pst"
    assert_refused "the stream has no logits, soft targets or labels" class-map -c 7 -i "$BATS_TEST_TMPDIR/bare.pst"
    change 'batch["y"][3] = 10' plain.pst "$BATS_TEST_TMPDIR/label.pst"
    assert_refused "sample 3 of the batch: label 10 is not one of 10 classes" class-map -c 0-8 -d o -i "$BATS_TEST_TMPDIR/label.pst"
    change 'batch["soft/a"][3] = 0.2' unlabelled.pst "$BATS_TEST_TMPDIR/sum.pst"
    assert_refused "sample 3 of the batch: its probabilities add up to 2" class-map -c 0-8 -d o -i "$BATS_TEST_TMPDIR/sum.pst"
    change 'batch["logits/a"][3, 1] = np.nan' unlabelled.pst "$BATS_TEST_TMPDIR/nan.pst"
    assert_refused "number 1 is nan" class-map -c 0-8 -d o -i "$BATS_TEST_TMPDIR/nan.pst"
    change 'header["classes"] = 0' plain.pst "$BATS_TEST_TMPDIR/unknown.pst"
    assert_refused "how many classes has 'y'? The stream does not say it; give --old-classes N" class-map -c 0-8 -d o -i "$BATS_TEST_TMPDIR/unknown.pst"
    class-map -c 0-8 -d o --old-classes 10 -i "$BATS_TEST_TMPDIR/unknown.pst" -o "$out"
    assert_refused "the stream has no tensor 'soft/b'" class-map -c 0-8 --of soft/b -i soft.pst
}

@test "options that contradict each other are refused" {
    assert_fails 64 "which classes? give --map, --classes or --like" class-map -i soft.pst
    assert_fails 64 "--inverse needs --old-classes" class-map -c 7 --inverse -i soft.pst
    assert_fails 64 "--classes" class-map -c 7 --map m -i soft.pst
    assert_fails 64 "--dustbin: '' is not a text" class-map -c 7 -d '' -i soft.pst
    assert_fails 64 "--like 10 is not a model" class-map --like 10 -i soft.pst
    assert_fails 64 "--of x: only logits, soft targets and y have classes" class-map -c 7 --of x -i soft.pst
    assert_refused "does not say what its classes are called" class-map --like a.safetensors -i soft.pst
    assert_refused "the map makes 2 classes, but 10 come in to be mapped back" class-map -c 7,8 --inverse --old-classes 20 -i soft.pst
}
