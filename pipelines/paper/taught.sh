# shellcheck shell=bash
# One recording, from which all students learn that have all five teachers: what each of these says about every training
# image. Temperature, averaging and the choice of classes come when it is replayed.
# shellcheck disable=SC2154 # target is that of common.sh
learning_rate=$(pick 0.1 0.05) warm_up=$(pick 5 1)

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

# distil EPOCHS SEED TARGETS [loader options]
distil() {
    loader taught.pst "${@:4}" --shuffle --epochs "$1" --seed "$2" | temperature-softmax --temperature 20 |
        averager --teachers 5 --geometric |
        student-trainer --arch 784-800-800-10 --targets "$3" --learning-rate "$learning_rate" --warm-up "$warm_up" --schedule linear \
            --weight-decay 0.0005 --seed "$2" --checkpoint "$target.checkpoint" --resume --log "$target.log" --output "$target"
}
