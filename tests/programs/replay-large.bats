#!/usr/bin/env bats
# replay shuffles a recording that is larger than the memory that replay may have.
bats_require_minimum_version 1.5.0

setup_file() {
    [[ -z ${SANITIZE-}${VALGRIND-} ]] || return 0
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 1000 | student-trainer -a 784-12-10 -o teacher.safetensors
    loader digits --samples 4000 | teacher-forward teacher.safetensors | temperature-softmax -T 4 -o small.pst
    replay small.pst --epochs 120 -o large.pst # 420 MB
    replay large.pst --zstd 1 -o compressed.pst
    replay small.pst --batch 1 --epochs 120 -o ones.pst
}

teardown_file() {
    rm -f "$BATS_FILE_TMPDIR/large.pst" "$BATS_FILE_TMPDIR/compressed.pst" "$BATS_FILE_TMPDIR/ones.pst"
}

setup() {
    [[ -z ${SANITIZE-} ]] || skip "the sanitizers' shadow is larger than any limit"
    [[ -z ${VALGRIND-} ]] || skip "too slow under valgrind, and valgrind's own memory counts"
    cd "$BATS_FILE_TMPDIR" || return
}

# peak LIMIT COMMAND…: the most memory in KiB that a command ever held, its address space being limited to LIMIT KiB.
peak() {
    /usr/bin/python3 -c '
import os, resource, subprocess, sys
limit = int(sys.argv[1]) * 1024
command = subprocess.run(sys.argv[2:], stdout=subprocess.DEVNULL,
                         preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)))
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(command.returncode)' "$@"
}

@test "a recording of 420 MB is replayed shuffled in 250 MB of address space, and takes little memory" {
    [ "$(stat -c %s large.pst)" -gt 400000000 ]
    # With this limit it could be neither read nor mapped whole.
    run ! bash -c 'ulimit -v 250000; exec /usr/bin/python3 -c "
import mmap
file = open(\"large.pst\", \"rb\")
mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)" 2>/dev/null'
    peak_small=$(peak 250000 replay small.pst --shuffle)
    peak_large=$(peak 250000 replay large.pst --shuffle --memory 16M)
    echo "$peak_small KiB for small.pst, $peak_large KiB for large.pst"
    [ "$peak_large" -lt 65536 ]
    [ "$peak_large" -lt $((peak_small + 32768)) ]
}

@test "the index of 480,000 batches takes hardly any memory" {
    peak_small=$(peak 250000 replay small.pst --shuffle)
    peak_ones=$(peak 250000 replay ones.pst --shuffle --memory 1M)
    echo "$peak_small KiB for small.pst, $peak_ones KiB for ones.pst"
    [ "$peak_ones" -lt $((peak_small + 6144)) ]
}

@test "--memory limits how much of the recording is kept, in plain and compressed batches" {
    for recording in large compressed ones; do
        for memory in 16 64; do
            peak=$(peak 250000 replay $recording.pst --shuffle --limit 20000 --memory ${memory}M)
            echo "$recording.pst, $memory MiB: $peak KiB"
            [ "$peak" -lt $(((memory + 32) * 1024)) ]
            [ $recording = ones ] || [ "$peak" -gt $((memory * 1024)) ]
        done
    done
}

@test "every sample of the recording comes once" {
    (ulimit -v 250000 && exec replay large.pst --shuffle --seed 2 --batch 1000) | stream-inspect --check --json >checked
    head -n 1 checked | cut -c 1-400
    grep -q '"samples":480000' checked
}
