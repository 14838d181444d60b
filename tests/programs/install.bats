#!/usr/bin/env bats
# Installed files, and what make makes anew.
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
    for file in pipelines/{demo,mnist-*,python-*,*.sh}; do
        [ "$file" = pipelines/pipestill.sh ] || echo "share/pipestill/$(basename "$file")"
    done
    for file in python/pipestill/*.py; do echo "share/pipestill/$file"; done
    for file in *.md LICENSE docs/*.md docs/*.md5 docs/results/* docs/man pipelines; do
        echo "share/doc/pipestill/$file"
    done
    printf '%s\n' share/bash-completion/completions/pipestill share/zsh/site-functions/_pipestill \
        share/fish/vendor_completions.d/pipestill.fish
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
    for folder in libexec include share share/doc; do [ ! -e "$ROOT/opt/still/$folder/pipestill" ]; done
}

@test "names of folders may have spaces and quotes" {
    local root="$BATS_TEST_TMPDIR/the root's" prefix="/opt/my still's" place
    install_quietly DESTDIR="$root" PREFIX="$prefix"
    place=$root$prefix
    diff <(cd "$place" && find . -type f -o -type l | sed 's|^\./||' | LC_ALL=C sort) <(expected_files | LC_ALL=C sort)
    "$place/bin/pipestill" --list | grep -q '^loader '
    PKG_CONFIG_PATH=$place/lib/pkgconfig run pkg-config --variable=includedir pipestill
    [ "$output" = "$prefix/include" ]
    PKG_CONFIG_PATH=$place/lib/pkgconfig run pkg-config --cflags pipestill
    eval "set -- $output"
    [ "$1" = "-I$prefix/include" ]
    make_here -s DESTDIR="$root" PREFIX="$prefix" uninstall
    [ -z "$(find "$root" -type f -o -type l)" ]
}

@test "installed pipelines and the Python example run, and leave what they make in the present folder" {
    install_quietly PREFIX="$ROOT"
    mkdir "$BATS_TEST_TMPDIR/present"
    cd "$BATS_TEST_TMPDIR/present"
    run env -u BUILD PATH=/usr/bin:/bin "$ROOT/share/pipestill/python-teacher"
    [ "$status" -eq 0 ]
    [[ "$output" = *"accuracy  "* ]]
    [ "$(echo *)" = python-teacher ]
    [ -s python-teacher/student.safetensors ]
    run env -u BUILD PATH=/usr/bin:/bin DATA="digits --samples 200" STUDENT="--arch 784-8-10 --targets soft" \
        "$ROOT/share/pipestill/mnist-pool" 1
    [ "$status" -eq 0 ]
    [ -s mnist-pool/student.safetensors ]
}

@test "links in the installed pages lead somewhere" {
    install_quietly PREFIX="$ROOT"
    cd "$ROOT/share/doc/pipestill"
    for page in *.md docs/*.md; do
        while read -r link; do
            echo "$page: $link"
            [ -e "$(dirname "$page")/$link" ]
        done < <(grep -oE '\]\([^)#]+' "$page" | sed 's/^](//' | grep -v '^https\?:')
    done
}

@test "installing twice is as good as once, and uninstalling twice no error" {
    install_quietly DESTDIR="$ROOT"
    install_quietly DESTDIR="$ROOT"
    [ -x "$ROOT/usr/local/bin/pipestill" ]
    make_here -s DESTDIR="$ROOT" uninstall
    make_here -s DESTDIR="$ROOT" uninstall
    [ -z "$(find "$ROOT" -type f -o -type l)" ]
}

@test "the shared library and its links have the name that programs load" {
    install_quietly DESTDIR="$ROOT" PREFIX=/usr
    [[ "$(readelf -d "$ROOT/usr/lib/libpipestill.so")" = *"SONAME"*"[libpipestill.so.0]"* ]]
    [ "$(readlink -f "$ROOT/usr/lib/libpipestill.so.0")" = "$(readlink -f "$ROOT/usr/lib/libpipestill.so")" ]
}

@test "the .pc file has PREFIX in its paths, not DESTDIR" {
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

@test "make shows a line for each file, with V=1 whole commands, and with -s nothing" {
    build=$BATS_TEST_TMPDIR/build
    object=$build/objects/lib/base/half.o
    run make_here BUILD="$build" "$object"
    [ "$output" = "CC      lib/base/half.c" ]
    run make_here -B BUILD="$build" V=1 "$object"
    [[ "$output" = *" -std=c17 "*"-c lib/base/half.c -o $object" ]]
    [ "${#lines[@]}" -eq 1 ]
    run make_here -B BUILD="$build" -s "$object"
    [ -z "$output" ]
}

@test "a public header that is touched has its users compiled again, and only them" {
    need_fresh_build
    made=$(would_make include/pipestill/nn.h)
    for file in lib/nn/network.c stages/student-trainer.c stages/student-trainer/learning.c tests/unit/test_nn_loss.c; do
        grep -qx "$file " <<<"$made"
    done
    run ! grep -E '^lib/(base|data|stream|transport)/' <<<"$made"
}

@test "a header of a room or of a stage that is touched has its users compiled again" {
    need_fresh_build
    [ "$(would_make stages/student-trainer/trainer.h | xargs)" = \
        "$(printf '%s\n' stages/student-trainer.c stages/student-trainer/*.c | sort | xargs)" ]
    made=$(would_make lib/nn/kernels.h)
    grep -qx 'lib/nn/workspace.c ' <<<"$made"
    run ! grep -E '^(lib/(base|data|stream|transport|cli)|stages)/' <<<"$made"
}
