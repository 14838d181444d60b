#!/usr/bin/env bats
# pipelines/mnist-slurm.sbatch on a Slurm cluster of three nodes, all on this host: Slurm places the workers and starts them
# again, and the student is the plain pipe's to the last bit.
# shellcheck disable=SC2154 # pool.bash sets these
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    load pool
    load slurm
    ! why_not >/dev/null || return 0
    make_expected
    teacher-forward teacher.safetensors -n t -i input.pst | temperature-softmax -T 20 | "${STUDENT[@]}" -o plain.safetensors
    start_cluster "$BATS_FILE_TMPDIR/cluster"
}

# This file tests Slurm; other files test the programs in other builds.
why_not() {
    [[ -z ${VALGRIND-}${SANITIZE-} ]] || { echo "once is enough, without valgrind and sanitizers" && return; }
    why_no_cluster
}

teardown_file() {
    load slurm
    stop_cluster "$BATS_FILE_TMPDIR/cluster"
}

setup() {
    load common
    load pool
    load slurm
    ! why_not || skip "$(why_not)"
    cd "$BATS_FILE_TMPDIR" || return
    cluster=$BATS_FILE_TMPDIR/cluster
    use_folder "$BATS_TEST_TMPDIR"
}

teardown() {
    [[ -e $cluster ]] || return 0
    in_cluster "$cluster" scancel --user="$(id -un)"
    wait_until nothing_is_queued
}

nothing_is_queued() {
    [[ -z $(in_cluster "$cluster" squeue --noheader) ]]
}

# submit: the pipeline as a job, $job.
submit() {
    local root port
    root=$(realpath "$BATS_TEST_DIRNAME/../..")
    port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    job=$(cd "$root" && BUILD=$STAGES/.. WORK=$here TEACHER=$BATS_FILE_TMPDIR/teacher.safetensors DATA="${INPUT[*]:1}" \
        STUDENT="${STUDENT[*]:1}" COMMAND="$slow | teacher-forward -n t $BATS_FILE_TMPDIR/teacher.safetensors" \
        HEAD=127.0.0.1 PORT=$port in_cluster "$cluster" \
        sbatch --parsable --output="$here/dispatcher.err" pipelines/mnist-slurm.sbatch)
}

# nodes: where the workers run, one a line.
nodes() {
    in_cluster "$cluster" squeue --noheader --name="mnist-worker-$job" --states=RUNNING --format=%N
}

head_node() {
    in_cluster "$cluster" squeue --noheader --jobs="$job" --format=%N
}

# have_come N: so many workers have greeted so far.
have_come() {
    local count
    count=$(grep -c "worker .* is here" "$here/dispatcher.err" 2>/dev/null) || return
    ((count >= $1))
}

# restarted: one of the workers was started again.
restarted() {
    in_cluster "$cluster" squeue --noheader --name="mnist-worker-$job" --Format=RestartCnt: | grep -qx 1
}

has_state() {
    [[ $(in_cluster "$cluster" scontrol show job "$job") == *"JobState=$1"* ]]
}

# assert_same_student_of_job: the job ends well, its student is the plain pipe's, and no worker is left.
assert_same_student_of_job() {
    wait_until has_state COMPLETED
    cmp plain.safetensors "$student"
    grep -q "$(sha256sum <plain.safetensors | cut -d ' ' -f 1)" "$here/dispatcher.err"
    wait_until nothing_is_queued
}

@test "three workers placed by Slurm on three nodes give the plain pipe's student" {
    hold
    submit
    wait_until have_come 3
    [ "$(nodes | sort -u | wc -l)" -eq 3 ]
    go_on
    assert_same_student_of_job
}

@test "a worker killed with -9 is started again by Slurm, and the student is the plain pipe's" {
    hold
    submit
    wait_until have_come 3
    go_on_until 20
    victim=$(for process in $(pgrep -x worker); do
        ! has_environment "$process" "SLURM_CONF=$cluster/slurm.conf" ||
            ! has_environment "$process" SLURM_ARRAY_TASK_ID=2 || echo "$process"
    done)
    kill -KILL "$victim"
    wait_until says dispatcher "worker .*:$victim is gone"
    wait_until have_come 4
    restarted
    go_on
    assert_same_student_of_job
}

@test "the worker of a node that fails is started again on another one, and the student is the plain pipe's" {
    hold
    submit
    wait_until have_come 3
    go_on_until 20
    victim=$(nodes | grep -vx "$(head_node)" | head -n 1)
    kill_node "$cluster" "$victim"
    wait_until says dispatcher "is gone"
    wait_until have_come 4
    restarted
    run ! grep -qx "$victim" <(nodes)
    go_on
    assert_same_student_of_job
}
