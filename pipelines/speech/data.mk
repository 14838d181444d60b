# What the experiments and the search have in common: labels, and frames.
LABELS ?= pocketsphinx
alignment := $(LABELS).ctm

# $(call ask,MODELS): a teacher-forward for each.
ask = $(foreach model,$(1),| teacher-forward $(model))
# $(call mean,MODELS[,TEMPERATURE]): their mean probabilities.
mean = $(call ask,$(1)) | temperature-softmax --temperature $(or $(2),1) | averager --teachers $(words $(1))
# $(call frames_for,KIND,RECORDING,SEED[,WHICH]): what a kind of net learns from, in its order. If its settings change the sound,
# WHICH utterances, or the training set, are read again in each epoch, and the recording only decides how frames are made.
frames_for = $(if $($(1).perturb),$(corpus) --alignment $(alignment) $(or $(4),$(held_out)) $($(1).perturb) $(splice) --like $(2),$\
    replay $(2) $(splice) --shuffle) --epochs $($(1).epochs) --seed $(3)
# $(call teach,KIND,RECORDING,MODELS[,WHICH]): the teachers' answers for these frames, recorded once without the frames. The frames
# of a recording are the same in all epochs; of changed sound, all seeds of the kind get the frames that the teachers got.
teach = $(if $($(1).perturb),$(call frames_for,$(1),$(2),1,$(4)),replay $(2) $(splice)) $(call mean,$(3),$(temperature)) $\
    | compactor --of soft --inputs digest --output $@
# $(call learn,KIND,RECORDING[,TARGETS[,WHICH]]): a training with the settings of a kind, from labels or from teachers' answers.
learn = $(call frames_for,$(1),$(2),$(if $($(1).perturb),1,$*),$(4))$(if $(3), | stream-join $(3)) | $(call net,$(1))
# $(call net,KIND): the training of a net from them.
net = student-trainer --hidden $(or $($(1).hidden),$(hidden)) $($(1).options) --seed $* $(resumable) $(output)

# ---- Labels ----

pocketsphinx.ctm: private seconds = 60
pocketsphinx.ctm:
	align

# Flat start: the states of an utterance's words get equal shares of it. A net learns these labels, its likeliest states are
# the next labels, and so on. Nothing is learnt from the test list. plain-train and plain-test have no labels.
plain-train.pst:
	$(fresh) --output $@
plain-test.pst: plain-train.pst
	$(frames) --split test --like $< --output $@
flat-0.ctm: plain-train.pst
	decoder --flat --align $@ --input $<
# $(call realign,RECORDING,NET,PRIORS): the states that a net finds.
realign = replay $(1) $(splice) | teacher-forward --name model $(2) | decoder --priors $(3) --align $@
flat-net-%.safetensors: private seconds = $(flat.seconds)
flat-net-%.safetensors: flat-train-%.pst
	$(call learn,flat,$<)
# $(call round,ROUND,THE ONE BEFORE)
define round
flat-train-$(1).pst: flat-$(2).ctm
	$$(fresh) --alignment $$< --output $$@
flat-$(1).ctm: plain-train.pst flat-net-$(1).safetensors flat-$(2).ctm
	$$(call realign,$$<,$$(word 2,$$^),$$(word 3,$$^))
endef
last_round := $(lastword $(flat.rounds))
$(foreach k,$(flat.rounds),$(eval $(call round,$(k),$(word $(k),0 $(flat.rounds)))))
flat-test.ctm: plain-test.pst flat-net-$(last_round).safetensors flat-$(last_round).ctm
	$(call realign,$<,$(word 2,$^),$(word 3,$^))
flat.ctm: flat-$(last_round).ctm flat-test.ctm
	cat $^

# ---- Frames, which are recorded once, each without its neighbours ----

train.pst: $(alignment)
	$(fresh) --alignment $< $(held_out) --output $@
validation.pst: $(alignment)
	$(fresh) --alignment $< $(held_out) --split validation --output $@
test.pst: $(alignment) train.pst
	$(frames) --alignment $< --split test --like train.pst --output $@
validation-spliced.pst: validation.pst
	replay $< $(splice) --output $@
