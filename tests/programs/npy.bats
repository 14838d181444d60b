#!/usr/bin/env bats
# NumPy's arrays: from their files through a whole pipeline, and the errors for bad ones. tests/python/test_npy_oracle.py
# compares every type with numpy.
# shellcheck disable=SC2154 # bats' run sets output, lines and stderr
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR" || return
    read_stream=$BATS_TEST_DIRNAME/read_stream.py
}

# numpy STATEMENTS: with numpy as np, a generator as random, and zipfile.
numpy() {
    /usr/bin/python3 -c "import io, zipfile
import numpy as np
random = np.random.default_rng(3)
$1"
}

# rows SAMPLES: statements that make x and y of four classes.
rows() {
    echo "y = np.arange($1) % 4
x = (random.normal(size=(4, 6))[y] + random.normal(size=($1, 6)) * 0.1).astype('f4')"
}

@test "arrays go from their files to a student that has learned them" {
    numpy "$(rows 400)
np.save('x.npy', x); np.save('y.npy', y)"
    loader npy:x.npy,y.npy --hold-out 100 --epochs 20 -b 20 | student-trainer -q -a 6-16-4 -r 0.1 -o student.safetensors
    loader npy:x.npy,y.npy --hold-out 100 --split validation | teacher-forward student.safetensors | evaluator --json >figures
    grep -q '"samples":100' figures
    grep -q '"errors":0,' figures
}

@test "an archive in the layout of Keras has a part to train and one to test" {
    numpy "$(rows 400)
np.savez_compressed('set.npz', x_train=x[:300], y_train=y[:300], x_test=x[300:], y_test=y[300:])"
    loader set.npz --epochs 20 -b 20 | student-trainer -q -a 6-16-4 -r 0.1 -o student.safetensors
    loader set.npz --split test | teacher-forward student.safetensors | evaluator --json >figures
    grep -q '"samples":100' figures
    grep -q '"errors":0,' figures
}

@test "files are recognised by their first bytes, and have one digest in every form" {
    numpy "$(rows 20)
np.save('x', x); np.save('y', y); np.save('turned', np.asfortranarray(x.astype('>f4')))
np.savez('stored', x=x, y=y); np.savez_compressed('deflated', features=x, kinds=y)"
    mv x.npy x && mv y.npy y && mv stored.npz stored
    digest() {
        loader "$@" | "$read_stream" | head -n 1 | grep -o '"digest": "[0-9a-f]*"' | head -n 1
    }
    of_pair=$(digest npy:x,y)
    [ "$(digest npy:turned.npy,y)" = "$of_pair" ]
    [ "$(digest stored)" = "$of_pair" ]
    [ "$(digest deflated.npz --x features --y kinds)" = "$of_pair" ]
    of_samples=$(digest x)
    [ "$(digest stored --y -)" = "$of_samples" ]
    [ "$of_samples" != "$of_pair" ]
    run bash -c "loader stored --no-shuffle | '$read_stream' y"
    [[ ${lines[0]} == *'"set": "npz"'* && ${lines[0]} == *'"data": "stored"'* ]]
    [[ ${lines[1]} == *'"y": [0, 1, 2, 3, 0, '* ]]
}

@test "labels are numbers, bits or classes as they are, or as options say" {
    numpy "np.save('x.npy', np.arange(6).reshape(3, 2)); np.save('y.npy', np.array([3, 1, 2]))
np.save('rows.npy', np.eye(3, dtype='i8')[[2, 0, 1]]); np.save('floats.npy', np.array([.5, 1, 2]))"
    labels() {
        loader "npy:$1" "${@:2}" --no-shuffle | "$read_stream" y | tail -n +2
    }
    [ "$(labels x.npy,y.npy)" = '{"y": [3, 1, 2]}' ]
    [ "$(labels x.npy,y.npy --first-label 1)" = '{"y": [2, 0, 1]}' ]
    [ "$(labels x.npy,y.npy --regression)" = '{"y": [3.0, 1.0, 2.0]}' ]
    [ "$(labels x.npy,rows.npy)" = '{"y": [[0, 0, 1], [1, 0, 0], [0, 1, 0]]}' ]
    [ "$(labels x.npy,rows.npy --one-hot)" = '{"y": [2, 0, 1]}' ]
    [ "$(labels x.npy,floats.npy)" = '{"y": [0.5, 1.0, 2.0]}' ]
    assert_fails 64 "floats.npy: its labels are numbers, and --classes and --first-label are for classes" \
        loader npy:x.npy,floats.npy --classes 3
    assert_fails 64 "y.npy: its labels are single numbers, and --one-hot is for rows" loader npy:x.npy,y.npy --one-hot
    assert_fails 64 "rows.npy: its rows are of 3 classes, but --classes says 4" loader npy:x.npy,rows.npy --one-hot --classes 4
    assert_fails 64 "--regression and --one-hot do nothing without labels" loader x.npy --regression
    assert_fails 64 "x.npy: its samples have one dimension; --channels-last is for two and more" loader x.npy --channels-last
    numpy "np.save('rows.npy', np.array([[0, 1], [1, 1], [0, 0]])); np.save('wide.npy', np.array([[0, 1], [0, 3], [0, 0]]))"
    assert_fails 65 "label 1 of sample 1, at byte 152: --one-hot: a row has one 1, and is 0 elsewhere" \
        loader npy:x.npy,rows.npy --one-hot
    assert_fails 65 "label 3 of sample 1, at byte 152: a bit is 0 or 1; --regression takes rows" loader npy:x.npy,wide.npy
}

@test "arrays that are missing, do not fit or are not finite are named" {
    numpy "x = np.ones((4, 2), 'f4'); np.save('x.npy', x); np.save('three.npy', np.arange(3))
np.savez('set.npz', x=x, y=np.arange(4), w=np.array([1, 2, -1, 0]), few=np.ones(3))
np.savez('unknown.npz', a=x, b=x); x[2, 1] = np.nan; np.save('nan.npy', x); np.savez('nan.npz', x)"
    assert_fails 66 "nothing.npy: " loader npy:nothing.npy
    assert_fails 64 "which files? npy:SAMPLES,LABELS" loader npy
    assert_fails 64 "which file? npz:FILE" loader npz
    assert_fails 65 "three.npy: 3 labels, but x.npy has 4 samples" loader npy:x.npy,three.npy
    assert_fails 65 "nan.npy, sample 2: element 1 is not a finite number of 32 bits" loader nan.npy -o out
    assert_fails 65 "nan.npz: arr_0, sample 2: element 1 is not a finite number of 32 bits" loader nan.npz -o other
    assert_fails 65 "set.npz: there is no array 'z' in it, but few, w, x, y" loader set.npz --x z
    assert_fails 64 "unknown.npz: which array holds the samples? It has a, b: --x NAME" loader unknown.npz
    assert_fails 64 "set.npz: it has no test part, x_test" loader set.npz --split test
    assert_fails 64 "set.npz: the samples and their labels are the same array" loader set.npz --x y
    assert_fails 65 "set.npz: w: weight -1 of sample 2, at byte 144: a weight is 0 or more" loader set.npz --weight w
    assert_fails 65 "set.npz: few: it has not one weight for each of the 4 samples" loader set.npz --weight few
    assert_fails 64 "--x is for npz, and not for npy" loader x.npy --x x
    assert_fails 65 "set.npz: not an NPY file, but a zip archive" loader npy:set.npz
    assert_fails 65 "x.npy: damaged zip archive: its end is missing" loader npz:x.npy
    gzip x.npy
    assert_fails 65 "x.npy.gz: not an NPY file, but a gzip file; unpack it first: gunzip" loader x.npy.gz
}

@test "pickles are never read, and other elements are refused by name" {
    numpy "np.save('objects.npy', np.array([{}, 1], dtype=object), allow_pickle=True)
np.savez('objects.npz', x=np.array([{}, 1], dtype=object))
np.save('records.npy', np.zeros(3, 'i4,f4')); np.save('texts.npy', np.array(['one', 'two'])); np.save('dates.npy', np.array(['2020'], 'M8[D]'))"
    assert_fails 65 "objects.npy: its elements are Python objects ('|O'), and pickles are never read" loader objects.npy
    assert_fails 65 "objects.npz: x: its elements are Python objects" loader objects.npz
    assert_fails 65 "records.npy: its elements are records (a structured type)" loader records.npy
    assert_fails 65 "texts.npy: its elements are of type '<U3'" loader texts.npy
    assert_fails 65 "dates.npy: its elements are of type '<M8[D]'" loader dates.npy
}

@test "a small archive with huge contents takes little memory" {
    [[ -z ${SANITIZE-}${VALGRIND-} ]] || skip "the checker's own memory counts"
    numpy "np.savez_compressed('bomb.npz', x=np.zeros((300, 1_000_000), 'u1'))
data = open('bomb.npz', 'rb').read()
size = (300_000_128).to_bytes(4, 'little')
open('lies.npz', 'wb').write(data.replace(size, (1000).to_bytes(4, 'little')))"
    ulimit -v 400000
    assert_fails 65 "bomb.npz: x: unpacked it takes 300000128 bytes, more than --max-memory leaves (67108864)" \
        loader bomb.npz --max-memory 64M
    assert_fails 65 "lies.npz: x: damaged: more comes out than the 1000 bytes that are announced" loader lies.npz
}
