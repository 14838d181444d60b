#!/bin/sh
# pipestill: runs the stages from one command.
#
#   pipestill STAGE [argument …]   run a stage: pipestill loader --help
#   pipestill --list               the stages
#   eval "$(pipestill env)"        put the stages themselves on PATH
#   pipestill --version
set -eu

# fail STATUS MESSAGE
fail() {
    echo "pipestill: $2" >&2
    exit "$1"
}

self=$(readlink -f "$0")
here=$(dirname "$self")
# Installed, the stages are in ../libexec/pipestill; in a build folder they are in stages/ beside this file.
for stages in "$here/../libexec/pipestill" "$here/stages"; do
    [ -x "$stages/loader" ] && break
done
[ -x "$stages/loader" ] || fail 66 "the stages are neither in $here/../libexec/pipestill nor in $here/stages"
stages=$(cd "$stages" && pwd)

case ${1-} in
'' | -h | --help)
    [ $# -gt 0 ] || exec >&2
    sed -n '2,7s/^# \{0,1\}//p' "$self"
    [ $# -gt 0 ] || exit 64
    ;;
--list)
    for stage in "$stages"/*; do
        printf '%-20s %s\n' "$(basename "$stage")" "$("$stage" --help | sed -n '1s/^[^:]*: //p')"
    done
    ;;
--version)
    "$stages/loader" --version | sed 's/^loader /pipestill /'
    ;;
env)
    printf "export PATH='%s':\"\$PATH\"\n" "$(printf %s "$stages" | sed "s/'/'\\\\''/g")"
    ;;
*/*)
    fail 64 "a stage has no '/' in its name; 'pipestill --list' shows them"
    ;;
*)
    if [ ! -f "$stages/$1" ] || [ ! -x "$stages/$1" ]; then
        fail 64 "no stage '$1'; 'pipestill --list' shows them"
    fi
    stage=$1
    shift
    exec "$stages/$stage" "$@"
    ;;
esac
