#!/usr/bin/env bats
# Data sets of all kinds from outside: from their files through a whole pipeline, and the errors for bad ones.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR" || return
    read_stream=$BATS_TEST_DIRNAME/read_stream.py
}

# idx FILE ARRAY: writes the value of a numpy expression as an IDX file; `random` is a generator, the same in every call.
idx() {
    /usr/bin/python3 - "$1" "$2" <<'END'
import sys
import numpy as np
random = np.random.default_rng(5)
array = np.asarray(eval(sys.argv[2]))
code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
with open(sys.argv[1], "wb") as file:
    file.write(bytes([0, 0, code, array.ndim]) + np.array(array.shape, ">u4").tobytes())
    file.write(array.astype(array.dtype.newbyteorder(">")).tobytes())
END
}

# spread CLASSES SAMPLES WIDTH: an expression for samples around the middles of classes in turn.
spread() {
    echo "random.normal(size=($1, $3)).astype('f4')[np.arange($2) % $1] + random.normal(size=($2, $3)).astype('f4') * np.float32(.1)"
}

# loaded_origin NAME OPTION…: the origin of a tensor in what loader writes with these options.
loaded_origin() {
    local name=$1
    shift
    loader "$@" | "$read_stream" | head -n 1 | /usr/bin/python3 -c 'import json, sys
print(*(tensor["origin"] for tensor in json.load(sys.stdin)["tensors"] if tensor["name"] == sys.argv[1]))' "$name"
}

@test "a set of floats goes from its files to a student that has learned it" {
    idx x "$(spread 4 400 6)"
    idx y "np.arange(400, dtype='i2') % 4"
    loader idx:x,y --hold-out 100 --epochs 20 -b 20 | student-trainer -q -a 6-16-4 -r 0.1 -o teacher.safetensors
    loader idx:x,y --hold-out 100 --epochs 20 -b 20 | teacher-forward teacher.safetensors | temperature-softmax -T 2 |
        student-trainer -q -a 6-8-4 -r 0.1 -o student.safetensors
    loader idx:x,y --hold-out 100 --split validation | teacher-forward student.safetensors | evaluator --json >figures
    grep -q '"samples":100' figures
    grep -q '"errors":0,' figures
}

@test "a set of 1,000 classes goes from its files to a student that has learned it" {
    idx x "$(spread 1000 5000 20)"
    idx y "np.arange(5000, dtype='i4') % 1000"
    loader idx:x,y -o set.pst
    "$read_stream" <set.pst | head -n 1 | /usr/bin/python3 -c 'import json, sys
header = json.load(sys.stdin)
assert header["classes"] == 1000 and header["class_counts"] == [5] * 1000'
    loader idx:x,y --epochs 12 | student-trainer -q -a 20-64-1000 --optimiser adam -r 0.01 --class-weight balanced -o student.safetensors
    loader idx:x,y --no-shuffle | teacher-forward student.safetensors | evaluator --json >figures
    errors=$(grep -o '"errors":[0-9]*' figures | head -n 1 | cut -d : -f 2)
    echo "$errors of 5000 wrong"
    [ "$errors" -lt 250 ]
    [ "$(loader idx:x,y --only-classes 990-999 --omit-classes 995 | "$read_stream" y | tail -n +2 | grep -oE '[0-9]+' | sort -u | wc -l)" -eq 9 ]
}

@test "a recording of 1,000 classes is replayed in part, by class too" {
    idx x "random.normal(size=(3000, 2)).astype('f4')"
    idx y "np.arange(3000, dtype='i4') % 1000"
    loader idx:x,y -o all.pst
    [ "$(replay all.pst --limit 1000 | "$read_stream" y | tail -n +2 | grep -oE '[0-9]+' | sort -u | wc -l)" -eq 1000 ]
    [ "$(replay all.pst --only-classes 998-999 | "$read_stream" y | tail -n +2 | grep -oE '[0-9]+' | sort | uniq -c | xargs)" = "3 998 3 999" ]
}

@test "a set of 70,000 classes is loaded and learned from" {
    idx x "random.normal(size=(70000, 3)).astype('f4')"
    idx y "np.arange(70000, dtype='i4')"
    loader idx:x,y --hold-out 10 --limit 60000 -o some.pst
    [ "$("$read_stream" y <some.pst | tail -n +2 | grep -oE '[0-9]+' | sort -u | wc -l)" -eq 60000 ]
    loader idx:x,y --limit 200 -b 50 | student-trainer -q -a 3-2-70000 -o student.safetensors
    loader idx:x,y --limit 50 | teacher-forward student.safetensors | evaluator --json | grep -q '"samples":50'
}

@test "counts of classes that do not fit into the header are left out, and loader says so" {
    idx x "np.zeros((2, 1), 'f4')"
    idx y "np.array([0, 300000], 'i4')"
    run --separate-stderr bash -c "loader idx:x,y | '$read_stream' y"
    [ "$status" -eq 0 ]
    # shellcheck disable=SC2154
    [[ $stderr == "loader: 300001 classes are too many for the header, which goes without class_counts" ]]
    [[ ${lines[0]} == *'"classes": 300001'* ]]
    [[ ${lines[0]} != *class_counts* ]]
}

@test "numbers are learned as numbers, and bits as bits" {
    idx x "random.normal(size=(300, 3)).astype('f4')"
    idx numbers "(random.normal(size=(300, 3)) @ np.array([[1, 0], [2, 1], [0, -1]])).astype('f4')"
    loader idx:x,numbers --epochs 40 -b 20 | student-trainer -q -a 3-16-2 --loss mse -r 0.05 -o numbers.safetensors
    loader idx:x,numbers --no-shuffle | teacher-forward numbers.safetensors | evaluator --json >figures
    /usr/bin/python3 -c 'import json; assert json.load(open("figures"))["r2"] > 0.99'
    idx bits "(random.normal(size=(300, 3)) > 0).astype('u1')"
    loader idx:x,bits --epochs 40 -b 20 | student-trainer -q -a 3-16-3 --loss bce -r 0.3 -o bits.safetensors
    loader idx:x,bits --no-shuffle | teacher-forward bits.safetensors | evaluator --json >figures
    /usr/bin/python3 -c 'import json; assert json.load(open("figures"))["f1"] > 0.9'
}

@test "classes that begin at 1 keep their names in the header" {
    idx x "np.zeros((4, 2), 'f4')"
    idx y "np.array([1, 2, 3, 2], 'u1')"
    run bash -c "loader idx:x,y --first-label 1 --no-shuffle | '$read_stream' y"
    [[ ${lines[0]} == *'"class_names": ["1", "2", "3"]'* ]]
    [[ ${lines[1]} == '{"y": [0, 1, 2, 1]}' ]]
    assert_fails 65 "y: label 1 of sample 0, at byte 8: it is below the first label, 2; --first-label says" \
        loader idx:x,y --first-label 2
}

@test "a sample that cannot be read is named with its file, and no student appears" {
    idx x1 "np.ones((50, 2), 'f4')"
    idx x2 "np.where(np.arange(60).reshape(30, 2) == 15, np.float32('nan'), np.float32(1))"
    # The inner shell expands PIPESTATUS.
    # shellcheck disable=SC2016
    run --separate-stderr bash -c 'loader idx:x1 x2 --no-shuffle -b 16 | stream-inspect; exit "${PIPESTATUS[0]}"'
    [ "$status" -eq 65 ]
    # shellcheck disable=SC2154
    [[ ${stderr_lines[0]} == "loader: "*"x2, sample 7: element 1 is not a finite number of 32 bits: nan" ]]
    idx y1 "np.zeros(50, 'u1')"
    idx y2 "np.ones(30, 'u1')"
    run bash -c 'loader idx:x1,y1 idx:x2,y2 | student-trainer -q -a 2-2 -o student.safetensors'
    [ "$status" -ne 0 ]
    [ ! -e student.safetensors ]
    idx large "np.full((3, 2), 1e39)"
    assert_fails 65 "large, sample 0: element 0 is not a finite number of 32 bits: 1e+39" loader large --no-shuffle -o out.pst
}

@test "the origin of x depends on the set and its augmentations, and those of y and id on the set" {
    idx x "np.arange(12 * 9, dtype='u1').reshape(12, 3, 3)"
    idx y "np.arange(12, dtype='u1') % 3"
    x=$(loaded_origin x idx:x,y) y=$(loaded_origin y idx:x,y) id=$(loaded_origin id idx:x,y)
    [ "${#x}" -eq 64 ] && [ "${#y}" -eq 64 ] && [ "${#id}" -eq 64 ]
    # None of them depends on which samples come, on their order, or on the names of files.
    cp x other && gzip other
    for options in "--limit 3" "--seed 4" "--no-shuffle --epochs 2" "-b 2 --start 1" "--hold-out 3 --split validation" "--only-classes 1"; do
        # Split into words on purpose.
        # shellcheck disable=SC2086
        [ "$(loaded_origin x idx:other.gz,y $options) $(loaded_origin y idx:other.gz,y $options) $(loaded_origin id idx:other.gz,y $options)" = "$x $y $id" ]
    done
    # Augmentations, and their seed, are in that of x alone.
    shifted=$(loaded_origin x idx:x,y --shift 1)
    [ "$shifted" != "$x" ]
    [ "$(loaded_origin x idx:x,y --shift 2)" != "$shifted" ]
    [ "$(loaded_origin x idx:x,y --shift 1 --seed 4)" != "$shifted" ]
    [ "$(loaded_origin x idx:x,y --shift 1 --limit 3 --no-shuffle)" = "$shifted" ]
    [ "$(loaded_origin x idx:x,y --elastic 1)" != "$shifted" ]
    [ "$(loaded_origin y idx:x,y --shift 1 --elastic 1 --seed 9) $(loaded_origin id idx:x,y --shift 1 --elastic 1 --seed 9)" = "$y $id" ]
    # Fields of another kind than in the first edition have another name.
    loader idx:x,y --elastic 1 | "$read_stream" | head -n 1 >header
    grep -q '"elastic-grid": *"1"' header
    run grep '"elastic": *"' header
    [ "$status" -eq 1 ]
    # All of them depend on the content and on what it stands for.
    [ "$(loaded_origin x idx:x,y --scale 1)" != "$x" ]
    idx y "np.arange(12, dtype='u1') % 2"
    [ "$(loaded_origin y idx:x,y)" != "$y" ]
    [ "$(loaded_origin x digits --samples 10)" != "$(loaded_origin x digits --samples 10 --data-seed 1)" ]
}

@test "MNIST is found as torchvision lays it out" {
    mkdir -p data/MNIST/raw
    idx data/MNIST/raw/train-images-idx3-ubyte "np.zeros((5, 28, 28), 'u1')"
    idx data/MNIST/raw/train-labels-idx1-ubyte "np.arange(5, dtype='u1')"
    for command in "loader mnist" "loader mnist:data" "env MNIST_DIR=data loader mnist" "env MNIST_DIR=data/MNIST loader mnist"; do
        # shellcheck disable=SC2086
        run env -u MNIST_DIR HOME=/nowhere bash -c "$command --no-shuffle | '$read_stream' y"
        [[ ${lines[0]} == *'"set": "mnist"'* ]]
        [[ ${lines[1]} == '{"y": [0, 1, 2, 3, 4]}' ]]
    done
    assert_fails 66 "MNIST is not in data: t10k-images-idx3-ubyte" loader mnist:data --split test
}

@test "the error for a file of another kind says what it is" {
    printf 'PK\3\4 of another kind' >archive.zip
    loader digits --samples 5 -o recording.pst
    echo "hello" >text
    assert_fails 64 "archive.zip is a zip archive" loader archive.zip
    assert_fails 64 "recording.pst is a recorded stream: use replay" loader recording.pst
    assert_fails 64 "text is not a data set of a known kind" loader text
    assert_fails 66 "./nothing: there is no such file" loader ./nothing
    assert_fails 65 "text: not an IDX file" loader idx:text
}

@test "files that do not belong together are refused" {
    idx x "np.zeros((4, 2), 'f4')"
    idx wide "np.zeros((4, 3), 'f4')"
    idx bytes "np.zeros((4, 2), 'u1')"
    idx y "np.zeros(4, 'u1')"
    idx three "np.zeros(3, 'u1')"
    idx cube "np.zeros((4, 2, 2), 'u1')"
    assert_fails 65 "wide: its samples have another type or shape than those of x: f32 [3], not f32 [2]" loader idx:x idx:wide
    assert_fails 65 "bytes: its samples have another type or shape than those of x: u8 [2], not f32 [2]" loader idx:x idx:bytes
    assert_fails 64 "x has labels and x has none" loader idx:x,y idx:x
    assert_fails 65 "three: 3 labels, but x has 4 samples" loader idx:x,three
    assert_fails 65 "cube: 3 dimensions; labels have one or two" loader idx:x,cube
    assert_fails 65 "y: one dimension at byte 3, so labels rather than images" loader idx:y
    assert_fails 64 "x,y,y: one file of samples has one of labels" loader idx:x,y,y
    assert_fails 64 "--labels names more files than --images" loader --images x --labels y,y
    assert_fails 64 "name the images twice" loader idx:x --images x
    assert_fails 64 "which files?" loader idx
    assert_fails 64 "--elastic-smoothness needs --elastic" loader digits --elastic-smoothness 5
}
