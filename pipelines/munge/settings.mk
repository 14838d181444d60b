# The settings of all experiments. They were chosen on the validation rows (search.mk); the test rows chose none of them.

# ---- The problems: which table, and which of its classes against which ----

problems := adult covtype letter-p1 letter-p2 magic
table.adult := adult
classes.adult := ">50K"; rest = *
table.covtype := covtype
classes.covtype := "2"; rest = *
table.letter-p1 := letter
classes.letter-p1 := O; rest = *
table.letter-p2 := letter
classes.letter-p2 := first = A, B, C, D, E, F, G, H, I, J, K, L, M; rest = *
table.magic := magic
classes.magic := g; rest = *

# Options of loader for a table.
columns.adult := --label 15 --strip-label .
columns.covtype := --label Cover_Type
columns.letter := --label Letter
columns.magic := --label 11
train.rows := 4000
validation.rows := 1000
draw.seed := 1

# ---- The nets that may teach: UNITS-DECAY-SEED, with a decay of so many hundred thousandths ----

net.units := $(call pick,64 128 256 512,16 64)
net.decays := $(call pick,20 50 100,20)
net.seeds := $(call pick,1 2 3,1 2)
net.epochs := $(call pick,200,20)
net.options := --learning-rate 0.05 --patience 40
# Measured on a core of its own, like all seconds here.
net.seconds := 4

# ---- Models of scikit-learn: KIND-SEED; a support vector machine is svm-COST-WIDTH ----

TEACHERS ?= all
scikit.kinds := $(call pick,forest forest-leaf-3 extra extra-leaf-3 bagged boosted-2 boosted-4 boosted-4-slow boosted-6 boosted-8 \
    $(foreach cost,1 10 100,$(foreach width,0.5 1 2 4,svm-$(cost)-$(width))) neighbours-3 neighbours-10,forest boosted-4 svm-10-2)
scikit.seeds := 1
scikit.seconds := 10

# ---- Which ensemble teaches, and how samples are made up for it: PROBABILITY-SPREAD ----

teacher.adult := selected
teacher.covtype := selected
teacher.letter-p1 := selected
teacher.letter-p2 := selected
teacher.magic := selected
munge.adult := 0.5-1
munge.covtype := 0.5-1
munge.letter-p1 := 0.2-1
munge.letter-p2 := 0.8-5
munge.magic := 0.5-5
made.seconds := $(call pick,200,15)

# ---- The student ----

units := 32 256
seeds := $(call pick,1 2 3 4 5,1 2)
student.options := --schedule linear --loss kl
# A higher rate than 0.1 makes mimics better on all problems but one.
student.rate := 0.2
student.rate.letter-p2 := 0.1
# It learns from so many samples in all, whatever the size of its transfer set is.
student.samples := $(call pick,24000000,400000)
student.seconds := $(call pick,45,4)

# ---- The curves ----

sizes := $(call pick,4000 13000 40000 130000 400000,4000 20000)
curve.seeds := 1
# Problems that also have samples by the rival methods, and rows of the table itself, each of half of the test rows.
rivals := covtype letter-p2
real := covtype letter-p1 letter-p2
real.sizes.covtype := $(call pick,1000 2000 5000,1000)
real.sizes.letter-p1 := $(call pick,1000 4000 7500,1000)
real.sizes.letter-p2 := $(real.sizes.letter-p1)
