#!/usr/bin/env bats
# Completion of command lines, as each shell does it with what `pipestill completion` writes and `make install` installs.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    skip_without_build
    export PATH=$BATS_TEST_TMPDIR/bin:$PATH
    mkdir "$BATS_TEST_TMPDIR/bin"
    ln -s "$(realpath "$BUILD/pipestill")" "$BATS_TEST_TMPDIR/bin"
}

# The beginnings of command lines, and a word that must be among what each can be completed to.
lines() {
    cat <<'END'
pipestill lo|loader
pipestill help ke|keygen
pipestill completion f|fish
pipestill loader --ep|--epochs
loader --ep|--epochs
student-trainer --targets s|soft
pipestill student-trainer --optimiser n|nesterov
temperature-softmax --zs|--zstd
END
}

# in_bash WORD…: what bash completes the last word to.
in_bash() {
    # shellcheck source=/dev/null
    . "$BUILD/completion/bash"
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _pipestill "$1" "${*: -1}" "${COMP_WORDS[COMP_CWORD - 1]}"
    printf '%s\n' "${COMPREPLY[@]}"
}

@test "bash completes stages, options and their values" {
    while IFS='|' read -r line word; do
        echo "$line: $word"
        # Split into words on purpose.
        # shellcheck disable=SC2086
        [ "$(in_bash $line)" = "$word" ]
    done < <(lines)
}

@test "bash knows all options of every stage, and leaves what is none to its completion of files" {
    for stage in stages/*.c; do
        stage=$(basename "$stage" .c)
        diff <(in_bash "$stage" -- | LC_ALL=C sort) \
            <({ "$stage" --list-options | sed 1d | cut -f 1 && printf '%s\n' --help --version; } | LC_ALL=C sort)
        [ -z "$(in_bash "$stage" "")" ]
    done
    grep -q '^complete -o default ' "$BUILD/completion/bash"
}

# A terminal in which zsh runs: types each line and the tabulator, and waits until the rest of the word is there.
in_zsh='
import os, pty, select, sys, time
pid, terminal = pty.fork()
if pid == 0:
    os.execvpe("zsh", ["zsh", "-f"], {**os.environ, "TERM": "dumb", "PS1": "$ "})
def wait(text):
    seen, end = b"", time.time() + 30
    while text not in seen and time.time() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            seen += os.read(terminal, 4096)
    assert text in seen, (text, seen)
os.write(terminal, b"autoload -U compinit; compinit -D -u; source %s; echo be\\gun\n" % sys.argv[1].encode())
wait(b"begun")
for line in sys.stdin.read().splitlines():
    begin, word = line.split("|")
    os.write(terminal, begin.encode() + b"\t")
    wait(word.removeprefix(begin.split(" ")[-1]).encode())
    os.write(terminal, b"\x15")
'

@test "zsh completes the same" {
    command -v zsh >/dev/null || skip "zsh is not installed"
    zsh -n "$BUILD/completion/zsh"
    lines | python3 -c "$in_zsh" "$BUILD/completion/zsh"
}

@test "zsh finds the installed file by itself" {
    command -v zsh >/dev/null || skip "zsh is not installed"
    make_here -s PREFIX="$BATS_TEST_TMPDIR/root" install
    # shellcheck disable=SC2016 # for zsh to expand
    run zsh -fc 'fpath=("$1/share/zsh/site-functions" $fpath); autoload -U compinit; compinit -D -u
        print "$_comps[pipestill] $_comps[loader]"' zsh "$BATS_TEST_TMPDIR/root"
    [ "$output" = "_pipestill _pipestill" ]
}

@test "fish completes the same, with what --help says" {
    command -v fish >/dev/null || skip "fish is not installed"
    export HOME=$BATS_TEST_TMPDIR
    while IFS='|' read -r line word; do
        echo "$line: $word"
        run fish -c "source $BUILD/completion/fish; complete -C '$line'"
        [ "${#lines[@]}" -eq 1 ]
        [ "${lines[0]%%$'\t'*}" = "$word" ]
    done < <(lines)
    run fish -c "source $BUILD/completion/fish; complete -C 'pipestill loader --ep'"
    [ "$output" = "--epochs"$'\t'"times to go through the samples; 0: without end" ]
}

@test "another shell is refused" {
    run -64 pipestill completion tcsh
    [ "$output" = "pipestill: completion is for bash, zsh or fish" ]
    run -64 pipestill completion
}
