# Candidates for the settings of specialists: specialists for all sets learn, with a generalist that has not learned from the validation split,
# and their combined answers are compared there. Nothing here reads the test set. The candidate special.NAME has options of student-trainer in
# try.special.NAME; without kl among them it learns from labels alone.
what.special := specialists of G-12
epochs.special := 1
step := --optimiser nesterov --schedule cosine --warm-up 0.1 --weight-decay 0.0005
try.special.baseline := $(step) --learning-rate 0.01 --loss labels::0.5 --loss kl::0.5
try.special.faster := $(step) --learning-rate 0.03 --loss labels::0.5 --loss kl::0.5
try.special.slower := $(step) --learning-rate 0.003 --loss labels::0.5 --loss kl::0.5
try.special.labels := $(step) --learning-rate 0.01 --targets hard
try.special.soft := $(step) --learning-rate 0.01 --loss labels::0.2 --loss kl::0.8
try.special.labels-faster := $(step) --learning-rate 0.03 --targets hard
try.special.fastest := $(step) --learning-rate 0.1 --loss labels::0.5 --loss kl::0.5

# The dense generalist: it must be about as good as the paper's, 25 %.
what.dense := dense generalist
epochs.dense := $(dense.epochs)
schedule.dense := cosine --warm-up $(dense.warm)
try.dense.baseline := --optimiser nesterov --learning-rate 0.02 --weight-decay 0.0001
try.dense.dropout := --optimiser nesterov --learning-rate 0.02 --weight-decay 0.0001 --dropout-hidden 0.3
dense.%.safetensors: private seconds = $(dense.seconds)
dense.%.safetensors:
	$(pictures) $(moved) $(held_out) --epochs $(epochs) --seed 1 | student-trainer $(kernels) --hidden $(dense.hidden) $(try)
dense.%.json: dense.%.safetensors validation.pst
	replay validation.pst | teacher-forward $(kernels) --name model $< | evaluator --json

what.dense-special := specialists of the dense generalist
epochs.dense-special := 1
try.dense-special.baseline := $(step) --learning-rate 0.1 --loss labels::0.5 --loss kl::0.5
try.dense-special.slower := $(step) --learning-rate 0.02 --loss labels::0.5 --loss kl::0.5
try.dense-special.slowest := $(step) --learning-rate 0.005 --loss labels::0.5 --loss kl::0.5
try.dense-special.labels := $(step) --learning-rate 0.02 --targets hard
what.dense-control := dense generalist continued
epochs.dense-control := $(control.passes)
try.dense-control.baseline := $(step) --learning-rate 0.1 --targets hard
try.dense-control.slower := $(step) --learning-rate 0.02 --targets hard

# The generalist alone, its training continued for as many examples as the specialists see together.
what.control := G-12 continued
epochs.control := $(control.passes)
try.control.baseline := $(step) --learning-rate 0.01 --targets hard
try.control.faster := $(step) --learning-rate 0.03 --targets hard
try.control.fastest := $(step) --learning-rate 0.1 --targets hard

validation.pst:
	$(pictures) $(held_out) --split validation --output $@
# $(call specials,WHAT,KIND): the candidates WHAT.NAME are specialists of a kind of generalist.
specials = $(foreach name,$(patsubst try.$(1).%,%,$(filter try.$(1).%,$(.VARIABLES))),$(eval $(call candidate,$(1).$(name),$(2))))
# $(call candidate,WHAT.NAME,KIND)
define candidate
$(foreach k,$(sets),$(eval $(call specialist,$(1),$(2),$(k),$(given),$(try.$(1)))))
$(1).json: validation.pst sets-$(2).txt G-$(2)-1.safetensors $(call of,$(1),$(2),1)
	replay $$< | $(call generalist_first,$(2)) | $(call consult,$(1),$(2),1) $(combine) | evaluator --of soft --json
endef
$(call specials,special,12)
$(call specials,dense-special,dense)

# $(call controls,WHAT,KIND)
define controls
$(1).%.safetensors: private seconds = $(control.seconds)
$(1).%.safetensors: transfer-$(2).pst G-$(2)-1.safetensors
	replay $$< --shuffle --epochs $$(epochs) --seed 1 | \
	    student-trainer $(kernels) --from G-$(2)-1.safetensors $$(try.$$(basename $$@)) $$(resumable) $$(output)
$(1).%.json: $(1).%.safetensors validation.pst
	replay validation.pst | teacher-forward $(kernels) --name model $$< | evaluator --json
endef
$(eval $(call controls,control,12))
$(eval $(call controls,dense-control,dense))
