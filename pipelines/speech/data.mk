# What the experiments and the search have in common: labels, and frames.
LABELS ?= pocketsphinx
alignment := $(LABELS).ctm

# $(call ask,MODELS): a teacher-forward for each.
ask = $(foreach model,$(1),| teacher-forward $(model))
# $(call mean,MODELS[,TEMPERATURE]): their mean probabilities.
mean = $(call ask,$(1)) | temperature-softmax --temperature $(or $(2),1) | averager --teachers $(words $(1))
# $(call teach,RECORDING,MODELS,TEMPERATURE): what they say of each frame, recorded once, to be joined with the frames in any order.
teach = replay $(1) $(splice) $(call mean,$(2),$(3)) | compactor --of soft --inputs digest --output $@

# $(call live,KIND,LIKE,WHICH,SEED): sound that is changed anew in each epoch, as the settings of a kind say.
live = $(corpus) --alignment $(alignment) $(3) $($(1).perturb) $(splice) --like $(2) --epochs $($(1).epochs) --seed $(4)
# $(call net,KIND): what learns from it.
net = student-trainer --hidden $(or $($(1).hidden),$(hidden)) $($(1).options) --seed $* $(resumable) $(output)
# $(call learn,KIND,RECORDING[,TARGETS[,WHICH]]): a training with the settings of a kind. If these change the sound, it is read
# again and the recording says only how frames are made of it; WHICH utterances is then to be said, unless it is the training set.
learn = $(if $($(1).perturb),$(call live,$(1),$(2),$(or $(4),$(held_out)),$*),$\
    replay $(2) $(splice) --shuffle --epochs $($(1).epochs) --seed $*)$\
    $(if $(3), | stream-join $(3)) | $(call net,$(1))

# ---- Labels ----

pocketsphinx.ctm: private seconds = 60
pocketsphinx.ctm:
	align

# Flat start: equal shares of an utterance to the states of its words, then the states that a net which learnt those finds
# more likely, and so on. No utterance of the test list is learnt from. plain-train and plain-test have no labels.
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
