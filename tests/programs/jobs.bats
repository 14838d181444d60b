#!/usr/bin/env bats
# --jobs N: for every N the same bytes come out, the same error is reported, and the run ends as it does with one job.
# shellcheck disable=SC2030,SC2031,SC2154 # bats' run sets status, stderr and stderr_lines
# shellcheck disable=SC2016 # what stands in single quotes is for another shell
bats_require_minimum_version 1.5.0

TOOLS=${STAGES:?}/../tests # beside the stages, under valgrind too
STUMBLE=$TOOLS/stumble

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 90 --batch 10 --epochs 3 --seed 3 -o plain.pst # 27 batches
    student-trainer -a 784-12-10 -r 0.05 -i plain.pst -o a.safetensors
    student-trainer -a 784-9-10 -r 0.05 -s 2 -i plain.pst -o b.safetensors
    teacher-forward a.safetensors -i plain.pst | teacher-forward b.safetensors -o logits.pst
    temperature-softmax -T 4 -i logits.pst -o soft.pst
    averager -i soft.pst -o mean.pst
    compactor --targets u8 -i mean.pst -o compact.pst
    loader digits --samples 90 --batch 7 | teacher-forward a.safetensors -o targets.pst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out
}

# same INPUT FILTER…: a filter writes the same with any number of jobs.
same() {
    local input=$1 jobs
    shift
    "$@" -i "$input" --force -o "$out.1"
    for jobs in 1 2 3 7 64; do
        "$@" --jobs $jobs -i "$input" | cmp - "$out.1"
    done
}

@test "every parallel filter writes the same with any number of jobs" {
    same plain.pst teacher-forward a.safetensors
    same logits.pst temperature-softmax -T 3
    same soft.pst averager
    same soft.pst averager --geometric --weight a=3
    same soft.pst averager --logits
    for form in f32 u8 "top-k --top 3" "sampled --draws 4 --seed 5"; do
        # shellcheck disable=SC2086 # words of a command
        same mean.pst compactor --targets $form
    done
    same mean.pst compactor --inputs digest
    same compact.pst compactor --restore
    same plain.pst stream-join targets.pst
    same plain.pst "$STUMBLE" --cheat --add --width 3
}

@test "--from-probs writes the same with any number of jobs" {
    /usr/bin/python3 "$BATS_TEST_DIRNAME/../python/pst.py" 'drop("logits/a"); drop("logits/b")' <soft.pst >"$out.soft"
    same "$out.soft" temperature-softmax --from-probs -T 4
}

@test "compressed streams are the same with any number of jobs" {
    replay logits.pst --zstd 3 -o "$out.small"
    same "$out.small" temperature-softmax -T 3 --zstd 5
}

@test "a chain of filters with jobs writes what one without them writes" {
    chain() {
        teacher-forward a.safetensors "$@" | teacher-forward b.safetensors "$@" | temperature-softmax -T 4 "$@" |
            averager "$@" | compactor --targets u8 "$@"
    }
    chain <plain.pst >"$out.1"
    chain --jobs 3 <plain.pst | cmp - "$out.1"
}

@test "streams of one batch and of none are the same with any number of jobs" {
    loader digits --samples 20 --batch 20 -o "$out.one"
    same "$out.one" teacher-forward a.safetensors
    loader digits --samples 20 --batch 20 --start 1 -o "$out.none"
    same "$out.none" teacher-forward a.safetensors
}

@test "jobs that take unequal time do not change the order" {
    same plain.pst "$STUMBLE" --sleep 3 --uneven
}

@test "the losses that --error reports are the same with any number of jobs" {
    compactor --targets u8 --error -i mean.pst 2>"$out.1" >/dev/null
    [[ $(<"$out.1") == *"over 270 samples"* ]]
    for jobs in 2 7; do
        compactor --targets u8 --error --jobs $jobs -i mean.pst 2>&1 >/dev/null | diff - "$out.1"
    done
}

# fails_alike CODE INPUT FILTER…: a filter fails with the same message and leaves the same part of its output.
fails_alike() {
    local code=$1 input=$2 jobs message
    shift 2
    run --separate-stderr "$@" -i "$input" -o "$out.1"
    [ "$status" -eq "$code" ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    message=$stderr
    for jobs in 2 3 7; do
        run --separate-stderr "$@" --jobs $jobs -i "$input" -o "$out.n"
        echo "$stderr"
        [ "$status" -eq "$code" ]
        [ "$stderr" = "$message" ]
        [ ! -e "$out.n" ]
        if [ -e "$out.1.part" ] || [ -e "$out.n.part" ]; then cmp "$out.1.part" "$out.n.part"; fi
        rm -f "$out.n.part"
    done
    rm -f "$out.1.part"
}

@test "the first batch that fails is the one that is reported" {
    fails_alike 65 plain.pst "$STUMBLE" --poison 0 --sleep 2
    fails_alike 65 plain.pst "$STUMBLE" --poison 35 --sleep 3 --uneven
    change 'batch["logits/b"][3, 1] = np.nan if batch["seq"] > 12 else 1' logits.pst "$out.bad"
    fails_alike 65 "$out.bad" temperature-softmax
    [[ $stderr == "temperature-softmax: batch 13: tensor 'logits/b', sample 3 of the batch: "* ]]
    fails_alike 65 "$out.bad" averager --logits
}

@test "a damaged or cut input fails alike with any number of jobs" {
    cp logits.pst "$out.bad"
    printf '\xff' | dd of="$out.bad" bs=1 seek=100000 conv=notrunc status=none
    fails_alike 65 "$out.bad" temperature-softmax
    head -c 100000 logits.pst >"$out.bad"
    fails_alike 65 "$out.bad" temperature-softmax
    head -c 300 logits.pst >"$out.bad"
    fails_alike 65 "$out.bad" temperature-softmax
}

# left_by_reader COMMAND…: gives a command the beginning of a stream, takes the beginning of its answer, and leaves. Then it
# sends some more batches, and nothing else. Prints the exit code, and what the command printed.
left_by_reader() {
    /usr/bin/python3 - "$@" <<'PYTHON'
import os, subprocess, sys
data = open("logits.pst", "rb").read()
ours, theirs = os.pipe()
command = subprocess.Popen(sys.argv[1:], stdin=subprocess.PIPE, stdout=theirs, stderr=subprocess.PIPE)
os.close(theirs)
command.stdin.write(data[:4000])
command.stdin.flush()
os.read(ours, 100)
os.close(ours)
command.stdin.write(data[4000:50000])
command.stdin.flush()
print(command.wait(timeout=60), command.stderr.read().decode(), end="")
PYTHON
}

@test "a reader that leaves ends the run, though a job waits for input" {
    for jobs in 1 2 7; do
        run -0 left_by_reader temperature-softmax --jobs $jobs
        [ "$output" = "141 " ]
    done
}

@test "a reader that leaves ends the run, though a job waits at a link" {
    run -0 left_by_reader bash -c 'averager --logits -o "listen:$0" <&0 2>/dev/null & exec temperature-softmax --jobs 3 -i "$0"' \
        "ipc://$BATS_TEST_TMPDIR/link"
    [ "$output" = "141 " ]
}

@test "a full disk is reported once" {
    run --separate-stderr bash -c 'temperature-softmax --jobs 3 <logits.pst >/dev/full'
    [ "$status" -eq 74 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
}

@test "a signal ends a run whose jobs wait" {
    local status=0
    mkfifo "$out.pipe"
    temperature-softmax --jobs 3 -i "$out.pipe" -o "$out" 3>&- &
    exec 7>"$out.pipe"
    head -c 150000 logits.pst >&7
    until test -s "$out.part"; do sleep 0.02; done
    kill -TERM $!
    wait $! || status=$?
    exec 7>&-
    [ "$status" -eq 143 ]
    [ ! -e "$out" ]
}

# limited STACK MEMORY COMMAND…: a command with limits, in KiB, for the stack of each thread and for all memory.
limited() {
    [[ -z ${SANITIZE-}${VALGRIND-} ]] || skip "the shadow memory is larger than any limit"
    run --separate-stderr bash -c 'ulimit -s "$0" && ulimit -v "$1" && exec "${@:2}"' "$@"
    echo "exit code $status: $stderr"
}

@test "a run goes on with the threads that could be started" {
    temperature-softmax -i logits.pst -o "$out.1"
    limited 100000 500000 temperature-softmax --jobs 64 -i logits.pst -o "$out"
    [ "$status" -eq 0 ]
    [[ $stderr =~ ^"temperature-softmax: --jobs 64: only "[1-4]" could be started"$ ]]
    cmp "$out" "$out.1"
}

@test "a run that can start no thread ends with 75" {
    limited 400000 300000 temperature-softmax --jobs 2 -i logits.pst -o "$out"
    [ "$status" -eq 75 ]
    [ "$stderr" = "temperature-softmax: --jobs 2: only 0 could be started" ]
    [ ! -e "$out" ]
}

# same_source OPERAND…: loader writes the same with any number of jobs.
same_source() {
    local jobs
    loader "$@" --run a -q --force -o "$out.1"
    for jobs in 2 3 8 64; do
        loader "$@" --run a -q --jobs $jobs | cmp - "$out.1"
    done
}

# gradient PATH NUMBER: a picture of 9 by 7 pixels in colour, another one for each number.
gradient() {
    mkdir -p "$(dirname "$1")"
    { printf 'P6 9 7 255\n' && seq "$2" "$(($2 + 200))" | tr -d '\n' | head -c 189; } >"$1"
}

@test "loader writes the same samples, changed and mixed, with any number of jobs" {
    for options in "" "--split test --elastic 1" "--elastic 1.5 --shift 2 --rotate 5" "--mixup 0.4" "--mixup 1 --cutmix 1 --elastic 2" "--zstd 3 --crop 2" \
        "--special 7,8 --elastic 1" "--start 5 --flip" "--fraction 0.05 --cutout 5"; do
        # shellcheck disable=SC2086 # words of a command
        same_source digits --samples 103 -b 10 --epochs 3 --seed 4 $options
    done
    loader digits --samples 20 -b 7 --epochs 0 --elastic 1 --run a | head -c 200000 >"$out.1" || true
    loader digits --samples 20 -b 7 --epochs 0 --elastic 1 --run a --jobs 3 | head -c 200000 | cmp - "$out.1"
    /usr/bin/python3 -c 'import numpy as np
numbers = np.random.default_rng(3)
np.save("numbers.npy", numbers.normal(size=(50, 12, 10)))
np.save("labels.npy", numbers.integers(0, 3, 50))'
    same_source npy:numbers.npy,labels.npy -b 8 --epochs 3 --standardise --elastic 1 --mixup 1
    printf 'a,b,w,y\n1,x,1,0\n2,y,2,1\n3,x,.5,1\n' >table.csv
    same_source table.csv --label y --weight w -b 2 --epochs 20 --mixup 1
}

@test "loader writes the same pictures and frames of sound with any number of jobs" {
    for i in {1..40}; do gradient "set/$((i % 4))/$i.ppm" "$i"; done
    for options in "" "--jitter 0.4 --flip --crop 2" "--mixup 1 --cutmix 1 --elastic 1" "--decoders 1 --cutout 3" "--decoders 5"; do
        # shellcheck disable=SC2086 # words of a command
        same_source images:set -b 7 --epochs 3 $options
    done
    /usr/bin/python3 -B "$BATS_TEST_DIRNAME/../python/make_corpus.py" toy
    same_source speech:toy --alignment toy/truth.ctm -b 100 --epochs 2 --splice 2,3 --speed 0.1 --noise 0.1 --mask-bands 3
}

@test "a picture that cannot be read fails in its batch with any number of jobs" {
    for i in {1..40}; do gradient "bad/$((i % 4))/$i.ppm" "$i"; done
    printf 'P6 9 7 255\nshort' >bad/2/22.ppm
    for options in "--no-shuffle" "--seed 3 --elastic 1" "--mixup 1"; do
        # shellcheck disable=SC2086 # words of a command
        run --separate-stderr loader images:bad -b 3 --run a $options -o "$out.1"
        [ "$status" -eq 65 ]
        [[ $stderr == *"22.ppm"* ]]
        message=$stderr
        for jobs in 2 3 8; do
            # shellcheck disable=SC2086
            run --separate-stderr loader images:bad -b 3 --run a $options --jobs $jobs -o "$out.n"
            [ "$status" -eq 65 ]
            [ "$stderr" = "$message" ]
            [ ! -e "$out.n" ]
            if [ -e "$out.1.part" ] || [ -e "$out.n.part" ]; then cmp "$out.1.part" "$out.n.part"; fi
            rm -f "$out.n.part"
        done
        rm -f "$out.1.part"
    done
}

@test "loader with jobs ends when its reader leaves, its disk is full, or a signal comes" {
    run -0 bash -c 'loader digits --samples 500 --epochs 0 --elastic 1 --jobs 3 2>&1 >&3 3>&- | cat' 3> >(head -c 100000 >/dev/null)
    [ "$output" = "" ]
    run --separate-stderr bash -c 'loader digits --samples 500 --elastic 1 --jobs 3 >/dev/full'
    [ "$status" -eq 74 ]
    [[ $stderr == "loader: "*"No space left on device"* ]]
    loader digits --samples 500 --epochs 0 --elastic 1 --jobs 3 --force -o "$out" 3>&- &
    sleep 0.5
    kill $!
    run wait $!
    [ ! -e "$out" ]
}

@test "more jobs of loader than memory holds are an error before the first batch" {
    limited 1000 400000 loader digits --samples 30000 --batch 30000 --elastic 1 --jobs 64 -o "$out"
    [ "$status" -eq 75 ]
    [[ $stderr =~ ^"loader: --jobs 64: there is memory for only "[1-9]" of them"$ ]]
    [ ! -e "$out" ]
    [ ! -e "$out.part" ] || [ "$(stat -c %s "$out.part")" -lt 10000 ]
}

# idle COMMAND…: becomes a command for which four processors are idle, and which keeps them busy now and then.
idle() {
    exec env SHIM_IDLE=4 ASAN_OPTIONS="verify_asan_link_order=0:${ASAN_OPTIONS-}" LD_PRELOAD="$TOOLS/shim_world.so" "$@"
}

# threads_of PID NUMBER: waits until a process has so many threads, or more.
threads_of() {
    local waited
    for ((waited = 0; waited < 300; waited++)); do
        if (($(find "/proc/$1/task" -mindepth 1 -maxdepth 1 | wc -l) >= $2)); then return 0; fi
        sleep 0.1
    done
    return 1
}

@test "a source and a filter use idle processors if nothing is said about jobs" {
    idle loader digits --samples 500 --epochs 0 --elastic 1 -q >/dev/null &
    run threads_of $! 5
    kill $!
    [ "$status" -eq 0 ]
    loader digits --samples 500 --epochs 0 -q | idle teacher-forward a.safetensors >/dev/null & # $! is the filter
    run threads_of $! 5
    kill $!
    [ "$status" -eq 0 ]
}

@test "jobs that are added, rest, and are called again change no byte" {
    local made # words of a command
    made="loader digits --samples 3000 -b 50 --epochs 0 --elastic 1 --run a -q"
    # shellcheck disable=SC2086
    [ "$(idle $made | head -c 60000000 | md5sum)" = "$($made --jobs 1 | head -c 60000000 | md5sum)" ]
    loader digits --samples 3000 -b 50 --epochs 0 --run a -q | head -c 40000000 >"$out.stream" # its end is missing
    run -65 idle teacher-forward a.safetensors -i "$out.stream" -o "$out.idle"
    run -65 teacher-forward a.safetensors --jobs 1 -i "$out.stream" -o "$out.one"
    cmp "$out.idle.part" "$out.one.part"
}

@test "no job is added if address space is limited, and the run goes on with one" {
    local made="loader digits --samples 3000 -b 50 --epochs 6 --elastic 1 --run a -q"
    # shellcheck disable=SC2086 # words of a command
    limited 8192 2000000 env SHIM_IDLE=4 LD_PRELOAD="$TOOLS/shim_world.so" $made -o "$out"
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    # shellcheck disable=SC2086
    $made --jobs 1 | cmp - "$out"
}

@test "compactor reports the same loss if jobs are added" {
    replay mean.pst --epochs 400 -o "$out.long"
    (idle compactor --targets u8 --error -i "$out.long" 2>&1 >"$out.idle") |
        diff - <(compactor --targets u8 --error --jobs 1 -i "$out.long" 2>&1 >"$out.one")
    cmp "$out.idle" "$out.one"
}

@test "--jobs takes a number of threads, and only stages whose batches are independent have it" {
    for jobs in 0 65 -1 x; do
        assert_fails 64 "--jobs: '$jobs' is not a whole number from 1 to 64" averager --jobs $jobs
    done
    for stage in replay evaluator student-trainer dispatcher stream-inspect; do
        assert_fails 64 "there is no option '--jobs'" $stage --jobs 2
    done
}
