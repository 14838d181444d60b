# The settings of the experiments on specialists, beside those of pipelines/images. Kinds of generalists: 12 and 60, G of so many epochs, and
# dense, a net as poor as the paper's.
kinds := 12 60 dense

# ---- The dense generalist ----

dense.hidden := $(call pick,2048-2048,64)
dense.epochs := $(call pick,20,1)
dense.warm := $(call pick,2,0.2)
dense.part := $(held_out)
dense.rate := 0.02
dense.seconds := $(call pick,300,20)

# ---- Sets of classes that the generalist confuses ----

sets := $(call pick,0 1 2 3 4 5 6 7 8 9,0 1 2 3)
size := $(call pick,15,30)

# ---- The recording that all learn from: pictures moved in so many ways, and the generalist's answers ----

transfer.epochs := $(call pick,4,1)
transfer.seconds := $(call pick,300,10)

# ---- Specialists: half of each batch is of their classes. A training goes once through the recording ----

special.seeds := $(call pick,1 2 3,1 2)
# $(call special.options,KIND): the dense generalist takes another rate, also for the control and the net that it is distilled back into.
special.rate = $(or $(special.rate.$(1)),0.1)
special.rate.dense := 0.02
special.options = --optimiser nesterov --learning-rate $(special.rate) --schedule cosine --warm-up 0.1 --weight-decay 0.0005
# The rows with the paper's dustbin and the one with labels alone have one seed, so that all rows take less than three hours. `apart` makes
# the other seeds.
beside.seeds := 1
# The labels, and the generalist's soft targets as a regulariser.
special.temperature := 2
special.loss := --loss labels::0.5 --loss kl::0.5
special.seconds := $(call pick,120,5)

# ---- The control: the generalist's training continued, by labels, for as many examples: 10 sets x 30 % of the recording = 3 times that ----

control.passes := $(call pick,3,1)
control.options = --optimiser nesterov --learning-rate $(special.rate) --schedule cosine --warm-up 0.1 --weight-decay 0.0005 --targets hard
control.seconds := $(call pick,1200,10)

# ---- Distilled back: one net that learns from the generalist and the specialists of the first seed ----

# It learns at the rate of the control, which is a training of the same kind.
back.seeds := $(call pick,1 2 3,1)
back.passes := $(call pick,3,1)
back.options = --optimiser nesterov --learning-rate $(special.rate) --schedule cosine --warm-up 0.1 --loss labels::0.1 --loss kl::0.9
back.seconds := $(call pick,1200,10)
# A net of s's size learns from random weights.
back-s.options := --optimiser nesterov --learning-rate 0.1 --schedule cosine --warm-up 0.6 --weight-decay 0.0001 --loss labels::0.1 --loss kl::0.9
back-s.seconds := $(call pick,250,10)

# ---- Which specialists are asked: those of one of so many of the generalist's likeliest classes ----

top := 1
