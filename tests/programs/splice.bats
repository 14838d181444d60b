#!/usr/bin/env bats
# replay --splice gives each recorded frame those before and after it in its utterance. test_splice_oracle.py has the numbers.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    # 300 frames of 40 numbers, which are the first utterance, for ids begin with 0.
    /usr/bin/python3 -c '
import numpy as np
random = np.random.default_rng(15)
np.save("x.npy", (random.normal(size=(300, 40)) * 3 + 5).astype("f4"))
np.save("y.npy", random.integers(0, 4, 300).astype("i4"))'
    loader npy:x.npy,y.npy --standardise --no-shuffle --batch 32 --epochs 2 -o frames.pst
    replay frames.pst --splice 4,1 | student-trainer --hidden 12 -r 0.05 -q -o student.safetensors
    replay frames.pst --splice 4,1 | teacher-forward student.safetensors | temperature-softmax -T 2 -o soft.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    made=$BATS_TEST_TMPDIR/made.pst
}

# spliced BEFORE AFTER STREAM: the same frames, spliced by numpy batch by batch, each epoch being one utterance.
spliced() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import sys, numpy as np, pst
before, after = map(int, sys.argv[1:3])
header, batches = pst.read(open(sys.argv[3], "rb").read())
next(t for t in header["tensors"] if t["name"] == "x")["shape"] = [before + 1 + after, 40]
for epoch in {batch["epoch"] for batch in batches}:
    of_epoch = [batch for batch in batches if batch["epoch"] == epoch]
    x, at = pst.column(of_epoch, "x"), 0
    for batch in of_epoch:
        n = len(batch["id"])
        rows = np.arange(at, at + n)[:, None] + np.arange(-before, after + 1)
        batch["x"], at = x[np.clip(rows, 0, len(x) - 1)], at + n
sys.stdout.buffer.write(pst.write(header, batches))' "$@"
}

# inputs STREAM: what its header says of inputs.
inputs() {
    stream-inspect -j "$1" | head -n 1 | /usr/bin/python3 -c 'import json, sys; print(json.dumps(json.load(sys.stdin).get("inputs"), sort_keys=True))'
}

# same A B NAME…: these tensors are the same in both streams, and so are their origins.
same() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import sys, pst
(one, a), (other, b) = [pst.read(open(path, "rb").read()) for path in sys.argv[1:3]]
for name in sys.argv[3:]:
    of_one, of_other = [next(t for t in header["tensors"] if t["name"] == name) for header in (one, other)]
    assert of_one == of_other, name
    assert pst.column(a, name).tobytes() == pst.column(b, name).tobytes(), name' "$@"
}

# refuses WORDS [OPTION…]: a replay of made.pst with --splice fails.
refuses() {
    assert_fails 65 "$1" replay "$made" --splice 20,5 "${@:2}"
}

# keep WHICH: leaves samples of frames.pst in made.pst; WHICH is a condition on id and epoch in Python.
keep() {
    change "
rows = np.array([bool($1) for id in batch['id'].tolist() for epoch in [batch['epoch']]])
for name in ('x', 'y', 'id'): batch[name] = batch[name][rows]" frames.pst "$made"
}

# ---- what comes out ----

@test "a student of replayed frames is bit for bit the student of frames that were spliced before" {
    spliced 4 1 frames.pst >"$made"
    cmp <(column "$made" x) <(replay frames.pst --splice 4,1 | column /dev/stdin x)
    student-trainer --hidden 12 -r 0.05 -q -i "$made" -o "$BATS_TEST_TMPDIR/other.safetensors"
    [ "$(weights student.safetensors)" = "$(weights "$BATS_TEST_TMPDIR/other.safetensors")" ]
}

@test "mean and deviation of 40 channels hold for spliced frames, from training to the teacher and evaluator" {
    replay frames.pst --splice 4,1 | stream-inspect -j | head -n 1 | /usr/bin/python3 -c '
import json, sys
header = json.load(sys.stdin)
assert [t["shape"] for t in header["tensors"] if t["name"] == "x"] == [[6, 40]]
assert header["inputs"]["splice"] == [4, 1]
assert len(header["inputs"]["mean"]) == len(header["inputs"]["deviation"]) == 40'
    teacher-forward student.safetensors -i soft.pst --name again | evaluator --of logits/again --against logits/student --tolerance 0
    loader npy:x.npy,y.npy --no-shuffle -o "$made"
    run -65 --separate-stderr bash -c "replay '$made' --splice 4,1 | teacher-forward student.safetensors -o /dev/null; exit \${PIPESTATUS[1]}"
    [[ $stderr == *"learned from inputs that were standardised, and the stream's are not"* ]]
}

@test "a model that learned from one splice is not asked about another of the same shape" {
    replay frames.pst --splice 1,4 -o "$made"
    assert_refused "learned from inputs with 4 neighbours before and 1 behind, and the stream's have 1 and 4" \
        teacher-forward student.safetensors -i "$made"
    change "header.pop('inputs', None)" frames.pst "$BATS_TEST_TMPDIR/silent.pst"
    replay "$BATS_TEST_TMPDIR/silent.pst" --splice 1,4 --force -o "$made"
    [ "$(inputs "$made")" = '{"splice": [1, 4]}' ]
}

@test "a replay that splices says so in the history, and its other tensors are those that were recorded" {
    replay frames.pst --splice 4,1 -o "$made"
    stream-inspect -j "$made" | head -n 1 | grep -q '"splice":"4,1"'
    same "$made" frames.pst y id
}

@test "two splices have two origins, and are not one set" {
    replay frames.pst --splice 4,1 -o "$made"
    replay frames.pst --splice 1,4 -o "$BATS_TEST_TMPDIR/other.pst"
    assert_fails 65 "'x' was made otherwise: loader splice=4,1 here, loader splice=1,4 there" replay "$made" "$BATS_TEST_TMPDIR/other.pst"
    replay frames.pst --splice 4,1 --shuffle -b 7 -o "$BATS_TEST_TMPDIR/shuffled.pst"
    replay "$made" "$BATS_TEST_TMPDIR/shuffled.pst" | stream-inspect --check
    stream-inspect "$made" | grep -F 'splice=4,1'
}

@test "spliced frames have no origin if the recorded ones have none" {
    change "[t.pop('origin', None) for t in header['tensors']]; header.pop('lineage', None)" frames.pst "$made"
    replay "$made" --splice 4,1 -o "$BATS_TEST_TMPDIR/spliced.pst"
    [ "$(origin "$BATS_TEST_TMPDIR/spliced.pst" x)" = "not known" ]
}

# reads OPTION…: how often a replay reads from the recording of 20 batches.
reads() {
    strace -f -P frames.pst -e trace=read,pread64,readv,preadv -o "$BATS_TEST_TMPDIR/calls" replay frames.pst --splice 20,5 "$@" >"$BATS_TEST_TMPDIR/out"
    grep -c read "$BATS_TEST_TMPDIR/calls"
}

@test "a recording that fits into memory is read once, however its frames are spliced" {
    command -v strace >/dev/null || skip "there is no strace"
    [[ ${SANITIZE-} != *address* ]] || skip "strace and the leak checker exclude each other"
    [ -z "${VALGRIND-}" ] || skip "valgrind makes calls of its own"
    opening=3 # the header, the trailer, and the trailer once more, as a message
    [ "$(reads)" -le $((20 + opening)) ]
    [ "$(reads --shuffle --epochs 3)" -le $((20 + opening)) ]
    [ "$(reads --batch 7)" -le $((20 + opening)) ]
    [ "$(reads --shuffle --only-classes 1)" -le $((2 * 20 + opening)) ] # labels are read before
    [ "$(reads --memory 0)" -gt 600 ]
}

# ---- beside loader's own splice ----

# speech [OPTION…]: loader with frames of a corpus of tones, which is made by the first call.
speech() {
    [ -d tones ] || "$BATS_TEST_DIRNAME/../python/make_corpus.py" tones
    loader speech:tones --alignment tones/truth.ctm "$@"
}

# weights MODEL: a digest of all parameters, without what the model says of itself.
weights() {
    /usr/bin/python3 -c 'import hashlib, sys
data = open(sys.argv[1], "rb").read()
print(hashlib.sha256(data[8 + int.from_bytes(data[:8], "little"):]).hexdigest())' "$1"
}


@test "replayed frames are what loader splices, to the bit and by origin, however they were made" {
    local options own=$BATS_TEST_TMPDIR/own.pst plain=$BATS_TEST_TMPDIR/plain.pst
    for options in "--no-shuffle" "--epochs 2" "--standardise --epochs 2" "--noise 30 --gain 6 --epochs 2" \
        "--normalise speaker --deltas 1" "--features mfcc --utterances 5"; do
        # shellcheck disable=SC2086 # options are words
        speech $options --splice 20,5 --force -o "$own"
        # shellcheck disable=SC2086
        speech $options --force -o "$plain"
        replay "$plain" --splice 20,5 --force -o "$made"
        same "$own" "$made" x y id
        cmp <(inputs "$own") <(inputs "$made")
    done
    replay "$own" "$made" | stream-inspect --check # they are one set
}

@test "a student of loader's spliced frames is bit for bit the student of replayed ones" {
    local teach=(student-trainer --hidden 16 -r 0.05 -q --seed 3)
    speech --standardise --epochs 2 -o "$BATS_TEST_TMPDIR/plain.pst"
    speech --standardise --epochs 2 --splice 20,5 | "${teach[@]}" -o "$BATS_TEST_TMPDIR/a.safetensors"
    replay "$BATS_TEST_TMPDIR/plain.pst" --splice 20,5 | "${teach[@]}" -o "$BATS_TEST_TMPDIR/b.safetensors"
    [ "$(weights "$BATS_TEST_TMPDIR/a.safetensors")" = "$(weights "$BATS_TEST_TMPDIR/b.safetensors")" ]
    # Frames that a model learned from are made again by what it says of them.
    speech --split test --like "$BATS_TEST_TMPDIR/a.safetensors" --splice 20,5 -o "$made"
    teacher-forward "$BATS_TEST_TMPDIR/b.safetensors" -i "$made" | evaluator
    assert_refused "takes 1040 inputs, but 'x' has 40 elements" teacher-forward "$BATS_TEST_TMPDIR/b.safetensors" -i "$BATS_TEST_TMPDIR/plain.pst"
}

@test "loader or replay restores the x that targets of loader's spliced frames left out by digest" {
    local small=$BATS_TEST_TMPDIR/small.pst student=$BATS_TEST_TMPDIR/s.safetensors plain=$BATS_TEST_TMPDIR/plain.pst
    speech --standardise --splice 20,5 | student-trainer --hidden 16 -r 0.05 -q -o "$student"
    speech --standardise --splice 20,5 | teacher-forward "$student" | temperature-softmax -T 2 -o "$BATS_TEST_TMPDIR/whole.pst"
    compactor --inputs digest --targets f32 -i "$BATS_TEST_TMPDIR/whole.pst" -o "$small"
    [ "$(stat -c %s "$small")" -lt $(($(stat -c %s "$BATS_TEST_TMPDIR/whole.pst") / 20)) ]
    speech --standardise --no-shuffle -o "$plain"
    speech --standardise --splice 20,5 | stream-join "$small" -o "$made"
    same "$made" "$BATS_TEST_TMPDIR/whole.pst" x soft/s
    replay "$plain" --splice 20,5 --shuffle | stream-join "$small" | stream-inspect --check
    replay "$plain" --splice 5,20 -o "$BATS_TEST_TMPDIR/other.pst"
    assert_refused "was recorded from other inputs than those of $BATS_TEST_TMPDIR/other.pst: loader splice=5,20 here, loader splice=20,5 there" \
        stream-join "$small" -i "$BATS_TEST_TMPDIR/other.pst"
    assert_refused "'x' is f32 [26, 40]" stream-join "$BATS_TEST_TMPDIR/whole.pst" -i "$plain"
    assert_refused "was recorded from other inputs" stream-join "$small" -i "$plain"
}

@test "utterances that were played faster or slower are not spliced when they are replayed" {
    speech --speed 0.1 -o "$made"
    refuses "its utterances were played faster or slower (--speed)"
}

# ---- inputs by digest ----

@test "targets of spliced frames that left x out are joined with the same splice again, and with no other" {
    small=$BATS_TEST_TMPDIR/small.pst
    compactor --inputs digest --targets f32 -i soft.pst -o "$small"
    replay frames.pst --splice 4,1 | stream-join "$small" -o "$made"
    same "$made" soft.pst x soft/student
    run -65 --separate-stderr bash -c "replay frames.pst --splice 1,4 | stream-join '$small' -o /dev/null; exit \${PIPESTATUS[1]}"
    [[ $stderr == *"recorded from other inputs"*"splice=1,4 here, loader splice=4,1 there"* ]]
    run -65 --separate-stderr stream-join "$small" -i frames.pst -o /dev/null
    assert_fails 65 "its inputs were left out; 'loader … | stream-join" replay "$small" --splice 4,1
}

# ---- what cannot be spliced ----

@test "a frame whose neighbour is missing is named with its utterance" {
    keep "id != 17 or epoch == 0"
    refuses "epoch 1 has frame 18 of utterance 0, but not frame 17, so --splice lacks a neighbour"
    change "batch['id'] += 3 << 20; batch['id'][batch['id'] > (3 << 20) + 40] += 1" frames.pst "$made"
    refuses "epoch 0 has frame 42 of utterance 3, but not frame 41"
    refuses "epoch 0 has frame 42 of utterance 3, but not frame 41" --shuffle
}

@test "an utterance without its beginning is refused, and one without its end ends where the recording does" {
    change "batch['id'] += 7" frames.pst "$made"
    refuses "epoch 0 has frame 7 of utterance 0, but not frame 0"
    head -c "$(($(stat -c %s frames.pst) * 3 / 10))" frames.pst >"$BATS_TEST_TMPDIR/cut.pst.part"
    stream-repair "$BATS_TEST_TMPDIR/cut.pst.part"
    replay "$BATS_TEST_TMPDIR/cut.pst" --splice 4,1 2>"$BATS_TEST_TMPDIR/said" | column /dev/stdin x | tail -n 1 |
        /usr/bin/python3 -c 'import sys, numpy as np
x = np.array(sys.stdin.read().split(), float).reshape(6, 40)
assert (x[5] == x[4]).all() and (x[4] != x[3]).any()'
    grep -q "it was cut short" "$BATS_TEST_TMPDIR/said"
}

@test "a recording of chosen frames, or without damaged batches, is refused" {
    loader npy:x.npy,y.npy --fraction 0.5 -o "$made"
    refuses "so --splice lacks a neighbour; record whole utterances, and choose when they are replayed"
    cp frames.pst "$made"
    printf 'x' | dd of="$made" bs=1 seek=$(($(stat -c %s frames.pst) / 4)) conv=notrunc status=none
    run -65 --separate-stderr replay "$made" --splice 4,1 --skip-bad -o /dev/null
    [[ $stderr == *"so --splice lacks a neighbour"* ]]
}

@test "a frame that comes twice in an epoch is refused" {
    change "batch['epoch'] = 0" frames.pst "$made"
    refuses "epoch 0 has frame 0 of utterance 0 twice, so --splice cannot tell its neighbours"
}

@test "only frames that have an id are spliced" {
    loader digits --samples 20 -o "$made"
    refuses "'x' is u8 [28, 28], but --splice takes plain frames, f32 [N]"
    replay frames.pst --splice 1,1 -o "$BATS_TEST_TMPDIR/spliced.pst"
    assert_fails 65 "'x' is f32 [3, 40], but --splice takes plain frames" replay "$BATS_TEST_TMPDIR/spliced.pst" --splice 1,1
    change "drop('id')" frames.pst "$made"
    refuses "the recording has no 'id', which --splice needs"
    change "drop('x')" frames.pst "$made"
    refuses "the recording has no 'x', which --splice needs"
}

@test "a value that is not two numbers is refused, and so is --follow" {
    for value in 20 '20,' ,5 20,5,1 -1,5 a,b 1001,0 0,1001 "20, 5" 12345678901,1; do
        assert_fails 64 "--splice: '$value' is not BEFORE,AFTER, two numbers up to 1000" replay frames.pst "--splice=$value"
    done
    assert_fails 64 "--follow" replay frames.pst --follow --splice 20,5
}
