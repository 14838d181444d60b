#!/usr/bin/env bats
# All experiments of pipelines/munge, with small made-up tables and nets alone.
# shellcheck disable=SC2154 # bats' run sets stderr
bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    command -v jq >/dev/null || skip "jq is not installed; make reproduce-deps installs it"
    export TABULAR_DIR=$BATS_FILE_TMPDIR/tables WORK=$BATS_FILE_TMPDIR/work
    /usr/bin/python3 tests/python/make_tables.py "$TABULAR_DIR"
    export SETTINGS="train.rows=160|validation.rows=80|net.units=4 8|net.seeds=1|net.epochs=10|sizes=100 200|student.samples=2000"
    SETTINGS+="|real.sizes.covtype=40|real.sizes.letter-p1=40|real.sizes.letter-p2=40"
    [[ ! -e $BUILD/libpipestill.a ]] || munge_make -j 2 all QUICK=1 TEACHERS=nets
}

setup() {
    cd "$BATS_TEST_DIRNAME/../.." || return
    load make.bash
    load results.bash
    skip_without_build
    PATH=$PWD/pipelines/munge:$PATH
}

# munge_make ARGUMENT…: make in pipelines/munge, with small settings.
munge_make() {
    local settings
    IFS='|' read -ra settings <<<"$SETTINGS"
    make_here -s -C pipelines/munge "$@" "${settings[@]}"
}

# Recipes that make -n prints, one a line.
one_a_line() {
    sed -e ':again' -e '/\\$/{N;b again' -e '}' -e 's/\\\n//g' | sed 's/[[:space:]]\+/ /g; s/^ //; s/ $//'
}

@test "all rows are made from tables, without anything from elsewhere" {
    jq -e 'map(.row) == ["adult", "covtype", "letter-p1", "letter-p2", "magic"]' "$WORK/results/munge.json"
    jq -e 'all(.seeds == [1, 2] and (.mimic | length) == 2 and (.mimic_32 | length) == 2
        and ([.mimic[], .mimic_32[], .ensemble, .net, .single] | all(. > 0 and . < 1)))' "$WORK/results/munge.json"
    [ ! -e "$WORK/adult-selected.ensemble" ]
}

@test "RMSE is that of the probability of the class against 0 and 1" {
    teacher-forward "$WORK/magic-munge-200-256-1.safetensors" --name it --input "$WORK/magic-test.pst" |
        stream-export --to tsv --take y,prediction --of logits/it --no-header >"$BATS_TEST_TMPDIR/said"
    said=$(awk '{ sum += ($3 - $1) ^ 2 } END { printf "%.4f", sqrt(sum / NR) }' "$BATS_TEST_TMPDIR/said")
    [ "$said" = "$(jq '.[] | select(.row == "magic").mimic[0]' "$WORK/results/munge.json" | xargs printf %.4f)" ]
}

@test "parts of a table share no row, and are drawn by the seed alone" {
    for part in train validation test-1 test-2; do rows letter "$part" 160 80 1; done | grep -v '^Letter' | sort >"$BATS_TEST_TMPDIR/rows"
    tail -n +2 "$TABULAR_DIR/letter-recognition.data" | sort | cmp - "$BATS_TEST_TMPDIR/rows"
    rows letter train 160 80 1 | cmp - <(rows letter train 160 80 1)
    run ! cmp -s <(rows letter train 160 80 1) <(rows letter train 160 80 2)
    [ "$(rows letter train 160 80 1 | wc -l)" -eq 161 ]
}

@test "COVTYPE's columns of 0 and 1 become two categories" {
    [[ $(rows covtype train 160 80 1 | head -n 2 | tail -n 1) =~ ^Wilderness_Area[1-4],Soil_Type[0-9]+,([0-9]+,){10}[1-7]$ ]]
}

@test "rows names a missing table, and refuses one that is too small" {
    TABULAR_DIR=/nowhere run -66 --separate-stderr rows magic train 160 80 1
    [[ $stderr == "rows: /nowhere/magic04.data: No such file or directory; TABULAR_DIR names the folder with the tables" ]]
    run -65 --separate-stderr rows magic train 4000 1000 1
    [[ $stderr == "rows: magic has 400 rows, which are too few to train on 4000 and validate on 1000" ]]
    run -64 --separate-stderr env -u TABULAR_DIR pipelines/munge/rows magic train 160 80 1
    [[ $stderr == "rows: no tables: TABULAR_DIR is to name the folder with them" ]]
    run -64 --separate-stderr rows iris train 160 80 1
    [[ $stderr == "rows: usage: "*"adult, covtype, letter, magic" ]]
}

@test "choose counts every model alike, or takes those that lower the error" {
    # Two models are wrong in opposite directions, so together they are right; the third is of little use.
    said=$'y\tsoft/p-net-a.no\tsoft/p-net-a.yes\tsoft/p-net-b.no\tsoft/p-net-b.yes\tsoft/p-scikit-c.no\tsoft/p-scikit-c.yes\n'
    for ((i = 0; i < 10; i++)); do said+=$'0\t1.2\t-0.2\t0.8\t0.2\t0.1\t0.9\n1\t0.2\t0.8\t-0.2\t1.2\t0.9\t0.1\n'; done
    choose all <<<"${said%$'\n'}" | jq -e '.members == {"p-net-a": 1, "p-net-b": 1, "p-scikit-c": 1}'
    choose greedy <<<"${said%$'\n'}" >"$BATS_TEST_TMPDIR/chosen"
    jq -e '.members | ([.["p-net-a"], .["p-net-b"]] | min) > 5 * (.["p-scikit-c"] // 0)' "$BATS_TEST_TMPDIR/chosen"
    jq -e '.rmse < 0.15 and .unseen < 0.15 and .net == "p-net-a" and (.models["p-net-a"] - 0.2 | fabs) < 1e-9' "$BATS_TEST_TMPDIR/chosen"
}

@test "together answers with the weighted mean of its members" {
    cd "$WORK"
    jq '.members = {"magic-net-4-20-1": 3, "magic-net-8-20-1": 1}' magic-nets.ensemble >"$BATS_TEST_TMPDIR/two.ensemble"
    PATH=$OLDPWD/pipelines/paper:$PATH together "$BATS_TEST_TMPDIR/two.ensemble" <magic-validation.pst >"$BATS_TEST_TMPDIR/together.pst"
    teacher-forward magic-net-4-20-1.safetensors <magic-validation.pst | teacher-forward magic-net-8-20-1.safetensors |
        temperature-softmax | averager --weight magic-net-4-20-1=3 | stream-export --to tsv --take soft |
        diff - <(stream-export --to tsv --take soft/ensemble -i "$BATS_TEST_TMPDIR/together.pst" | sed '1s|soft/ensemble|soft|g')
}

@test "the page has every row, and nothing of the template is left" {
    for row in adult covtype letter-p1 letter-p2 magic; do
        grep -qE "^\| \`$row\` \| 0\.[0-9]+ ± .* \|$" "$WORK/results-munge.md"
    done
    grep -q 'RANDOM, 256 units | NBE, 256 units | rows of the table, 256 units' "$WORK/results-munge.md"
    run ! grep -qE '@[a-z]+(-[a-z]+)*@' "$WORK/results-munge.md"
}

@test "what is made is not made again" {
    run munge_make adult QUICK=1 TEACHERS=nets
    [ "$status" -eq 0 ]
    [[ $output != *making* ]]
    [[ $output == *"adult: mimic 0."*"; ensemble 0."*", net 0."*", single 0."* ]]
}

@test "a search reads the validation rows and never the test rows" {
    export WORK=$BATS_TEST_TMPDIR/search
    munge_make -n search | one_a_line >"$BATS_TEST_TMPDIR/commands"
    grep -q '^rows letter validation' "$BATS_TEST_TMPDIR/commands"
    run ! grep -q ' test-\|-test' "$BATS_TEST_TMPDIR/commands"
    munge_make -n search KIND=magic 'try.magic.other=--learning-rate 0.7 --loss kl' | one_a_line >"$BATS_TEST_TMPDIR/commands"
    grep -q -- '--learning-rate 0.7 .*--output magic.other.safetensors' "$BATS_TEST_TMPDIR/commands"
    run ! grep -q adult "$BATS_TEST_TMPDIR/commands"
}

@test "every command of the recorded results is still what make runs" {
    recorded_commands_are munge < <(SETTINGS='' WORK=$BATS_TEST_TMPDIR/none munge_make -n all | one_a_line)
}

@test "docs/results-munge.md is what report writes from docs/results" {
    page_is_reported munge pipelines/munge/report
}
