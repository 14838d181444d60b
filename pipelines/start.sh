# shellcheck shell=bash
# What every pipeline begins with: the stages on PATH, and a folder for what it makes. In the source tree it
# changes to the tree's folder; installed, it stays in the present folder.
#
#   WORK    where models and recordings go (default build/NAME in the tree, NAME in the present folder once installed)
set -euo pipefail
pipelines=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
pipeline=${pipeline:-$(basename "$0")}
if [[ -e $pipelines/../Makefile ]]; then
    cd "$pipelines/.."
    BUILD=${BUILD:-build}
    eval "$("$BUILD/pipestill" env)"
    WORK=${WORK:-$BUILD/$pipeline}
else
    eval "$("$pipelines/../../bin/pipestill" env)"
    WORK=${WORK:-$pipeline}
fi
mkdir -p "$WORK"
