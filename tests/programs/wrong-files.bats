#!/usr/bin/env bats
# A file of the wrong kind is recognised by its first bytes, and the error says what to do.
# The marks are tested in tests/unit/test_base_file_kind.c.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    loader digits --samples 20 --batch 10 -o recording.pst
    student-trainer -q -a 784-4-10 -i recording.pst -o model.safetensors
    /usr/bin/python3 - <<'END'
import gzip, numpy
numpy.save("NumPy.npy", numpy.zeros((4, 3), "f4"))
numpy.savez("zip.npz", numpy.zeros(3))
open("CSV.csv", "w").write("label,pixel1,pixel2\n3,0,1\n")
gzip.open("gzip.gz", "wb").write(b"label,pixel1,pixel2\n3,0,1\n")
open("PNG.png", "wb").write(b"\x89PNG\r\n\x1a\n" + bytes(60))
open("ONNX.onnx", "wb").write(b"\x08\x07\x12\x07pytorch\x1a\x052.0.1" + bytes(60))
open("HTML.html", "w").write("<!DOCTYPE html>\n<title>404</title>\n")
open("git-lfs.bin", "w").write("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n")
END
    zstd -q CSV.csv -o zstd.zst
}

setup() {
    load common
    cd "$BATS_FILE_TMPDIR" || return
    out=$BATS_TEST_TMPDIR/out
}

# each_foreign CODE WORDS COMMAND…: @ in the command stands for a file, and in the words for what it is.
each_foreign() {
    local code=$1 words=$2 file
    shift 2
    for file in NumPy.npy zip.npz CSV.csv gzip.gz zstd.zst PNG.png ONNX.onnx HTML.html git-lfs.bin; do
        assert_fails "$code" "" "${@//@/$file}"
        [[ $stderr == *"$words"*"${file%.*}"*";"* || $stderr == *"$words"*"${file%.*}"*", "* ]]
    done
}

@test "a file of another kind in place of a stream is named" {
    each_foreign 65 "not a pipestill stream, but a" temperature-softmax -i @ -o "$out"
    each_foreign 65 "not a pipestill stream, but a" stream-inspect @
    each_foreign 65 "not a pipestill stream, but a" replay @ -o "$out"
    each_foreign 65 "not a pipestill stream, but a" replay --shuffle @ -o "$out"
    each_foreign 65 "not a pipestill stream, but a" student-trainer -q -a 784-4-10 -i recording.pst --validate @ -o "$out"
    assert_fails 65 "not a pipestill stream, but a safetensors file" temperature-softmax -i model.safetensors -o "$out"
    assert_fails 65 "not a pipestill stream, but a gzip file; unpack it first: gunzip" evaluator -i gzip.gz
}

@test "data of another kind in a pipe in place of a stream are named" {
    assert_fails 65 "not a pipestill stream, but an HTML page" evaluator < <(cat HTML.html)
    assert_fails 65 "not a pipestill stream, but a git-lfs pointer" evaluator < <(cat git-lfs.bin)
}

@test "a file of another kind in place of a model is named" {
    each_foreign 65 "not a safetensors file, but a" teacher-forward @ -i recording.pst -o "$out"
    each_foreign 65 "not a safetensors file, but a" student-trainer -q --from @ -i recording.pst -o "$out"
    assert_fails 65 "not a safetensors file, but a recorded stream" teacher-forward recording.pst -i recording.pst -o "$out"
}

@test "a file of another kind in place of a checkpoint is named" {
    each_foreign 65 "not a safetensors file, but a" \
        student-trainer -q -a 784-4-10 --checkpoint @ --resume -i recording.pst -o "$out"
    assert_fails 65 "model.safetensors: is not a checkpoint, but a model: start from it with --from" \
        student-trainer -q -a 784-4-10 --checkpoint model.safetensors --resume -i recording.pst -o "$out"
    [ -e model.safetensors ]
}

@test "a file of another kind in place of an IDX file is named" {
    for file in NumPy.npy zip.npz CSV.csv zstd.zst PNG.png ONNX.onnx HTML.html git-lfs.bin; do
        assert_fails 65 "not an IDX file, but a" loader "idx:$file" -o "$out"
        [[ $stderr == *"${file%.*}"* ]]
    done
    assert_fails 65 "not an IDX file, but a table in text (CSV)" loader idx:gzip.gz -o "$out" # gzip is unpacked here
    assert_fails 65 "not an IDX file, but a recorded stream: use replay" loader idx:recording.pst -o "$out"
    assert_fails 65 "not an IDX file, but a safetensors file" loader idx:model.safetensors -o "$out"
}

@test "a file of another kind in place of a data set is named" {
    for file in NumPy.npy zip.npz zstd.zst PNG.png ONNX.onnx HTML.html git-lfs.bin; do
        if [[ $file != *.np[yz] ]]; then # arrays are sets themselves
            assert_fails 64 "$file is a" loader "$file" -o "$out"
            [[ $stderr == *"${file%.*}"* ]]
        fi
        assert_fails 65 "$file: not a table, but a" loader "csv:$file" -o "$out"
        [[ $stderr == *"${file%.*}"* ]]
    done
    assert_fails 65 "not a table, but a recorded stream: use replay" loader csv:recording.pst -o "$out"
}
