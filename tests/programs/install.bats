#!/usr/bin/env bats
# Installed files, the pipestill command, and what make makes anew.
# shellcheck disable=SC2154 # bats' run sets stderr and stderr_lines
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    skip_without_build
    ROOT=$BATS_TEST_TMPDIR/root
}

# install_quietly ARGUMENT…
install_quietly() {
    make_here -s "$@" install >/dev/null
}

# What must be there under PREFIX, from the sources alone.
expected_files() {
    local file
    for file in stages/*.c; do echo "libexec/pipestill/$(basename "$file" .c)"; done
    for file in include/*.h include/pipestill/*.h; do echo "$file"; done
    for file in docs/man/*.1; do echo "share/man/man1/$(basename "$file")"; done
    printf '%s\n' bin/pipestill lib/libpipestill.a lib/libpipestill.so lib/libpipestill.so.0 \
        "lib/libpipestill.so.$(loader --version | cut -d ' ' -f 2)" lib/pkgconfig/pipestill.pc
}

@test "every file is installed, and uninstall takes away these and no others" {
    install_quietly DESTDIR="$ROOT" PREFIX=/opt/still
    diff <(cd "$ROOT/opt/still" && find . -type f -o -type l | sed 's|^\./||' | LC_ALL=C sort) <(expected_files | LC_ALL=C sort)
    [ "$(find "$ROOT" -type f -o -type l | wc -l)" -eq "$(expected_files | wc -l)" ]
    touch "$ROOT/opt/still/lib/libpipestill.so.9" "$ROOT/opt/still/bin/other"
    make_here -s DESTDIR="$ROOT" PREFIX=/opt/still uninstall
    [ "$(cd "$ROOT" && find . -type f -o -type l | LC_ALL=C sort | xargs)" = "./opt/still/bin/other ./opt/still/lib/libpipestill.so.9" ]
    [ ! -e "$ROOT/opt/still/libexec/pipestill" ]
    [ ! -e "$ROOT/opt/still/include/pipestill" ]
}

@test "installing twice is as good as once, and uninstalling twice no error" {
    install_quietly DESTDIR="$ROOT"
    install_quietly DESTDIR="$ROOT"
    [ -x "$ROOT/usr/local/bin/pipestill" ]
    make_here -s DESTDIR="$ROOT" uninstall
    make_here -s DESTDIR="$ROOT" uninstall
    [ -z "$(find "$ROOT" -type f -o -type l)" ]
}

@test "the shared library and its links bear the name that programs ask for" {
    install_quietly DESTDIR="$ROOT" PREFIX=/usr
    [[ "$(readelf -d "$ROOT/usr/lib/libpipestill.so")" = *"SONAME"*"[libpipestill.so.0]"* ]]
    [ "$(readlink -f "$ROOT/usr/lib/libpipestill.so.0")" = "$(readlink -f "$ROOT/usr/lib/libpipestill.so")" ]
}

@test "the .pc file names the place of use, not that of packing" {
    install_quietly DESTDIR="$ROOT" PREFIX=/opt/still
    run ! grep -F "$ROOT" "$ROOT/opt/still/lib/pkgconfig/pipestill.pc"
    PKG_CONFIG_PATH=$ROOT/opt/still/lib/pkgconfig run pkg-config --cflags --libs pipestill
    [ "$status" -eq 0 ]
    [ "$(xargs <<<"$output")" = "-I/opt/still/include -L/opt/still/lib -lpipestill" ]
}

@test "a tree that is built is installed without compiling or linking anything" {
    need_fresh_build
    run make_here -n DESTDIR="$ROOT" install
    [ "$status" -eq 0 ]
    [[ "$output" = *"install -d"* ]]
    [[ "$output" != *"-std=c17"* ]]
    [[ "$output" != *" rcs "* ]]
}

# would_make FILE: what make would compile if FILE were newer than everything.
would_make() {
    make_here -n -W "$1" all unit-tests | grep -oE '(lib|stages|tests/unit)/[^ ]*\.c ' | sort -u
}

@test "a public header that is touched has its users compiled again, and only them" {
    need_fresh_build
    made=$(would_make include/pipestill/nn.h)
    for file in lib/nn/network.c stages/student-trainer.c stages/student-trainer/learning.c tests/unit/test_nn_loss.c; do
        grep -qx "$file " <<<"$made"
    done
    run ! grep -E '^lib/(base|data|stream|transport)/' <<<"$made"
}

@test "so has a header of a room or of a stage" {
    need_fresh_build
    [ "$(would_make stages/student-trainer/trainer.h | xargs)" = \
        "$(printf '%s\n' stages/student-trainer.c stages/student-trainer/*.c | sort | xargs)" ]
    made=$(would_make lib/nn/kernels.h)
    grep -qx 'lib/nn/workspace.c ' <<<"$made"
    run ! grep -E '^(lib/(base|data|stream|transport|cli)|stages)/' <<<"$made"
}

# The command, from a place with a space and a quote in its name.
place() {
    install_quietly PREFIX="$ROOT"
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

@test "pipestill --version says what the stages say" {
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

@test "what is no stage is refused in one line" {
    place
    for name in nonsense . .. -x ../../bin/pipestill /bin/sh 'a b'; do
        run --separate-stderr "$COMMAND" "$name" --help
        [ "$status" -eq 64 ]
        [ "$output" = "" ]
        [ "${#stderr_lines[@]}" -eq 1 ]
        [[ "$stderr" = "pipestill: "*"'pipestill --list' shows them" ]]
    done
}

@test "usage goes to standard output when asked for, else to standard error" {
    place
    run --separate-stderr "$COMMAND" --help
    [ "$status" -eq 0 ]
    [[ "$output" = *"pipestill STAGE"* ]]
    [ "$stderr" = "" ]
    run --separate-stderr "$COMMAND"
    [ "$status" -eq 64 ]
    [ "$output" = "" ]
    [[ "$stderr" = *"pipestill STAGE"* ]]
}

@test "a command without stages says so" {
    install -D -m 755 pipelines/pipestill.sh "$BATS_TEST_TMPDIR/bin/pipestill"
    run --separate-stderr "$BATS_TEST_TMPDIR/bin/pipestill" --list
    [ "$status" -eq 66 ]
    [ "${#stderr_lines[@]}" -eq 1 ]
    [[ "$stderr" = "pipestill: the stages are neither in "* ]]
}
