# shellcheck shell=bash
# make.bash: for tests that run make on the tree under test, as it was built.

# make_here ARGUMENT…: make with this build's folder, compiler and sanitizers, and nothing of the make that runs the tests.
make_here() {
    env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u DESTDIR -u PREFIX make --no-print-directory BUILD="$BUILD" \
        CC="${CC:-gcc}" SANITIZE="${SANITIZE-}" "$@"
}

# Under valgrind the folder holds scripts in place of programs, and what make does has been tested without it.
skip_without_build() {
    [[ -e $BUILD/libpipestill.a ]] || skip "$BUILD is no build folder"
}

# Fails with a message unless everything is built, for tests of what make would build.
need_fresh_build() {
    make_here -q tests || {
        echo "$BUILD is older than the sources, or make never comes to an end: run 'make tests' first"
        return 1
    }
}
