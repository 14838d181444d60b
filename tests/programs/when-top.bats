#!/usr/bin/env bats
# teacher-forward --when-top: only some samples are asked about, and what other stages make of rows that do not count.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 120 --batch 30 -o plain.pst
    student-trainer -q -a 784-9-10 -r 0.05 -i plain.pst -o g.safetensors
    class-map -c 3,5,8 -d other -i plain.pst | student-trainer -q -a 784-7-4 --targets hard -o s.safetensors
    teacher-forward g.safetensors -i plain.pst | temperature-softmax -o g.pst
    teacher-forward s.safetensors --other-classes -i g.pst -o all.pst
    teacher-forward s.safetensors --other-classes --when-top 3,5,8 --by logits/g -i g.pst -o some.pst
    printf 'three = 3,5,8\nnone = 0\n' >sets.txt
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out.pst
}

# python WORDS: statements that see `some` and `all`, the columns of both streams by name, and np.
python() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import sys, numpy as np, pst
def columns(name):
    header, batches = pst.read(open(name, "rb").read())
    return {tensor["name"]: pst.column(batches, tensor["name"]) for tensor in header["tensors"]}
some, all = (columns(name) for name in sys.argv[2:4])
exec(sys.argv[1])' "$@"
}

@test "samples whose likeliest class is in the set are answered, and the others' rows are zeros" {
    python 'asked = some["asked/s"] == 1
assert asked.any() and not asked.all()
assert (asked == np.isin(some["logits/g"].argmax(axis=1), [3, 5, 8])).all()
assert abs(some["logits/s"] - all["logits/s"])[asked].max() < 1e-5
assert (some["logits/s"][~asked] == 0).all()
assert all["x"].tobytes() == some["x"].tobytes()' some.pst all.pst
}

@test "the number of samples that were asked about is printed, and is in the log" {
    run --separate-stderr teacher-forward s.safetensors --other-classes --when-top 3,5,8 --by soft/g -i g.pst -o "$out" --log "$BATS_TEST_TMPDIR/log"
    asked=$(column "$out" asked/s | grep -c 1)
    [ "$stderr" = "teacher-forward: asked about $asked of 120 samples" ]
    grep -q "\"asked\": *$asked, *\"samples\": *120" "$BATS_TEST_TMPDIR/log"
}

@test "several jobs write the same bytes and count the same" {
    run --separate-stderr teacher-forward s.safetensors --other-classes --when-top 3,5,8 --by logits/g --jobs 3 -i g.pst -o "$out"
    [ "$stderr" = "teacher-forward: asked about $(column some.pst asked/s | grep -c 1) of 120 samples" ]
    diff <(column some.pst logits/s) <(column "$out" logits/s)
}

@test "a set of all classes asks about all, to the same bits, and a set that is never likeliest about none" {
    teacher-forward s.safetensors --other-classes --when-top 0-9 --by logits/g -i g.pst -o "$out"
    python 'assert some["logits/s"].tobytes() == all["logits/s"].tobytes() and (some["asked/s"] == 1).all()' "$out" all.pst
    change 'batch["logits/g"][:, 4] = -99' g.pst "$BATS_TEST_TMPDIR/never.pst"
    teacher-forward s.safetensors --other-classes --when-top 4 --by logits/g -i "$BATS_TEST_TMPDIR/never.pst" -o "$out.2"
    python 'assert not some["logits/s"].any() and not some["asked/s"].any()' "$out.2" all.pst
}

@test "--top asks if one of several likeliest classes is in the set" {
    teacher-forward s.safetensors --other-classes --when-top 3,5,8 --by logits/g --top 3 -i g.pst -o "$out"
    python 'order = np.argsort(-some["logits/g"], axis=1, kind="stable")[:, :3]
assert ((some["asked/s"] == 1) == np.isin(order, [3, 5, 8]).any(axis=1)).all()' "$out" all.pst
}

@test "a set in a file and its list have the same origin, and another set has another one" {
    teacher-forward s.safetensors --other-classes --when-top @sets.txt:three --by logits/g -i g.pst -o "$out"
    teacher-forward s.safetensors --other-classes --when-top @sets.txt:none --by logits/g -i g.pst -o "$out.2"
    [ "$(origin "$out" logits/s)" = "$(origin some.pst logits/s)" ]
    [ "$(origin "$out" logits/s)" != "$(origin "$out.2" logits/s)" ]
    [ "$(origin "$out" logits/s)" != "$(origin all.pst logits/s)" ]
}

@test "class-map and temperature-softmax leave rows that do not count at zero" {
    temperature-softmax -T 2 -i <(stream-select --drop soft/g -i some.pst) -o "$out"
    class-map --of logits/s --of soft/s -c '3,5,8; other = *' --inverse --old-classes 10 -i "$out" -o "$out.2"
    for stream in "$out" "$out.2"; do
        python 'asked = some["asked/s"] == 1
for name in ("logits/s", "soft/s"):
    assert not some[name][~asked].any() and some[name][asked].any(axis=1).all()
assert abs(some["soft/s"][asked].sum(axis=1) - 1).max() < 1e-5' "$stream" all.pst
    done
    # Forward, merged and with classes left out.
    class-map --of logits/s --of soft/s --old-classes 4 -c '0;3' -i <(change 'header["classes"] = 0' "$out" /dev/stdout) -o "$out.3"
    python 'asked = some["asked/s"] == 1
for name in ("logits/s", "soft/s"):
    assert some[name].shape[1] == 2 and not some[name][~asked].any()' "$out.3" all.pst
}

@test "stages that need all rows refuse a tensor that lacks some" {
    words="'logits/s' has rows for some samples only, as 'asked/s' says"
    assert_fails 65 "$words" evaluator --of logits/s -i some.pst
    assert_fails 65 "$words" stream-export --to csv --take class --of logits/s -i some.pst
    stream-select --drop 'soft/g' -i some.pst -o "$out"
    assert_fails 65 "'soft/s' has rows" averager -i <(stream-select --drop logits/g -i "$out" | temperature-softmax)
    assert_fails 65 "$words" class-cluster -k 2 --of logits/s -i some.pst
    assert_fails 65 "$words" student-trainer -q -a 784-5-10 --loss logits:logits/s -i some.pst -o "$BATS_TEST_TMPDIR/m.safetensors"
    assert_fails 65 "$words" teacher-forward g.safetensors --name h --when-top 3 --by logits/s -i some.pst
}

@test "invalid sets and predictions are refused" {
    assert_fails 64 "--when-top: '10': there are 10 classes, counted from 0" teacher-forward s.safetensors --other-classes --when-top 10 --by logits/g -i g.pst
    assert_fails 64 "--when-top: class 3 is in two new classes" teacher-forward s.safetensors --other-classes --when-top 3,3 --by logits/g -i g.pst
    assert_fails 65 "sets.txt: no set is called 'four'" teacher-forward s.safetensors --other-classes --when-top @sets.txt:four --by logits/g -i g.pst
    assert_fails 65 "no tensor 'logits/h'" teacher-forward s.safetensors --other-classes --when-top 3 --by logits/h -i g.pst
    assert_fails 64 "--by x: only logits and soft targets are predictions" teacher-forward s.safetensors --other-classes --when-top 3 --by x -i g.pst
    assert_fails 65 "no logits and no soft targets by which to decide" teacher-forward s.safetensors --other-classes --when-top 3 -i plain.pst
    assert_fails 64 "--by needs --when-top" teacher-forward s.safetensors --other-classes --by logits/g -i g.pst
    change 'batch["asked/s"] = np.zeros((batch["id"].size, 2), "u1"); spec("asked/s")["shape"] = [2]' some.pst "$out"
    assert_refused "tensor 'asked/s' is" class-map --of logits/s -c 0,1,2 -d o --old-classes 4 -i <(change 'header["classes"] = 0' "$out" /dev/stdout)
}
