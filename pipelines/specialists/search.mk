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

# The generalist alone, its training continued for as many examples as the specialists see together.
what.control := G-12 continued
epochs.control := $(control.passes)
try.control.baseline := $(step) --learning-rate 0.01 --targets hard
try.control.faster := $(step) --learning-rate 0.03 --targets hard
try.control.fastest := $(step) --learning-rate 0.1 --targets hard

candidates = $(patsubst try.special.%,%,$(filter try.special.%,$(.VARIABLES)))
$(foreach name,$(candidates),$(foreach k,$(sets),$(eval \
    $(call specialist,special.$(name),12,$(k),$(given),$(try.special.$(name))))))
validation.pst:
	$(pictures) $(held_out) --split validation --output $@
define candidate
special.$(1).json: validation.pst sets-12.txt G-12-1.safetensors $(call of,special.$(1),12,1)
	replay $$< | $(call generalist_first,12) | $(call consult,special.$(1),12,1) $(combine) | evaluator --of soft --json
endef
$(foreach name,$(candidates),$(eval $(call candidate,$(name))))

control.%.safetensors: private seconds = $(control.seconds)
control.%.safetensors: transfer-12.pst G-12-1.safetensors
	replay $< --shuffle --epochs $(epochs) --seed 1 | \
	    student-trainer $(kernels) --from G-12-1.safetensors $(try.$(basename $@)) $(resumable) $(output)
control.%.json: control.%.safetensors validation.pst
	replay validation.pst | teacher-forward $(kernels) --name model $< | evaluator --json
