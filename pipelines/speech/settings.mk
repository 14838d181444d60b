# The settings of all experiments. They were chosen on the validation speakers (search.mk); the test set chose none of them. Each kind
# of net has `epochs`, `options` of student-trainer, `perturb` for sound that is changed otherwise in each epoch, and `seconds`, the rough
# time of one training on a core of its own, for progress (an epoch of the training set takes 15).

# ---- The data ----

# Log-mel energies of 40 bands; a net gets 20 frames before the one that it classifies, and 5 after it, so its layers are
# 1040-512-512-512-512-102.
splice := --splice 20,5
hidden := 512-512-512-512
# Utterances of so many of the training speakers are for validation: 91 of 948.
held_out := --hold-out-speakers 7
corpus := loader speech --normalise speaker
frames := $(corpus) --no-shuffle
# Mean and deviation of all training frames; other frames are made --like these.
fresh := $(frames) --standardise

# ---- One net, which is also a teacher of the ensemble ----

teachers := $(call pick,1 2 3 4 5 6 7 8 9 10,1 2 3)
one.epochs := $(call pick,6,2)
one.seconds := $(call pick,100,35)
one.options := --optimiser nesterov --learning-rate 0.02 --schedule cosine --dropout-hidden 0.1

# ---- The student of the ensemble: the same net, without dropout ----

temperature := 2
distilled.seeds := $(call pick,1 2 3 4 5,1 2)
# Played up to 10 % faster or slower, otherwise in each epoch.
distilled.perturb := --speed 0.1
distilled.epochs := $(call pick,12,2)
distilled.seconds := $(call pick,250,40)
distilled.options := --optimiser nesterov --learning-rate 0.02 --schedule cosine --targets both --hard-weight 0.5

# ---- 3 % of the training set: hard targets with early stopping, soft targets to convergence ----

small.utterances := 28
small.seeds := $(call pick,1 2 3 4 5,1 2)
small-hard.epochs := $(call pick,60,10)
small-hard.seconds := $(call pick,60,10)
small-hard.options := --optimiser nesterov --learning-rate 0.02 --dropout-hidden 0.3 --validate validation-spliced.pst --patience 10
small-soft.epochs := $(call pick,200,20)
small-soft.seconds := $(call pick,120,12)
small-soft.options := --optimiser nesterov --learning-rate 0.05 --warm-up 2 --schedule linear --targets soft

# ---- Cross-validation by speaker, over both parts of the corpus ----

fold.count := 6
folds := $(call pick,1 2 3 4 5 6,1 2)
fold.seed := 1
fold.teachers := $(call pick,1 2 3 4,1 2)
fold.epochs := $(call pick,6,1)
fold.seconds := $(call pick,105,18)
fold.options := $(one.options)
fold-student.epochs := $(call pick,12,1)
fold-student.perturb := $(distilled.perturb)
fold-student.seconds := $(call pick,250,20)
fold-student.options := $(distilled.options)

# ---- Labels without a foreign model: equal shares, then rounds of the net's own alignment ----

flat.rounds := $(call pick,1 2 3 4,1 2)
flat.epochs := $(call pick,2,1)
flat.seconds := $(call pick,25,10)
flat.hidden := $(call pick,256-256,128)
flat.options := --optimiser nesterov --learning-rate 0.05 --schedule linear
# Nets that are compared with those of pocketsphinx's labels.
flat.seeds := $(call pick,1 2,1)
