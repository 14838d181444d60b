#!/usr/bin/env bats
# loader csv: what tables in text become, and what is said of bad ones.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR" || return
    read_stream=$BATS_TEST_DIRNAME/read_stream.py
}

# rows TENSORS OPTION…: the tensors of the first batch, as the reader prints them.
rows() {
    local tensors=$1
    shift
    # shellcheck disable=SC2086 # a list of tensors
    loader "$@" --no-shuffle | "$read_stream" $tensors | sed -n 2p
}

# bad WORDS ROW…: a file "bad" of these rows, which loader refuses with these words; options stand in the array options.
bad() {
    local words=$1
    shift
    printf '%s\n' "$@" >bad
    assert_fails 65 "$words" loader csv:bad "${options[@]}" -o out.pst
    [ ! -e out.pst ]
}

@test "numbers are elements, texts are one element a category, and a text label is a class with its name" {
    printf '%s\n' 'size,colour,label' '1.5,red,cat' '-2e1,blue,dog' '.25, red ,"a ""b"""' >t.csv
    run --separate-stderr bash -c "loader t.csv --no-shuffle | '$read_stream' x y id"
    [ -z "$stderr" ]
    [[ ${lines[0]} == *'"class_names": ["a \"b\"", "cat", "dog"]'* ]]
    [[ ${lines[1]} == '{"x": [[1.5, 0.0, 1.0], [-20.0, 1.0, 0.0], [0.25, 0.0, 1.0]], "y": [1, 2, 0], "id": [0, 1, 2]}' ]]
}

@test "commas, tabs and semicolons are recognised, and other delimiters are given by an option" {
    printf '%s\n' 'a,b,y' '1,2,0' '3,4,1' >comma
    expected=$(rows 'x y' comma)
    [[ $expected == '{"x": [[1.0, 2.0], [3.0, 4.0]], "y": [0, 1]}' ]]
    tr ',' '\t' <comma >tab
    tr ',' ';' <comma >semicolon
    tr ',' ' ' <comma >space
    tr ',' '|' <comma >bar
    for name in tab semicolon; do
        [ "$(rows 'x y' $name)" = "$expected" ]
        [ "$(rows 'x y' csv:$name --delimiter $name)" = "$expected" ]
    done
    [ "$(rows 'x y' csv:space --delimiter space)" = "$expected" ]
    [ "$(rows 'x y' csv:bar --delimiter '|')" = "$expected" ]
    assert_fails 64 "--delimiter: '||' is not comma, tab, semicolon, space, or one character" loader csv:bar --delimiter '||'
}

@test "line ends, a byte order mark, empty lines and gzip change nothing but the digest" {
    printf '%s\n' 'a,b,y' '1,2,0' '3,4,1' >plain.csv
    expected=$(rows 'x y id' plain.csv)
    sed 's/$/\r/' plain.csv >crlf.csv
    { printf '\xEF\xBB\xBF' && cat plain.csv; } >mark.csv
    { echo && sed 's/$/\n/' plain.csv && printf '   \n\n'; } >gaps.csv
    head -c -1 plain.csv >open.csv
    gzip -k plain.csv
    for file in crlf.csv mark.csv gaps.csv open.csv plain.csv.gz; do
        [ "$(rows 'x y id' $file)" = "$expected" ]
    done
    digest() { loader "$@" | stream-inspect | grep -o 'digest="[^"]*"'; }
    [ "$(digest plain.csv)" = "digest=\"$(sha256sum <plain.csv | cut -d ' ' -f 1)\"" ]
    [ "$(digest plain.csv)" = "$(digest plain.csv.gz)" ]
    [ "$(digest plain.csv)" != "$(digest crlf.csv)" ]
}

@test "quoted fields hold delimiters, line ends and blanks" {
    printf 'a,"b, c",y\n1,"two\nlines",0\n2," blank",1\n' >t.csv
    loader t.csv --no-shuffle -o t.pst
    [ "$(column t.pst x)" = $'1.0 0.0 1.0\n2.0 1.0 0.0' ]
    echo '"x",z,1' >>t.csv
    assert_fails 65 "t.csv, row 2 (line 5): column 'a': 'x' is a text among numbers" loader t.csv
}

@test "the first row is a header if it has no number, or numbers that follow each other" {
    printf '%s\n' '1,x,0.5' '2,y,3' >none.csv
    [ "$(rows 'x y' none.csv --label 2)" = '{"x": [[1.0, 0.5], [2.0, 3.0]], "y": [0, 1]}' ]
    printf '%s\n' 'name,0,1,2' 'p,5,6,7' 'q,8,9,1' >counted.csv
    [ "$(rows 'x y' counted.csv --label name)" = '{"x": [[5.0, 6.0, 7.0], [8.0, 9.0, 1.0]], "y": [0, 1]}' ]
    [ "$(rows 'x y' counted.csv --header no --label 1)" = \
        '{"x": [[0.0, 1.0, 2.0], [5.0, 6.0, 7.0], [8.0, 9.0, 1.0]], "y": [0, 1, 2]}' ]
    [ "$(rows x none.csv --header yes --ignore x)" = '{"x": [[2.0, 3.0]]}' ]
    printf '%s\n' 1,2,3 4,5,6 >row.csv
    [ "$(rows x row.csv --label 3)" = '{"x": [[1.0, 2.0], [4.0, 5.0]]}' ]
    printf '%s\n' 0,1,2 4,5,6 >pandas.csv
    run --separate-stderr bash -c "loader pandas.csv --label 2 | '$read_stream' x | tail -n 1"
    [ "$output" = '{"x": [[4.0, 5.0]]}' ]
    [ "$stderr" = "loader: the first row counts 0, 1, 2 and so is taken for names; --header no makes a sample of it" ]
}

@test "columns are named by name or number, and may be labels, ids, weights or nothing" {
    printf '%s\n' 'key,x1,x2,weight,"odd, name",y' '9,1,2,0.5,z,10' '7,3,4,2,z,9' '18446744073709551615,5,6,0,z,10' >t.csv
    loader t.csv --id key --weight weight --ignore 'odd, name' --no-shuffle -o t.pst
    [ "$(column t.pst x)" = $'1.0 2.0\n3.0 4.0\n5.0 6.0' ]
    [ "$(column t.pst id)" = $'9\n7\n18446744073709551615' ]
    [ "$(column t.pst y)" = $'1\n0\n1' ]
    "$read_stream" <t.pst | head -n 1 | grep -q '"class_names": \["9", "10"\]'
    loader t.csv --id 1 --weight 4 --ignore 5 --ignore x1 --label 6 --no-shuffle -o u.pst
    [ "$(column u.pst x)" = $'2.0\n4.0\n6.0' ]
    assert_fails 64 "--label: there is no column 'z' in t.csv, which has 6 columns" loader t.csv --label z
    assert_fails 64 "--ignore: there is no column '7' in t.csv" loader t.csv --ignore 7
    assert_fails 64 "column 'y' cannot be both the id and a label" loader t.csv --id y --label y
    assert_fails 65 "t.csv, line 1: no column is left for the inputs" loader t.csv --ignore 1,2,3,4,5
    assert_fails 64 "--categorical: column 'y' is not an input" loader t.csv --categorical y
}

@test "rows without labels are reported, and a column with a usual name of labels is the label" {
    printf '%s\n' 'a,b' '1,2' '3,4' >t.csv
    run --separate-stderr loader t.csv -o t.pst
    [ "$status" -eq 0 ]
    [[ $stderr == "loader: "*"no column is called label, class, target or y; --label names one" ]]
    [[ $("$read_stream" <t.pst | head -n 1) != *'"name": "y"'* ]]
    printf '%s\n' 'a,Class' '1,2' '3,4' >t.csv
    [ "$(rows y t.csv)" = '{"y": [0, 1]}' ]
    printf '%s\n' 'a,target,y' '1,2,3' >t.csv
    assert_fails 64 "which is the label, column 'target' or 'y'? --label says so" loader t.csv
}

@test "several labels are bits, and with --regression labels are numbers" {
    printf '%s\n' 'a,p,q' '1,yes,0' '2,No,1' '3,TRUE,0' '4,false,1' >t.csv
    [ "$(rows 'x y' t.csv --label p --label q)" = \
        '{"x": [[1.0], [2.0], [3.0], [4.0]], "y": [[1, 0], [0, 1], [1, 0], [0, 1]]}' ]
    [ "$(rows y t.csv --label q,p)" = '{"y": [[0, 1], [1, 0], [0, 1], [1, 0]]}' ]
    assert_fails 65 "t.csv, row 0 (line 2): column 'p': label 'yes' is not a finite number" \
        loader t.csv --label p --regression
    printf '%s\n' 'a,p,q' '1,0.5,-1' '2,1e3,2' >t.csv
    [ "$(rows y t.csv --label p,q --regression)" = '{"y": [[0.5, -1.0], [1000.0, 2.0]]}' ]
    [ "$(rows y t.csv --label p --ignore q --regression)" = '{"y": [0.5, 1000.0]}' ]
    assert_fails 65 "label '0.5' of column 'p' is a number with a fraction; --regression says" loader t.csv --label p
    assert_fails 65 "label '-1' is not a bit" loader t.csv --label q,a
}

@test "missing values are refused, or the mean stands for them" {
    printf '%s\n' 'n,c,y' '1,u,0' ',v,1' '4,?,0' >t.csv
    assert_fails 65 "t.csv, row 1 (line 3): column 'n': a value is missing; '--missing mean' puts" loader t.csv
    loader t.csv --missing mean --missing-values '?,NA' --no-shuffle -o t.pst
    [ "$(column t.pst x)" = $'1.0 0.0 1.0 0.0\n2.5 0.0 0.0 1.0\n4.0 1.0 0.0 0.0' ]
    printf '%s\n' 'n,y' '1,0' '-9,1' '3,' >t.csv
    assert_fails 65 "t.csv, row 1 (line 3): column 'n': a value is missing, '-9'" loader t.csv --missing-values -9
    assert_fails 65 "t.csv, row 2 (line 4): column 'y': the label is missing" loader t.csv --missing mean
    printf '%s\n' 'n,m,y' ',1,0' ',2,1' >t.csv
    assert_fails 65 "t.csv: column 'n' has no value at all; --ignore leaves it out" loader t.csv --missing mean
}

@test "columns of numbers may be categories, and labels may lose their end" {
    printf '%s\n' 'n,y' '10,<=50K.' '9,>50K .' '10,>50K' >t.csv
    [ "$(rows 'x y' t.csv --categorical n --strip-label .)" = '{"x": [[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]], "y": [0, 1, 1]}' ]
    printf '%s\n' 'n,y' '10,1' 'x,0' '1.0,1' >t.csv
    [ "$(rows x t.csv --categorical n)" = '{"x": [[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]}' ]
}

@test "several files with the same header are one set" {
    printf '%s\n' 'a,y' '1,p' '2,q' >a.csv
    printf '%s\n' 'a,y' '3,r' '' '4,p' >b.csv
    [ "$(rows 'x y id' a.csv b.csv)" = '{"x": [[1.0], [2.0], [3.0], [4.0]], "y": [0, 1, 2, 0], "id": [0, 1, 2, 3]}' ]
    echo 'x,p' >>b.csv
    assert_fails 65 "b.csv, row 4 (line 5): column 'a': 'x' is a text among numbers" loader a.csv b.csv
    printf '%s\n' 'a,z' '3,r' >b.csv
    assert_fails 65 "column 2 is 'z', but 'y' in a.csv" loader a.csv csv:b.csv
    printf '%s\n' '1,2' >b.csv
    assert_fails 65 "b.csv, line 1: column 1 is '1', but 'a' in a.csv" loader a.csv b.csv
    assert_fails 66 "none.csv: cannot be opened: No such file or directory" loader a.csv none.csv
}

@test "an id that comes twice is refused, and both rows are named" {
    printf '%s\n' 'k,a' '5,1' '3,1' '' '5,2' >t.csv
    assert_fails 65 "t.csv, row 0 (line 2) and t.csv, row 2 (line 5) have the same id, 5" loader t.csv --id k
}

@test "bad rows are refused with file, row, line and column" {
    options=()
    bad "bad, row 1 (line 3): it has 1 fields, but the first row has 2" 'a,y' '1,0' '1'
    bad "bad, row 1 (line 3): it has 3 fields, but the first row has 2" 'a,y' '1,0' '1,0,0'
    bad "bad, row 1 (line 3): column 'a': 'x' is a text among numbers; --missing-values" 'a,y' '1,0' 'x,0'
    bad "bad, row 1 (line 3): column 'a': '1' is a number among texts; --categorical" 'a,y' 'x,0' '1,0'
    bad "bad, row 0 (line 2): column 'a': '1,234' is not a number: the decimal point is '.'" 'a,y' '"1,234",0'
    bad "bad, row 0 (line 2): column 'a': '3,14' is not a number: the decimal point is '.'" 'a;y' '3,14;0'
    bad "bad, row 0 (line 2): column 'a': '1e39' is not a finite number of 32 bits" 'a,y' '1e39,0'
    bad "bad, row 1 (line 3): column 'a': 'nan' is a text among numbers" 'a,y' '1,0' 'nan,0'
    bad "bad, line 1: columns 1 and 2 are both called 'a'" 'a,a,y' '1,2,0'
    bad "bad: there is no row in it" 'a,y'
    bad "bad: labels '1' and '1.0' are the same number" 'a,y' '1,1' '2,1.0'
    bad "bad, row 1 (line 3): a quote stands within a field that does not begin with one" 'a,y' '1,0' '2"3,0'
    bad "bad, row 1 (line 3): the file ends within a quoted field" 'a,y' '1,0' '"2,0' '3,0'
    bad "bad, row 1 (line 3): column 'c': 'caf?' is not UTF-8; iconv -f latin1 -t utf8 may help" 'c,y' 'a,0' $'caf\xe9,0'
    bad "bad, line 1: the name of column 1 is not UTF-8" $'\xff,y' '1,0'
    options=(--id k)
    bad "bad, row 0 (line 2): column 'k': '-1' is not an id, a whole number" 'k,a' '-1,1'
    options=(--weight k)
    bad "bad, row 0 (line 2): column 'k': '-1' is not a weight, a number from 0 on" 'k,a' '-1,1'
    options=(--max-memory 1k)
    bad "the rows up to here take more than --max-memory, 1024 bytes" 'a,y' "$(yes 1,0 | head -n 100)"
    assert_fails 64 "which file? csv:FILE" loader csv
}

@test "a table beyond a limit is refused" {
    options=()
    bad "row 1000 (line 1002): column 'name': there are more than 1000 different texts" name "$(seq -f 'n%g' 1001)"
    bad "column 'name': a text of 1001 bytes is too long for a category" name "$(printf 'x%.0s' {1..1001})"
    { echo a,b && echo -n '1,"' && head -c 100000000 /dev/zero | tr '\0' x && echo '"'; } >large
    assert_fails 65 "large, row 0 (line 2): a field of more than 1048576 bytes; is a quote not closed?" loader csv:large
    printf 'a,b\n1,2\n\0\0' >nul
    assert_fails 65 "nul, row 1 (line 3): a byte of 0 in line 3; is the file UTF-16?" loader csv:nul
    head -c 3000000 /dev/zero | tr '\0' ',' >wide
    assert_fails 65 "wide, line 1: it has more than 1048576 fields" loader csv:wide
    head -c 100000000 /dev/zero | tr '\0' '\n' | gzip >bomb.gz
    assert_fails 65 "bomb.gz: there is no row in it" loader csv:bomb.gz
    yes 1,2,3,4,5,6,7,8 | head -c 20000000 | gzip >bomb.gz
    assert_fails 65 "take more than --max-memory, 1048576 bytes" loader csv:bomb.gz --max-memory 1M
    head -c 2000 bomb.gz >cut.gz
    assert_fails 65 "cut.gz: damaged gzip after byte" loader csv:cut.gz
}

@test "a row of a million numbers is read" {
    { seq -s , 1000000 && yes 0.5 | head -n 1000000 | paste -s -d ,; } >wide.csv
    loader wide.csv --header yes -o wide.pst
    "$read_stream" <wide.pst | head -n 1 | grep -q '"shape": \[1000000\]'
}

@test "options that decide about the rows are in the origins" {
    printf '%s\n' 'a,b,y' '1,2,0' >t.csv
    loader t.csv --label y -o a.pst
    loader t.csv --label y --ignore b -o b.pst
    stream-inspect a.pst | grep -q 'loader digest=.* label=y makes=x set=csv'
    stream-inspect b.pst | grep -q 'loader digest=.* ignore=b .*label=y makes=x set=csv'
}

@test "other files of text are not taken for tables" {
    text() {
        printf '%s\n' "$@" >text
        assert_fails 64 "text is " loader text
    }
    text 'Hello, this is a letter.' 'It has two lines, one, two, commas.'
    text '{"a": 1, "b": 2}' '{"a": 3, "b": 4}'
    text 'one line, only'
    text 'words without' 'anything between'
}

@test "a table is learned from, and its classes keep their names" {
    /usr/bin/python3 -c '
import random
random.seed(3)
colours, names = ["red", "blue"], ["p", "q", "r"]
print("u,v,colour,kind")
for i in range(300):
    k = i % 3
    print(f"{k + random.random() / 2:.3f},{random.random():.4f},{random.choice(colours)},{names[k]}")' >t.csv
    loader t.csv --label kind --epochs 30 -b 10 | student-trainer -q -a 4-16-3 -r 0.1 -o student.safetensors
    loader t.csv --label kind | teacher-forward student.safetensors | evaluator --json >figures
    grep -q '"errors":0,' figures
}

@test "--like takes columns by name, categories, gaps and classes from a model" {
    printf '%s\n' 'a,colour,key,y' '1,red,7,p' ',blue,8,q' '4,,9,r' >train.csv
    loader train.csv --missing mean --ignore key --no-shuffle -o train.pst
    [ "$(column train.pst x)" = $'1.0 0.0 0.0 1.0\n2.5 0.0 1.0 0.0\n4.0 1.0 0.0 0.0' ]
    student-trainer -q -a 4-3 -i train.pst -o model.safetensors
    printf '%s\n' 'y,colour,a' 'r,red,' 'p,,2' >new.csv
    for like in model.safetensors train.pst; do
        [ "$(rows 'x y' new.csv --like $like)" = '{"x": [[2.5, 0.0, 0.0, 1.0], [2.0, 1.0, 0.0, 0.0]], "y": [2, 0]}' ]
    done
    loader new.csv --like model.safetensors | stream-inspect | grep -q 'class names 3: p, q, r'
    printf '%s\n' 'colour,a' 'blue,3' >new.csv
    run --separate-stderr bash -c "loader new.csv --like model.safetensors | '$read_stream' x"
    [ -z "$stderr" ]
    [[ ${lines[0]} != *'"name": "y"'* && ${lines[1]} == '{"x": [[3.0, 0.0, 1.0, 0.0]]}' ]]
    assert_fails 64 "--label: there is no column 'y' in new.csv" loader new.csv --like model.safetensors --label y
}

@test "--like refuses rows that do not fit, by name" {
    printf '%s\n' 'a,colour,y' '1,red,p' '2,blue,q' '3,red,p' >train.csv
    loader train.csv | student-trainer -q -a 3-2 -o model.safetensors
    # unlike CODE WORDS ROW…: rows that the model does not take.
    unlike() {
        local code=$1 words=$2
        shift 2
        printf '%s\n' "$@" >new.csv
        assert_fails "$code" "$words" loader csv:new.csv --like model.safetensors
    }
    unlike 65 "new.csv, line 1: there is no column 'colour', which is an input of model.safetensors" 'a,y' '1,p'
    unlike 64 "column 'more' is not an input of model.safetensors; --label or --ignore says what it is" 'a,colour,more' '1,red,2'
    unlike 65 "new.csv, row 0 (line 2): column 'colour': 'green' is no category of model.safetensors; '--unknown-category zeros'" \
        'a,colour' '1,green'
    unlike 65 "new.csv, row 0 (line 2): column 'y': label 'z' is no class of model.safetensors" 'a,colour,y' '1,red,z'
    unlike 65 "new.csv, row 1 (line 3): column 'a': 'x' is not a number, as the column has them in model.safetensors" \
        'a,colour' '1,red' 'x,red'
    unlike 65 "column 'a': a value is missing; the model does not know what stands for one" 'a,colour' ',red'
    unlike 65 "column 'colour': '' is no category of model.safetensors" 'a,colour' '1,'
    unlike 64 "there is no row of names, but model.safetensors knows its columns by name; --header no takes them" '1,red,p' '2,red,p'
    assert_fails 65 "there are 3 columns of inputs, but model.safetensors has 2; if one is the label, --label says so" \
        loader new.csv --header no --like model.safetensors
    assert_fails 64 "column 'a' is an input of model.safetensors and cannot be anything else" \
        loader csv:train.csv --like model.safetensors --ignore a
    printf '%s\n' 'a,colour' '1,green' >new.csv
    [ "$(rows x new.csv --like model.safetensors --unknown-category zeros)" = '{"x": [[1.0, 0.0, 0.0]]}' ]
    printf '%s\n' '1,red' '2,blue' >none.csv
    [ "$(rows x none.csv --header no --like model.safetensors)" = '{"x": [[1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]}' ]
}

@test "--like takes the outputs of a regression and of several labels from a model" {
    printf '%s\n' 'a,b,rent,size' '1,2,0.5,1' '2,3,1.5,0' '3,1,2,1' >train.csv
    loader train.csv --label rent --regression | student-trainer -q -a 3-1 --loss mse:y -r 0.001 -o model.safetensors
    printf '%s\n' 'rent,size,b,a' '3,4,5,6' >new.csv
    [ "$(rows 'x y' new.csv --like model.safetensors)" = '{"x": [[6.0, 5.0, 4.0]], "y": [3.0]}' ]
    loader train.csv --label rent,size --regression | student-trainer -q -a 2-2 --loss mse:y -r 0.001 -o model.safetensors
    [ "$(rows 'x y' new.csv --like model.safetensors --regression)" = '{"x": [[6.0, 5.0]], "y": [[3.0, 4.0]]}' ]
}

@test "a column of weights decides what a student learns" {
    /usr/bin/python3 -c 'import random
random.seed(1)
print("a,b,importance,label")
for _ in range(400):
    a, b = random.gauss(0, 1), random.gauss(0, 1)
    print("%.3f,%.3f,%d,%s" % (a, b, a < 0, "left" if a < 0 else "right"))' >weighted.csv
    for options in "--weight importance" "--ignore importance"; do
        # shellcheck disable=SC2086
        loader weighted.csv $options --epochs 20 | student-trainer -q --hidden 4 -o student.safetensors
        # shellcheck disable=SC2086
        loader weighted.csv $options | teacher-forward student.safetensors | stream-export --to csv --take class |
            grep -c right >"count-${options%% *}" || true
    done
    (($(<count---weight) < 60 && $(<count---ignore) > 150))
}

@test "an index that pandas wrote is not taken for an input" {
    printf '%s\n' ',a,label' '0,1.5,x' '1,2.5,y' >pandas.csv
    assert_fails 64 "the first column has no name, as pandas writes its index: --ignore 1 leaves it out" loader pandas.csv
    loader pandas.csv --ignore 1 | "$read_stream" x | grep -q '"shape": \[1\]'
    [ "$(loader pandas.csv --id 1 --no-shuffle | "$read_stream" id | tail -n 1)" = '{"id": [0, 1]}' ]
}
