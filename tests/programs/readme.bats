#!/usr/bin/env bats
# Runs the commands that README.md and docs/stages.md show, the first block in a copy of the tree.
bats_require_minimum_version 1.5.0

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    load pages.bash
    skip_without_build
}

# indented NUMBER PAGE: an indented block of the page, without its indentation.
indented() {
    awk -v wanted="$1" '
        /^[^ ]/ { inside = 0 }
        !/^    / { empty = empty "\n"; next }
        !inside { number++; inside = 1; empty = "" }
        number == wanted { printf "%s%s\n", empty, substr($0, 5) }
        { empty = "" }' "$2"
}

# in_copy COMMAND…: in the copied tree, with this build's compiler and nothing of the make that runs the tests.
in_copy() {
    (cd "$TREE" && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u BUILD CC="${CC:-gcc}" SANITIZE="${SANITIZE-}" \
        PATH=/usr/local/bin:/usr/bin:/bin "$@")
}

@test "the first block of README.md runs as it stands, from the first line to the last" {
    command -v dpkg-query >/dev/null || skip "make deps is for Debian"
    need_fresh_build
    copy_tree
    indented 1 README.md >"$BATS_TEST_TMPDIR/block"
    [ "$(head -n 2 "$BATS_TEST_TMPDIR/block" | tail -n 1)" = "make -j2" ]
    run in_copy bash -euo pipefail "$BATS_TEST_TMPDIR/block"
    echo "$output"
    [ "$status" -eq 0 ]
    errors=$(sed -n 's/^errors  *//p' <<<"$output")
    ((errors < 1000))
    [ -s "$TREE/teacher.safetensors" ] && [ -s "$TREE/student.safetensors" ]
}

@test "mistakes are answered as docs/stages.md shows" {
    cd "$BATS_TEST_TMPDIR"
    cp "$BATS_TEST_DIRNAME/../../docs/stages.md" .
    for number in $(seq 20); do
        [[ "$(indented "$number" stages.md)" != *"loader digits --btach"* ]] || break
    done
    indented "$number" stages.md >shown
    [ "$(grep -c '^\$ ' shown)" -ge 3 ]
    while read -r line; do
        echo "$line"
        bash -c "${line#\$ }" 2>&1 || true
    done < <(grep '^\$ ' shown) >happened
    diff shown happened
}

@test "the published names and sums of MNIST's files stand in docs/, and the names are those that loader finds" {
    [ "$(wc -l <docs/mnist.md5)" -eq 4 ]
    while read -r sum name; do
        [[ $sum =~ ^[0-9a-f]{32}$ ]]
        grep -qF "$name" docs/stages.md
        : >"$BATS_TEST_TMPDIR/$name"
    done <docs/mnist.md5
    for split in train test; do
        MNIST_DIR=$BATS_TEST_TMPDIR run ! loader mnist --split $split
        [[ $output == *"$BATS_TEST_TMPDIR/t"*"-ubyte.gz"* ]]
    done
}

@test "no table of the pages compares with aims, which readers do not have" {
    for page in README.md docs/*.md; do
        run ! grep -nE '^\|.*\b(to reach|reached|missed)\b' "$page"
    done
}

@test "the table of docs/stages.md has a row for each stage, and for nothing else" {
    # shellcheck disable=SC2016 # backticks that are meant
    diff <(sed -n 's/^| \(`[^|]*`\) |.*/\1/p' docs/stages.md | grep -oE '[a-z-]+' | sort) \
        <(for stage in stages/*.c; do basename "$stage" .c; done | sort)
}

@test "the index leads to every page" {
    for page in docs/*.md; do
        [ "$page" = docs/README.md ] || grep -qF "]($(basename "$page"))" docs/README.md || { echo "$page is missing" && false; }
    done
    grep -qF "](docs/README.md)" README.md
}
