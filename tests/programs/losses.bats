#!/usr/bin/env bats
# The loss of student-trainer from outside: its terms, what is refused, weights of classes and samples, and students of
# numbers and bits. tests/python/test_student_oracle.py compares the values of the terms with numpy's.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    make_targets=$BATS_TEST_DIRNAME/../python/make_targets.py
    loader digits --samples 60 --batch 20 --epochs 3 -o hard.pst
    student-trainer -a 784-16-10 -r 0.05 -i hard.pst -o t.safetensors
    teacher-forward t.safetensors -i hard.pst -o logits.pst
    temperature-softmax -T 4 -i logits.pst -o soft.pst
    for kind in numbers number bits; do
        "$make_targets" $kind 1500 40 1 >$kind.pst
        "$make_targets" $kind 500 1 2 >$kind-test.pst
    done
    "$make_targets" classes 200 3 1 >classes.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    bad=$BATS_TEST_TMPDIR/bad.pst
    student=$BATS_TEST_TMPDIR/s.safetensors
    log=$BATS_TEST_TMPDIR/log
}

# weights_of STREAM OPTION…: the SHA-256 of the weights that training gives, without the model's metadata.
weights_of() {
    local stream=$1 arch=784-12-10
    shift
    [[ $stream == classes.pst || -n ${of_classes-} ]] && arch=6-12-3
    student-trainer -q -a "$arch" -r 0.02 -i "$stream" -o "$student.weights" "$@" || {
        echo "failed: $stream $*"
        return
    }
    /usr/bin/python3 -c 'import hashlib, sys
file = open(sys.argv[1], "rb").read()
print(hashlib.sha256(file[8 + int.from_bytes(file[:8], "little"):]).hexdigest())' "$student.weights"
    rm "$student.weights"
}

# refused CODE WORDS STREAM OPTION…: training fails and leaves no model.
refused() {
    local code=$1 words=$2 stream=$3
    shift 3
    assert_fails "$code" "$words" student-trainer -a 784-8-10 -i "$stream" -o "$student" "$@"
    [ ! -e "$student" ]
}

# score KEY MODEL STREAM: what evaluator says of a model.
score() {
    teacher-forward "$2" --name it -i "$3" | evaluator --of logits/it --json | tr ',{' '\n' | sed -n "s/^\"$1\"://p" | head -n 1
}

# above A B: whether a number is above another one.
above() {
    echo "$1 above $2?"
    awk -v a="$1" -v b="$2" 'BEGIN { exit !(a > b) }'
}

# ---- terms ----

@test "the shorthands are terms of --loss, to the bit" {
    [ "$(weights_of soft.pst)" = "$(weights_of soft.pst --loss kl)" ]
    [ "$(weights_of soft.pst)" = "$(weights_of soft.pst --loss labels::0 --loss kl:soft/t,T=4)" ]
    [ "$(weights_of soft.pst --targets hard)" = "$(weights_of soft.pst --loss labels)" ]
    [ "$(weights_of soft.pst --targets both --hard-weight 0.1 --soft-weight 0.9)" = \
        "$(weights_of soft.pst --loss labels:y:0.1 --loss kl::0.9)" ]
    [ "$(weights_of soft.pst --soft-loss logits)" = "$(weights_of soft.pst --loss logits)" ]
    [ "$(weights_of soft.pst --soft-loss cross-entropy --soft-targets soft/t)" = \
        "$(weights_of soft.pst --loss cross-entropy:soft/t)" ]
}

@test "under auto a weight that is given brings its term in" {
    both=$(weights_of soft.pst --targets both --hard-weight 0.1 --soft-weight 0.9)
    [ "$(weights_of soft.pst --hard-weight 0.1 --soft-weight 0.9)" = "$both" ]
    [ "$(weights_of soft.pst --hard-weight 0.5)" = "$(weights_of soft.pst --targets both --hard-weight 0.5)" ]
    [ "$(weights_of soft.pst --soft-weight 0.5)" = "$(weights_of soft.pst --targets soft --soft-weight 0.5)" ]
    [ "$(weights_of soft.pst)" = "$(weights_of soft.pst --targets soft)" ]
    refused 65 "the stream has no soft targets; is temperature-softmax before this stage?" hard.pst --soft-weight 0.5
    refused 65 "the stream has no soft targets; is temperature-softmax" hard.pst --hard-weight 1 --soft-weight 0.5
    refused 65 "the stream has no logits; is teacher-forward before this stage?" hard.pst --soft-loss logits
    refused 65 "the stream has no tensor 'soft/none'; it has: x, y, id" hard.pst --soft-targets soft/none
}

@test "a weight of 0 is always allowed, and leaves its term out" {
    hard=$(weights_of hard.pst)
    [ "$(weights_of soft.pst --hard-weight 1 --soft-weight 0)" = "$hard" ]
    [ "$(weights_of soft.pst --targets hard --soft-weight 0)" = "$hard" ]
    [ "$(weights_of hard.pst --targets both --soft-weight 0)" = "$hard" ]
    [ "$(weights_of logits.pst --hard-weight 1 --soft-weight 0)" = "$hard" ]
    [ "$(weights_of soft.pst --hard-weight 0)" = "$(weights_of soft.pst)" ]
    [ "$(weights_of soft.pst --targets soft --hard-weight 0)" = "$(weights_of soft.pst)" ]
    change 'drop("y")' soft.pst "$bad"
    [ "$(weights_of "$bad" --targets both --hard-weight 0)" = "$(weights_of soft.pst)" ]
}

@test "options that would have no effect are refused" {
    refused 64 "--targets hard learns from the labels alone; say --targets both" soft.pst --targets hard --soft-weight 0.5
    refused 64 "--targets hard learns from the labels alone" soft.pst --targets hard --soft-loss logits
    refused 64 "--targets hard learns from the labels alone" soft.pst --targets hard --soft-targets soft/t
    refused 64 "--targets soft does not learn from the labels" soft.pst --targets soft --hard-weight 0.5
    for option in '--targets auto' '--hard-weight 0' '--soft-weight 1' '--soft-loss kl' '--soft-targets soft/t'; do
        # An option and its value.
        # shellcheck disable=SC2086
        refused 64 "--loss and ${option% *} exclude each other; say all terms with --loss" soft.pst --loss kl $option
    done
}

@test "logits that no stage has softened are an error, unless an option chooses labels or logits" {
    teacher-forward t.safetensors --name u -i logits.pst | averager --logits -o "$BATS_TEST_TMPDIR/mean.pst"
    hard=$(weights_of hard.pst)
    for stream in logits.pst "$BATS_TEST_TMPDIR/mean.pst"; do
        refused 65 "the stream has logits, but no soft targets: put temperature-softmax before this stage" "$stream"
        refused 65 "or choose --soft-loss logits, or, to leave the teacher out, --targets hard" "$stream" --hard-weight 1
        [ "$(weights_of "$stream" --targets hard)" = "$hard" ]
        [ "$(weights_of "$stream" --soft-loss logits --soft-targets logits/t)" = \
            "$(weights_of "$stream" --targets soft --soft-loss logits --soft-targets logits/t)" ]
    done
    refused 65 "the stream has no soft targets, but logits: put temperature-softmax before this stage" logits.pst --targets soft
    refused 65 "the stream has no soft targets, but logits: put temperature-softmax" logits.pst --loss kl
}

@test "a term whose tensor is missing is refused, and the error names the stage that makes it" {
    change 'drop("y")' soft.pst "$bad"
    refused 65 "the stream has no labels 'y'" "$bad" --loss labels
    refused 65 "the stream has no soft targets; is temperature-softmax before this stage?" hard.pst --loss kl
    refused 65 "the stream has no soft targets; is temperature-softmax before this stage?" hard.pst --loss cross-entropy::0
    refused 65 "the stream has no logits; is teacher-forward before this stage?" hard.pst --loss logits
    refused 65 "the stream has no tensor 'y'; name another one, --loss mse:TENSOR" "$bad" --loss mse
    refused 65 "the stream has no tensor 'z'; it has: x, y, id" hard.pst --loss bce:z
    change 'add("soft/b", batch["soft/t"], temperature=4.0)' soft.pst "$bad"
    refused 65 "several soft/NAME; average them first, or choose with --loss kl:TENSOR" "$bad" --loss kl
    compactor --targets u8 -i soft.pst --force -o "$bad"
    refused 65 "the stream has no soft targets; it is compact, and 'compactor --restore' before this stage" "$bad" --loss kl
}

@test "T is the tensor's, or is given for a tensor without one" {
    refused 65 "T=2: tensor 'soft/t' says that it is at temperature 4" soft.pst --loss kl,T=2
    change 'spec("soft/t").pop("temperature", 0); header["history"] = []' soft.pst "$bad"
    refused 65 "tensor 'soft/t' does not say at which temperature it is; --loss kl,T=NUMBER says it" "$bad" --loss kl
    refused 65 "does not say at which temperature it is; --loss kl,T=NUMBER says it" "$bad"
    [ "$(weights_of "$bad" --loss kl,T=4)" = "$(weights_of soft.pst --loss kl)" ]
}

@test "kl, cross-entropy and brier take a teacher's logits, and soften them at T" {
    [ "$(weights_of logits.pst --loss kl,T=4)" = "$(weights_of logits.pst --loss kl:logits/t,T=4)" ]
    [ "$(weights_of soft.pst --loss kl,T=4)" = "$(weights_of soft.pst --loss kl)" ] # soft targets come first
    [ "$(weights_of soft.pst --loss kl:logits/t,T=4)" = "$(weights_of logits.pst --loss kl,T=4)" ]
    [ "$(weights_of logits.pst --loss kl,T=2)" != "$(weights_of logits.pst --loss kl,T=4)" ]
    [ "$(weights_of logits.pst --loss brier,T=4)" = "$(weights_of soft.pst --loss brier)" ]
    [ "$(weights_of logits.pst --loss kl,T=4)" = "$(weights_of logits.pst --loss cross-entropy,T=4)" ]
    [ "$(weights_of logits.pst --loss labels::0.1 --loss kl::0.9,T=4)" != "$(weights_of logits.pst --loss kl::0.9,T=4)" ]
    for loss in kl,T=4 kl:logits/t,T=4; do
        student-trainer -q -a 784-12-10 -r 0.02 -i soft.pst --loss "$loss" -o "$student" --log "$log"
        jq 'select(.event == "epoch") | .loss' "$log" >>"$BATS_TEST_TMPDIR/losses"
        rm "$student" "$log"
    done
    awk 'NR <= 3 { soft[NR] = $1 } NR > 3 && ($1 / soft[NR - 3] - 1) ^ 2 > 1e-8 { other = 1 } END { exit other || NR != 6 }' \
        "$BATS_TEST_TMPDIR/losses"
}

@test "logits that cannot be softened are refused" {
    refused 65 "but logits: put temperature-softmax before this stage, or give the temperature, --loss kl,T=NUMBER" logits.pst --loss kl
    refused 65 "'logits/t' does not say at which temperature it is; --loss kl,T=NUMBER says it" logits.pst --loss kl:logits/t
    refused 64 "T=1e+07: the highest temperature is 1e+06; --loss logits is the limit" logits.pst --loss kl,T=1e7
    change 'batch["logits/t"][4, 2] = np.nan' logits.pst "$bad"
    refused 65 "batch 0: tensor 'logits/t', sample 4 of the batch: number 2 is" "$bad" --loss kl,T=4
    teacher-forward t.safetensors --name u -i logits.pst --force -o "$bad"
    refused 65 "several logits/NAME; average them first, or choose with --loss kl:TENSOR" "$bad" --loss kl,T=4
    change 'add("asked/t", np.ones(len(batch["id"]), "u1"))' logits.pst "$bad"
    refused 65 "'logits/t' has rows for some samples only" "$bad" --loss kl,T=4
}

@test "a student of logits is the same with any number of threads, live, and resumed after kill -9" {
    checkpoint=$BATS_TEST_TMPDIR/checkpoint
    training=(student-trainer -q -a 784-12-10 -r 0.02 --loss 'kl,T=4')
    "${training[@]}" -i logits.pst -o "$student.whole"
    for threads in 1 2 3; do
        [ "$(weights_of logits.pst --loss kl,T=4 --threads $threads)" = "$(weights_of logits.pst --loss kl,T=4)" ]
    done
    teacher-forward t.safetensors -i hard.pst | "${training[@]}" -o "$student"
    cmp "$student.whole" "$student"
    rm "$student"
    run "$BATS_TEST_DIRNAME/../python/feed.py" logits.pst 4 KILL --until "$checkpoint=4" -- \
        "${training[@]}" -o "$student" --checkpoint "$checkpoint" --checkpoint-every 1
    [ "$status" -eq 137 ]
    assert_fails 65 "loss is 'kl,T=2' here, 'kl,T=4' there" student-trainer -q -a 784-12-10 -r 0.02 \
        --loss kl,T=2 -i logits.pst -o "$student" --checkpoint "$checkpoint" --resume
    "${training[@]}" -i logits.pst -o "$student" --checkpoint "$checkpoint" --resume
    cmp "$student.whole" "$student"
}

@test "an invalid loss is refused" {
    refused 64 "--loss huge: there is no loss 'huge'; there are kl, cross-entropy, labels, logits, mse, bce, brier" hard.pst --loss huge
    refused 64 "--loss kl::x: 'x' is not a weight" soft.pst --loss kl::x
    refused 64 "--loss labels,T=3: the loss labels has no 'T='" hard.pst --loss labels,T=3
    refused 64 "the loss has the term kl of 'soft/t' twice" soft.pst --loss kl --loss kl:soft/t:2
    refused 64 "the weights of the targets are 0: there is nothing to learn from" soft.pst --loss kl::0 --loss labels::0
    refused 64 "there is nothing to learn from" soft.pst --targets soft --soft-weight 0
}

@test "a tensor that a term cannot be computed from is refused" {
    refused 65 "tensor 'x' is u8 of rank 2 a sample, and labels are i32 of rank 0" hard.pst --loss labels:x
    refused 65 "tensor 'x' is u8 with 784 elements a sample, and the network needs f32 with 10" soft.pst --loss kl:x
    refused 65 "tensor 'y' is i32 with 1 elements a sample, and the network needs f32, f16 or u8 with 10" hard.pst --loss mse
    refused 65 "tensor 'x' is u8 with 784 elements a sample, and the network needs f32, f16 or u8 with 10" hard.pst --loss bce:x
    assert_fails 65 "numbers are learned with --loss mse, bits with --loss bce" \
        student-trainer -a 6-8-2 --loss labels -i numbers.pst -o "$student"
}

@test "rows that are not what the term needs are refused with batch, sample and number" {
    change 'batch["y"][3, 1] = np.nan if batch["seq"] == 1 else 0' numbers-test.pst "$bad"
    assert_fails 65 "batch 1: tensor 'y', sample 3 of the batch" student-trainer -a 6-8-2 --loss mse -i "$bad" -o "$student"
    change 'batch["y"][2, 1] = 2' bits-test.pst "$bad"
    assert_fails 65 "batch 0: tensor 'y', sample 2 of the batch: number 1 is 2, and a bit is from 0 to 1" \
        student-trainer -a 6-8-3 --loss bce -i "$bad" -o "$student"
    change 'batch["logits/t"][4, 2] = np.inf' logits.pst "$bad"
    refused 65 "batch 0: tensor 'logits/t', sample 4 of the batch: number 2 is inf" "$bad" --loss logits
    refused 65 "batch 0: tensor 'logits/t', sample 4 of the batch" "$bad" --loss mse:logits/t
    change 'batch["soft/t"][0] *= 0.5' soft.pst "$bad"
    refused 65 "batch 0: tensor 'soft/t', sample 0 of the batch: its probabilities add up to 0.5, not to 1" "$bad" --loss kl
}

@test "the log has the figures of the terms" {
    student-trainer -q -a 784-8-10 --loss labels::0.5,smoothing=0.1 --loss kl -i soft.pst -o "$student" --log "$log"
    /usr/bin/python3 - "$log" <<'END'
import json, sys
events = [event for event in map(json.loads, open(sys.argv[1])) if event["event"] == "epoch"]
for event in events:
    terms = event["terms"]
    assert list(terms) == ["labels:y", "kl:soft/t"], terms
    assert abs(event["loss"] - 0.5 * terms["labels:y"] - terms["kl:soft/t"]) < 1e-9
    assert 0 <= event["error_share"] <= 1 and "hard_loss" not in event
assert len(events) == 3
END
}

@test "every type of loss is in the documentation" {
    cd "$BATS_TEST_DIRNAME/../.." || return
    names=$("$BUILD/tests/loss_dump" | cut -d ' ' -f 1)
    [ "$(wc -l <<<"$names")" -ge 6 ]
    for name in $names; do
        echo "$name"
        grep -qF "| \`$name\` |" docs/training.md
        grep -qE "^\.It Cm $name\$" docs/man/student-trainer.1
        student-trainer --help | grep -qE "^  $name +"
    done
}

# ---- weights ----

@test "weights of classes and of samples multiply alike, and those of 1 change no bit" {
    of_classes=1
    plain=$(weights_of classes.pst)
    [ "$(weights_of classes.pst --class-weight 0=1,1=1,2=1)" = "$plain" ]
    change 'add("weight", np.ones(len(batch["y"]), "f4"))' classes.pst "$bad"
    [ "$(weights_of "$bad")" = "$plain" ]
    change 'add("weight", np.array([1, 5, 0.5], "f4")[batch["y"]])' classes.pst "$bad"
    weighted=$(weights_of "$bad")
    [ "$weighted" != "$plain" ]
    [ "$(weights_of classes.pst --class-weight 1=5,2=0.5)" = "$weighted" ]
    [ "$(weights_of "$bad" --class-weight 1=2)" != "$weighted" ]
}

@test "samples of weight 0 change nothing in the student" {
    of_classes=1
    change 'add("weight", (batch["y"] < 2).astype("f4"))' classes.pst "$bad"
    change 'y = batch["y"]; add("weight", (y < 2).astype("f4")); y[y == 2] = 1' classes.pst "$bad.other"
    [ "$(weights_of "$bad")" = "$(weights_of "$bad.other")" ]
    change 'add("weight", np.zeros(len(batch["y"]), "f4"))' classes.pst "$bad"
    student-trainer -q -a 6-8-3 -i "$bad" -o "$student" --log "$log"
    grep -q '"loss":0.0' "$log"
}

@test "balanced weights are computed from the header's counts" {
    list=$(/usr/bin/python3 -B -c 'import sys; sys.path.insert(0, sys.argv[2]); import pst
counts = pst.read(open(sys.argv[1], "rb").read())[0]["class_counts"]
print(",".join(f"{c}={sum(counts) / (3 * n)!r}" for c, n in enumerate(counts)))' classes.pst "$BATS_TEST_DIRNAME/../python")
    [ "$(weights_of classes.pst --class-weight balanced)" = "$(weights_of classes.pst --class-weight "$list")" ]
    change 'header.pop("class_counts", 0)' classes.pst "$bad"
    trainer=(student-trainer -a 6-8-3 -o "$student")
    assert_fails 65 "give the weights, such as --class-weight 0=1,7=5" "${trainer[@]}" --class-weight balanced -i "$bad"
    for counts in '[1, 2]' '[1, 2, -3]' '[1, 2, "3"]' '7'; do
        change "header['class_counts'] = $counts" classes.pst "$bad"
        assert_fails 65 "the header's class_counts are not 3 numbers from 0" "${trainer[@]}" --class-weight balanced -i "$bad"
    done
    change "header['class_counts'] = [100, 50, 0]" classes.pst "$bad"
    assert_fails 65 "has the label 2, of which there are no samples" "${trainer[@]}" --class-weight balanced -i "$bad"
}

@test "loader counts the classes of the samples that it takes, and a replay of a part forgets them" {
    counts() { stream-inspect --json "$1" | grep -o '"class_counts":\[[^]]*\]'; }
    seen() { # The same from the labels of one epoch.
        /usr/bin/python3 -B -c 'import sys; sys.path.insert(0, sys.argv[2]); import numpy, pst
y = pst.column([b for b in pst.read(open(sys.argv[1], "rb").read())[1] if b["epoch"] == 0], "y")
print("\"class_counts\":" + str(numpy.bincount(y, minlength=10).tolist()).replace(" ", ""))' "$1" "$BATS_TEST_DIRNAME/../python"
    }
    loader digits --samples 300 --only-classes 0-3,7 --limit 40 --batch 7 --epochs 2 -o "$BATS_TEST_TMPDIR/part.pst"
    [ "$(counts "$BATS_TEST_TMPDIR/part.pst")" = "$(seen "$BATS_TEST_TMPDIR/part.pst")" ]
    replay "$BATS_TEST_TMPDIR/part.pst" --shuffle --batch 10 | teacher-forward t.safetensors -o "$bad"
    [ "$(counts "$bad")" = "$(counts "$BATS_TEST_TMPDIR/part.pst")" ]
    student-trainer -q -a 784-8-10 --targets hard --class-weight balanced -i "$bad" -o "$student"
    replay "$BATS_TEST_TMPDIR/part.pst" --only-classes 1,2 --force -o "$bad"
    run -1 counts "$bad"
    loader digits --samples 300 --only-classes 1,2 --batch 7 -o "$BATS_TEST_TMPDIR/other.pst"
    replay "$BATS_TEST_TMPDIR/part.pst" "$BATS_TEST_TMPDIR/other.pst" --force -o "$bad"
    run -1 counts "$bad"
    replay "$BATS_TEST_TMPDIR/part.pst" "$BATS_TEST_TMPDIR/part.pst" --force -o "$bad"
    [ "$(counts "$bad")" = "$(counts "$BATS_TEST_TMPDIR/part.pst")" ]
}

@test "invalid class weights are refused" {
    for list in x 0 0= =1 3=1 0=-1 0=nan '0=1,' 0=1,,1=1 0.5=1 0=1:1=1; do
        assert_fails 64 "--class-weight" student-trainer -a 6-8-3 -i classes.pst -o "$student" --class-weight "$list"
    done
    assert_fails 64 "class 1 is there twice" student-trainer -a 6-8-3 -i classes.pst -o "$student" --class-weight 1=2,1=3
    change 'drop("y")' soft.pst "$bad"
    refused 65 "--class-weight needs labels" "$bad" --class-weight 0=2
    assert_fails 65 "--class-weight needs labels" student-trainer -a 6-8-2 --loss mse -i numbers.pst -o "$student" --class-weight 0=2
}

@test "an invalid weight is refused with batch and sample" {
    for weight in -1 np.nan np.inf; do
        change "w = np.ones(len(batch['y']), 'f4'); w[3] = $weight if batch['seq'] else 1; add('weight', w)" classes.pst "$bad"
        assert_fails 65 "batch 1: tensor 'weight', sample 3 of the batch: " student-trainer -a 6-8-3 -i "$bad" -o "$student"
    done
    change "add('weight', np.ones((len(batch['y']), 2), 'f4'))" classes.pst "$bad"
    assert_fails 65 "tensor 'weight' is f32 of rank 1 a sample; f32 of rank 0 is needed" \
        student-trainer -a 6-8-3 -i "$bad" -o "$student"
}

# ---- numbers and bits ----

@test "a student of numbers explains 95 percent of the variance of samples that it has not seen" {
    for case in '2 numbers' '1 number'; do
        read -r outputs kind <<<"$case"
        student-trainer -q -a "6-64-$outputs" --loss mse --optimiser adam -r 0.01 --schedule cosine -i "$kind.pst" -o "$student"
        above "$(score r2 "$student" "$kind-test.pst")" 0.95
    done
}

@test "a student of bits is wrong in less than a tenth of them" {
    student-trainer -q -a 6-64-3 --loss bce --optimiser adam -r 0.01 --schedule cosine -i bits.pst -o "$student"
    above 0.1 "$(score wrong_bit_share "$student" bits-test.pst)"
    change 'y = batch["y"].astype("f4"); drop("y"); add("y", y)' bits-test.pst "$bad"
    student-trainer -q -a 6-8-3 --loss bce -i "$bad" -o "$student"
    student-trainer -q -a 6-8-3 --loss bce -i bits-test.pst -o "$BATS_TEST_TMPDIR/u8.safetensors"
    cmp "$student" "$BATS_TEST_TMPDIR/u8.safetensors"
}

@test "a teacher of numbers is distilled by mse on its outputs" {
    training=(-q --optimiser adam -r 0.01 --schedule cosine)
    student-trainer "${training[@]}" -a 6-64-2 --loss mse -i numbers.pst -o "$BATS_TEST_TMPDIR/t.safetensors"
    change 'drop("y")' numbers.pst "$BATS_TEST_TMPDIR/inputs.pst"
    teacher-forward "$BATS_TEST_TMPDIR/t.safetensors" -i "$BATS_TEST_TMPDIR/inputs.pst" |
        student-trainer "${training[@]}" -a 6-32-2 --loss mse:logits/t -o "$student"
    above "$(score r2 "$student" numbers-test.pst)" 0.95
}

@test "a network learns to give its own input back" {
    student-trainer -q -a 784-16-784 --loss mse:x --optimiser adam -r 0.002 -i hard.pst -o "$student" --log "$log"
    /usr/bin/python3 - "$log" <<'END'
import json, sys
losses = [event["loss"] for event in map(json.loads, open(sys.argv[1])) if event["event"] == "epoch"]
assert losses[-1] < 0.8 * losses[0], losses
END
}

@test "validation follows the kind of y" {
    for case in 'mse 2 numbers rmse' 'mse 1 number rmse' 'bce 3 bits wrong_bits'; do
        read -r loss outputs kind key <<<"$case"
        rm -f "$log"
        student-trainer -q -a "6-16-$outputs" --loss "$loss" -r 0.05 -i "$kind.pst" --validate "$kind-test.pst" -o "$student" \
            --log "$log"
        said=$(score "$key" "$student" "$kind-test.pst")
        /usr/bin/python3 - "$log" "$said" "$key" <<'END'
import json, sys
best = min(event["validation_errors"] for event in map(json.loads, open(sys.argv[1])) if event["event"] == "epoch")
said = float(sys.argv[2]) ** (2 if sys.argv[3] == "rmse" else 1)
assert abs(best - said) < 1e-5 * (1 + said), (best, said)
END
    done
    change 'y = batch["y"].astype("f4"); drop("y"); add("y", y)' bits-test.pst "$bad"
    student-trainer -q -a 6-16-3 --loss bce -r 0.05 -i bits.pst --validate "$bad" -o "$BATS_TEST_TMPDIR/f32.safetensors"
    cmp "$student" "$BATS_TEST_TMPDIR/f32.safetensors"
    assert_fails 65 "tensor 'y' is f32 with 2 elements a sample, and the network needs f32, f16 or u8 with 3" \
        student-trainer -a 6-16-3 --loss bce -i bits.pst --validate numbers-test.pst -o "$BATS_TEST_TMPDIR/none"
}

# ---- interruptions ----

@test "with terms, class weights and sample weights a resumed student is the same to the bit" {
    weighted=$BATS_TEST_TMPDIR/weighted.pst
    checkpoint=$BATS_TEST_TMPDIR/checkpoint
    change 'add("weight", (0.5 + batch["id"] % 3).astype("f4"))' soft.pst "$weighted"
    training=(student-trainer -q -a 784-12-10 -r 0.02 --loss 'labels::0.3,smoothing=0.1' --loss kl --loss logits::0.01
        --class-weight '1=3,4=0.5')
    "${training[@]}" -i "$weighted" -o "$BATS_TEST_TMPDIR/whole.safetensors" --log "$log.whole"
    for batches in 1 4 7; do
        rm -f "$student" "$log"
        run "$BATS_TEST_DIRNAME/../python/feed.py" "$weighted" $batches KILL --until "$checkpoint=$batches" -- \
            "${training[@]}" -o "$student" --checkpoint "$checkpoint" --checkpoint-every 1
        [ "$status" -eq 137 ]
        "${training[@]}" -i "$weighted" -o "$student" --checkpoint "$checkpoint" --resume --log "$log"
        cmp "$BATS_TEST_TMPDIR/whole.safetensors" "$student"
        # The figures of the last epoch as well.
        diff <(grep '"epoch":2,"loss"' "$log.whole" | grep -o '"loss".*') <(grep '"epoch":2,"loss"' "$log" | grep -o '"loss".*')
    done
}

@test "a checkpoint of other terms is refused, though all options have the same values" {
    checkpoint=$BATS_TEST_TMPDIR/checkpoint
    run "$BATS_TEST_DIRNAME/../python/feed.py" soft.pst 4 KILL --until "$checkpoint=4" -- \
        student-trainer -q -a 784-12-10 -o "$student" --checkpoint "$checkpoint" --checkpoint-every 1
    [ "$status" -eq 137 ]
    assert_fails 65 "was made with other options than these: terms is 'labels:y:1,smoothing=0' here, 'labels:y:0,smoothing=0' there" student-trainer -q -a 784-12-10 -o "$student" -i soft.pst \
        --checkpoint "$checkpoint" --resume --hard-weight 1
}

@test "the kind of y decides which loss is meant, and a teacher's outputs are soft targets of numbers and bits" {
    for kind in numbers number bits; do
        loss=mse soft=mse:logits/t
        [[ $kind != bits ]] || loss=bce soft=logits
        student-trainer -q --hidden 8 -i $kind.pst -o "$student"
        student-trainer -q --hidden 8 --loss $loss -i $kind.pst -o "$student.named"
        cmp <(tail -c 64 "$student") <(tail -c 64 "$student.named")
        teacher-forward "$student" --name t -i $kind.pst -o asked.pst --force
        student-trainer -q --hidden 4 -i asked.pst -o "$student" --log "$log"
        student-trainer -q --hidden 4 --loss $soft -i asked.pst -o "$student.named"
        cmp <(tail -c 64 "$student") <(tail -c 64 "$student.named")
        grep -q '"hard_loss":0.0,"soft_loss":' "$log" && run ! grep -q error_share "$log"
        rm "$log"
        student-trainer -q --hidden 4 --hard-weight 0.5 --soft-weight 0.5 -i asked.pst -o "$student"
        student-trainer -q --hidden 4 --loss $loss::0.5 --loss "${soft/#logits/logits:}:0.5" -i asked.pst -o "$student.named"
        cmp <(tail -c 64 "$student") <(tail -c 64 "$student.named")
    done
}
