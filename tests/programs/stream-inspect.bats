#!/usr/bin/env bats
# stream-inspect: what is in a stream, and whether it is whole.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    loader digits --samples 300 --seed 7 -o whole.pst
}

@test "header, history, a line a batch and figures are shown" {
    run -0 --separate-stderr stream-inspect whole.pst
    [ -z "$stderr" ]
    [[ $output == *"classes    10"* ]]
    [[ $output == *"x "*"u8"*"[n, 28, 28]"* ]]
    [[ $output == *"loader 0."* ]]
    [ "$(grep -c '^batch ' <<<"$output")" -eq 3 ]
    [[ $output == *"whole.pst: whole, 3 batches, 300 samples" ]]
}

@test "--summary leaves the lines of batches out" {
    run -0 stream-inspect --summary whole.pst
    [ "$(grep -c '^batch ' <<<"$output")" -eq 0 ]
}

@test "--check prints one line, and calls a named input by its name" {
    run -0 stream-inspect --check whole.pst
    [ "$output" = "whole.pst: whole, 3 batches, 300 samples" ]
    run -0 stream-inspect --check -i whole.pst
    [ "$output" = "the stream: whole, 3 batches, 300 samples" ]
}

@test "--json is a line each for header, batches and end" {
    run -0 stream-inspect --json whole.pst
    /usr/bin/python3 -c 'import json, sys
lines = [json.loads(line) for line in sys.stdin]
assert [line["kind"] for line in lines] == ["header", "batch", "batch", "batch", "end"], lines
assert lines[-1]["whole"] is True and lines[-1]["samples"] == 300
assert 0 <= lines[-1]["tensors"]["y"]["least"] <= lines[-1]["tensors"]["y"]["most"] <= 9' <<<"$output"
}

@test "a stream that is cut or damaged is not whole" {
    head -c 150000 whole.pst >cut.pst
    run -65 --separate-stderr stream-inspect --check cut.pst
    [ -z "$output" ]
    [[ $stderr == *"truncated"* ]]
    cp whole.pst damaged.pst
    printf 'X' | dd of=damaged.pst bs=1 seek=100000 conv=notrunc status=none
    run -65 --separate-stderr stream-inspect --check damaged.pst
    [[ $stderr == *"batch "*"checksum"* ]]
}

# ---- the first batches ----

@test "--head shows the first batches, with their figures, and does not call the stream whole" {
    run -0 --separate-stderr stream-inspect --head 2 whole.pst
    [ -z "$stderr" ]
    [ "$(grep -c '^batch ' <<<"$output")" -eq 2 ]
    grep -q '^x .* [0-9]' <<<"$output"
    [[ ${lines[-1]} == "whole.pst: stopped by --head in batch 1; what follows was not looked at" ]]
    [[ $output != *"whole,"* ]]
}

@test "--head reads no further: what follows may be damaged, and the source may be endless" {
    head -c 150000 whole.pst >cut.pst
    stream-inspect --head 1 cut.pst
    run -65 stream-inspect --head 2 cut.pst
    bash -c 'loader digits --epochs 0 2>/dev/null | stream-inspect --head 3 --json; exit "${PIPESTATUS[1]}"' >lines
    /usr/bin/python3 -c 'import json, sys
lines = [json.loads(line) for line in sys.stdin]
assert [line["kind"] for line in lines] == ["header", "batch", "batch", "batch", "stopped"], lines
assert lines[-1]["batches"] == 3 and lines[-1]["samples"] == 384 and "whole" not in lines[-1]' <lines
}

# ---- samples ----

# targets EDIT FILE: a stream of two epochs of three small samples, changed by an edit.
targets() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import sys
import numpy as np
from pipestill_stream import stream
x = np.zeros((3, 2, 4), "u1")
x[1] = [[0, 255, 0, 0], [128, 0, 0, 30]]
soft = np.array([[0.5, 0.25, 0.25], [0.125, 0.75, 0.125], [1, 0, 0]], "f4")
tensors = [{"name": "x", "dtype": "u8", "shape": [2, 4], "scale": 1 / 255}, {"name": "y", "dtype": "i32", "shape": []},
           {"name": "id", "dtype": "u64", "shape": []}, {"name": "soft", "dtype": "f32", "shape": [3], "temperature": 4.0},
           {"name": "logits/a", "dtype": "f32", "shape": [3]}, {"name": "my/number", "dtype": "i32", "shape": [2]}]
batches = [{"x": x, "y": np.arange(3), "id": np.array([7, 18446744073709551615, 9], "u8"), "soft": soft, "logits/a": soft * 8,
            "my/number": np.array([[1, 2]] * 3), "epoch": epoch} for epoch in range(2)]
exec(sys.argv[1])
sys.stdout.buffer.write(stream(tensors, batches, classes=3))' "$1" >"$2"
}

@test "--sample shows a sample in every epoch: where it is, its image, and its targets largest first" {
    targets '' small.pst
    run -0 stream-inspect --sample 18446744073709551615 small.pst
    diff - <(echo "$output") <<'TEXT'
sample 18446744073709551615: batch 0, row 1, epoch 0, label 1
x
  |  @@
  |++    ..
soft (T = 4)
  class 1              0.75 ##############################
  class 0             0.125 #####
  class 2             0.125 #####
logits/a
  class 1                 6
  class 0                 1
  class 2                 1
my/number  1 2

sample 18446744073709551615: batch 1, row 1, epoch 1, label 1
x
  |  @@
  |++    ..
soft (T = 4)
  class 1              0.75 ##############################
  class 0             0.125 #####
  class 2             0.125 #####
logits/a
  class 1                 6
  class 0                 1
  class 2                 1
my/number  1 2

small.pst: whole, 2 batches, 6 samples
TEXT
}

@test "--head with --sample stops at the first, with --text after so many samples" {
    targets '' small.pst
    run -0 stream-inspect --sample 9 --head 1 small.pst
    [ "$(grep -c '^sample 9: batch 0, row 2, epoch 0' <<<"$output")" -eq 1 ]
    [[ ${lines[-1]} == "small.pst: stopped by --head in batch 0; what follows was not looked at" ]]
    run -0 stream-inspect --text --head 4 small.pst
    [ "$(grep -c '^sample ' <<<"$output")" -eq 4 ]
    run -0 stream-inspect --text small.pst
    [ "$(grep -c '^sample ' <<<"$output")" -eq 6 ]
}

@test "of many classes the ten largest are shown, and what the others have together" {
    # Class c has a share that is the larger the farther c is.
    targets 'rows = np.tile(np.minimum(np.arange(100), 99 - np.arange(100)) / 2450, (3, 1)).astype("f4")
tensors[3]["shape"] = [100]
for batch in batches: batch["soft"] = rows' many.pst
    run -0 stream-inspect --sample 7 --head 1 many.pst
    [ "$(sed -n '/^soft/,/^logits/p' <<<"$output" | grep class | awk '{print $2}' | head -n 10 | tr '\n' ' ')" = \
        "49 50 48 51 47 52 46 53 45 54 " ]
    [[ $output == *"90 other classes: 0.808163 together"* ]]
    targets 'batches[0]["soft"][0, 2] = np.nan' many.pst
    run -0 stream-inspect --sample 7 --head 1 many.pst
    [ "$(sed -n '/^soft/,/^logits/p' <<<"$output" | grep class | awk '{print $2}' | tr '\n' ' ')" = "2 0 1 " ]
}

@test "samples without images, labels or ids have a text, too" {
    targets 'tensors[:] = [{"name": "x", "dtype": "f32", "shape": [20]}]
for batch in batches: batch["x"] = np.arange(60).reshape(3, 20)' bare.pst
    run -0 stream-inspect --text --head 2 bare.pst
    [ "${lines[0]}" = "batch 0, row 0, epoch 0" ]
    [ "${lines[3]}" = "x  20 21 22 23 24 25 26 27 28 29 30 31 32 33 34 35 and 4 more" ]
    run -65 --separate-stderr stream-inspect --sample 7 bare.pst
    [[ $stderr == *"no tensor 'id'"* ]]
}

@test "--json writes samples with all their numbers" {
    targets 'batches[1]["soft"] = np.full((3, 3), np.nan)' small.pst
    stream-inspect --sample 18446744073709551615 --json small.pst | /usr/bin/python3 -c 'import json, sys
first, second, end = [json.loads(line) for line in sys.stdin]
assert first == {"kind": "sample", "batch": 0, "row": 1, "epoch": 0, "tensors": {
    "x": [0, 255, 0, 0, 128, 0, 0, 30], "y": [1], "id": ["18446744073709551615"], "soft": [0.125, 0.75, 0.125],
    "logits/a": [1, 6, 1], "my/number": [1, 2]}}, first
assert second["epoch"] == 1 and second["tensors"]["soft"] == [None, None, None], second
assert end == {"kind": "end", "whole": True, "batches": 2, "samples": 6}, end'
}

@test "an id that no sample has is an error, and so is a damaged stream after the sample" {
    run -65 --separate-stderr stream-inspect --sample 300 whole.pst
    [ -z "$output" ]
    [[ $stderr == "stream-inspect: none of 300 samples has the id 300" ]]
    sample=$(stream-inspect --text --head 1 --json whole.pst | head -n 1 | grep -o '"id":\[[0-9]*' | grep -o '[0-9]*$')
    head -c 150000 whole.pst >cut.pst
    run -65 --separate-stderr stream-inspect --sample "$sample" cut.pst
    [[ $output == "sample $sample: batch 0, row 0, "* && $stderr == *truncated* ]]
    stream-inspect --sample "$sample" --head 1 cut.pst
}

@test "options that contradict each other are refused" {
    for options in '--check --head 3' '--check --sample 3' '--check --text' '--summary --text' '--sample x' '--sample -1'; do
        # Split into words on purpose.
        # shellcheck disable=SC2086
        run -64 stream-inspect $options whole.pst
    done
}

@test "names, history and lineage are printed without control characters, and JSON escapes what it must" {
    /usr/bin/python3 -B - "$BATS_TEST_DIRNAME/../python" <<'END' >painted.pst
import hashlib, json, sys
sys.path.insert(0, sys.argv[1])
import pst
header, batches = pst.read(open("whole.pst", "rb").read())
paint = "a\x1b[2J\nrow\x9b31m\x7f\u00e9"
plain = paint.replace("\x1b", "\x7f")  # JSON libraries escape ESC in two ways, so its digest would be another
entry = {"stage": plain, plain: plain}
origin = hashlib.sha256(json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
header["history"].append({"stage": paint, "version": paint, paint: paint})
header["lineage"][origin] = entry
x = next(spec for spec in header["tensors"] if spec["name"] == "x")
x |= {"name": paint, "origin": origin}
for batch in batches:
    batch[paint] = batch.pop("x")
sys.stdout.buffer.write(pst.write(header, batches))
END
    for options in "" "--text --head 3"; do
        # shellcheck disable=SC2086
        run -0 stream-inspect $options painted.pst
        echo "$output"
        [[ $output == *"a?[2J?row??31m?"* ]]
        run ! grep -qP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|^row' <<<"$output"
    done
    cp whole.pst $'painted\e[2J.pst'
    run -0 stream-inspect --check $'painted\e[2J.pst'
    [ "$output" = "painted?[2J.pst: whole, 3 batches, 300 samples" ]
    run -0 stream-inspect --json painted.pst
    [[ $output == *'a\u001B[2J\nrow'* ]]
}

@test "a history that was joined stands below the stage that joined it" {
    loader digits --samples 20 -o plain.pst
    student-trainer -a 784-4-10 -q -i plain.pst -o a.safetensors
    teacher-forward a.safetensors -i plain.pst -o targets.pst
    run -0 stream-inspect --summary <(stream-join targets.pst -i plain.pst)
    [[ $output == *$'  stream-join '*$'\n    recording\n      loader '*$'\n      teacher-forward '* ]]
}
