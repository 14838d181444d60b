#!/usr/bin/env bats
# loader images, cifar10 and cifar100 from outside: classes and splits by folders, sources of all kinds, and the errors for files
# that are damaged, missing or of another kind. tests/python/test_images_oracle.py compares pixels.
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR" || return
    read_stream=$BATS_TEST_DIRNAME/read_stream.py
}

# picture PATH [WIDTH HEIGHT]: a grey picture, of 2 by 1 pixels if nothing else is said.
picture() {
    mkdir -p "$(dirname "$1")"
    { printf 'P5 %d %d 255\n' "${2-2}" "${3-1}" && head -c $((${2-2} * ${3-1})) /dev/zero; } >"$1"
}

# colour PATH: a picture of 2 by 1 pixels in colour.
colour() {
    mkdir -p "$(dirname "$1")"
    printf 'P6 2 1 255\nabcdef' >"$1"
}

# digest OPERAND…: that of a set's contents.
digest() {
    loader "$@" | "$read_stream" id | head -n 1 | grep -o '"digest": "[0-9a-f]*"' | head -n 1
}

@test "folders are classes in the order of their bytes, and pictures may lie deeper" {
    picture set/b/1.pgm
    picture set/a-b/1.PGM
    picture set/a/deep/er/1.pgm
    picture set/Z/1.pgm
    picture set/a/.hidden.pgm
    touch set/a/notes.txt set/.DS_Store
    mkdir set/empty
    run bash -c "loader images:set --no-shuffle | '$read_stream' y id"
    [[ ${lines[0]} == *'"class_names": ["Z", "a", "a-b", "b"]'* ]]
    [[ ${lines[1]} == '{"y": [0, 1, 2, 3], "id": [0, 1, 2, 3]}' ]]
}

@test "folders train and test are splits that number classes alike, and no id is in both" {
    picture set/train/cat/1.pgm
    picture set/train/dog/1.pgm
    picture set/val/dog/1.pgm
    picture set/val/dog/2.pgm
    [[ $(loader images:set --no-shuffle | "$read_stream" y id | tail -n 1) == '{"y": [0, 1], "id": [0, 1]}' ]]
    [[ $(loader images:set --split test | "$read_stream" y id | tail -n 1) == '{"y": [1, 1], "id": [2, 3]}' ]]
    picture set/test/cat/1.pgm
    [[ $(loader images:set --split test | "$read_stream" y id | tail -n 1) == '{"y": [0], "id": [2]}' ]]
    [[ $(loader images:set/val --no-shuffle | "$read_stream" y id | tail -n 1) == '{"y": [0, 0], "id": [0, 1]}' ]]
    assert_fails 64 "set/train/ has no test part of its own, which would be a folder test" loader images:set/train/ --split test
    picture set/train/stray.pgm
    assert_fails 65 "set: 'train/stray.pgm' lies in no folder of a class, but 'train/dog/1.pgm' does" loader images:set
    rm set/train/stray.pgm
    picture set/other/1.pgm
    assert_fails 65 "set: 'other/1.pgm' lies neither in the folder train nor in test" loader images:set
}

@test "a tar file, plain or packed, below other folders or not, gives the samples of its folder" {
    picture set/train/cat/1.pgm
    colour set/train/dog/1.ppm
    picture set/test/cat/1.pgm
    options="--colour rgb --run r --no-shuffle"
    for split in train test; do
        # shellcheck disable=SC2086
        loader images:set $options --split $split | "$read_stream" x y id | tail -n +2 >folder
        for how in "-cf" "-czf" "--format=ustar -cf" "--format=pax -cf" "--sort=name -czf"; do
            # shellcheck disable=SC2086
            tar $how set.tar ./set
            # shellcheck disable=SC2086
            loader set.tar $options --split $split | "$read_stream" x y id | tail -n +2 >tar
            cmp folder tar
            [ "$(digest images:set --split $split --colour rgb)" = "$(digest images:set.tar --split $split --colour rgb)" ]
        done
    done
    by_hand=$(cd set/train && sha256sum cat/1.pgm dog/1.ppm | sha256sum)
    [[ $(digest images:set --colour rgb) == *"${by_hand%% *}"* ]]
}

@test "the digest follows contents, names and the labels of a list" {
    picture set/a/1.pgm
    picture set/a/2.pgm
    first=$(digest images:set)
    touch set/a/1.pgm
    [ "$(digest images:set)" = "$first" ]
    mv set/a/2.pgm set/a/3.pgm
    [ "$(digest images:set)" != "$first" ]
    printf 'set/a/1.pgm 0\nset/a/3.pgm 1\n' >list
    first=$(digest images:list)
    printf 'set/a/1.pgm 1\nset/a/3.pgm 0\n' >list
    [ "$(digest images:list)" != "$first" ]
}

@test "pictures are learned from, and what is predicted needs no labels" {
    /usr/bin/python3 - "$BATS_TEST_DIRNAME/../python" <<'END'
import os, sys
sys.path.insert(0, sys.argv[1])
import numpy as np, pictures
random = np.random.default_rng(1)
for i in range(200):
    os.makedirs(f"set/{'dark' if i % 2 else 'bright'}", exist_ok=True)
    image = (random.integers(0, 100, (6, 5, 3)) + 150 * (i % 2 == 0)).astype("u1")
    open(f"set/{'dark' if i % 2 else 'bright'}/{i}.png", "wb").write(pictures.png(image))
os.makedirs("new")
open("new/1.png", "wb").write(pictures.png(np.full((6, 5, 3), 240, "u1")))
END
    loader images:set --epochs 20 --flip --crop 1 --batch 20 | student-trainer -q --hidden 8 -r 0.1 -o student.safetensors
    loader images:set --no-shuffle | teacher-forward student.safetensors | evaluator --json | grep -q '"errors":0,'
    loader images:new | teacher-forward student.safetensors >new.pst
    [ "$("$read_stream" <new.pst | head -n 1 | grep -c '"name": "y"')" -eq 0 ]
    read -r bright dark < <(column new.pst logits/student)
    awk "BEGIN { exit !($bright > $dark) }"
}

@test "jitter and cutout are in the origin of x alone, and are refused for sets that they do not fit" {
    same=(loader digits --samples 20 --no-shuffle)
    "${same[@]}" -o plain.pst
    "${same[@]}" --jitter 0.3 -o jitter.pst
    "${same[@]}" --cutout 9 -o cutout.pst
    for name in jitter cutout; do
        run ! cmp -s <("$read_stream" x <plain.pst | tail -n +2) <("$read_stream" x <$name.pst | tail -n +2)
        stream-inspect --json $name.pst | grep -q "\"augmentation_seed\":\"0\",.*\"$name\":"
    done
    digests() { "$read_stream" digest | grep -o '"[0-9a-f]\{16\}"'; }
    "${same[@]}" --jitter 0.3 --batch 7 --start 1 | digests >later
    digests <jitter.pst | tail -n +8 | cmp - later
    printf 'a,b,label\n1,2,0\n3,4,1\n' >table.csv
    assert_fails 64 "only images have brightness" loader table.csv --label label --jitter 0.1 -o out.pst
    assert_fails 64 "only images can have a square" loader table.csv --label label --cutout 1 -o out.pst
    assert_fails 64 "only images of three channels" loader digits --jitter-saturation 0.1 -o out.pst
}

@test "the stream is the same for any number of decoders, and from any batch on" {
    mkdir -p set/0 set/1 set/2
    /usr/bin/python3 -c 'for i in range(300): open(f"set/{i % 3}/{i}.pgm", "wb").write(b"P5 40 30 255\n" + (b"%04d" % i) * 300)'
    loader images:set --epochs 2 --run r --shift 1 -b 16 -o one.pst --decoders 1
    for count in 0 2 7 64; do
        loader images:set --epochs 2 --run r --shift 1 -b 16 --decoders $count | cmp - one.pst
    done
    "$read_stream" x id <one.pst | tail -n +12 >from-ten
    loader images:set --epochs 2 --run r --shift 1 -b 16 --start 10 | "$read_stream" x id | tail -n +2 | cmp - from-ten
}

@test "sizes and colours that differ are refused with the file, or made alike" {
    picture set/a/1.pgm
    picture set/a/2.pgm 3 2
    assert_refused "set/a/2.pgm: it has 3 by 2 pixels, but the first picture has 2 by 1; --resize gives all one size" \
 loader images:set
    loader images:set --resize 4x4 >/dev/null
    colour set/a/2.pgm
    assert_refused "set/a/2.pgm: it has colours, but the first picture is grey; --colour rgb or --colour grey" \
 loader images:set
    [[ $(loader images:set --colour grey | "$read_stream" | head -n 1) == *'"shape": [1, 2]'* ]]
    [[ $(loader images:set --colour rgb | "$read_stream" | head -n 1) == *'"shape": [3, 1, 2]'* ]]
    for size in 4 4x 0x4 4x4x4 -1x4 9999999x9999999 4X4; do
        assert_fails 64 "--resize $size: it should be WIDTHxHEIGHT, as in 32x32" loader images:set "--resize=$size"
    done
    assert_fails 64 "--resize is for images, and not for digits" loader digits --resize 4x4
}

@test "folders are given a model's classes by name, and a folder without a class is named" {
    for name in cat dog owl; do picture set/$name/1.pgm; done
    loader images:set | student-trainer -q --hidden 2 -o student.safetensors
    picture new/owl/1.pgm
    picture new/cat/1.pgm
    run bash -c "loader images:new --like student.safetensors --no-shuffle | '$read_stream' y"
    [[ ${lines[0]} == *'"class_names": ["cat", "dog", "owl"]'* ]]
    [[ ${lines[1]} == '{"y": [0, 2]}' ]]
    printf 'new/owl/1.pgm owl\n' >list
    [[ $(loader images:list --like student.safetensors | "$read_stream" y | tail -n 1) == '{"y": [2]}' ]]
    picture flat/1.pgm
    loader images:flat --like student.safetensors | teacher-forward student.safetensors | stream-inspect >/dev/null
    picture new/newt/1.pgm
    assert_fails 65 "new: class 'newt' of 'newt/1.pgm' is none of student.safetensors's" \
        loader images:new --like student.safetensors
}

@test "a small file that announces many pixels takes little memory" {
    [[ -z ${SANITIZE-}${VALGRIND-} ]] || skip "the checker's own memory counts"
    /usr/bin/python3 - "$BATS_TEST_DIRNAME/../python" <<'END'
import os, resource, struct, subprocess, sys
sys.path.insert(0, sys.argv[1])
import pictures
big = 8192
jpeg = pictures.jpeg("progressive")
at = jpeg.index(b"\xff\xc2") + 5
files = {"png": pictures.png_of_rows(big, big, 8, 6, [bytes(100)]), "ppm": b"P6 8192 8192 255\n" + bytes(100),
         "jpg": jpeg[:at] + struct.pack(">HH", big, big) + jpeg[at + 4:]}
for kind, data in files.items():
    os.makedirs(kind + "/a")
    open(f"{kind}/a/1.{kind}", "wb").write(data)
    ended = subprocess.run(["loader", "images:" + kind], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(kind, ended.returncode, peak, ended.stderr)
    assert ended.returncode == 65 and peak < 65536
END
}

@test "a damaged picture is named in its place, after the samples before it" {
    for i in 1 2 3 4 5 6 7 8 9; do picture set/a/$i.pgm; done
    printf 'P5 2 1 255\nx' >set/a/7.pgm
    loader images:set --no-shuffle --limit 9 -b 2 >out 2>said || [ $? -eq 65 ]
    grep -q 'set/a/7.pgm: damaged PPM or PGM: 1 bytes of pixels, but it announces 2' said
    [ "$(stream-inspect out 2>/dev/null | grep -c '^batch ')" -eq 3 ]
    printf '\x89PNG\r\n\x1a\n' >set/a/7.pgm
    assert_refused "set/a/7.pgm: damaged PNG: it ends early" loader images:set
    printf '\xff\xd8\xff' >set/a/7.pgm
    assert_refused "set/a/7.pgm: damaged JPEG: Premature end of JPEG file" loader images:set
    : >set/a/7.pgm
    assert_refused "set/a/7.pgm: it is empty" loader images:set
    printf 'GIF89a' >set/a/1.pgm
    assert_refused "set/a/1.pgm: it begins neither as PNG nor as JPEG" loader images:set
}

@test "other files and folders than sets of pictures are refused with a reason" {
    assert_fails 64 "which pictures? images:FOLDER, images:LIST.txt or images:FILE.tar" loader images
    assert_fails 66 "nothing: No such file or directory" loader images:nothing
    mkdir empty
    assert_fails 65 "empty: there is no picture in it" loader images:empty
    picture set/a/1.pgm
    touch set/a/2.webp
    assert_fails 65 "set/a/2.webp: pictures of this kind are not read" loader images:set
    rm set/a/2.webp
    mkfifo set/a/2.pgm
    assert_fails 65 "set/a/2.pgm: it is not a regular file" loader images:set
    rm set/a/2.pgm
    ln -s nowhere set/a/2.pgm
    assert_fails 66 "set/a/2.pgm: No such file" loader images:set
    rm set/a/2.pgm
    ln -s .. set/a/loop
    assert_fails 65 "set/a/loop: this folder leads back to one that it lies in" loader images:set
    rm set/a/loop
    ln -s "$PWD/set/a" link
    mkdir other && mv link other/b
    [[ $(loader images:other | "$read_stream" y | tail -n 1) == '{"y": [0]}' ]]
    mkdir $'set/\xff' && cp set/a/1.pgm $'set/\xff'
    assert_fails 65 "set: the name of class '?' is not UTF-8" loader images:set
    assert_fails 64 "'b' is one argument too many for images" loader images:set b
}

@test "a folder or a picture that may not be read is named" {
    [ "$(id -u)" -ne 0 ] || skip "root may read everything"
    picture set/a/1.pgm
    picture set/b/1.pgm
    chmod 0 set/b/1.pgm
    assert_fails 66 "set/b/1.pgm: cannot be opened: Permission denied" loader images:set
    chmod 0 set/b
    assert_fails 66 "set/b: this folder cannot be read: Permission denied" loader images:set
    chmod 700 set/b
}

@test "a list names pictures and labels, and its faults are named with their line" {
    picture one.pgm
    picture "sub/two words.pgm"
    printf 'one.pgm dog\nsub/two words.pgm\tbig cat\n\n# no line\n%s dog\n' "$PWD/one.pgm" >list.txt
    run bash -c "loader images:list.txt --no-shuffle | '$read_stream' y"
    [[ ${lines[0]} == *'"class_names": ["big cat", "dog"]'* ]]
    [[ ${lines[1]} == '{"y": [1, 0, 1]}' ]]
    printf 'one.pgm 2\none.pgm 0\n' >list.txt
    [[ $(loader images:list.txt --no-shuffle | "$read_stream" y | tail -n 1) == '{"y": [2, 0]}' ]]
    printf 'one.pgm\none.pgm\n' >list.txt
    loader images:list.txt | stream-inspect >/dev/null
    printf 'one.pgm dog\none.pgm\n' >list.txt
    assert_fails 65 "list.txt, line 2: it has no label, but the first picture has one" loader images:list.txt
    printf 'one.pgm dog\nlost.pgm dog\n' >list.txt
    assert_fails 66 "./lost.pgm: cannot be opened: No such file or directory" loader images:list.txt
    printf '\tdog\n' >list.txt
    assert_fails 65 "list.txt, line 1: there is no path before the label" loader images:list.txt
    printf 'a\0b\n' >list.txt
    assert_fails 65 "list.txt, line 1: there is a NUL in it: is it a text file?" loader images:list.txt
    : >list.txt
    assert_fails 65 "list.txt: there is no picture in it" loader images:list.txt
}

@test "a file that changes after it was opened is an error, not another sample" {
    mkdir -p set/a
    /usr/bin/python3 -c 'for i in range(100, 500): open(f"set/a/{i}.pgm", "wb").write(b"P5 100 100 255\n" + bytes(10000))'
    # The loader waits for its reader, and only a few pictures are decoded ahead.
    loader images:set --no-shuffle -b 1 2>said | {
        head -c 30000 >/dev/null
        printf 'P5 1 1 255\nx' >set/a/499.pgm
        cat >/dev/null
    }
    grep -q 'set/a/499.pgm: it has changed since it was opened: 12 bytes, not 10015' said
}

@test "a packed tar file takes --max-memory at most" {
    for i in 1 2 3; do picture set/a/$i.pgm 100 100; done
    tar -czf set.tgz set
    tar -cf set.tar set
    assert_fails 65 ": it takes 10015 bytes, more than --max-memory leaves" \
        loader images:set.tgz --max-memory 20000
    loader images:set.tar --max-memory 25000 | stream-inspect >/dev/null
    head -c -30 set.tgz >cut.tgz
    assert_fails 65 "cut.tgz: damaged tar file" loader images:cut.tgz
    head -c 5000 set.tar >cut.tar
    assert_fails 65 "cut.tar: damaged tar file, at byte 5000" loader images:cut.tar
}

@test "CIFAR is found by its variable, and its damaged files are named" {
    mkdir -p cifar-10-batches-bin
    for i in 1 2 3 4 5; do head -c 6146 /dev/zero >cifar-10-batches-bin/data_batch_$i.bin; done
    CIFAR10_DIR=$PWD loader cifar10 | stream-inspect | grep -q '^samples *10$'
    CIFAR10_DIR=/nowhere assert_fails 66 "CIFAR-10 is not in CIFAR10_DIR=/nowhere: data_batch_1.bin to" loader cifar10
    CIFAR100_DIR='' HOME=/nowhere assert_fails 66 "CIFAR-100 is not found in ./data/cifar-100-binary" loader cifar100
    assert_fails 66 "CIFAR-10 is not in .: data_batch_1.bin" loader cifar10:. --split test
    printf 'x' >>cifar-10-batches-bin/data_batch_3.bin
    assert_fails 65 "data_batch_3.bin: 6147 bytes are not whole records of 3073" loader cifar10:.
    { printf '\x0b' && head -c 3072 /dev/zero; } >cifar-10-batches-bin/data_batch_3.bin
    assert_fails 65 "data_batch_3.bin, sample 0: label 11, but there are 10 classes" loader cifar10:.
    rm cifar-10-batches-bin/data_batch_3.bin
    assert_fails 66 "data_batch_3.bin: cannot be opened" loader cifar10:.
    head -c 3073 /dev/zero >cifar-10-batches-bin/data_batch_3.bin
    echo only >cifar-10-batches-bin/batches.meta.txt
    assert_fails 65 "batches.meta.txt: 1 names, but there are 10 classes" loader cifar10:.
    assert_fails 65 "it has 6146 bytes, more than --max-memory leaves (1)" loader cifar10:. --max-memory 6147
}

@test "a tar file of PNG pictures stands in for CIFAR-100" {
    picture train/b/1.pgm
    picture train/a/1.pgm
    tar -czf cifar-100-png.tar.gz train
    [[ $(CIFAR100_DIR=$PWD loader cifar100 --no-shuffle | "$read_stream" y | tail -n 1) == '{"y": [0, 1]}' ]]
    assert_fails 64 "--coarse: ./cifar-100-png.tar.gz knows the fine classes only" loader cifar100:. --coarse
}
