# shellcheck shell=bash
# What the pipelines with a pool of workers share: the data, the teacher, and the student that learns.
#
#   DATA      the loader's arguments (mnist --epochs 20 --seed 1)
#   TEACHER   the teacher's model; without one, a small teacher is trained first
#   COMMAND   what a worker does (teacher-forward --name teacher $TEACHER)
#   STUDENT   options of the student's training
#   WORK      where models, keys and sockets go (default build/mnist-pool in the tree, mnist-pool once installed)
pipeline=mnist-pool
# shellcheck source=pipelines/start.sh
. "$(dirname "${BASH_SOURCE[0]}")/start.sh"
export OPENBLAS_NUM_THREADS=1
WORK=$(realpath "$WORK")
read -ra data <<<"${DATA:-mnist --epochs 20 --seed 1}"
read -ra training <<<"${STUDENT:---arch 784-800-800-10 --targets soft --learning-rate 0.05 --warm-up 1 --schedule linear}"
# shellcheck disable=SC2034 # the pipelines use it
student=$WORK/student.safetensors

if [[ -z ${TEACHER-} ]]; then
    TEACHER=$WORK/teacher.safetensors
    [[ -e $TEACHER ]] || loader "${data[0]}" --epochs 5 |
        student-trainer --arch 784-1200-1200-10 --learning-rate 0.1 -o "$TEACHER"
fi
COMMAND=${COMMAND:-teacher-forward --name teacher "$(printf %q "$TEACHER")"}

# learn MODEL: the part of the pipeline after the teachers, for a pipe and for a pool.
learn() {
    temperature-softmax -T 20 | student-trainer "${training[@]}" -o "$1"
}
