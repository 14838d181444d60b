# What the tests of several programs share; `load common` brings it in.
# shellcheck shell=bash disable=SC2154 # bats' run sets stderr and stderr_lines

# change EDIT FROM TO: a stream with something changed in every batch; tests/python/pst.py says what EDIT may do.
change() {
    "$BATS_TEST_DIRNAME/../python/pst.py" "$1" <"$2" >"$3"
}

# column STREAM NAME: a tensor's numbers, a sample a line.
column() {
    PYTHONPATH=$BATS_TEST_DIRNAME/../python /usr/bin/python3 -B -c '
import sys, pst
for row in pst.column(pst.read(open(sys.argv[1], "rb").read())[1], sys.argv[2]):
    print(*row.reshape(-1).tolist())' "$1" "$2"
}

# exchange OPTION VALUE WORD…: the words, in the array exchanged, with another value of an option.
exchange() {
    local option=$1 value=$2 i
    shift 2
    exchanged=("$@")
    for ((i = 1; i < $#; i++)); do
        [[ ${exchanged[i - 1]} != "$option" ]] || exchanged[i]=$value
    done
}

# assert_fails CODE WORDS COMMAND…: the command ends with this exit code and writes nothing to standard output. On standard
# error one line names the stage and holds the words; with code 64 a second one points to --help. Two lines before it may
# show the place of a fault in an architecture.
assert_fails() {
    local code=$1 words=$2
    shift 2
    run --separate-stderr "$@"
    echo "exit code $status: $stderr"
    [ "$status" -eq "$code" ]
    [ -z "$output" ]
    [[ ! ${stderr_lines[1]-} =~ ^"$1: "\ *\^+$ ]] || stderr_lines=("${stderr_lines[@]:2}")
    [ "${#stderr_lines[@]}" -eq $((code == 64 ? ${#stderr_lines[@]} : 1)) ]
    [ "${#stderr_lines[@]}" -le 2 ]
    [[ ${stderr_lines[0]} == "$1: "* ]]
    [[ $stderr == *"$words"* ]]
}

# assert_refused WORDS FILTER…: a filter's failure with bad data; its output (-o) does not appear.
assert_refused() {
    local words=$1 out=$BATS_TEST_TMPDIR/refused.pst
    shift
    rm -f "$out.part"
    assert_fails 65 "$words" "$@" -o "$out"
    [ ! -e "$out" ]
}

# origin STREAM TENSOR: the digest of what made the tensor, or "not known".
origin() {
    stream-inspect --json "$1" | head -n 1 | /usr/bin/python3 -c '
import json, sys
print(*[t.get("origin", "not known") for t in json.load(sys.stdin)["tensors"] if t["name"] == sys.argv[1]])' "$2"
}
