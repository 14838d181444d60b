# shellcheck shell=bash
# What the experiments share. Each is a script of its own that begins with: . "$(dirname "$0")/common.sh"
#
#   REPRODUCE_WORK      models, recordings and checkpoints (default build/reproduce); finished files are not made again
#   REPRODUCE_RESULTS   the results as JSON (default docs/results)
#   QUICK=1             a taste: a few epochs, two seeds
#   SEEDS='2 3'         only these; several can be trained at a time
#
# The stages are taken from PATH, or else from build/stages.
set -euo pipefail
export LC_ALL=C OPENBLAS_NUM_THREADS=1

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$PATH:$root/${BUILD:-build}/stages
results=${REPRODUCE_RESULTS:-$root/docs/results}
mkdir -p "$results" "${REPRODUCE_WORK:-$root/build/reproduce}"
results=$(realpath "$results")
# From here on, files are named relative to the work folder, so that recorded commands name no machine's paths.
cd "${REPRODUCE_WORK:-$root/build/reproduce}"

# pick FULL QUICK: the first, or the second where only a taste is wanted.
pick() { if [[ ${QUICK-} ]]; then echo "$2"; else echo "$1"; fi; }

# shellcheck disable=SC2034 # used by the experiments
read -ra seeds <<<"${SEEDS-$(pick '1 2 3' '1 2')}"

say() { printf '%(%H:%M:%S)T  %s\n' -1 "$*" >&2; }

# make_once TARGET COMMAND…: runs COMMAND, which must make the file $target, unless it is there. COMMAND's own
# commands, with their arguments, are kept in TARGET.commands, and its seconds in TARGET.seconds. A pipeline's commands are
# traced in any order, but get their process numbers from left to right.
make_once() {
    target=$1
    shift
    [[ -e $target ]] && return
    (
        # Somebody else may be making it: then wait for that.
        exec {lock}>"$target.lock"
        flock "$lock"
        [[ -e $target ]] && exit
        say "making $target"
        rm -f "$target.part" # of a recording that was interrupted
        SECONDS=0
        trap 'echo "$SECONDS" >>"$target.seconds"' EXIT
        exec {BASH_XTRACEFD}>"$target.commands"
        PS4='+$BASHPID '
        set -x
        "$@"
        { set +x; } 2>/dev/null
        sed 's/^+*//' "$target.commands" | sort -n -s | sed 's/^[0-9]* //; /^set +x$/d' >"$target.sorted"
        mv "$target.sorted" "$target.commands"
    )
}

# needs FILE EXPERIMENT: waits for a file that another experiment is making, and fails where none is.
needs() {
    [[ -e $1 ]] && return
    (
        exec {lock}>"$1.lock"
        flock --nonblock "$lock" || { say "waiting for $1" && flock "$lock"; }
    )
    [[ -e $1 ]] || { say "$1 is not there: pipelines/paper/$2 makes it" && return 1; }
}

# A model's figures on the test set. evaluate TARGET MODEL [evaluator options]
evaluate() { make_once "$1" test_model "${@:2}"; }

test_model() {
    loader mnist --split test | teacher-forward --name model "$1" | evaluator --json "${@:2}" >"$target.part"
    mv "$target.part" "$target"
}
