#!/bin/sh
# pipestill: one command that runs the stages. Without arguments it shows its usage and lists the stages.
set -eu

# fail STATUS MESSAGE
fail() {
    printf 'pipestill: %s\n' "$2" >&2
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

# tables: each stage's table of itself and its options, as lib/cli/frame.h describes it.
tables() {
    for stage in "$stages"/*; do
        "$stage" --list-options 2>/dev/null || true
    done
}

overview() {
    echo 'pipestill: knowledge distillation as a pipeline of filters

Usage: pipestill STAGE [argument ...]      run a stage
       pipestill help [STAGE]              open the manual
       pipestill --list                    list the stages, one line each
       pipestill env                       write a command that puts the stages on PATH
       pipestill completion SHELL          write the completion of bash, zsh or fish
       pipestill --version                 show the version'
    tables | awk -F '\t' '
        !/^--/ { lines[$2] = lines[$2] sprintf("  %-20s %s\n", $1, $3) }
        END {
            printf "\nSources write a stream:\n%s\nFilters read a stream and write one:\n%s", lines["source"], lines["filter"]
            printf "\nSinks read a stream:\n%s\nTools:\n%s", lines["sink"], lines["tool"]
        }'
    # The dollar sign and the quotes are printed.
    # shellcheck disable=SC2016
    echo '
Example:
  eval "$(pipestill env)"
  loader digits --samples 2000 --epochs 5 | student-trainer --hidden 100 -o model.safetensors
  loader digits --split test | teacher-forward model.safetensors | evaluator'
}

# meant NAME: the stages that are probably meant by a name: those that contain it, or the one that differs by two letters at most.
meant() {
    { ls "$stages" && printf '%s\n' help env completion; } | name=$1 awk '
        function least(a, b) { return a < b ? a : b }
        function distance(a, b,   row, i, j, diagonal, above) {
            for (j = 0; j <= length(b); j++) row[j] = j
            for (i = 1; i <= length(a); i++) {
                diagonal = row[0]
                row[0] = i
                for (j = 1; j <= length(b); j++) {
                    above = row[j]
                    row[j] = least(diagonal + (substr(a, i, 1) != substr(b, j, 1)), least(above, row[j - 1]) + 1)
                    diagonal = above
                }
            }
            return row[length(b)]
        }
        BEGIN { name = ENVIRON["name"]; best = length(name) < 4 ? 2 : 3 }
        length(name) > 2 && index($0, name) { holders = holders (holders == "" ? "" : " or ") $0 }
        (far = distance(name, $0)) < best { best = far; nearest = $0 }
        END { print holders != "" ? holders : nearest }'
}

# check_stage NAME: fails if there is no such stage.
check_stage() {
    case $1 in
    */*) fail 64 "a stage has no '/' in its name; 'pipestill --list' shows them" ;;
    esac
    if [ -f "$stages/$1" ] && [ -x "$stages/$1" ]; then return; fi
    meant=$(meant "$1")
    [ -z "$meant" ] || fail 64 "no stage '$1'; did you mean $meant?"
    fail 64 "no stage '$1'; 'pipestill --list' shows them"
}

# manual [STAGE]: opens a page; without a program that shows pages, prints --help instead.
manual() {
    page=${1:-pipestill}
    [ "$page" = pipestill ] || check_stage "$page"
    for pages in "$here/../share/man/man1" "$here/../docs/man"; do
        [ -e "$pages/$page.1" ] || continue
        if command -v man >/dev/null; then exec man "$pages/$page.1"; fi
        if command -v mandoc >/dev/null; then mandoc -T utf8 "$pages/$page.1" | ${PAGER:-cat} && exit; fi
    done
    [ "$page" != pipestill ] || { overview && exit; }
    exec "$stages/$page" --help
}

# Completion: each function turns the tables into its shell's form. Values that are files are completed as files.

complete_bash() {
    tables | awk -F '\t' '
        !/^--/ { stage = $1; stages = stages " " $1; words[++count] = "    " stage ") words=\""; next }
        { words[count] = words[count] $1 " " }
        $4 != "" { choices = choices "    " stage ":" $1 ($2 == "" ? "" : " | " stage ":" $2) ") words=\"" $4 "\" ;;\n" }
        END {
            print "_pipestill() {"
            print "    local stage=${1##*/} word=$2 before=$3 words="
            print "    if [[ $stage == pipestill ]]; then"
            print "        if ((COMP_CWORD == 1)) || [[ $COMP_CWORD == 2 && $before == help ]]; then"
            print "            stage=pipestill before=stages"
            print "        else"
            print "            stage=${COMP_WORDS[1]}"
            print "        fi"
            print "    fi"
            print "    case $stage:$before in"
            print "    pipestill:stages) words=\"help env completion --list --version" stages "\" ;;"
            print "    completion:completion) words=\"bash zsh fish\" ;;"
            printf "%s    esac\n", choices
            print "    [[ $word != -* || -n $words ]] || case $stage in"
            for (i = 1; i <= count; i++) print words[i] "--help --version\" ;;"
            print "    esac"
            print "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")"
            print "}"
            print "complete -o default -F _pipestill pipestill" stages
        }'
}

complete_zsh() {
    tables | sed "s/[]:[]/\\\\&/g; s/'/'\\\\''/g" | awk -F '\t' -v quote="'" '
        !/^--/ {
            stages = stages " " $1
            options[++count] = "    " $1 ")\n        _arguments -s"
            list = list "        " quote $1 ":" $3 quote "\n"
            next
        }
        {
            value = $3 == "" ? "" : ":" $3 ":" ($4 != "" ? "(" $4 ")" : $3 ~ /^(FILE|MODEL|ENDPOINT|KEY)$/ ? "_files" : " ")
            names = $2 == "" ? quote $1 : "{" $2 "," $1 "}" quote
            options[count] = options[count] " \\\n            " names "[" $5 "]" value quote
        }
        END {
            print "#compdef pipestill" stages
            print "_pipestill() {"
            printf "    local stage=$service\n    local -a stages=(\n%s    )\n", list
            print "    if [[ $stage == pipestill ]]; then"
            print "        if ((CURRENT == 2)) || [[ $CURRENT == 3 && $words[2] == help ]]; then"
            print "            _describe stage stages"
            print "            ((CURRENT == 3)) || compadd help env completion -- --list --version"
            print "            return"
            print "        fi"
            print "        shift words"
            print "        ((CURRENT--))"
            print "        stage=$words[1]"
            print "    fi"
            print "    case $stage in"
            print "    completion) compadd bash zsh fish ;;"
            for (i = 1; i <= count; i++)
                print options[i] " \\\n            --help --version " quote "*:file:_files" quote "\n        ;;"
            print "    esac"
            print "}"
            print "if [[ $funcstack[1] == _pipestill ]]; then _pipestill \"$@\"; else compdef _pipestill pipestill" stages "; fi"
        }'
}

complete_fish() {
    tables | sed "s/[\\\\']/\\\\&/g" | awk -F '\t' -v quote="'" '
        !/^--/ {
            stage = $1
            stages = stages " " $1
            print "complete -c pipestill -f -n __fish_use_subcommand -a " $1 " -d " quote $3 quote
            print "complete -c " $1 " -l help -s h -d " quote "show the options" quote
            next
        }
        {
            value = $3 == "" ? "" : $4 != "" ? " -x -a " quote $4 quote : $3 ~ /^(FILE|MODEL|ENDPOINT|KEY)$/ ? " -r" : " -x"
            print "complete -c " stage " -l " substr($1, 3) ($2 == "" ? "" : " -s " substr($2, 2)) value " -d " quote $5 quote
        }
        END {
            print "complete -c pipestill -f -n __fish_use_subcommand -a " quote "help env completion" quote
            print "complete -c pipestill -f -n " quote "__fish_seen_subcommand_from completion" quote " -a " quote "bash zsh fish" quote
            print "complete -c pipestill -f -n " quote "__fish_seen_subcommand_from help" quote " -a " quote substr(stages, 2) quote
            print "complete -c pipestill -f -n " quote "not __fish_use_subcommand; and not __fish_seen_subcommand_from help completion" \
                quote " -a " quote "(complete -C (commandline -cp | string replace -r \"^\\s*pipestill\\s+\" \"\"))" quote
        }'
}

case ${1-} in
'')
    overview
    exit 64
    ;;
-h | --help)
    overview
    ;;
help)
    manual "${2-}"
    ;;
--list)
    tables | awk -F '\t' '!/^--/ { printf "%-20s %s\n", $1, $3 }'
    ;;
--version)
    "$stages/loader" --version | sed 's/^loader /pipestill /'
    ;;
env)
    printf "export PATH='%s':\"\$PATH\"\n" "$(printf %s "$stages" | sed "s/'/'\\\\''/g")"
    ;;
completion)
    case ${2-} in
    bash | zsh | fish) "complete_$2" ;;
    *) fail 64 "completion is for bash, zsh or fish" ;;
    esac
    ;;
*)
    check_stage "$1"
    stage=$1
    shift
    exec "$stages/$stage" "$@"
    ;;
esac
