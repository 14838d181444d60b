# shellcheck shell=bash
# The distilled student of a single teacher, as in the paper, for distilled-one and distilled-one-bent: its logits are recorded
# with the images, and every student is taught from the recording, in an order of its own.
# shellcheck disable=SC2154 # target and seeds are those of common.sh
epochs=$(pick 60 6) learning_rate=$(pick 0.1 0.05) warm_up=$(pick 5 1)

ask_teacher() { # TEACHER
    loader mnist | teacher-forward "$1" --output "$target"
}

distil() { # RECORDING SEED
    loader "$1" --shuffle --epochs "$epochs" --seed "$2" | temperature-softmax --temperature 20 |
        student-trainer --arch 784-800-800-10 --targets both --learning-rate "$learning_rate" --warm-up "$warm_up" --schedule linear \
            --weight-decay 0.0005 --seed "$2" --checkpoint "$target.checkpoint" --resume --log "$target.log" --output "$target"
}

learn_from() { # TEACHER EXPERIMENT RECORDING NAME
    local seed
    needs "$1" "$2"
    make_once "$3" ask_teacher "$1"
    for seed in "${seeds[@]}"; do
        make_once "$4-$seed.safetensors" distil "$3" "$seed"
        evaluate "$4-$seed.json" "$4-$seed.safetensors"
    done
}
