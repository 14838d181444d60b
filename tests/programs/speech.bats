#!/usr/bin/env bats
# loader speech from outside: corpora in both layouts, labels by alignment, choosing speakers and utterances, splicing, sound that
# changes from epoch to epoch, and the errors for files that are damaged or contradict each other.
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    /usr/bin/python3 -B "$BATS_TEST_DIRNAME/../python/make_corpus.py" toy
    /usr/bin/python3 -B "$BATS_TEST_DIRNAME/../python/make_corpus.py" kaldi --kaldi
}

setup() {
    load common
    cd "$BATS_TEST_TMPDIR" || return
    cp -r "$BATS_FILE_TMPDIR/toy" "$BATS_FILE_TMPDIR/kaldi" .
    read_stream=$BATS_TEST_DIRNAME/read_stream.py
    unset AN4_DIR
}

# frames OPERAND…: the set as batches of x, y and id, without the header.
frames() {
    loader "$@" --run a | "$read_stream" epoch y id digest | tail -n +2
}

# speakers OPERAND…: the speakers of the frames that are loaded; the toy's utterances are u<speaker><number>, four a speaker.
speakers() {
    loader "$@" >speakers.pst
    column speakers.pst id | awk '{ print int($1 / 1048576 / 4) }' | sort -u | tr '\n' ' '
}

# largest_mean OPERAND…: the largest mean of a band over all frames of the stream, without its sign.
largest_mean() {
    loader "$@" >means.pst
    column means.pst x | awk '{ for (i = 1; i <= NF; i++) sum[i] += $i } END { for (i in sum) { mean = sum[i] / NR
        if (mean < 0) mean = -mean; if (mean > most) most = mean }; printf "%.4f\n", most }'
}

@test "a corpus in the layout of Sphinx and of Kaldi gives the same frames" {
    frames speech:toy --alignment toy/truth.ctm --no-shuffle >sphinx
    frames speech:kaldi --alignment kaldi/truth.ctm --no-shuffle >kaldi.out
    [ -s sphinx ]
    cmp sphinx kaldi.out
    AN4_DIR=toy frames speech --alignment toy/truth.ctm --no-shuffle | cmp - sphinx
    frames speech:kaldi --alignment kaldi/truth.ctm --split test >kaldi.out
    frames speech:toy --alignment toy/truth.ctm --split test | cmp - kaldi.out
    rm -r kaldi/train kaldi/test/text # a folder may hold one part alone
    [[ $(loader speech:kaldi/test --no-shuffle | stream-inspect - | grep -c '^batch') -gt 0 ]]
}

@test "ids have the utterance and the place, and labels are those of the alignment" {
    loader speech:toy --alignment toy/truth.ctm --no-shuffle >train.pst
    loader speech:toy --alignment toy/truth.ctm --split test >test.pst
    for part in train test; do paste -d' ' <(column $part.pst id) <(column $part.pst y); done >frames
    awk 'NR == FNR { phone[$1] = FNR - 1; next } $1 != name { name = $1; number++ }
        { split($5, state, "."); for (i = int($3 * 100 + 0.5); i < int(($3 + $4) * 100 + 0.5); i++)
            printf "%d %d\n", (number - 1) * 1048576 + i, 3 * phone[state[1]] + state[2] }' toy/etc/toy.phone toy/truth.ctm | cmp - frames
    [[ $(loader speech:toy --alignment toy/truth.ctm | stream-inspect -) == *'class names 18: AA.0, AA.1, AA.2, B.0,'* ]]
}

@test "the origin of frames depends on the speakers and the numbers of utterances" {
    x_origin() {
        loader speech:kaldi --alignment kaldi/truth.ctm "$@" --output origin.pst
        origin origin.pst x
        rm origin.pst
    }
    echo u300 >one.list
    whole=$(x_origin) one=$(x_origin --list one.list)
    [ "$whole" = "$(x_origin)" ]
    sed -i 's/^u003 s0/u003 s9/' kaldi/train/utt2spk
    [ "$(x_origin)" != "$whole" ]
    sed -i 's/^u003 s9/u003 s0/' kaldi/train/utt2spk
    [ "$(x_origin)" = "$whole" ]
    [ "$(x_origin --list one.list)" = "$one" ]
    sed -i /^u000/d kaldi/train/{utt2spk,text,wav.scp} # all later utterances get another number
    [ "$(x_origin --list one.list)" != "$one" ]
}

@test "frames that were made otherwise by a little are refused, however long the numbers are" {
    long=(--features mfcc --window-length 0.0250000123456789 --window-shift 0.0100000123456789
        --low-frequency 20.0000012345678 --high-frequency 7600.00001234567 --normalise speaker)
    loader speech:kaldi "${long[@]}" --pre-emphasis 0.970000012345678 --deltas 2 --output like.pst
    again=(loader "speech:kaldi" "${long[@]}" --like like.pst --output /dev/null)
    "${again[@]}" --pre-emphasis 0.970000012345678 --deltas 2
    assert_fails 65 "pre-emphasis 0.970000012345679" "${again[@]}" --pre-emphasis 0.970000012345679 --deltas 2
    assert_fails 65 "give the same options" "${again[@]}" --pre-emphasis 0.970000012345678 --deltas 1
    rm like.pst
}

@test "without an alignment frames have no labels" {
    loader speech:toy --no-shuffle | stream-inspect - >seen
    run ! grep -q '^  y ' seen
    grep -q '^  x .*\[n, 40\]' seen
}

@test "utterances that are not aligned are left out and counted" {
    grep -v '^u001 ' toy/truth.ctm >some.ctm
    run --separate-stderr bash -c 'loader speech:toy --alignment some.ctm --no-shuffle >some.pst'
    [ "$status" -eq 0 ]
    # shellcheck disable=SC2154 # bats' run sets it
    [[ $stderr == 'loader: 1 utterances are not aligned, and left out' ]]
    [[ $(column some.pst id | awk '{ print int($1 / 1048576) }' | sort -nu | head -n 3 | tr '\n' ' ') == '0 2 3 ' ]]
    grep '^u3' toy/truth.ctm >none.ctm
    assert_fails 65 "no utterance is left: 12 of the part are not aligned" loader speech:toy --alignment none.ctm
}

@test "all features have the width that they should" {
    width() { loader speech:toy "$@" | stream-inspect - | grep -o '^  x .*' | grep -o '\[.*\]'; }
    [[ $(width --bands 23) == '[n, 23]' ]]
    [[ $(width --features mfcc) == '[n, 13]' ]]
    [[ $(width --features mfcc --cepstra 20 --deltas 2) == '[n, 60]' ]]
    [[ $(width --deltas 1 --splice 4,2) == '[n, 7, 80]' ]]
    assert_fails 64 "--cepstra" loader speech:toy --cepstra 20
    assert_fails 64 "41" loader speech:toy --features mfcc --cepstra 41
}

@test "splicing puts neighbours around a frame and repeats the ends of its utterance" {
    loader speech:toy --no-shuffle >plain.pst
    loader speech:toy --seed 3 --shuffle --splice 3,2 >spliced.pst
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import pst
plain = pst.read(open("plain.pst", "rb").read())[1]
frames = dict(zip(pst.column(plain, "id").tolist(), pst.column(plain, "x")))
spliced = pst.read(open("spliced.pst", "rb").read())[1]
count = 0
for number, x in zip(pst.column(spliced, "id").tolist(), pst.column(spliced, "x")):
    utterance, place = number >> 20, number & 0xfffff
    last = max(i & 0xfffff for i in frames if i >> 20 == utterance) if place > 3 else 10**9
    for k in range(6):
        near = min(max(place + k - 3, 0), last)
        assert (x[k] == frames[utterance << 20 | near]).all(), (utterance, place, k)
    count += 1
assert count == len(frames) > 500
'
}

@test "held-out speakers are in one part alone, and utterances are taken whole" {
    [[ $(speakers speech:toy) == '0 1 2 ' ]]
    [[ $(speakers speech:toy --split test) == '3 ' ]]
    train=$(speakers speech:toy --hold-out-speakers 1 --hold-out-seed 2)
    validation=$(speakers speech:toy --hold-out-speakers 1 --hold-out-seed 2 --split validation)
    [[ $(tr ' ' '\n' <<<"$train$validation" | grep . | sort | tr '\n' ' ') == '0 1 2 ' ]]
    [[ $(wc -w <<<"$validation") -eq 1 ]]
    loader speech:toy --utterances 2 --no-shuffle --seed 4 >two.pst
    [[ $(column two.pst id | awk '{ print int($1 / 1048576) }' | sort -nu | wc -l) -eq 2 ]]
    printf 'test/s3/u301\nu002.wav\n# a comment\n' >list
    loader speech:toy --list list --no-shuffle >listed.pst
    [[ $(column listed.pst id | awk '{ print int($1 / 1048576) }' | sort -nu | tr '\n' ' ') == '2 13 ' ]]
    assert_fails 64 "3 speakers cannot be held out of 3" loader speech:toy --hold-out-speakers 3
    assert_fails 64 "has no utterances and no speakers" loader digits --utterances 3
    assert_fails 64 "--hold-out-speakers takes whole ones" loader speech:toy --hold-out 20
    echo u999 >list
    assert_fails 65 "list, line 1: the corpus has no utterance 'u999'" loader speech:toy --list list
}

@test "normalising takes the mean off each speaker's or utterance's frames" {
    [[ $(largest_mean speech:toy --no-shuffle --normalise speaker) == 0.0000 ]]
    [[ $(largest_mean speech:toy --no-shuffle --normalise utterance --normalise-deviation) == 0.0000 ]]
    [[ $(largest_mean speech:toy --no-shuffle) != 0.0000 ]]
    assert_fails 64 "--normalise-deviation" loader speech:toy --normalise-deviation
}

@test "sound changes from epoch to epoch, and the same seed gives the same bits" {
    for change in '--speed 0.1' '--noise 10' '--gain 6' '--mask-bands 8'; do
        # shellcheck disable=SC2086 # two words
        frames speech:toy --alignment toy/truth.ctm --splice 2,2 --no-shuffle --epochs 3 --seed 5 $change >changed
        # shellcheck disable=SC2086
        frames speech:toy --alignment toy/truth.ctm --splice 2,2 --no-shuffle --epochs 3 --seed 5 $change | cmp - changed
        # shellcheck disable=SC2086
        frames speech:toy --alignment toy/truth.ctm --splice 2,2 --no-shuffle --epochs 3 --seed 5 $change --start 9 |
            cmp - <(tail -n +10 changed) # what was not read before does not matter
        for epoch in 0 1 2; do grep "\"epoch\": $epoch," changed >epoch$epoch; done
        [[ $(grep -o '"digest.*' epoch0) != $(grep -o '"digest.*' epoch1) ]]
        [[ $(grep -o '"digest.*' epoch1) != $(grep -o '"digest.*' epoch2) ]]
        cmp <(grep -o '"y": .*"digest"' epoch0) <(grep -o '"y": .*"digest"' epoch1)
    done
    assert_fails 64 "only sound can be played faster" loader digits --speed 0.1
    assert_fails 64 "only spliced frames of sound can be masked" loader speech:toy --mask-bands 3
    assert_fails 64 "a mask is smaller than a spliced sample" loader speech:toy --splice 1,1 --mask-frames 3
}

@test "a model gets frames like those that it learned from, and no others" {
    toy=(speech:toy --normalise utterance)
    loader "${toy[@]}" --alignment toy/truth.ctm --splice 3,1 --standardise --epochs 30 |
        student-trainer --hidden 32 -r 0.05 -o model.st
    loader "${toy[@]}" --alignment toy/truth.ctm --like model.st --split test | teacher-forward model.st |
        evaluator --json | grep -q '"accuracy":0.[789]'
    assert_fails 65 "learned from 'fbank of 40 bands" loader speech:toy --like model.st
    assert_fails 64 "--splice 1,3: model.st was made with --splice 3,1" loader "${toy[@]}" --splice 1,3 --like model.st
    loader "${toy[@]}" --splice 1,3 --standardise >other.pst
    assert_refused "model.st learned from inputs with 3 neighbours before and 1 behind, and the stream's have 1 and 3" \
        teacher-forward model.st -i other.pst
    loader "${toy[@]}" --splice 3,1 --standardise --window-shape povey >other.pst
    assert_refused "and the stream's inputs are 'fbank of 40 bands" teacher-forward model.st -i other.pst
}

@test "alignments that do not fit are refused by name" {
    refused() { assert_fails 65 "$1" loader speech:toy --alignment wrong.ctm; }
    printf 'u000 1 0 0.05 SIL.0\n' >wrong.ctm
    refused "wrong.ctm: u000 has 5 frames there, but its sound has"
    printf 'u000 1 0 0.05 XX.0\n' >wrong.ctm
    refused "wrong.ctm, line 1: 'XX.0' is not a state"
    printf ';; comment\nu000 1 0 0.05 AA.3\n' >wrong.ctm
    refused "wrong.ctm, line 2: 'AA.3' is not a state"
    printf 'u000 1 0 0.05 AA.0\nu000 1 0.06 0.05 AA.1\n' >wrong.ctm
    refused "wrong.ctm, line 2: it begins in frame 6, but the line before ends with frame 5"
    printf 'u000 1 0 0.05 AA.0\nu001 1 0 0.05 AA.0\nu000 1 0.05 0.05 AA.1\n' >wrong.ctm
    refused "wrong.ctm, line 3: the lines of 'u000' do not stand together"
    printf 'u999 1 0 0.05 AA.0\n' >wrong.ctm
    refused "the corpus has no utterance 'u999'"
    printf 'u000 1 0 0.014 AA.0\n' >wrong.ctm
    refused "'0' or '0.014' is not a multiple of 0.01 seconds"
    printf 'u000 1 0\n' >wrong.ctm
    refused "wrong.ctm, line 1: it is not UTTERANCE CHANNEL START DURATION STATE"
    printf 'u000 1 nan 1e99 AA.0\n' >wrong.ctm
    refused "is not a multiple"
    assert_fails 66 "gone.ctm" loader speech:toy --alignment gone.ctm
}

@test "lists that contradict each other are refused with file and line" {
    refused() { assert_fails 65 "$1" loader speech:toy; }
    cp -r toy whole
    echo 'train/s0/u000' >>toy/etc/toy_train.fileids
    refused "the lists name the utterance 'u000' twice"
    cp whole/etc/* toy/etc
    echo 'BEE (u999)' >>toy/etc/toy_train.transcription
    refused "toy_train.transcription, line 13: no list names the utterance 'u999'"
    cp whole/etc/* toy/etc
    echo 'BEE u000' >>toy/etc/toy_train.transcription
    refused "line 13: a transcript ends with the utterance, in brackets"
    cp whole/etc/* toy/etc
    echo 'WHO HH UW' >>toy/etc/toy.dic
    refused "toy.dic, line 6: 'HH' is not in the list of phones"
    cp whole/etc/* toy/etc
    echo WHO >>toy/etc/toy.dic
    refused "the word has no phones"
    cp whole/etc/* toy/etc
    echo N >>toy/etc/toy.phone
    refused "toy.phone, line 7: the phone 'N' comes twice"
    cp whole/etc/* toy/etc
    printf '%0101d\n' 0 >>toy/etc/toy.phone
    refused "the name of a phone has at most 100 bytes"
    cp whole/etc/* toy/etc
    for line in 'train/s0/' 'train/s0/u 1'; do
        { cat whole/etc/toy_train.fileids && echo "$line"; } >toy/etc/toy_train.fileids
        refused "toy_train.fileids, line 13: '$line' does not end with the name of an utterance"
    done
    cp whole/etc/* toy/etc
    touch toy/etc/other_train.fileids
    refused "there are two lists"
    rm -r toy/etc
    mkdir toy/etc
    assert_fails 66 "there is no corpus" loader speech:toy
    assert_fails 66 "set AN4_DIR to the folder" loader speech
    echo 'u1 sox a.wav - |' >kaldi/train/wav.scp
    assert_fails 65 "a command cannot be used" loader speech:kaldi
}

@test "sound that cannot be used is refused with its file" {
    sound() { # CODE WORDS: of a loader that finds this in place of an utterance
        assert_fails "$1" "$2" loader speech:toy
    }
    file=toy/wav/train/s1/u102.wav
    write() { # CHANNELS RATE SAMPLES
        /usr/bin/python3 -c '
import sys, wave
channels, rate, samples = map(int, sys.argv[2:])
with wave.open(sys.argv[1], "wb") as file:
    file.setparams((channels, 2, rate, 0, "NONE", ""))
    file.writeframes(b"\1\0" * channels * samples)' "$file" "$@"
    }
    write 2 16000 8000
    sound 65 "u102"
    [[ $stderr == *channel* ]]
    write 1 8000 8000
    sound 65 "8000"
    loader speech:toy --resample | stream-inspect - | grep -q '^samples'
    write 1 16000 399
    sound 65 "u102"
    write 1 16000 0
    sound 65 "u102"
    head -c 1000 "$BATS_FILE_TMPDIR/$file" >"$file"
    sound 65 "u102"
    : >"$file"
    sound 65 "u102"
    echo hello >"$file"
    sound 65 "u102"
    rm "$file"
    sound 66 "u102"
    write 1 16000 16000 # silence is valid sound
    loader speech:toy --normalise speaker --normalise-deviation >silent.pst
    [[ $(column silent.pst x | grep -ci 'nan\|inf') -eq 0 ]]
    assert_fails 65 "more than --max-memory" loader speech:toy --max-memory 1000
}

@test "a student of spliced frames learns the same over a pipe and from a recording of them" {
    # shellcheck disable=SC2054 # a comma is part of a value
    toy=(speech:toy --alignment toy/truth.ctm --splice 3,3 --normalise speaker --standardise --seed 3)
    loader "${toy[@]}" --epochs 2 | tee recorded.pst | student-trainer --hidden 16 -o piped.st
    replay recorded.pst | student-trainer --hidden 16 -o replayed.st
    cmp <(tail -c 4000 piped.st) <(tail -c 4000 replayed.st)
}

@test "the first block of docs/sound.md runs as it stands" {
    /usr/bin/python3 -B "$BATS_TEST_DIRNAME/../python/make_corpus.py" an4 --speakers 9
    awk '/^    / { inside = 1; print substr($0, 5) } /^$/ { print } /^[^ ]/ && inside { exit }' "$BATS_TEST_DIRNAME/../../docs/sound.md" >block
    [ "$(grep -c student-trainer block)" -eq 1 ]
    run bash -euo pipefail block
    echo "$output"
    [ "$status" -eq 0 ]
    [[ $output == *WER* ]]
}

@test "a validation split without speakers or samples held out is an error that names both options" {
    assert_fails 64 "--split validation needs --hold-out N or --hold-out-speakers N" loader speech:toy --split validation
}
