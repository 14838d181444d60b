#!/usr/bin/env bats
# compactor from outside. Its numbers are compared with numpy's in tests/python/test_compact_oracle.py.
# shellcheck disable=SC2154 # bats' run sets stderr and stderr_lines
# shellcheck disable=SC2016 # what stands in single quotes is for another shell
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 2000 -o plain.pst
    student-trainer --arch 784-30-10 --seed 1 -q -i plain.pst -o t.safetensors
    loader digits --samples 60 --batch 20 --epochs 2 | teacher-forward t.safetensors --name t -o logits.pst
    temperature-softmax -T 5 -i logits.pst -o soft.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    bad=$BATS_TEST_TMPDIR/bad.pst
    out=$BATS_TEST_TMPDIR/out.pst
    again=$BATS_TEST_TMPDIR/again.pst
}

# of_header STREAM EXPRESSION: the value of a Python expression about a stream's header.
of_header() {
    stream-inspect --json "$1" | head -n 1 | /usr/bin/python3 -c '
import json, sys
header = json.load(sys.stdin)
print(eval(sys.argv[1]))' "$2"
}

# tensors STREAM: the names of a stream's tensors.
tensors() {
    of_header "$1" '" ".join(tensor["name"] for tensor in header["tensors"])'
}

# hundredths_per_sample FILE SAMPLES: hundredths of a byte that a file takes for each.
hundredths_per_sample() {
    echo $((100 * $(stat -c %s "$1") / $2))
}

@test "each form has its own tensors, and tensors that are not targets stay" {
    while read -r form names; do
        # shellcheck disable=SC2086 # words of a command
        compactor --targets ${form//,/ } -i soft.pst --force -o "$out"
        [ "$(tensors "$out")" = "x y id $names" ]
        for tensor in x y id; do
            diff <(column soft.pst $tensor) <(column "$out" $tensor)
        done
    done <<'FORMS'
f32 soft/t
u8 u8/soft/t u8/soft/t/step
top-k,--top,2 top/soft/t top/soft/t/log top/soft/t/tail
sampled,--draws,4 sampled/soft/t
FORMS
}

@test "restored targets are exact in f32, and near in all other forms but sampled ones" {
    compactor --targets f32 -i soft.pst | compactor --restore -o "$again"
    diff <(column soft.pst soft/t) <(column "$again" soft/t)
    for form in u8 "top-k --top 9"; do
        # shellcheck disable=SC2086 # words of a command
        compactor --targets $form -i soft.pst | compactor --restore --force -o "$again"
        paste -d ' ' <(column soft.pst soft/t) <(column "$again" soft/t) |
            awk '{ for (i = 1; i <= 10; i++) if (($i - $(i + 10)) ^ 2 > 0.0001 * $i ^ 2) exit 1 }'
    done
}

@test "a student learns from what is restored" {
    compactor --targets u8 -i soft.pst | compactor --restore |
        student-trainer --arch 784-20-10 -q --targets soft --soft-targets soft/t -o "$BATS_TEST_TMPDIR/student"
    [ -s "$BATS_TEST_TMPDIR/student" ]
}

@test "the same seed draws the same classes; another seed or epoch draws others" {
    for seed in 1 1 2; do
        compactor --targets sampled --draws 6 --seed $seed -i soft.pst | stream-inspect --json | tail -n 1
    done >"$out"
    [ "$(sort -u "$out" | wc -l)" -eq 2 ]
    compactor --targets sampled --draws 6 -i soft.pst --force -o "$out"
    run ! diff <(paste <(column "$out" id) <(column "$out" sampled/soft/t) | head -n 60 | sort) \
        <(paste <(column "$out" id) <(column "$out" sampled/soft/t) | tail -n 60 | sort)
}

@test "logits are taken if there are no soft targets, or if --of names them" {
    compactor -i logits.pst -o "$out"
    [ "$(tensors "$out")" = "x y id u8/logits/t u8/logits/t/step u8/logits/t/max" ]
    compactor --targets f32 --of logits/t -i soft.pst --force -o "$out"
    [ "$(tensors "$out")" = "x y id logits/t" ]
}

@test "inputs by digest leave labels and ids" {
    compactor --targets f32 --inputs digest -i soft.pst -o "$out"
    [ "$(tensors "$out")" = "y id soft/t digest/x" ]
}

@test "u8 is the form of targets if no option names one" {
    compactor -i soft.pst -o "$out"
    compactor --targets u8 -i soft.pst -o "$again"
    cmp "$out" "$again"
}

@test "a recording of soft targets takes no more bytes a sample than promised, framing included" {
    loader digits --samples 12000 | teacher-forward t.safetensors --name t | temperature-softmax -T 20 -o "$out"
    compactor --inputs digest -i "$out" -o "$again"
    [ "$(hundredths_per_sample "$again" 12000)" -le 2900 ]
}

@test "--error says in one line and in the log what was lost" {
    run --separate-stderr bash -c 'compactor --targets u8 --error --log "$0" <soft.pst >"$1"' "$BATS_TEST_TMPDIR/log" "$out"
    [ "$status" -eq 0 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "compactor: soft/t as u8: KL(full || restored) "*" nats on average, "*" at most, over 120 samples; "*" bytes a sample" ]]
    /usr/bin/python3 - "$BATS_TEST_TMPDIR/log" <<'PYTHON'
import json
import sys
said, = [line for line in map(json.loads, open(sys.argv[1], encoding="utf-8")) if line["event"] == "compact"]
assert said["samples"] == 120 and said["form"] == "u8" and said["inputs"] == "keep" and said["target"] == "soft/t", said
assert 0 < said["mean_kl"] <= said["largest_kl"] < 1e-3 and said["bytes_per_sample"] > 784, said
PYTHON
}

@test "the history has the form, and no option that did nothing" {
    compactor --targets top-k --top 2 -i soft.pst -o "$out"
    said=$(of_header "$out" 'sorted(header["history"][-1])')
    [ "$said" = "['effect', 'inputs', 'stage', 'targets', 'top', 'version']" ]
    compactor --targets sampled --draws 2 -i soft.pst --force -o "$out"
    [ "$(of_header "$out" '[header["history"][-1][key] for key in ("targets", "draws", "seed")]')" = "['sampled', '2', '0']" ]
}

@test "later filters hand on compact tensors" {
    compactor --targets u8 -i soft.pst | teacher-forward t.safetensors --name late | compactor --restore -o "$again"
    [ "$(tensors "$again")" = "x y id soft/t logits/late" ]
    diff <(column "$again" soft/t) <(compactor --targets u8 -i soft.pst | compactor --restore | column /dev/stdin soft/t)
}

@test "options that do not belong together are refused" {
    assert_fails 64 "--targets top-k and --top K belong together" compactor --targets top-k
    assert_fails 64 "--top needs --targets top-k" compactor --top 3
    assert_fails 64 "--targets sampled and --draws N belong together" compactor --targets sampled
    assert_fails 64 "--draws needs --targets sampled" compactor --draws 3
    for option in "targets f32" "inputs keep" "of soft/t" "seed 0" "draws 3" error; do
        # shellcheck disable=SC2086 # words of a command
        assert_fails 64 "--restore and --${option% *} exclude each other" compactor --restore --$option
    done
    assert_fails 64 "--seed needs --targets sampled" compactor --targets u8 --seed 3
    assert_fails 64 "f64" compactor --targets f64
}

@test "a stream without soft targets, with several, or compact already is refused" {
    assert_refused "neither soft targets nor logits; is temperature-softmax before this stage?" compactor -i plain.pst
    change 'add("soft/u", batch["soft/t"], temperature=5.0)' soft.pst "$bad"
    assert_refused "the stream has several soft/NAME; average them first, or choose with --of" compactor -i "$bad"
    assert_refused "the stream has no tensor 'soft/v'" compactor --of soft/v -i soft.pst
    compactor -i soft.pst --force -o "$bad"
    assert_refused "compact already" compactor -i "$bad"
    assert_refused "the stream is not compact" compactor --restore -i soft.pst
}

@test "forms that do not fit are refused" {
    assert_refused "so the top 10 would be all of them" compactor --targets top-k --top 10 -i soft.pst
    assert_refused "'logits/t' holds logits" compactor --targets sampled --draws 2 -i logits.pst
    change 'drop("soft/t"); add("soft", np.full((20, 70000), 1 / 70000, "f4"))' soft.pst "$bad"
    assert_refused "'soft' has 70000 classes, but top-k can name 65536 only" compactor --targets top-k --top 3 -i "$bad"
    change 'drop("id")' soft.pst "$bad"
    assert_refused "no tensor 'id', on which a sample's draws depend" compactor --targets sampled --draws 3 -i "$bad"
}

@test "the error for inputs that were left out says how to get them back" {
    compactor --inputs digest -i soft.pst -o "$bad"
    assert_refused "inputs were left out; 'loader … | stream-join FILE' brings" compactor --restore -i "$bad"
}

@test "kinds that older versions made are refused, and the error says what to do" {
    compactor --targets f32 -i soft.pst -o "$out"
    change 'header["compact"]["inputs"] = "reference"' "$out" "$bad"
    for reader in "compactor --restore -i" "replay" "stream-join -i plain.pst"; do
        # shellcheck disable=SC2086 # words of a command
        assert_refused "left out by reference, which an older pipestill (stream format 1) restores: with that one, 'loader FILE -o WHOLE'" \
            $reader "$bad"
    done
    change 'header["compact"]["targets"][0]["form"] = "f16"' "$out" "$bad"
    assert_refused "compact as f16, which an older pipestill" replay "$bad"
}

@test "numbers that are not probabilities are refused, with tensor, batch and sample" {
    for value in nan inf -0.5 0.9; do
        change "batch['soft/t'][5, batch['seq'] == 1 and 9 or []] = np.float32('$value')" soft.pst "$bad"
        for form in f32 u8 "top-k --top 3" "sampled --draws 3"; do
            # shellcheck disable=SC2086 # words of a command
            assert_refused "batch 1: tensor 'soft/t', sample 5 of the batch: " compactor --targets $form -i "$bad"
        done
    done
}

@test "compact targets that make no sense are refused, with tensor, batch and sample" {
    compactor --targets u8 -i soft.pst -o "$out"
    change 'batch["u8/soft/t/step"][3] = np.nan if batch["seq"] == 2 else 1' "$out" "$bad"
    assert_refused "batch 2: tensor 'u8/soft/t', sample 3 of the batch: its step is NaN" compactor --restore -i "$bad"
    compactor --targets sampled --draws 3 -i soft.pst --force -o "$out"
    change 'batch["sampled/soft/t"][7, 1] = 10' "$out" "$bad"
    assert_refused "batch 0: tensor 'sampled/soft/t', sample 7 of the batch: a class that was drawn" compactor --restore -i "$bad"
    change 'header["compact"]["targets"][0]["form"] = "u4"' "$out" "$bad"
    assert_refused "'compact'" compactor --restore -i "$bad"
}

@test "a small stream that would be restored to a huge one is refused" {
    compactor --targets sampled --draws 3 -i soft.pst -o "$out"
    change 'header["compact"]["targets"][0]["classes"] = 65536; header["compact"]["tensors"][0]["shape"] = [65536]' "$out" "$bad"
    assert_refused "--max-message" compactor --restore --max-message 4M -i "$bad"
}
