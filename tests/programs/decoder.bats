#!/usr/bin/env bats
# decoder, from outside, over a small made-up corpus. Its words, scores and alignments are compared with numpy's in
# tests/python/test_decoder_oracle.py.
# shellcheck disable=SC2030,SC2031,SC2154 # bats' run sets output, stderr and stderr_lines, where shellcheck does not see it
bats_require_minimum_version 1.5.0

setup() {
    load common
    load evaluator
    cd "$BATS_TEST_DIRNAME/../.." || return
    FILE=$BATS_TEST_TMPDIR/stream.pst
    OUT=$BATS_TEST_TMPDIR/out
    CORPUS=$BATS_TEST_TMPDIR/corpus
    export AN4_DIR=$CORPUS
    make_corpus
}

# Phones A, B, N and silence, 12 states: three utterances to train from, two to test, of two speakers.
make_corpus() {
    mkdir -p "$CORPUS/etc"
    printf '%s\n' all/ann/u0 all/ann/u1 all/bob/u2 >"$CORPUS/etc/c_train.fileids"
    printf '%s\n' all/bob/u3 all/ann/u4 >"$CORPUS/etc/c_test.fileids"
    printf '%s\n' 'BAN (u0)' 'A BAN (u1)' 'AN A (u2)' >"$CORPUS/etc/c_train.transcription"
    printf '%s\n' 'A BAN (u3)' 'AN (u4)' >"$CORPUS/etc/c_test.transcription"
    printf '%s\n' A B N SIL >"$CORPUS/etc/c.phone"
    printf '%s\n' 'A A' 'AN A N' 'BAN B A N' 'BAN(2) B N' >"$CORPUS/etc/c.dic"
    printf '%s\n' '<s> SIL' '</s> SIL' >"$CORPUS/etc/c.filler"
}

# What make_stream needs besides: said(utterance, phones, …) adds the frames of phones, each state twice.
SAID='
ids, y = [], []
def said(utterance, *phones, times=2):
    states = [3 * "ABNS".index(phone) + s for phone in phones for s in range(3) for _ in range(times)]
    ids.extend((utterance << 20) + i for i in range(len(states)))
    y.extend(states)
def sure(): return np.eye(12, dtype="f4")[y]
'

# frames PYTHON: a stream of id, y and soft.
frames() {
    make_stream "$FILE" "$SAID
$1
columns = dict(id=ids, y=y, soft=sure())"
}

# test_frames: the two test utterances, the first with a word missing.
test_frames() {
    frames 'said(3, *"SBANS"); said(4, *"SANS")'
}

# logits PYTHON: a stream of id and logits, which the statements may change.
logits() {
    make_stream "$FILE" "$SAID
said(3, *'SASBAN'); said(4, *'SAN')
logits = (9 * sure()).astype('f4')
$1
columns = dict(id=ids, logits=logits)"
}

# figure NAME: a figure of the JSON object in $output.
figure() {
    /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1" <<<"$output"
}

@test "the table shows errors of the whole and of each speaker" {
    test_frames
    run --separate-stderr decoder --language-model-scale 1 -i "$FILE"
    [ "$status" -eq 0 ]
    [ "$stderr" = "" ]
    diff - <(grep -vE '^(score of|WER over|  to)' <<<"$output") <<'END'
scores                      soft, prior exponent 0, language model scale 1, word penalty 0
utterances                           2
speakers                             2
frames                              54
words                                3
errors                               1
WER                            33.3333 %
substitutions                        0
deletions                            1
insertions                           0
utterances with errors               1

speaker      words     errors         WER substitutions  deletions insertions
0 bob            2          1   50.0000 %             0          1          0
1 ann            1          0    0.0000 %             0          0          0
END
}

@test "--json is one object on one line, with the settings" {
    test_frames
    run --separate-stderr decoder --json --beam 0 -i "$FILE"
    [ "${#lines[@]}" -eq 1 ]
    echo "$output" | /usr/bin/python3 -c '
import json, sys
got = json.load(sys.stdin)
assert got["settings"] == {"tensor": "soft", "prior_exponent": 0.0, "language_model_scale": 4.0, "word_penalty": 0.0}, got
assert [row["name"] for row in got["per_speaker"]] == ["bob", "ann"]
assert got["wer"] == 1 / 3 and got["wer_low"] == 0 and got["wer_high"] == 0.5, got'
}

@test "labels count as scores that are certain" {
    test_frames
    decoder --json --of soft -i "$FILE" | sed 's/"soft"/"y"/' >"$OUT"
    decoder --json --of y -i "$FILE" | diff - "$OUT"
}

@test "hypotheses and times are texts" {
    frames 'said(3, *"SASBNS"); said(4, "S", times=5)'
    decoder -q --hypotheses "$OUT.words" --ctm "$OUT.ctm" --shift 0.02 -i "$FILE" >/dev/null
    diff - "$OUT.words" <<'END'
u3 A BAN
u4
END
    diff - "$OUT.ctm" <<'END'
u3 1 0.12 0.12 A
u3 1 0.36 0.24 BAN
END
}

@test "an utterance too short for any word has none, and this is reported" {
    frames 'said(3, *"SASBAN"); ids.append(4 << 20); y.append(0)'
    run --separate-stderr decoder --json -i "$FILE"
    [ "$status" -eq 0 ]
    [[ $stderr == *"in 1 of 2 utterances no path of words reaches the end"* ]]
    [ "$(figure deletions)" = 1 ]
}

@test "scores are compared, with intervals over utterances and speakers" {
    make_stream "$FILE" "$SAID
said(3, *'SASBAN'); said(4, *'SAN')
right = 9 * sure()
wrong = right.copy()
wrong[18:36] = wrong[:18]  # the first A and what follows are silence
columns = {'id': ids, 'logits/right': right, 'logits/wrong': wrong}"
    run --separate-stderr decoder --json --of logits/wrong --against logits/right -i "$FILE"
    [ "$status" -eq 0 ]
    [ "$(figure against_errors)" = 0 ]
    [ "$(figure errors)" -ge 1 ]
    [ "$(figure difference_low)" = 0.0 ]
    [ "$(figure difference_high)" = "$(figure difference_high_speakers)" ]
    [ "$output" = "$(decoder --json --of logits/wrong --against logits/right -i "$FILE")" ]
}

@test "--settings uses what --tune writes" {
    test_frames
    decoder --align "$OUT.ctm" -q -i "$FILE" >/dev/null
    run --separate-stderr decoder --json --tune "$OUT" --priors "$OUT.ctm" -i "$FILE"
    [ "$status" -eq 0 ]
    [ "$(grep -cE '^(prior-exponent|language-model-scale|word-penalty) -?[0-9.]+$' "$OUT")" -eq 3 ]
    [ "$output" = "$(decoder --json --settings "$OUT" --priors "$OUT.ctm" -q -i "$FILE")" ]
}

@test "settings that are damaged, or need priors, are refused" {
    test_frames
    printf 'prior-exponent 0.5\nlanguage-model-scale 3\n' >"$OUT"
    assert_fails 65 "does not say 'word-penalty NUMBER'" decoder --settings "$OUT" -i "$FILE"
    echo 'word-penalty x' >>"$OUT"
    assert_fails 65 "line 3: 'word-penalty' needs one number" decoder --settings "$OUT" -i "$FILE"
    sed -i 's/x$/1/' "$OUT"
    assert_fails 64 "needs --priors" decoder --settings "$OUT" -i "$FILE"
    echo 'beam 3' >>"$OUT"
    assert_fails 65 "line 4: 'beam' is not a setting" decoder --settings "$OUT" -i "$FILE"
}

@test "--tune without transcripts is refused, and writes nothing" {
    test_frames
    : >"$CORPUS/etc/c_test.transcription"
    assert_fails 65 "--tune needs transcripts" decoder --tune "$OUT" -i "$FILE"
    [ ! -e "$OUT" ] && [ ! -e "$OUT.part" ]
    run --separate-stderr decoder --json --hypotheses "$OUT" -i "$FILE"
    [ "$status" -eq 0 ]
    [[ $output != *wer* ]]
    [[ $stderr == *"2 of 2 utterances have no transcript"* ]]
    [ "$(wc -l <"$OUT")" -eq 2 ]
}

@test "a language model from the transcripts of the tested utterances is reported" {
    frames 'said(1, *"ASBAN"); said(4, *"AN")'
    run --separate-stderr decoder --json -i "$FILE"
    [[ $stderr == *"estimated from the transcripts of 1 of these 2 utterances"* ]]
    printf '%s\n' u0 x/y/u2.wav >"$OUT"
    run --separate-stderr decoder --json --transcripts "$OUT" -i "$FILE"
    [ "$stderr" = "" ]
    echo u9 >>"$OUT"
    assert_fails 65 "line 3" decoder --transcripts "$OUT" -i "$FILE"
}

@test "an ARPA file is a language model, and words that it lacks are counted" {
    test_frames
    # shellcheck disable=SC1003 # the file has these words
    printf '%s\n' '\data\' 'ngram 1=4' '\1-grams:' '-0.5 A' '-0.5 BAN' '-99 <s>' '-0.5 </s>' '\end\' >"$OUT"
    run --separate-stderr decoder --language-model "$OUT" --json -i "$FILE"
    [ "$status" -eq 0 ]
    [[ $stderr == *"does not have 1 of the dictionary's 3 words"* ]]
    sed -i '$d' "$OUT"
    assert_fails 65 "cut short" decoder --language-model "$OUT" -i "$FILE"
    assert_fails 66 "nothing.arpa" decoder --language-model nothing.arpa -i "$FILE"
    assert_fails 65 "not an ARPA file" decoder --language-model "$FILE.words" -i "$FILE" < <(echo x >"$FILE.words")
}

# ---- alignment ----

@test "a flat start needs no scores, and leaves out what cannot be aligned" {
    frames 'said(0, *"SSS"); said(3, *"SAAA"); said(4, *"A")'
    sed -i /u0/d "$CORPUS/etc/c_train.transcription"
    run --separate-stderr decoder --align "$OUT" --flat --json -i "$FILE"
    [ "$status" -eq 0 ]
    [[ $stderr == *"2 of 3 utterances are left out, u0 the first: without a transcript 1, with fewer frames than states 1"* ]]
    [ "$(figure aligned)" = 1 ]
    [ "$(figure left_out)" = 2 ]
    [ "$(cut -d ' ' -f 1 "$OUT" | uniq -c | tr -s ' ')" = " 18 u3" ]
    [ "$(awk '{ sum += $4 } END { print sum }' "$OUT")" = 0.24 ]
}

@test "an alignment with the labels as scores gives the labels, and the second pronunciation is found" {
    frames 'said(3, *"SASBNS"); said(4, *"AN")'
    decoder --align "$OUT" -q -i "$FILE" >"$OUT.table"
    grep -qE '^log-likelihood of a frame +-?0.000000 nats' "$OUT.table"
    diff <(awk '{ for (i = 0; i < $4 * 100 - 0.5; i++) print $5 }' "$OUT") \
        <(column "$FILE" y | awk '{ print substr("ABNS", int($1 / 3) + 1, 1) ($1 > 8 ? "IL" : "") "." $1 % 3 }')
    run decoder --align "$OUT.again" --priors "$OUT" --json -q -i "$FILE"
    [ "$(figure unchanged)" = 1.0 ]
}

@test "if nothing can be aligned, no file appears" {
    frames 'said(4, "A", times=1)'
    assert_fails 65 "no utterance can be aligned: without a transcript 0, with fewer frames than states 1" decoder --align "$OUT" -i "$FILE"
    [ ! -e "$OUT" ] && [ ! -e "$OUT.part" ]
}

@test "an alignment of another length than the frames is refused" {
    test_frames
    decoder --align "$OUT" -q -i "$FILE" >/dev/null
    frames 'said(3, *"SBANS", times=3)'
    assert_fails 65 "utterance u3 has 45 frames in the stream, but 30 in $OUT" decoder --priors "$OUT" -i "$FILE"
}

# ---- what is refused ----

@test "frames are refused if they are out of order, missing, or on both sides of another utterance" {
    frames 'said(3, *"AB"); ids[4], ids[5] = ids[5], ids[4]'
    assert_fails 65 "utterance u3: frame 5 comes behind 4 frames, where frame 4 is due" decoder -i "$FILE"
    [[ $stderr == *"loader --no-shuffle"* ]]
    frames 'said(3, *"AB"); del ids[2], y[2]'
    assert_fails 65 "utterance u3: frame 3 comes behind 2 frames" decoder -i "$FILE"
    frames 'said(3, *"AB"); del ids[0], y[0]'
    assert_fails 65 "utterance u3 begins with frame 1, not with frame 0" decoder -i "$FILE"
    frames 'said(3, *"AB"); said(4, "A"); said(3, "A")'
    assert_fails 65 "utterance u3: frame 0 comes after another utterance has followed" decoder -i "$FILE"
}

@test "an utterance that the corpus does not have is refused" {
    frames 'said(3, "A"); said(5, "A")'
    assert_fails 65 "is of utterance 5, but $CORPUS has 5; is --corpus that of the stream?" decoder -i "$FILE"
    frames 'said(3, "A"); ids = np.array(ids, "u8"); ids[3] = 2**64 - 1'
    assert_fails 65 "sample 0 of the batch: its id 18446744073709551615" decoder -i "$FILE"
}

@test "a word without a pronunciation is named" {
    test_frames
    sed -i 's/^AN /AN NAB /' "$CORPUS/etc/c_test.transcription"
    assert_fails 65 "utterance u4: the dictionary does not have the word 'NAB' of the transcript" decoder -i "$FILE"
    assert_fails 65 "utterance u4: the dictionary does not have the word 'NAB'" decoder --align "$OUT" -i "$FILE"
    sed -i 's/NAB/ban/' "$CORPUS/etc/c_test.transcription"
    assert_fails 65 "it has 'BAN'; write both in the same case" decoder -i "$FILE"
    sed -i 's/^BAN/BEN/' "$CORPUS/etc/c_train.transcription"
    assert_fails 65 "utterance u0: the dictionary does not have the word 'BEN'" decoder -i "$FILE"
}

@test "scores of another number of classes are refused" {
    logits 'logits = logits[:, :11]'
    assert_fails 65 "'logits' has 11 classes, but the corpus has 12 states (3 of each of 4 phones)" decoder -i "$FILE"
    make_stream "$FILE" "$SAID
said(3, 'A'); y[2] = 12
columns = dict(id=ids, y=y)"
    assert_fails 65 "tensor 'y', sample 2 of the batch: label 12 is none of 12 states" decoder --of y -i "$FILE"
}

@test "scores that are not finite, or not probabilities, are refused" {
    logits 'logits[20, 3] = np.nan'
    assert_fails 65 "not a finite number" decoder -i "$FILE"
    logits 'logits[20, 3] = np.inf'
    assert_fails 65 "not a finite number" decoder -i "$FILE"
    make_stream "$FILE" "$SAID
said(3, 'A')
columns = dict(id=ids, soft=2 * sure())"
    assert_fails 65 "its probabilities add up to 2" decoder -i "$FILE"
}

@test "logits of any size are searched" {
    logits 'logits *= 3e37'
    run --separate-stderr decoder --json -i "$FILE"
    [ "$status" -eq 0 ]
    [ "$(figure errors)" = 0 ]
}

@test "streams without scores, ids or frames are refused" {
    make_stream "$FILE" "$SAID
said(3, 'A')
columns = dict(id=ids, y=y)"
    assert_fails 65 "the stream holds no scores of states" decoder -i "$FILE"
    assert_fails 65 "the stream has no tensor 'logits/a'; it has: id, y" decoder --of logits/a -i "$FILE"
    assert_fails 65 "--of id: scores are logits" decoder --of id -i "$FILE"
    make_stream "$FILE" "$SAID
said(3, 'A')
columns = dict(soft=sure())"
    assert_fails 65 "'id'" decoder -i "$FILE"
    make_stream "$FILE" "$SAID
said(3, 'A')
columns, batches = dict(id=ids, soft=sure()), []"
    assert_fails 65 "the stream holds no frames" decoder -i "$FILE"
}

@test "a corpus that is not there, or has no dictionary, is refused" {
    test_frames
    assert_fails 66 "/nothing" decoder --corpus /nothing -i "$FILE"
    AN4_DIR='' assert_fails 64 "which corpus? give its folder with --corpus, or set AN4_DIR" decoder -i "$FILE"
    rm "$CORPUS/etc/c.dic"
    assert_fails 65 "dictionary" decoder -i "$FILE"
}

@test "options that contradict each other are refused" {
    assert_fails 64 "--flat" decoder --flat
    assert_fails 64 "--prior-exponent" decoder --prior-exponent 1
    assert_fails 64 "--tune" decoder --tune "$OUT" --word-penalty 1
    assert_fails 64 "--ngram" decoder --language-model x --ngram unigram
    assert_fails 64 "--beam" decoder --beam -1
    assert_fails 64 "--against" decoder --align "$OUT" --against soft
}

# ---- ends ----

@test "a stream that is cut leaves no file" {
    test_frames
    head -c 3000 "$FILE" >"$FILE.cut"
    assert_fails 65 "truncated" decoder --hypotheses "$OUT" --ctm "$OUT.ctm" -i "$FILE.cut"
    [ ! -e "$OUT" ] && [ ! -e "$OUT.ctm" ]
}

@test "SIGINT ends decoder by that signal, and an older file stays" {
    make_stream "$FILE" "$SAID
for u in (3, 4): said(u, *'SASBANS' * 40)
columns, batches = dict(id=ids, soft=sure()), [slice(i, i + 100) for i in range(0, len(ids), 100)]"
    echo before >"$OUT"
    run tests/python/feed.py "$FILE" 12 INT -- decoder --hypotheses "$OUT"
    [ "$status" -eq 130 ]
    [ "$(cat "$OUT")" = before ]
}

@test "a reader of the report that leaves early is no error of decoder" {
    test_frames
    run --separate-stderr /usr/bin/python3 -c '
import os, subprocess, sys
reads, writes = os.pipe()
os.close(reads)
sys.exit(subprocess.run(sys.argv[1:], stdout=writes, restore_signals=True).returncode % 256)' decoder -i "$FILE"
    [ "$status" -eq 141 ] || [ "$status" -eq $((256 - 13)) ]
    [ "$stderr" = "" ]
}
