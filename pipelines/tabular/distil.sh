# shellcheck shell=bash disable=SC2154
# What the experiments on tables have in common: five teachers learn from the rows of a CSV file, their answers are
# recorded once, and a small student gets a tenth of the rows, with the labels alone and with the teachers' answers, each with
# five seeds.
#
# A script sets these and calls distil:
#   train, test     arrays: loader's arguments for the rows to learn from, and for the test rows
#   teacher, student            hidden layers, such as 256-256 and 32
#   teacher_options, student_options    arrays: more options of student-trainer
#   epochs, student_epochs, temperature
#
#   TABULAR_DIR     where the files are: those of the UCI repository, under the names that the scripts have
#   SPLIT=validation    tests on the rows that are held out of training instead, to choose settings
#   SEEDS           how many students of each kind (5)
# shellcheck source=pipelines/start.sh
pipeline=tabular/$(basename "$0") . "$(dirname "${BASH_SOURCE[0]}")/../start.sh"
: "${TABULAR_DIR:?TABULAR_DIR is to name the folder with the CSV files}"
SEEDS=${SEEDS:-5}
export OPENBLAS_NUM_THREADS=1

# learn SEED MODEL OPTION…: from the stream on standard input; the epoch with the fewest errors on held-out rows is kept.
learn() {
    student-trainer -q --schedule linear --seed "$1" --validate "$WORK/validation.pst" -o "$2" "${@:3}"
}

teach() { # SEED
    loader "${train[@]}" --standardise --epochs "$epochs" --seed "$1" |
        learn "$1" "$WORK/teacher$1.safetensors" --hidden "$teacher" "${teacher_options[@]}"
}

distil_one() { # SEED: the student alone, and the student that learns from the teachers
    replay "$WORK/targets.pst" --fraction 0.1 --shuffle --seed "$1" --epochs "$student_epochs" |
        learn "$1" "$WORK/alone$1.safetensors" --targets hard --hidden "$student" "${student_options[@]}"
    replay "$WORK/targets.pst" --fraction 0.1 --shuffle --seed "$1" --epochs "$student_epochs" |
        learn "$1" "$WORK/distilled$1.safetensors" --hidden "$student" "${student_options[@]}"
}

# ask MODEL…: the stream on standard input with the answers of these teachers.
ask() {
    if (($# == 1)); then teacher-forward "$1"; else teacher-forward "$1" | ask "${@:2}"; fi
}

# side_by_side COMMAND: for each seed, as many at once as there are processors.
side_by_side() {
    local seed jobs=() failed=0
    for ((seed = 1; seed <= SEEDS; seed++)); do
        ((seed <= $(nproc))) || { wait "${jobs[0]}" || failed=$?; jobs=("${jobs[@]:1}"); }
        "$1" "$seed" &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do wait "$job" || failed=$?; done
    return "$failed"
}

# judge NAME MODEL…: a line of the table: mean and standard deviation of the models' errors, and their likelihood. Each model's
# predictions are exported, and pipelines/tabular/score.py gets the same figures from them.
judge() {
    local name=$1 model
    for model in "${@:2}"; do
        teacher-forward "$model" --name it -i "$WORK/judged.pst" --force -o "$WORK/asked.pst"
        stream-export -i "$WORK/asked.pst" --to csv --take id,y,argmax,logits/it -o "${model%.safetensors}.csv"
        evaluator -i "$WORK/asked.pst" --of logits/it --json >"${model%.safetensors}.json"
        evaluator -i "$WORK/asked.pst" --of logits/it
    done | row "$name"
}

row() { # NAME: from evaluator's figures
    awk -v name="$1" '/^samples/ { n = $2 } /^errors/ { k++; e = 100 * $2 / n; sum += e; squares += e * e } /^negative/ { nll += $3 }
        END { spread = k > 1 ? sqrt((squares - sum * sum / k) / (k - 1)) : 0
              printf "%-36s %6.2f %% ± %4.2f %10.4f\n", name, sum / k, spread, nll / k }'
}

distil() {
    local seed teachers=("$WORK"/teacher{1..5}.safetensors) alone=() distilled=()
    for ((seed = 1; seed <= SEEDS; seed++)); do
        alone+=("$WORK/alone$seed.safetensors") distilled+=("$WORK/distilled$seed.safetensors")
    done
    loader "${train[@]}" --standardise --split validation --force -o "$WORK/validation.pst"
    SEEDS=5 side_by_side teach
    loader "${train[@]}" --standardise | ask "${teachers[@]}" | temperature-softmax -T "$temperature" | averager |
        stream-select -k x -k y -k id -k soft --force -o "$WORK/targets.pst"
    side_by_side distil_one
    if [[ ${SPLIT-} == validation ]]; then
        cp "$WORK/validation.pst" "$WORK/judged.pst"
    else
        loader "${test[@]}" --like "${teachers[0]}" --no-shuffle --force -o "$WORK/judged.pst"
    fi
    printf '%-36s %15s %10s\n' "$(basename "$0"), on ${SPLIT:-test} rows" errors "neg. log-l."
    judge "teacher, $teacher" "${teachers[@]}"
    ask "${teachers[@]}" <"$WORK/judged.pst" | temperature-softmax -T 1 | averager | evaluator --of soft | row "five teachers, averaged"
    judge "student alone, $student" "${alone[@]}"
    judge "student distilled, $student" "${distilled[@]}"
}
