#!/usr/bin/env bats
# A real slice of MNIST through the whole pipeline: a teacher, a student distilled from it, and how good they are.
bats_require_minimum_version 1.5.0

setup() {
    [ -n "${MNIST_DIR-}" ] || skip "MNIST_DIR is not set"
    [ -z "${VALGRIND-}" ] || skip "too slow under valgrind"
    cd "$BATS_FILE_TMPDIR" || return
}

# errors MODEL: how many of the first 2000 or so test images it gets wrong.
errors() {
    loader mnist --split test --limit 2000 | teacher-forward --name it "$1" | evaluator --json |
        grep -o '"errors":[0-9]*' | head -n 1 | cut -d : -f 2
}

@test "a teacher learns MNIST" {
    loader mnist --limit 6000 --epochs 6 --shift 1 |
        student-trainer -a 784-128-10 -r 0.1 --dropout-hidden 0.2 -o teacher.safetensors
    wrong=$(errors teacher.safetensors)
    echo "$wrong of 2000 wrong"
    [ "$wrong" -le 160 ]
}

@test "a student distilled from it comes close" {
    loader mnist --limit 6000 --epochs 5 | teacher-forward teacher.safetensors | temperature-softmax -T 4 |
        averager --teachers 1 | student-trainer -a 784-32-10 --targets soft -o student.safetensors
    wrong=$(errors student.safetensors)
    echo "$wrong of 2000 wrong"
    [ "$wrong" -le 260 ]
}

@test "a student that never sees a label or a 3 recognises threes by its teacher's answers" {
    loader mnist --limit 6000 --epochs 5 --omit-classes 3 | teacher-forward teacher.safetensors |
        temperature-softmax -T 8 | student-trainer -a 784-64-10 --targets soft -o missing.safetensors
    loader mnist --split test --only-classes 3 --limit 200 | teacher-forward --name it missing.safetensors |
        evaluator --class-bias 3=4 --json >figures
    wrong=$(grep -o '"errors":[0-9]*' figures | head -n 1 | cut -d : -f 2)
    echo "$wrong of 200 threes wrong"
    [ "$wrong" -le 100 ]
}
