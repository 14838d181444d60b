#!/usr/bin/env bats
# The frame that every stage shares, from outside: all programs of $STAGES that read or write streams.
# shellcheck disable=SC2030,SC2031,SC2154 # bats' run sets stderr and stderr_lines
# shellcheck disable=SC2317 # functions are called by `each`
# shellcheck disable=SC2016 # what stands in single quotes is for another shell
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 60 --batch 20 --epochs 2 -o plain.pst
    student-trainer --arch 784-8-10 -q -i plain.pst -o a.safetensors
    teacher-forward a.safetensors -i plain.pst -o logits.pst
    temperature-softmax -T 3 -i logits.pst -o soft.pst
    teacher-forward a.safetensors --name b -i logits.pst -o two.pst
    printf 'a,y\n1,0\n2,1\n3,0\n' >table.csv
    loader csv:table.csv --label y -o table.pst
    loader digits --samples 60 --batch 7 | teacher-forward a.safetensors -o targets.pst
    loader digits --samples 60 --batch 20 --no-shuffle -o frames.pst
    make_corpus
    : >empty.pst
    list_stages
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out
}

# A corpus of speech of one utterance. The images of frames.pst stand for its frames, and their labels for states.
make_corpus() {
    mkdir -p toy/etc
    echo a/b/c >toy/etc/toy_train.fileids
    echo 'no yes (c)' >toy/etc/toy_train.transcription
    : | tee toy/etc/toy_test.fileids >toy/etc/toy_test.transcription
    printf '%s\n' N O SIL Y >toy/etc/toy.phone
    printf '%s\n' 'no N O' 'yes Y' >toy/etc/toy.dic
    echo '<sil> SIL' >toy/etc/toy.filler
}

# Writes the names of all stages to the file `all`, and of those with --input and --output to `reads` and `writes`. Programs
# that are driven by operands of their own (a dispatcher's address, a worker's command) have tests of their own for that.
list_stages() {
    local stage help
    touch all reads writes
    for stage in "${STAGES:-$(dirname "$(command -v loader)")}"/*; do
        stage=${stage##*/}
        help=$("$stage" --help)
        echo "$stage" >>all
        case $stage in dispatcher | worker) continue ;; esac
        if [[ $help == *"--input ENDPOINT"* ]]; then echo "$stage" >>reads; fi
        if [[ $help == *"--output ENDPOINT"* ]]; then echo "$stage" >>writes; fi
    done
}

# words STAGE: the arguments without which a stage does not run; it writes to $out.
words() {
    case $1 in
    teacher-forward) echo a.safetensors --name b ;;
    student-trainer) echo --arch 784-8-10 -o "$out" ;;
    loader) echo digits --samples 60 ;;
    replay) echo plain.pst ;;
    stream-join) echo targets.pst ;;
    stream-select) echo --keep x ;;
    stream-export) echo --to csv ;;
    class-map) echo --classes 9,0-8 ;;
    decoder) echo --corpus toy --of y ;;
    class-cluster) echo --sets 2 ;;
    munge) echo table.pst ;;
    specialist-combine) echo -g logits/a -s b=1-9 ;;
    esac
}

# stream STAGE: a recorded stream that the stage can work with.
stream() {
    case $1 in
    temperature-softmax) echo logits.pst ;;
    specialist-combine) echo two.pst ;;
    stream-join) echo plain.pst ;;
    decoder) echo frames.pst ;;
    *) echo soft.pst ;;
    esac
}

# each KIND COMMAND…: runs a function for each stage of a kind, with its name and words as the last arguments. It has no
# && and ||, because before these bash overlooks failures inside of functions.
each() {
    local kind=$1 stage told
    shift
    while read -r -u 9 stage; do
        echo "# $stage"
        read -ra told <<<"$(words "$stage")"
        "$@" "$stage" "${told[@]}"
    done 9<"$kind"
}

fails_with() {
    local code=$1 text=$2 input=$3
    shift 3
    assert_fails "$code" "$text" "$@" <"$input"
}

# ---- what every program says of itself ----

help_is_whole() {
    run --separate-stderr "$1" --help
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    [[ ${lines[0]} == "$1: "* ]]
    [[ $output == *"Usage: $1"* && $output == *"Example:"* && $output == *"See also:"* ]]
    [[ $output == *"-h, --help "* && $output == *" --version "* ]]
}

@test "--help goes to standard output and is whole" {
    each all help_is_whole
}

names_the_shared_options() {
    local option help
    help=$("$1" --help)
    for option in --max-message --log --quiet; do
        echo "$option"
        [[ $help == *"$option "* ]]
    done
}

@test "every stage has the shared options" {
    each reads names_the_shared_options
    names_the_shared_options replay
    [[ $(loader --help) == *"--log "*"--quiet "* ]]
}

@test "--version names the program and its version" {
    says_version() { [[ $("$1" --version) =~ ^$1\ [0-9]+\.[0-9]+\.[0-9]+$ ]]; }
    each all says_version
}

@test "--help that cannot be written is an error" {
    cannot_help() {
        run -74 bash -c "$1 --help >/dev/full"
        [[ $output == "$1: "*"standard output"* ]]
    }
    each all cannot_help
}

@test "-o - is standard output of every stage that writes a stream, and others have no -o" {
    passes() {
        local stage=$1 input=/dev/null
        grep -qx "$stage" reads && input=$(stream "$stage")
        "$@" -o - <"$input" | stream-inspect --check
        [ ! -e ./- ]
    }
    each writes passes
    for stage in evaluator stream-inspect stream-repair keygen; do
        assert_fails 64 "there is no option '-o'" "$stage" -o -
    done
    run ! grep -xE 'evaluator|stream-export|stream-inspect|stream-repair|keygen|student-trainer' writes
}

# ---- mistakes on the command line ----

@test "an unknown option is refused with a hint" {
    refuses() {
        assert_fails 64 "there is no option '--zzzzzz'" "$1" --zzzzzz
        [[ $stderr == *"--help"* ]]
        assert_fails 64 "there is no option '-Z'" "$1" -Z
        [[ $stderr == *"--help"* ]]
    }
    each all refuses
}

@test "a mistyped option is answered with the nearest one" {
    suggests() { assert_fails 64 "there is no option '--max-mesage=5'; did you mean --max-message?" "$1" --max-mesage=5; }
    each reads suggests
    assert_fails 64 "there is no option '--epohcs=5'; did you mean --epochs?" loader --epohcs=5
}

@test "a value that is missing, wrong or too many is refused" {
    refuses() {
        assert_fails 64 "--log: a value is missing" "$@" --log
        assert_fails 64 "--quiet=3: takes no value" "$@" --quiet=3
        assert_fails 64 "one argument too many" "$@" one two three
    }
    refuses_limits() {
        refuses "$@"
        assert_fails 64 "--max-message: '12' is not a whole number from 1024" "$@" --max-message 12
        assert_fails 64 "'4096x'" "$@" --max-message 4096x
        assert_fails 64 "'2T'" "$@" --max-message 2T
    }
    each reads refuses_limits
    refuses loader digits
    assert_fails 64 "--batch: '0' is not a whole number from 1" loader digits --batch 0
}

@test "an option that is not an ASCII letter is named as it was given" {
    assert_fails 64 "there is no option '-é'" loader -é
}

# ---- inputs ----

@test "a missing input and a folder end a stage with 66" {
    refuses() {
        assert_fails 66 "nowhere.pst" "$@" -i nowhere.pst
        assert_fails 66 "directory" "$@" -i .
        [ ! -e "$out" ]
    }
    each reads refuses
}

# Such files are read at many places, or whole before there is any output.
@test "a named pipe in place of a data file is refused, not waited for" {
    mkfifo "$BATS_TEST_TMPDIR/fifo"
    loader digits --samples 10 -o "$BATS_TEST_TMPDIR/ten.pst"
    cd "$BATS_TEST_TMPDIR"
    for command in "loader --images fifo" "loader idx:fifo" "loader fifo" "replay fifo" \
        "stream-repair fifo" "teacher-forward fifo -i ten.pst" \
        "student-trainer --from fifo -i ten.pst -o model.safetensors" \
        "student-trainer -a 784-10 --checkpoint fifo --resume -i ten.pst -o model.safetensors"; do
        echo "$command"
        # shellcheck disable=SC2086
        run timeout 5 $command
        echo "$status: $output"
        [[ $status -eq 64 || $status -eq 65 ]]
        [[ $output == *fifo* ]]
    done
}

@test "an empty input is bad data" {
    refuses() {
        fails_with 65 "empty" empty.pst "$@"
        fails_with 65 "empty" /dev/null "$@"
        [ ! -e "$out" ]
    }
    each reads refuses
}

@test "an input that is not a stream is bad data" {
    refuses() { fails_with 65 "standard input, byte " a.safetensors "$@"; }
    each reads refuses
}

# tells CODE WORDS COMMAND…: as assert_fails, for errors that are found when some output is already written.
tells() {
    local code=$1 words=$2
    shift 2
    run --separate-stderr "$@"
    echo "exit code $status: $stderr"
    [ "$status" -eq "$code" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ $stderr == "$1: "*"$words"* ]]
}

@test "a truncated input is bad data and leaves nothing under the final name" {
    local cut=$BATS_TEST_TMPDIR/cut.pst
    refuses() {
        head -c 30000 "$(stream "$1")" >"$cut"
        tells 65 "cut.pst, byte 30000, batch 1: truncated" "$@" -i "$cut"
        [ ! -e "$out" ]
    }
    each reads refuses
    for filter in temperature-softmax averager "teacher-forward a.safetensors -n b"; do
        head -c 30000 "$(stream "$filter")" >"$cut"
        # shellcheck disable=SC2086 # words of a command
        assert_refused "truncated" $filter -i "$cut"
    done
}

@test "a batch over --max-message is refused" {
    refuses() { tells 65 "--max-message" "$@" --max-message 4k -i "$(stream "$1")"; }
    each reads refuses
}

# ---- outputs ----

@test "an output that cannot be made is an I/O error" {
    refuses() {
        fails_with 74 "/nonexistent/out" "$(stream "$1")" "$@" -o /nonexistent/out
        fails_with 74 "directory" "$(stream "$1")" "$@" -o "$BATS_TEST_TMPDIR"
    }
    each writes refuses
}

@test "a full disk is an I/O error" {
    refuses() {
        local input=$2
        run --separate-stderr bash -c '"$0" "${@:2}" <"$1" >/dev/full' "$1" "$input" "${@:3}"
        [ "$status" -eq 74 ]
        [ "${#stderr_lines[@]}" -eq 1 ]
        [[ $stderr == "$1: standard output: "* ]]
    }
    fills() { refuses "$1" "$(stream "$1")" "${@:2}"; }
    each writes fills
}

@test "a log that cannot be written is an I/O error" {
    refuses() { fails_with 74 "--log" "$(stream "$1")" "$@" --log /nonexistent/log; }
    each reads refuses
    run --separate-stderr bash -c 'loader digits --samples 60 --log /dev/full >"$0"' "$out"
    [ "$status" -eq 74 ]
    [[ $stderr == "loader: "*"log"* ]]
}

@test "a stage whose reader has left ends without a message" {
    leaves() {
        run --separate-stderr bash -c '"$0" "${@:2}" <"$1" | head -c 100 >/dev/null; exit "${PIPESTATUS[0]}"' "$@"
        [ "$status" -eq 141 ]
        [ -z "$stderr" ]
    }
    # Far more than a pipe holds, so that the reader has left before all is written.
    loader digits --samples 3000 --batch 100 | teacher-forward a.safetensors >"$BATS_TEST_TMPDIR/logits.pst"
    temperature-softmax <"$BATS_TEST_TMPDIR/logits.pst" >"$BATS_TEST_TMPDIR/soft.pst"
    leaves loader /dev/null digits --samples 3000
    leaves teacher-forward "$BATS_TEST_TMPDIR/soft.pst" a.safetensors --name b
    leaves temperature-softmax "$BATS_TEST_TMPDIR/logits.pst"
    leaves averager "$BATS_TEST_TMPDIR/soft.pst"
}

@test "an output that another process writes is not touched" {
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    temperature-softmax -i "$BATS_TEST_TMPDIR/pipe" -o "$out" &
    exec 7>"$BATS_TEST_TMPDIR/pipe"
    head -c 30000 logits.pst >&7
    wait_for -s "$out.part"
    assert_fails 75 "another process" temperature-softmax -i logits.pst -o "$out"
    tail -c +30001 logits.pst >&7
    exec 7>&-
    wait $!
    stream-inspect --check "$out"
}

# wait_for -s FILE: waits until the file holds something, without a limit of time.
wait_for() {
    until test "$1" "$2"; do sleep 0.02; done
}

@test "a filter that fails before it writes anything leaves nothing" {
    assert_fails 66 "nowhere.pst" temperature-softmax -i nowhere.pst -o "$out"
    [ ! -e "$out.part" ]
}

# ---- terminals ----

@test "a stream is not read from a terminal" {
    script -qec true /dev/null >/dev/null 2>&1 || skip "no pseudo-terminal can be had here"
    refuses() {
        run -64 script -qec "$* >/dev/null" /dev/null
        [[ $output == "$1: standard input is a terminal"* ]]
    }
    each reads refuses
}

@test "a stream is not written to a terminal" {
    script -qec true /dev/null >/dev/null 2>&1 || skip "no pseudo-terminal can be had here"
    refuses() {
        run -64 script -qec "$* </dev/null" /dev/null
        [[ $output == "$1: standard output is a terminal"* ]]
    }
    each writes refuses
}

# ---- logs, and what happens upstream ----

@test "--log writes JSON lines" {
    logs() {
        local log=$BATS_TEST_TMPDIR/$1.json
        "$@" --log "$log" <"$(stream "$1")" >/dev/null
        run "$@" --log "$log" <empty.pst
        [ -s "$log" ]
        /usr/bin/python3 - "$1" "$log" <<'PYTHON'
import json
import sys
name, path = sys.argv[1:]
lines = [json.loads(line) for line in open(path, encoding="utf-8")]
assert all(line["stage"] == name and line["time"] > 1e9 for line in lines), lines
events = [line["event"] for line in lines if line["event"] in ("start", "end", "error")]
assert events == ["start", "end"] + (["start", "error", "end"] if name != "loader" else ["start", "end"]), events
first = [line for line in lines if line["event"] == "end"][0]
assert first["status"] == 0 and first["batches"] >= 1 and first["samples"] >= 60, first
assert name == "loader" or "empty" in lines[-2]["message"], lines[-2]
PYTHON
    }
    each reads logs
    logs loader digits --samples 60
}

# The next stage is well under way (its provisional file grows) when its source is killed.
@test "a source that is killed makes the next stage fail" {
    local source filter status
    mkfifo "$BATS_TEST_TMPDIR/pipe"
    for command in "temperature-softmax -o" "teacher-forward a.safetensors -n b -o"; do
        bash -c 'head -c 60000 logits.pst; exec sleep 1000' >"$BATS_TEST_TMPDIR/pipe" 3>&- &
        source=$!
        $command "$out" -i "$BATS_TEST_TMPDIR/pipe" 2>"$BATS_TEST_TMPDIR/said" &
        filter=$!
        wait_for -s "$out.part"
        kill -9 $source
        status=0
        wait $filter || status=$?
        [ "$status" -eq 65 ]
        [[ $(<"$BATS_TEST_TMPDIR/said") == *"/pipe, byte 60000, batch "*"truncated"* ]]
        [ ! -e "$out" ]
        rm "$out.part"
    done
}

# asked STREAM BYTES WORDS COMMAND…: gives a program so many bytes of a stream, then SIGUSR1 until it prints the words,
# then the rest. Ends as the program does.
asked() {
    /usr/bin/python3 - "$@" <<'END'
import re, signal, subprocess, sys, tempfile, time
stream, size, words, command = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4:]
data = open(stream, "rb").read()
def caught(process, number):
    status = open(f"/proc/{process}/status").read()
    return int(re.search(r"SigCgt:\s*(\w+)", status)[1], 16) >> number - 1 & 1
with tempfile.TemporaryFile() as said:
    program = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=said, bufsize=0)
    program.stdin.write(data[:size])
    text, until = "", time.monotonic() + 60
    while not caught(program.pid, signal.SIGUSR1):  # before the handler is there, the signal would end the program
        pass
    while not re.search(f"^{command[0]}: {words}$", text, re.M):
        if program.poll() is not None or time.monotonic() > until:
            program.kill()
            sys.exit(f"in vain: {command}: {text}")
        program.send_signal(signal.SIGUSR1)
        time.sleep(0.05)
        said.seek(0)
        text = said.read().decode()
    program.stdin.write(data[size:])
    program.stdin.close()
    sys.exit(program.wait())
END
}

tells_that_it_waits() {
    asked "$(stream "$1")" 0 "waiting for input" "$@"
    rm -f "$out"*
}

@test "SIGUSR1 makes every stage that reads print that it waits, and changes no output" {
    each reads tells_that_it_waits
}

@test "SIGUSR1 makes a stage print how far it has come" {
    asked plain.pst 90000 "waiting for input; 5 of 6 batches, epoch 2 of 2, 100 samples in [0-9]+ s" \
        teacher-forward a.safetensors
    asked plain.pst 90000 "waiting for input; 5 of 6 batches, epoch 2 of 2, 100 samples in [0-9]+ s" \
        student-trainer -q --arch 784-8-10 -o "$out"
    cmp "$out" <(student-trainer -q --arch 784-8-10 -i plain.pst -o /dev/stdout)
}

@test "SIGUSR1 makes a source print that it waits for its reader" {
    mkfifo "$out.fifo"
    loader digits --epochs 0 -o "$out.fifo" 2>"$out.err" 3>&- &
    exec 7<"$out.fifo" # nothing is read from it
    until grep -q "^loader: waiting for output; [0-9]* batches, epoch [0-9]*, [0-9]* samples in [0-9]* s$" "$out.err"; do
        sleep 0.05
        kill -USR1 $!
    done
    kill $!
    exec 7<&-
}

@test "a source that is stopped by a signal ends by it and leaves nothing under the final name" {
    local status=0
    loader digits --epochs 0 -o "$out" &
    wait_for -s "$out.part"
    kill -TERM $!
    wait $! || status=$?
    [ "$status" -eq 143 ]
    [ ! -e "$out" ]
}
