# The settings of all experiments. They were chosen on the validation speakers (search.mk); the test set chose none of them.

# ---- The data ----

# Log-mel energies of 40 bands; a net sees 20 frames before the one that it judges, and 5 behind it, so its layers are
# 1040-512-512-512-512-102.
splice := --splice 20,5
hidden := 512-512-512-512
# Utterances of so many of the training speakers are for validation: 89 of 948.
held_out := --hold-out-speakers 7
frames := loader speech --normalise speaker --no-shuffle
# Mean and deviation of all; others are made --like these.
fresh := $(frames) --standardise

# ---- One net, which is also a teacher of the ensemble ----

teachers := $(call pick,1 2 3 4 5 6 7 8 9 10,1 2 3)
one.epochs := $(call pick,6,2)
one.options := --optimiser nesterov --learning-rate 0.02 --schedule cosine --dropout-hidden 0.1

# ---- The student of the ensemble: the same net, without dropout ----

temperature := 2
distilled.seeds := $(call pick,1 2 3 4 5,1 2)
distilled.epochs := $(call pick,8,2)
distilled.options := --optimiser nesterov --learning-rate 0.05 --schedule linear --targets both --hard-weight 0.5

# ---- 3 % of the training set: hard targets with early stopping, soft targets to convergence ----

small.utterances := 28
small.seeds := $(call pick,1 2 3 4 5,1 2)
small-hard.epochs := $(call pick,60,10)
small-hard.options := --optimiser nesterov --learning-rate 0.02 --validate validation-spliced.pst --patience 10
small-soft.epochs := $(call pick,100,20)
small-soft.options := --optimiser nesterov --learning-rate 0.05 --warm-up 2 --schedule linear --targets soft

# ---- Cross-validation by speaker, over both parts of the corpus ----

fold.count := 6
folds := $(call pick,1 2 3 4 5 6,1 2)
fold.seed := 1
fold.teachers := $(call pick,1 2 3 4,1 2)
fold.epochs := $(call pick,5,1)
fold.options := $(one.options)
fold-student.epochs := $(call pick,6,1)
fold-student.options := $(distilled.options)

# ---- Labels without a model from elsewhere: equal shares, then the net's own alignment, so often ----

flat.rounds := $(call pick,1 2 3 4,1 2)
flat.epochs := $(call pick,2,1)
flat.hidden := $(call pick,256-256,128)
flat.options := --optimiser nesterov --learning-rate 0.05 --schedule linear
# Nets that are judged beside those of pocketsphinx's labels.
flat.seeds := $(call pick,1 2,1)
