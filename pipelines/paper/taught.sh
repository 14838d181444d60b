# shellcheck shell=bash
# One recording, from which all students learn that have all five teachers: what each of these says about every training
# image. Temperature, averaging and the choice of classes come when it is replayed.
# shellcheck disable=SC2154 # root and target are those of common.sh
. "$root/pipelines/paper/student.sh"

ask_teachers() {
    loader mnist | teacher-forward teacher-1.safetensors | teacher-forward teacher-2.safetensors |
        teacher-forward teacher-3.safetensors | teacher-forward teacher-bent-1.safetensors |
        teacher-forward teacher-bent-2.safetensors --output "$target"
}

record_teachers() {
    local seed
    for seed in 1 2 3; do needs "teacher-$seed.safetensors" teachers; done
    for seed in 1 2; do needs "teacher-bent-$seed.safetensors" teachers-bent; done
    make_once taught.pst ask_teachers
}

# distil EPOCHS SEED TARGETS [replay options]
distil() {
    replay taught.pst "${@:4}" --shuffle --epochs "$1" --seed "$2" | temperature-softmax --temperature 20 |
        averager --teachers 5 --geometric | learn "$3" "$2"
}
