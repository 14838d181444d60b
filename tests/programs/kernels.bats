#!/usr/bin/env bats
# --kernels and --precision from outside: which library multiplies matrices, and how.
bats_require_minimum_version 1.5.0

setup() {
    load common
    cd "$BATS_TEST_TMPDIR" || return
    if student-trainer --arch 1-1 --kernels onednn --output none --input /dev/null 2>&1 | grep -q ONEDNN=0; then
        skip "this build is without oneDNN"
    fi
}

# precisions: those of oneDNN on this processor.
precisions() {
    echo f32
    ! teacher-forward --kernels onednn --precision bf16 none 2>&1 | grep -q 'cannot be opened' || echo bf16
}

# What --precision auto takes: without AMX, Intel's processors are faster in f32.
automatic() {
    if grep -q GenuineIntel /proc/cpuinfo && ! grep -qw amx_bf16 /proc/cpuinfo; then echo f32; else precisions | tail -n 1; fi
}

# weights MODEL: the SHA-256 of its tensors' data.
weights() {
    /usr/bin/python3 -c '
import hashlib, sys
data = open(sys.argv[1], "rb").read()
print(hashlib.sha256(data[8 + int.from_bytes(data[:8], "little"):]).hexdigest())' "$1"
}

@test "a student has the same bits for any number of threads" {
    loader digits --limit 900 --batch 100 --output digits.pst
    for precision in $(precisions); do
        for arch in 784-150-70-10 784-500-gelu-600nobias-tanh-500-10 1x28x28-conv3x3:8-bn-relu-maxpool2-depthwise3x3-relu-conv1x1:12-relu-gap-10 \
            1x28x28-conv3x3:16-bn-relu-maxpool2-conv3x3:12-bn-maxpool3x3,stride=2,pad=1-relu-flatten-10; do
            for threads in 1 2 3 8; do
                student-trainer --arch $arch --kernels onednn --precision "$precision" --threads $threads \
                    --input digits.pst --output $threads.safetensors
                [ "$(weights $threads.safetensors)" = "$(weights 1.safetensors)" ]
                teacher-forward --kernels onednn --precision "$precision" --threads $threads --name t 1.safetensors \
                    --input digits.pst --output $threads.pst
                cmp <(column $threads.pst logits/t) <(column 1.pst logits/t)
            done
            rm ./*.safetensors [1238].pst
        done
    done
}

@test "units are dropped alike by any number of threads" {
    loader digits --limit 900 --batch 100 --output digits.pst
    for arch in 784-500-10 784-500-gelu-10; do
        for threads in 1 3; do
            student-trainer --arch $arch --dropout-hidden 0.5 --kernels onednn --threads $threads --input digits.pst \
                --output $threads.safetensors
        done
        [ "$(weights 3.safetensors)" = "$(weights 1.safetensors)" ]
        rm ./*.safetensors
    done
}

@test "a student learns as well with oneDNN, and with bf16" {
    loader digits --epochs 2 --output digits.pst
    loader digits --split test --output test.pst
    student-trainer --arch 784-100-10 --input digits.pst --output openblas.safetensors
    least=$(teacher-forward openblas.safetensors --input test.pst | evaluator --json | jq .errors)
    for precision in $(precisions); do
        student-trainer --arch 784-100-10 --kernels onednn --precision "$precision" --input digits.pst \
            --output "$precision.safetensors"
        errors=$(teacher-forward --kernels onednn --precision "$precision" "$precision.safetensors" --input test.pst |
            evaluator --json | jq .errors)
        ((errors <= least + least / 5 + 5))
    done
}

@test "logits beside which a hint was asked for have another origin with oneDNN" {
    loader digits --limit 200 --output digits.pst
    student-trainer --arch 1x28x28-conv3x3:4-bn-relu-gap-10 --input digits.pst --output t.safetensors
    for kernels in openblas onednn; do
        teacher-forward --name t --kernels $kernels t.safetensors --input digits.pst --output plain.pst
        teacher-forward --name t --kernels $kernels --hint 1 t.safetensors --input digits.pst --output hinted.pst
        same=$([[ $(origin plain.pst logits/t) = "$(origin hinted.pst logits/t)" ]] && echo yes || echo no)
        [ "$same" = "$([[ $kernels = openblas ]] && echo yes || echo no)" ]
        rm plain.pst hinted.pst
    done
}

@test "the kernels that multiplied are part of origins and of a model's lineage" {
    loader digits --limit 200 --output digits.pst
    student-trainer --arch 784-20-10 --input digits.pst --output plain.safetensors
    teacher-forward --name t plain.safetensors --input digits.pst --output plain.pst
    teacher-forward --name t --kernels openblas plain.safetensors --input digits.pst --output named.pst
    [ "$(origin plain.pst logits/t)" = "$(origin named.pst logits/t)" ]
    teacher-forward --name t --kernels onednn plain.safetensors --input digits.pst --output other.pst
    [ "$(origin plain.pst logits/t)" != "$(origin other.pst logits/t)" ]
    stream-inspect other.pst | grep -q 'onednn f32'
    student-trainer --arch 784-20-10 --kernels onednn --input digits.pst --output model.safetensors
    grep -qa 'onednn f32' model.safetensors
    run ! grep -qa onednn plain.safetensors
    [ "$(precisions | tail -n 1)" = bf16 ] || return 0
    teacher-forward --name t --kernels onednn --precision bf16 plain.safetensors --input digits.pst --output bf16.pst
    stream-inspect bf16.pst | grep -q 'onednn bf16'
    [ "$(origin bf16.pst logits/t)" != "$(origin other.pst logits/t)" ]
}

@test "the log names the kernels that multiply, and OpenBLAS only if it multiplies" {
    loader digits --limit 200 --output digits.pst
    for precision in $(precisions) auto; do
        OPENBLAS_CORETYPE=Haswell student-trainer --arch 784-10 --kernels onednn --precision "$precision" --input digits.pst \
            --output model.safetensors --log "$precision.log"
        rm model.safetensors
        kernels=$(jq -r 'select(.event == "kernels").kernels' "$precision.log")
        [ "$kernels" = "onednn ${precision/auto/$(automatic)}" ]
        run ! grep slow_blas "$precision.log"
    done
    student-trainer --arch 784-10 --input digits.pst --output model.safetensors --log plain.log
    run ! grep '"event":"kernels"' plain.log
}

@test "a training goes on to the same bits, and only with the same kernels" {
    loader digits --limit 600 --batch 50 --output digits.pst
    train() {
        student-trainer --arch 784-40-10 "$@"
    }
    train --kernels onednn --input digits.pst --output whole.safetensors
    head -c 100000 digits.pst | train --kernels onednn --checkpoint c --output part.safetensors || true
    [ -e c ]
    cp c kept
    assert_fails 65 "kernels is not given here" student-trainer --arch 784-40-10 --checkpoint c --resume --input digits.pst --output part.safetensors
    cp kept c
    train --kernels onednn --checkpoint c --resume --input digits.pst --output part.safetensors
    [ "$(weights part.safetensors)" = "$(weights whole.safetensors)" ]
}

@test "kernels and precisions that do not fit are refused, and the error says which ones do" {
    assert_fails 64 "OpenBLAS multiplies in f32; add --kernels onednn" teacher-forward --precision bf16 none
    assert_fails 64 "--kernels" teacher-forward --kernels mkl none
    student-trainer --arch 784-10 --precision auto --input <(loader digits --limit 10) --output a.safetensors
    # oneDNN can be limited to what an older processor has.
    ONEDNN_MAX_CPU_ISA=AVX2 DNNL_MAX_CPU_ISA=AVX2 assert_fails 69 "AVX512_BF16" \
        student-trainer --arch 784-10 --kernels onednn --precision bf16 --input /dev/null --output b
    ONEDNN_MAX_CPU_ISA=AVX2 DNNL_MAX_CPU_ISA=AVX2 student-trainer --arch 784-10 --kernels onednn --precision auto \
        --input <(loader digits --limit 10) --output c.safetensors
    grep -qa 'onednn f32' c.safetensors
}
