#!/usr/bin/env bats
# student-trainer believes a stream's history: it refuses what contradicts it, and nothing else.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --batch 20 -o plain.pst
    student-trainer -a 784-12-10 -r 0.05 -i plain.pst -o a.safetensors
    student-trainer -a 784-9-10 -r 0.05 -s 2 -i plain.pst -o b.safetensors
    teacher-forward a.safetensors -i plain.pst -o a.pst
    temperature-softmax -T 4 -i a.pst -o a-soft.pst
    teacher-forward b.safetensors -i a.pst | temperature-softmax -T 4 | averager --teachers 2 -o mean.pst
    stream-join a.pst -i plain.pst | teacher-forward b.safetensors | temperature-softmax -T 4 |
        averager --teachers 2 -o joined.pst
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

# refuses WORDS STREAM [OPTION…]: training fails before it began.
refuses() {
    local words=$1 from=$2
    shift 2
    assert_fails 65 "$words" student-trainer -a 784-8-10 -q -o "$model" -i "$from" "$@"
    [ ! -e "$model" ]
}

# ---- temperature ----

@test "a temperature other than that of the softmax that made the targets is refused" {
    change 'spec("soft/a")["temperature"] = 7.0' a-soft.pst "$stream"
    refuses "tensor 'soft/a' says that it is at temperature 7, but the stream's history says that it was softened at 4" \
        "$stream"
    for file in mean joined; do
        change 'spec("soft")["temperature"] = 7.0' $file.pst "$stream"
        refuses "tensor 'soft' says that it is at temperature 7, but the stream's history says that it was softened at 4" \
            "$stream"
    done
    change 'spec("soft/a")["temperature"] = 2.0' joined-soft.pst "$stream"
    refuses "at temperature 2, but the stream's history says that it was softened at 4" "$stream"
    # Who does not learn from them does not mind.
    learns "$stream" --targets hard
}

@test "a mean of nothing but joined targets has the temperature of their recording" {
    averager -i joined-soft.pst -o "$BATS_TEST_TMPDIR/mean.pst"
    learns "$BATS_TEST_TMPDIR/mean.pst"
    change 'spec("soft")["temperature"] = 2.0' "$BATS_TEST_TMPDIR/mean.pst" "$stream"
    refuses "at temperature 2, but the stream's history says that it was softened at 4" "$stream"
    averager -i a-soft.pst -o "$BATS_TEST_TMPDIR/mean.pst"
    stream-join --take soft "$BATS_TEST_TMPDIR/mean.pst" -i plain.pst -o "$BATS_TEST_TMPDIR/joined.pst"
    learns "$BATS_TEST_TMPDIR/joined.pst"
    change 'spec("soft")["temperature"] = 2.0' "$BATS_TEST_TMPDIR/joined.pst" "$stream"
    refuses "at temperature 2, but the stream's history says that it was softened at 4" "$stream"
}

@test "soft targets whose making the history does not tell are believed" {
    change 'drop("soft/a"); drop("logits/a"); add("soft", np.full((20, 10), 0.1, "f4"), temperature=3.0)
header["history"] = header["history"][:1] + [{"stage": "mine", "version": "1"}]' a-soft.pst "$stream"
    learns "$stream"
    # A teacher of one's own beside one of pipestill's, before and after it.
    change 'add("soft/mine", np.full((20, 10), 0.1, "f4"), temperature=3.0)' a-soft.pst "$stream"
    learns "$stream" --soft-targets soft/mine
    learns "$stream" --soft-targets soft/a
    change 'header["history"] = []' a-soft.pst "$stream"
    learns "$stream"
    # A stage of someone else may have softened them anew.
    change 'spec("soft/a")["temperature"] = 7.0
if batch["seq"] == 0: header["history"].append({"stage": "soften-anew", "version": "1"})' a-soft.pst "$stream"
    learns "$stream"
}

@test "with several softmaxes in the history, that counts which made the targets" {
    # The first teacher's logits are dropped, its targets kept; the second is softened otherwise.
    change 'drop("logits/a")' a-soft.pst "$BATS_TEST_TMPDIR/soft.pst"
    teacher-forward b.safetensors -i "$BATS_TEST_TMPDIR/soft.pst" | temperature-softmax -T 9 -o "$stream"
    learns "$stream" --soft-targets soft/a
    learns "$stream" --soft-targets soft/b
    change 'spec("soft/a")["temperature"] = 9.0' "$stream" "$BATS_TEST_TMPDIR/false.pst"
    refuses "'soft/a' says that it is at temperature 9, but the stream's history says that it was softened at 4" \
        "$BATS_TEST_TMPDIR/false.pst" --soft-targets soft/a
    # The mean of the first alone, made before the second was asked.
    averager -i a-soft.pst -o "$BATS_TEST_TMPDIR/mean.pst"
    change 'drop("logits/a"); drop("soft/a")' "$BATS_TEST_TMPDIR/mean.pst" "$BATS_TEST_TMPDIR/less.pst"
    teacher-forward b.safetensors -i "$BATS_TEST_TMPDIR/less.pst" | temperature-softmax -T 9 -o "$stream"
    learns "$stream"
}

@test "targets turned back into logits are learned from" {
    change 'drop("logits/a")' a-soft.pst "$BATS_TEST_TMPDIR/soft.pst"
    temperature-softmax --from-probs -T 4 -i "$BATS_TEST_TMPDIR/soft.pst" -o "$stream"
    learns "$stream"
    learns "$stream" --soft-loss logits
}

# ---- data ----

@test "targets of other data than the inputs' are refused" {
    change 'for entry in header["history"]:
    if "recording" in entry: entry["recording"][0]["digest"] = "f" * 64' joined.pst "$stream"
    refuses "the stream's history tells of two data sets" "$stream"
    refuses "with the digest $(stream-inspect --json plain.pst | head -n 1 | grep -o '"digest":"[0-9a-f]*' | cut -c 11-26), targets joined to it from one with ffffffffffffffff" "$stream"
    refuses "two data sets" "$stream" --targets hard
    change 'header["history"][0].pop("digest", None)' joined.pst "$stream"
    learns "$stream"
}

# ---- number of teachers ----

@test "an averager that was told of another number of teachers is refused" {
    learns mean.pst
    learns joined.pst
    for file in mean joined; do
        change 'next(e for e in header["history"] if e["stage"] == "averager")["teachers"] = 3' $file.pst "$stream"
        refuses "the averager was told of 3 teachers (--teachers), but the stream and its history name 2: " "$stream"
    done
    # With the tensors gone, the history counts; with the history of a teacher gone, the tensors.
    change 'drop("logits/a"); drop("soft/a"); drop("logits/b"); drop("soft/b")
next(e for e in header["history"] if e["stage"] == "averager")["teachers"] = 1' mean.pst "$stream"
    refuses "told of 1 teachers (--teachers), but the stream and its history name 2: a, b" "$stream"
    change 'header["history"] = [e for e in header["history"] if e.get("name") != "a"]
next(e for e in header["history"] if e["stage"] == "averager")["teachers"] = 1' mean.pst "$stream"
    refuses "told of 1 teachers (--teachers), but the stream and its history name 2: a, b" "$stream"
}

@test "a teacher asked after the mean was made, or by a stage of someone else, contradicts nothing" {
    averager --teachers 1 -i a-soft.pst | teacher-forward b.safetensors -o "$stream"
    learns "$stream"
    change 'add("soft/mine", np.full((20, 10), 0.1, "f4"), temperature=4.0)' a-soft.pst "$BATS_TEST_TMPDIR/mine.pst"
    averager --teachers 2 -i "$BATS_TEST_TMPDIR/mine.pst" -o "$stream"
    learns "$stream"
    change 'drop("soft/mine")
if batch["seq"] == 0: header["history"].insert(1, {"stage": "mine", "version": "1"})' "$stream" "$BATS_TEST_TMPDIR/less.pst"
    learns "$BATS_TEST_TMPDIR/less.pst"
    averager --logits --teachers 1 -i a-soft.pst -o "$stream"
    learns "$stream" --soft-loss logits
}

# ---- what the averager says ----

averager='next(e for e in header["history"] if e["stage"] == "averager")'

@test "an averager that weighed a teacher whom nobody knows is refused" {
    for file in mean joined; do
        change "$averager"'["weight"] = ["nobody=3"]' $file.pst "$stream"
        refuses "an averager with --weight nobody=3, but neither the stream nor its history knows such a teacher" "$stream"
        learns "$stream" --targets hard
        change "$averager"'["weight"] = ["a=3", "b=0.5"]' $file.pst "$stream"
        learns "$stream"
    done
    # A mean that was joined is that of its recording's averager.
    change "$averager"'["weight"] = ["nobody=3"]' mean.pst "$BATS_TEST_TMPDIR/nobody.pst"
    stream-join --take soft "$BATS_TEST_TMPDIR/nobody.pst" -i plain.pst -o "$stream"
    refuses "with --weight nobody=3" "$stream"
    stream-join --take soft/a "$BATS_TEST_TMPDIR/nobody.pst" -i plain.pst -o "$stream"
    learns "$stream"
    # So is one that was made small, and has lost its members.
    compactor --targets u8 -i "$BATS_TEST_TMPDIR/nobody.pst" | compactor --restore -o "$stream"
    refuses "with --weight nobody=3" "$stream"
}

@test "weights of teachers that are there, whoever asked them, contradict nothing" {
    teacher-forward b.safetensors -i a.pst | temperature-softmax -T 4 | averager -w b=2 -g -w a=0.5 |
        compactor | compactor --restore -o "$stream"
    learns "$stream"
    stream-join a-soft.pst --take soft/a -i plain.pst | averager -w a=2 -o "$stream"
    learns "$stream"
    change 'drop("logits/a")' a-soft.pst "$BATS_TEST_TMPDIR/soft.pst"
    temperature-softmax --from-probs -T 4 -i "$BATS_TEST_TMPDIR/soft.pst" | averager --logits -w a=2 -o "$stream"
    learns "$stream" --soft-loss logits
    # A stage of someone else brought the teacher, or may have.
    change 'add("soft/mine", np.full((20, 10), 0.1, "f4"), temperature=4.0)' a-soft.pst "$BATS_TEST_TMPDIR/mine.pst"
    averager -w mine=2 -i "$BATS_TEST_TMPDIR/mine.pst" -o "$stream"
    learns "$stream"
    change 'drop("soft/mine")
if batch["seq"] == 0: header["history"].insert(1, {"stage": "mine", "version": "1"})' "$stream" "$BATS_TEST_TMPDIR/less.pst"
    learns "$BATS_TEST_TMPDIR/less.pst"
}

@test "a mean of the other kind than its averager's is refused" {
    change "$averager"'["logits"] = True' mean.pst "$stream"
    refuses "the stream has the mean 'soft', but its history tells of an averager of logits (--logits), whose mean is 'logits'" \
        "$stream"
    learns "$stream" --soft-targets soft/a
    averager --logits -i a.pst -o "$BATS_TEST_TMPDIR/logits.pst"
    learns "$BATS_TEST_TMPDIR/logits.pst" --soft-loss logits
    change "$averager"'["logits"] = False' "$BATS_TEST_TMPDIR/logits.pst" "$stream"
    refuses "the stream has the mean 'logits', but its history tells of an averager of probabilities, whose mean is 'soft'" \
        "$stream" --soft-loss logits
    change "$averager"'["geometric"] = True' "$BATS_TEST_TMPDIR/logits.pst" "$stream"
    refuses "both --logits and --geometric" "$stream" --soft-loss logits
}

@test "means of both kinds, and means that stages of others made, contradict nothing" {
    averager --logits -i a-soft.pst | averager -o "$stream"
    learns "$stream"
    learns "$stream" --soft-loss logits
    averager --logits -i a.pst -o "$BATS_TEST_TMPDIR/logits.pst"
    change 'add("soft", np.full((20, 10), 0.1, "f4"), temperature=3.0)' "$BATS_TEST_TMPDIR/logits.pst" "$stream"
    learns "$stream"
    change 'drop("logits")
if batch["seq"] == 0: header["history"].append({"stage": "mine", "version": "1"})' "$stream" "$BATS_TEST_TMPDIR/less.pst"
    learns "$BATS_TEST_TMPDIR/less.pst"
}

# ---- one model a teacher ----

# digest MODEL: the beginning of its SHA-256, as messages have it.
digest() {
    sha256sum "$1" | cut -c 1-16
}

@test "targets of two models under one name are refused" {
    teacher-forward b.safetensors --name a -i plain.pst | temperature-softmax -T 4 -o "$BATS_TEST_TMPDIR/b.pst"
    words="two models that are both called 'a', one with the digest $(digest a.safetensors) and one with $(digest b.safetensors); ask one of them under another --name"
    # Both from recordings, and one of them asked live.
    stream-join a.pst --take logits/a -i plain.pst | stream-join "$BATS_TEST_TMPDIR/b.pst" --take soft/a -o "$stream"
    refuses "$words" "$stream"
    refuses "$words" "$stream" --soft-loss logits
    learns "$stream" --targets hard
    replay "$stream" --shuffle | compactor --of soft/a -o "$BATS_TEST_TMPDIR/small.pst"
    replay "$BATS_TEST_TMPDIR/small.pst" -o "$stream.small"
    refuses "$words" "$stream.small"
    stream-join "$stream" --take soft/a -i plain.pst -o "$stream.again"
    refuses "$words" "$stream.again"
    stream-join "$BATS_TEST_TMPDIR/b.pst" --take soft/a -i a.pst -o "$stream"
    refuses "$words" "$stream"
    averager -i "$stream" -o "$stream.mean"
    refuses "$words" "$stream.mean"
    stream-join "$stream.mean" --take soft -i plain.pst -o "$stream.again"
    refuses "$words" "$stream.again"
    change 'header["history"].insert(2, header["history"][1] | {"model": "f" * 64})
if batch["seq"] > 0: del header["history"][2]' a-soft.pst "$stream"
    refuses "'a', one with the digest $(digest a.safetensors) and one with ffffffffffffffff" "$stream"
}

@test "another model of the same name from which nothing is learned contradicts nothing" {
    # In the recording of b another model was called a; of its targets only those of b are taken.
    teacher-forward b.safetensors --name a -i plain.pst | teacher-forward b.safetensors |
        temperature-softmax -T 4 | averager -o "$BATS_TEST_TMPDIR/two.pst"
    stream-join "$BATS_TEST_TMPDIR/two.pst" --take soft/b -i a-soft.pst | averager -o "$stream"
    learns "$stream"
    learns "$stream" --soft-targets soft/a
    # The mean of the recording is learned from, not what is asked after it.
    stream-join "$BATS_TEST_TMPDIR/two.pst" --take soft -i a-soft.pst -o "$stream"
    learns "$stream"
    learns "$stream" --soft-targets soft/a
    # Once the mean alone was kept, the name is free again.
    compactor --targets f32 --of soft -i "$BATS_TEST_TMPDIR/two.pst" | compactor --restore |
        teacher-forward a.safetensors | temperature-softmax -T 4 -o "$stream"
    learns "$stream"
    learns "$stream" --soft-targets soft/a
    learns "$stream" --soft-loss logits
    # But not that of targets which were kept.
    compactor --targets f32 --of soft/b -i mean.pst | compactor --restore | teacher-forward a.safetensors --name b -o "$stream"
    refuses "two models that are both called 'b'" "$stream"
}

@test "one model that was recorded twice, or in parts, contradicts nothing" {
    stream-join a.pst --take logits/a -i plain.pst | stream-join a-soft.pst --take soft/a -o "$stream"
    learns "$stream"
    learns "$stream" --soft-loss logits
    stream-join a-soft.pst --take soft/a -i a.pst | averager -o "$stream"
    learns "$stream"
    # A model whose digest is not told may be any.
    change 'for entry in header["history"]: entry.pop("model", None)' a.pst "$BATS_TEST_TMPDIR/untold.pst"
    teacher-forward b.safetensors --name a -i plain.pst | temperature-softmax -T 4 -o "$BATS_TEST_TMPDIR/b.pst"
    stream-join "$BATS_TEST_TMPDIR/b.pst" --take soft/a -i "$BATS_TEST_TMPDIR/untold.pst" -o "$stream"
    learns "$stream"
}
