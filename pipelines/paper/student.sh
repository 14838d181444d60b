# shellcheck shell=bash
# How the student learns that is distilled without translations, whoever teaches it: for taught.sh and one-teacher.sh.
# shellcheck disable=SC2154 # target is that of common.sh
learning_rate=$(pick 0.1 0.05) warm_up=$(pick 5 1)

learn() { # TARGETS SEED
    student-trainer --arch 784-800-800-10 --targets "$1" --learning-rate "$learning_rate" --warm-up "$warm_up" --schedule linear \
        --weight-decay 0.0005 --seed "$2" --checkpoint "$target.checkpoint" --resume --log "$target.log" --output "$target"
}
