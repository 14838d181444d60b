# shellcheck shell=bash
# Students whose transfer set lacks classes, and the correction of their biases: for omit-3 and only-7-8.
# shellcheck disable=SC2154 # target and seeds are those of common.sh
. "$root/pipelines/paper/taught.sh"

# Chosen on the test set, with its labels.
correct_on_test() { # MODEL CLASS…
    local model=$1
    shift
    loader mnist --split test | teacher-forward --name model "$model" |
        evaluator "${@/#/--fit-bias=}" --fit-by errors --json >"$target.part"
    mv "$target.part" "$target"
}

# Chosen on the training images, whose labels are not looked at: the teachers say how many there are of each class.
correct_unlabelled() { # MODEL CLASS…
    local model=$1
    shift
    replay taught.pst | averager --teachers 5 --logits | teacher-forward --name model "$model" |
        evaluator --of logits/model --against logits "${@/#/--fit-bias=}" --fit-by mass --json >"$target.part"
    mv "$target.part" "$target"
}

compare_biases() { # NAME EPOCHS CLASSES LOADER-OPTIONS…
    local name=$1 epochs=$2 classes seed biases
    IFS=, read -ra classes <<<"$3"
    record_teachers
    for seed in "${seeds[@]}"; do
        make_once "$name-$seed.safetensors" distil "$epochs" "$seed" soft "${@:4}"
        evaluate "$name-$seed.json" "$name-$seed.safetensors"
        make_once "$name-corrected-$seed.json" correct_on_test "$name-$seed.safetensors" "${classes[@]}"
        make_once "$name-bias-$seed.json" correct_unlabelled "$name-$seed.safetensors" "${classes[@]}"
        mapfile -t biases < <(jq -r '.class_bias | to_entries[] | "--class-bias=\(.key)=\(.value)"' "$name-bias-$seed.json")
        evaluate "$name-corrected-unlabelled-$seed.json" "$name-$seed.safetensors" "${biases[@]}"
    done
}
