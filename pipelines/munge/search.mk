# Candidates for the settings: mimics of 256 units are compared on the validation rows, by their RMSE and by their distance from
# the ensemble's answers. Nothing here reads the test rows. The candidate PROBLEM.NAME has options of student-trainer in
# try.PROBLEM.NAME, and may have its own samples, made.PROBLEM.NAME, given as PROBABILITY-SPREAD.

size := $(call pick,100000,4000)
figures := validation_rmse: (.brier_score / 2 | sqrt), from_teacher: .rms_difference
# The samples of a candidate, in its prerequisites and in its recipe.
samples_of = $(or $(made.$(1)),$(munge.$(firstword $(subst ., ,$(1)))))

# $(call candidates,PROBLEM)
define candidates
what.$(1) = $(1), munge $$(call samples_of,$$(basename $$@))
epochs.$(1) := $(call pick,60,50)
try.$(1).brier := --learning-rate 0.05 --loss brier
try.$(1).logits := --learning-rate 0.01 --loss logits
$(foreach rate,0.05 0.1 0.2 0.4,
try.$(1).kl-$(rate) := --learning-rate $(rate) --loss kl$(empty))
$(foreach made,0.2-1 0.2-20 0.5-1 0.5-5 0.8-5,
made.$(1).$(made) := $(made)
try.$(1).$(made) := --learning-rate 0.1 --loss kl$(empty))

$(1).%.safetensors: private seconds = $(call pick,15,3)
$(1).%.safetensors: $(1)-made-munge-$(size)-$$$$(call samples_of,$(1).$$$$*).pst
	replay $$< --shuffle --epochs $$(epochs) --seed 1 --memory 512M | temperature-softmax --from-probs | \
	    student-trainer --hidden 256 $$(try)
$(1).%.json: $(1).%.safetensors $(1)-asked-validation.pst
	$$(call judge,$(1)-asked-validation.pst)
endef
$(foreach name,$(problems),$(eval $(call candidates,$(name))))
