# Candidates for the settings: they learn from the training speakers and are compared on the validation speakers, which their
# teachers did not learn from either. Nothing here reads the test set. The candidate KIND.NAME has options of student-trainer in
# try.KIND.NAME, and may have epochs, a temperature and perturbations of its own.

what.one := one net
epochs.one := $(call pick,6,1)
one := --optimiser nesterov
schedule.one := cosine
schedule.one-live := cosine
try.one.baseline := $(one) --learning-rate 0.02 --dropout-hidden 0.1
try.one.faster := $(one) --learning-rate 0.05 --dropout-hidden 0.1
# The same two with other rounding of products: a smaller difference than between these shows nothing.
try.one.baseline-rounded := $(try.one.baseline) --kernels onednn --precision bf16
try.one.faster-rounded := $(try.one.faster) --kernels onednn --precision bf16
try.one.fastest := $(one) --learning-rate 0.1 --dropout-hidden 0.1
try.one.faster-longer := $(one) --learning-rate 0.05 --dropout-hidden 0.2
epochs.one.faster-longer := $(call pick,10,2)
try.one.slower := $(one) --learning-rate 0.01 --dropout-hidden 0.1
try.one.no-dropout := $(one) --learning-rate 0.02
try.one.longer := $(one) --learning-rate 0.02 --dropout-hidden 0.2
epochs.one.longer := $(call pick,10,2)
what.one-live = one net, sound with $(perturb.$(basename $@))
epochs.one-live := $(call pick,6,1)
try.one-live.speed := $(one) --learning-rate 0.02 --dropout-hidden 0.1
perturb.one-live.speed := --speed 0.1
try.one-live.all := $(one) --learning-rate 0.02 --dropout-hidden 0.1
perturb.one-live.all := --speed 0.1 --noise 20 --mask-bands 6 --mask-frames 5

what.distilled = distilled from $(words $(teachers)) nets, T = $(or $(temperature.$(basename $@)),2)
epochs.distilled := $(call pick,8,1)
both := --optimiser nesterov --targets both --hard-weight 0.5
schedule.distilled := cosine
schedule.distilled-live := cosine
try.distilled.baseline := $(both) --learning-rate 0.02
try.distilled.t1 := $(both) --learning-rate 0.02
temperature.distilled.t1 := 1
try.distilled.t5 := $(both) --learning-rate 0.005
temperature.distilled.t5 := 5
try.distilled.t10 := $(both) --learning-rate 0.002
temperature.distilled.t10 := 10
try.distilled.longer := $(both) --learning-rate 0.02
epochs.distilled.longer := $(call pick,16,2)
try.distilled.soft := --optimiser nesterov --targets soft --learning-rate 0.02
# More data for the transfer set: the teachers answer live for sound that is played faster or slower.
try.distilled-live.speed := $(both) --learning-rate 0.02
perturb.distilled-live.speed := --speed 0.1
try.distilled-live.t1 := $(both) --learning-rate 0.02
perturb.distilled-live.t1 := --speed 0.1
temperature.distilled-live.t1 := 1
what.distilled-live = $(what.distilled), asked live about sound with $(perturb.$(basename $@))
epochs.distilled-live := $(call pick,12,1)

what.small-hard := 3 % of the training set, hard targets
epochs.small-hard := $(call pick,60,5)
try.small-hard.baseline := --optimiser nesterov --learning-rate 0.02 --validate validation-spliced.pst --patience 10
try.small-hard.dropout := --optimiser nesterov --learning-rate 0.02 --dropout-hidden 0.3 --validate validation-spliced.pst --patience 10
what.small-soft = 3 % of the training set, soft targets, T = $(or $(temperature.$(basename $@)),2)
epochs.small-soft := $(call pick,100,10)
try.small-soft.baseline := --optimiser nesterov --targets soft --learning-rate 0.05 --warm-up 2
try.small-soft.slower := --optimiser nesterov --targets soft --learning-rate 0.02 --warm-up 2
try.small-soft.longer := --optimiser nesterov --targets soft --learning-rate 0.05 --warm-up 2
epochs.small-soft.longer := $(call pick,200,20)

# ---- How they are made ----

nets := $(teachers:%=teacher-%.safetensors)
again = replay $< $(splice) --shuffle --epochs $(epochs) --seed 1
heard = $(corpus) --alignment $< $(held_out) $(perturb.$(basename $@)) $(splice) --like train.pst --epochs $(epochs) --seed 1
student = student-trainer --hidden $(hidden) $(try)
# The temperature of a candidate, in its prerequisites and in its recipe.
warmth = $(or $(temperature.$(1)),2)

%.safetensors: private seconds = $(call pick,120,20)
one.%.safetensors: train.pst
	$(again) | $(student)
one-live.%.safetensors: $(alignment) train.pst
	$(heard) | $(student)
teacher-%.safetensors: train.pst
	$(call learn,one,$<)
taught-%.pst: private temperature = $*
taught-%.pst: train.pst $(nets)
	$(call teach,again,$<,$(nets))
distilled.%.safetensors: train.pst taught-$$(call warmth,distilled.$$*).pst
	$(again) | stream-join $(word 2,$^) | $(student)
distilled-live.%.safetensors: $(alignment) train.pst $(nets)
	$(heard) $(call mean,$(nets),$(call warmth,distilled-live.$*)) | $(student)
little.pst: $(alignment) train.pst
	$(frames) --alignment $< $(held_out) --utterances $(small.utterances) --seed 1 --like train.pst --output $@
little-taught-%.pst: private temperature = $*
little-taught-%.pst: little.pst $(nets)
	$(call teach,again,$<,$(nets))
small-hard.%.safetensors: little.pst validation-spliced.pst
	$(again) | $(student)
small-soft.%.safetensors: little.pst little-taught-$$(call warmth,small-soft.$$*).pst
	$(again) | stream-join $(word 2,$^) | $(student)

%.json: %.safetensors validation.pst
	replay validation.pst $(splice) | teacher-forward --name model $< | evaluator --json
