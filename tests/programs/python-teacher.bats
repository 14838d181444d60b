#!/usr/bin/env bats
# pipelines/python-teacher.py from outside, in pipes that bring one batch and wait for its answer.
# tests/python/test_stream_python.py has its numbers.
# shellcheck disable=SC2154,SC2034 # pool.bash sets some of these, and uses others
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 40 --batch 4 -o digits.pst
    student-trainer -q -a 784-12-10 -i digits.pst -o teacher.safetensors
}

setup() {
    load common
    load pool
    cd "$BATS_FILE_TMPDIR" || return
    use_folder "$BATS_TEST_TMPDIR"
    worker_options=(--ahead 1)
    teacher=$BATS_TEST_DIRNAME/../../pipelines/python-teacher.py
}

teardown() {
    load pool
    end_processes
}

@test "a worker's answers are those of the teacher in a plain pipe" {
    start_worker one "$teacher teacher.safetensors t"
    timeout 120 dispatcher "$endpoint" -i digits.pst -o "$here/answered.pst"
    "$teacher" teacher.safetensors t <digits.pst >"$here/plain.pst"
    diff <(column "$here/plain.pst" logits/t) <(column "$here/answered.pst" logits/t)
}

@test "each batch is answered before the next one comes" {
    /usr/bin/python3 -B - "$teacher" "$BATS_TEST_DIRNAME/../python" <<'END'
import signal, subprocess, sys
import msgpack
sys.path.insert(0, sys.argv[2])
import pst
signal.alarm(60)
data = open("digits.pst", "rb").read()
teacher = subprocess.Popen([sys.argv[1], "teacher.safetensors", "t"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
begin, answers = 0, msgpack.Unpacker()
for end in pst.message_ends(data)[:-1]:  # only the trailer may wait, for the end of the input
    teacher.stdin.write(data[begin:end])
    teacher.stdin.flush()
    begin, count = end, 0
    while count == 0:
        answers.feed(teacher.stdout.read1())
        count = sum(1 for _ in answers)
teacher.stdin.write(data[begin:])
teacher.stdin.close()
assert teacher.wait() == 0
END
}
