#!/usr/bin/env bats
# What no stage may mix up in silence: classes in another order, inputs that were made otherwise, labels that are missing.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR" || return
    read_stream=$BATS_TEST_DIRNAME/read_stream.py
    { echo a,label && for i in {1..40}; do echo "$i,b" && echo "-$i,c"; done; } >bc.csv
    { echo a,label && for i in {1..40}; do echo "$i,b" && echo "-$i,c" && echo "0,a"; done; } >abc.csv
}

# named NAMES: the stream of bc.csv with other names of its two classes.
named() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../../python /usr/bin/python3 -c 'import sys, pipestill
with pipestill.read("bc.pst") as reader:
    header = reader.header.copy()
    header.more["class_names"] = sys.argv[1].split(",")
    with pipestill.write(sys.argv[2], header) as writer:
        for batch in reader:
            writer.write(batch)' "$1" "$2"
}

@test "classes that --like numbers otherwise have another origin" {
    loader bc.csv --no-shuffle -o bc.pst
    loader abc.csv --no-shuffle -o abc.pst
    loader bc.csv --like abc.pst --no-shuffle -o like.pst
    [ "$("$read_stream" y <like.pst | sed -n 2p | cut -c 1-12)" = '{"y": [1, 2,' ]
    [ "$(origin bc.pst y)" != "$(origin like.pst y)" ]
    [ "$(origin bc.pst x)" = "$(origin like.pst x)" ]
}

@test "a model does not learn on, and is not judged, with its classes in another order" {
    loader bc.csv -o bc.pst
    student-trainer -q --hidden 3 -i bc.pst -o model.safetensors
    named c,b swapped.pst
    assert_fails 65 "'c' is class 0 in the stream, but 1 to the model" student-trainer -q --from model.safetensors -i swapped.pst -o s.safetensors
    assert_fails 65 "class 0 is 'b' to the network, but 'c' in the stream" \
        student-trainer -q --hidden 3 -i bc.pst --validate swapped.pst -o s.safetensors
    named d,e others.pst
    student-trainer -q --from model.safetensors -i others.pst -o others.safetensors
    stream-inspect others.safetensors | grep -q 'class names    2: d, e'
}

@test "a model that learned from standardised numbers does not take bytes as they are" {
    /usr/bin/python3 -c 'import numpy as np
x = np.random.default_rng(1).integers(0, 256, (60, 5))
np.save("u.npy", x.astype("u1")), np.save("f.npy", (x / 255).astype("f4")), np.save("y.npy", (x[:, 0] > 128).astype("i4"))'
    loader npy:f.npy,y.npy --standardise | student-trainer -q --hidden 3 -o model.safetensors
    assert_fails 65 "learned from inputs that were standardised, and the stream's are not" \
        teacher-forward model.safetensors -i <(loader npy:u.npy)
}

@test "a label that was asked for has to be there, with a model too" {
    loader bc.csv | student-trainer -q --hidden 3 -o model.safetensors
    assert_fails 64 "--label: there is no column 'lable'" loader bc.csv --like model.safetensors --label lable --ignore label
    cut -d , -f 1 bc.csv >new.csv
    loader new.csv --like model.safetensors | teacher-forward model.safetensors | stream-export --to csv --take class | sort -u | diff - <(printf '%s\n' b c class)
}

@test "a file without names and without labels fits a regression whose label had a number" {
    for i in {1..30}; do echo "$((2 * i)),$i"; done >rows.csv
    loader rows.csv --header no --label 1 --regression | student-trainer -q --hidden 3 -o model.safetensors
    seq 5 >new.csv
    loader new.csv --header no --like model.safetensors | teacher-forward model.safetensors | stream-export --to csv --take prediction >answers.csv
    [ "$(wc -l <answers.csv)" -eq 6 ]
}

@test "numbers in small units are standardised" {
    printf '%s\n' a,label 1e-13,x 2e-13,y 3e-13,x >tiny.csv
    loader tiny.csv --standardise --no-shuffle | "$read_stream" x | tail -n 1 | grep -q '"x": \[\[-1.22'
}

@test "two columns of one name in a recording are refused" {
    loader bc.csv -o bc.pst
    PYTHONPATH=$BATS_TEST_DIRNAME/../../python /usr/bin/python3 -c 'import pipestill
with pipestill.read("bc.pst") as reader:
    header = reader.header.copy()
    header.more["inputs"] = {"columns": [{"name": "a"}, {"name": "a"}]}
    with pipestill.write("twice.pst", header) as writer:
        for batch in reader:
            writer.write(batch)'
    assert_fails 65 "'inputs': two columns have the same name" loader bc.csv --like twice.pst
}

@test "bools and bytes are not one set" {
    /usr/bin/python3 -c 'import numpy as np
np.save("b.npy", np.ones((3, 2), "?")), np.save("u.npy", np.full((3, 2), 200, "u1"))'
    assert_fails 65 "u8 [2], not bool [2]" loader npy:b.npy npy:u.npy
}

@test "a regression answers rows whose label is empty or not used" {
    { echo a,price && for i in {1..30}; do echo "$i,$((3 * i))"; done; } >houses.csv
    loader houses.csv --label price --regression | student-trainer -q --hidden 3 -o model.safetensors
    printf '%s\n' a,price 1, 2, >empty.csv
    assert_fails 65 "the label is missing" loader empty.csv --like model.safetensors
    loader empty.csv --like model.safetensors --ignore price | teacher-forward model.safetensors | stream-export --to csv --take prediction >answers.csv
    [ "$(wc -l <answers.csv)" -eq 3 ]
}

@test "rows to predict come in the order of their file, and rows to learn from do not" {
    loader bc.csv | student-trainer -q --hidden 3 -o model.safetensors
    cut -d , -f 1 bc.csv >new.csv
    [ "$(loader new.csv --like model.safetensors | stream-export --to csv --take id | tail -n +2 | head -n 3 | paste -s)" = $'0\t1\t2' ]
    for options in --shuffle "--epochs 2"; do
        # shellcheck disable=SC2086
        [ "$(loader new.csv --like model.safetensors $options | stream-export --to csv --take id | tail -n +2 | head -n 3 | paste -s)" != $'0\t1\t2' ]
    done
    [ "$(loader bc.csv --like model.safetensors | stream-export --to csv --take id | tail -n +2 | head -n 3 | paste -s)" != $'0\t1\t2' ]
}

@test "a label with very many whole numbers as classes is reported, and a file .csv is read as a table" {
    { echo a,price && for i in {1..60}; do echo "$i,$((7 * i))"; done; } >houses.csv
    run --separate-stderr bash -c 'loader houses.csv --label price >houses.pst'
    [[ $stderr == "loader: label 'price' has 60 classes in 60 rows; --regression makes numbers to predict of them" ]]
    printf '%s\n' a 1 2 >one.csv
    loader one.csv -o one.pst 2>one.said
    printf '%s\n' a,b 1,2 3 >ragged.csv
    assert_fails 65 "ragged.csv, row 1 (line 3)" loader ragged.csv
}

@test "a model refuses inputs with as many elements in another shape" {
    /usr/bin/python3 -c 'import numpy as np
x = np.random.default_rng(1).integers(0, 256, (40, 6, 4, 3)).astype("u1")
np.save("x.npy", x), np.save("turned.npy", x.reshape(40, 4, 6, 3)), np.save("one.npy", x.reshape(40, 1, 6, 4, 3)), np.save("row.npy", x.reshape(40, 72))
np.save("y.npy", np.arange(40) % 2)'
    loader npy:x.npy,y.npy | student-trainer -q --hidden 3 -o model.safetensors
    assert_fails 65 "model.safetensors learned from x of the shape u8 [6, 4, 3], and the stream's is u8 [4, 6, 3]" \
        teacher-forward model.safetensors -i <(loader npy:turned.npy,y.npy)
    assert_fails 65 "and the stream's is u8 [3, 6, 4]" teacher-forward model.safetensors -i <(loader npy:x.npy,y.npy --channels-last)
    for same in one row; do
        diff <(loader npy:$same.npy,y.npy --no-shuffle | teacher-forward model.safetensors --name t | "$read_stream" logits/t | tail -n +2) \
            <(loader npy:x.npy,y.npy --no-shuffle | teacher-forward model.safetensors --name t | "$read_stream" logits/t | tail -n +2)
    done
}
