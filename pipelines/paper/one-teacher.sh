# shellcheck shell=bash
# The distilled student of a single teacher, as in the paper, for distilled-one and distilled-one-bent: its logits are recorded
# with the images, and every student is taught from the recording, in an order of its own.
# shellcheck disable=SC2154 # root, target and seeds are those of common.sh
. "$root/pipelines/paper/student.sh"
epochs=$(pick 60 6)

ask_teacher() { # TEACHER
    loader mnist | teacher-forward "$1" --output "$target"
}

distil() { # RECORDING SEED
    replay "$1" --shuffle --epochs "$epochs" --seed "$2" | temperature-softmax --temperature 20 | learn both "$2"
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
