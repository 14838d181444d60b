#!/usr/bin/env bats
# The pipestill command.
# shellcheck disable=SC2154 # bats' run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    skip_without_build
    ROOT=$BATS_TEST_TMPDIR/root
}

# The command, from a place with a space and a quote in its name.
place() {
    make_here -s PREFIX="$ROOT" install >/dev/null
    PLACE="$BATS_TEST_TMPDIR/a place's"
    mv "$ROOT" "$PLACE"
    COMMAND=$PLACE/bin/pipestill
}

@test "pipestill runs a stage with all its arguments and its exit code" {
    place
    run --separate-stderr "$COMMAND" loader --help
    [ "$status" -eq 0 ]
    [[ "${lines[0]}" = "loader: "* ]]
    [ "$stderr" = "" ]
    run --separate-stderr "$COMMAND" evaluator -i "$BATS_TEST_TMPDIR/no such file"
    [ "$status" -eq 66 ]
    [[ "$stderr" = "evaluator: $BATS_TEST_TMPDIR/no such file"* ]]
}

@test "pipestill --list shows every stage with its purpose" {
    place
    run --separate-stderr "$COMMAND" --list
    [ "$status" -eq 0 ]
    [ "$stderr" = "" ]
    [ "${#lines[@]}" -eq "$(printf '%s\n' stages/*.c | wc -l)" ]
    [[ "$output" = *"averager             average the teachers' soft targets into one"* ]]
    for line in "${lines[@]}"; do [[ $line =~ ^[a-z-]+\ +[a-z].{15,}$ ]]; done
}

@test "pipestill env puts the stages on PATH" {
    place
    # shellcheck disable=SC2016 # for sh to expand
    run env PATH=/usr/bin:/bin sh -c 'eval "$("$1" env)" && command -v loader && loader --version' sh "$COMMAND"
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "$PLACE/libexec/pipestill/loader" ]
}

@test "pipestill --version prints what the stages print" {
    place
    run --separate-stderr "$COMMAND" --version
    [ "$status" -eq 0 ]
    [ "$output" = "pipestill $(loader --version | cut -d ' ' -f 2)" ]
}

@test "a link to pipestill finds the stages, and so does the one in the build folder" {
    place
    mkdir "$BATS_TEST_TMPDIR/bin"
    ln -s "$COMMAND" "$BATS_TEST_TMPDIR/bin/still"
    ln -s still "$BATS_TEST_TMPDIR/bin/again"
    run "$BATS_TEST_TMPDIR/bin/again" --version
    [ "$status" -eq 0 ]
    run "$BUILD/pipestill" loader --version
    [ "$status" -eq 0 ]
}

@test "a name that is not a stage's is refused in one line" {
    place
    for name in nonsense . .. -x ../../bin/pipestill /bin/sh 'a b' '\n' 'a"'; do
        run --separate-stderr "$COMMAND" "$name" --help
        [ "$status" -eq 64 ]
        [ "$output" = "" ]
        [ "${#stderr_lines[@]}" -eq 1 ]
        [[ "$stderr" = "pipestill: "*"'pipestill --list' shows them" ]]
    done
}

@test "pipestill alone lists the stages with their purposes and shows an example that runs" {
    place
    run --separate-stderr "$COMMAND"
    [ "$status" -eq 64 ]
    [ "$stderr" = "" ]
    for stage in stages/*.c; do
        stage=$(basename "$stage" .c)
        [ "$(grep -cE "^  $stage +$("$stage" --help | sed -n '1s/^[^:]*: //p')\$" <<<"$output")" -eq 1 ]
    done
    [[ "$output" = *"Sources write a stream:"*loader*"Filters read a stream"*averager*"Sinks read a stream:"*evaluator*"Tools:"*keygen* ]]
    cd "$BATS_TEST_TMPDIR"
    PATH="$PLACE/bin:/usr/bin:/bin" run bash -euo pipefail -c "$(sed -n '/^Example:/,$s/^  //p' <<<"$output")"
    [ "$status" -eq 0 ]
    [[ "$output" = *"accuracy "* ]]
}

@test "pipestill --help shows the same and ends with 0" {
    place
    run --separate-stderr "$COMMAND" --help
    [ "$status" -eq 0 ]
    [ "$output" = "$("$COMMAND" || true)" ]
}

@test "a stage that is misspelt, or part of a name, gets an error with the stages that are probably meant" {
    place
    while read -r name meant; do
        run --separate-stderr "$COMMAND" "$name" --epochs 3
        [ "$status" -eq 64 ]
        [ "$output" = "" ]
        [ "$stderr" = "pipestill: no stage '$name'; did you mean $meant?" ]
    done <<END
lodaer loader
trainer student-trainer
evalutor evaluator
softmax temperature-softmax
stream- stream-export or stream-inspect or stream-join or stream-repair or stream-select
hlep help
END
    run --separate-stderr "$COMMAND" help lodaer
    [ "$status" -eq 64 ]
    [ "$stderr" = "pipestill: no stage 'lodaer'; did you mean loader?" ]
}

# A program in place of man, which prints the page that it was given.
man_that_tells() {
    mkdir "$BATS_TEST_TMPDIR/man"
    # shellcheck disable=SC2016 # for sh to expand
    printf '#!/bin/sh\necho "man $1"\nhead -c 4 "$1" >/dev/null\n' >"$BATS_TEST_TMPDIR/man/man"
    chmod +x "$BATS_TEST_TMPDIR/man/man"
}

@test "pipestill help opens the manual, of the command or of a stage, installed and in the tree" {
    place
    man_that_tells
    PATH=$BATS_TEST_TMPDIR/man:$PATH run "$COMMAND" help loader
    [ "$status" -eq 0 ]
    [ "$(realpath "${output#man }")" = "$(realpath "$PLACE/share/man/man1/loader.1")" ]
    PATH=$BATS_TEST_TMPDIR/man:$PATH run "$COMMAND" help
    [ "$(realpath "${output#man }")" = "$(realpath "$PLACE/share/man/man1/pipestill.1")" ]
    mkdir -p "$BATS_TEST_TMPDIR/tree/docs"
    ln -s "$BUILD" "$BATS_TEST_TMPDIR/tree/build"
    cp -a docs/man "$BATS_TEST_TMPDIR/tree/docs"
    mkdir "$BATS_TEST_TMPDIR/tree/b"
    cp -a "$BUILD"/{pipestill,stages} "$BATS_TEST_TMPDIR/tree/b"
    PATH=$BATS_TEST_TMPDIR/man:$PATH run "$BATS_TEST_TMPDIR/tree/b/pipestill" help averager
    [ "$(realpath "${output#man }")" = "$BATS_TEST_TMPDIR/tree/docs/man/averager.1" ]
}

@test "without a program that shows pages, pipestill help prints --help" {
    place
    mkdir "$BATS_TEST_TMPDIR/few"
    for program in sh readlink dirname awk ls cat sed; do ln -s "$(command -v "$program")" "$BATS_TEST_TMPDIR/few"; done
    PATH=$BATS_TEST_TMPDIR/few run "$COMMAND" help loader
    [ "$status" -eq 0 ]
    [ "$output" = "$(loader --help)" ]
    PATH=$BATS_TEST_TMPDIR/few run "$COMMAND" help
    [ "$status" -eq 0 ]
    [ "$output" = "$("$COMMAND" --help)" ]
}

@test "a pipestill command without stages reports that they are missing" {
    install -D -m 755 pipelines/pipestill.sh "$BATS_TEST_TMPDIR/bin/pipestill"
    run --separate-stderr "$BATS_TEST_TMPDIR/bin/pipestill" --list
    [ "$status" -eq 66 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ "$stderr" = "pipestill: the stages are neither in "* ]]
}
