# Candidates for the settings of MNIST: they learn from 55,000 of the training images and are compared on the
# other 5,000, the validation split.
seen := loader mnist --hold-out 5000
unseen := loader mnist --split validation --hold-out 5000

what.teacher := teacher, 784-1200-1200-10
epochs.teacher := $(call pick,8,1)
try.teacher.first := --learning-rate 0.1 --max-norm 3 --dropout-input 0.2 --dropout-hidden 0.5
try.teacher.less-dropout := --learning-rate 0.1 --max-norm 3 --dropout-input 0.1 --dropout-hidden 0.4
try.teacher.chosen := --learning-rate 0.1 --max-norm 2 --dropout-input 0.1 --dropout-hidden 0.4
epochs.teacher.chosen := $(call pick,100,2)

what.alone := student alone, 784-800-800-10
epochs.alone := $(call pick,20,2)
try.alone.first := --learning-rate 0.1
try.alone.slower := --learning-rate 0.03

what.distilled := distilled, 784-800-800-10, T = 20, teacher of 100 epochs
epochs.distilled := $(call pick,60,3)
try.distilled.first := --targets both --learning-rate 0.05 --warm-up 1
try.distilled.decay := --targets both --learning-rate 0.05 --warm-up 1 --weight-decay 0.0005

# Convolutional teachers: with one convolution of 5x5 in each stage, or two of 3x3.
small := conv5x5:32,pad=0-bn-relu-maxpool2-conv5x5:64,pad=0-bn-relu-maxpool2
large := conv3x3:32,pad=0-bn-relu-conv3x3:32,pad=0-bn-relu-maxpool2-conv3x3:64,pad=0-bn-relu-conv3x3:64,pad=0-bn-relu-maxpool2
turned := --rotate 8 --scale-jitter 0.08
# $(call conv,NAME,CONVOLUTIONS,EPOCHS,CHANGES): a candidate. Its images are moved, and changed by these options of loader.
define conv
try.conv.$(1) := --hidden $(2)-flatten-256-relu-drop0.4 --optimiser nesterov --learning-rate 0.05 --weight-decay 0.0005
epochs.conv.$(1) := $(call pick,$(3),1)
changes.conv.$(1) := --shift 1 $(4)
endef
$(eval $(call conv,moved,$(small),8))
$(eval $(call conv,turned,$(small),8,$(turned)))
$(eval $(call conv,bent,$(small),8,--elastic 1))
$(eval $(call conv,turned-and-bent,$(small),8,$(turned) --elastic 0.7))
$(eval $(call conv,longer,$(small),20,$(turned)))
$(eval $(call conv,large,$(large),12,$(turned)))
what.conv = convolutional teacher, images changed by $(strip $(changes.$(basename $@)))
schedule.conv := cosine --warm-up 0.5

# Students of one teacher, which is asked about mixed images. Differences are small, so 10,000 images are the validation split here.
what.mixed = distilled from one teacher, 784-800-800-10, T = 20, $(if $(strip $(changes.$(basename $@))),loader $(strip $(changes.$(basename $@))),images as they are)
epochs.mixed := $(call pick,60,2)
# $(call mixed,NAME,CHANGES,TARGETS,WEIGHT-DECAY,EPOCHS)
define mixed
try.mixed.$(1) := --targets $(3) --learning-rate 0.1 --warm-up $(call pick,5,1) $(4)
changes.mixed.$(1) := $(2)
epochs.mixed.$(1) := $(5)
endef
decay := --weight-decay 0.0005
$(eval $(call mixed,as-they-are,,both,$(decay)))
$(eval $(call mixed,mixup-little,--mixup 0.2,both,$(decay)))
$(eval $(call mixed,mixup,--mixup 1,both,$(decay)))
$(eval $(call mixed,mixup-soft,--mixup 1,soft,$(decay)))
$(eval $(call mixed,both,--mixup 1 --cutmix 1,both,$(decay)))
$(eval $(call mixed,cutmix-little,--cutmix 0.5,both,$(decay)))
$(eval $(call mixed,cutmix,--cutmix 1,both,$(decay)))
$(eval $(call mixed,cutmix-soft,--cutmix 1,soft,$(decay)))
$(eval $(call mixed,cutmix-without-decay,--cutmix 1,both))
$(eval $(call mixed,cutmix-longer,--cutmix 1,both,$(decay),$(call pick,120,3)))

%.safetensors: private seconds = $(call pick,90,10)
mixed.%.safetensors: private seconds = $(call pick,250,30)
mixed.%.safetensors: one-teacher.safetensors
	loader mnist --hold-out 10000 $(changes.mixed.$*) --epochs $(epochs) --seed 1 | \
	    teacher-forward --kernels onednn --precision auto $< | temperature-softmax --temperature 20 | \
	    student-trainer --kernels onednn --precision auto --arch 784-800-800-10 $(try)
one-teacher.safetensors: private seconds = $(call pick,900,30)
one-teacher.safetensors:
	loader mnist --hold-out 10000 --shift 2 --epochs $(call pick,200,2) --seed 1 | \
	    student-trainer --kernels onednn --precision auto --arch 784-1200-1200-10 --dropout-input 0.1 --dropout-hidden 0.4 \
	    --max-norm 2 --learning-rate 0.1 --schedule linear --seed 1 $(resumable) $(output)
conv.%.safetensors: private seconds = $(call pick,250,30)
conv.%.safetensors:
	$(seen) $(changes.conv.$*) --epochs $(epochs) --seed 1 | student-trainer --kernels onednn --precision auto $(try)
teacher.%.safetensors:
	$(seen) --shift 2 --epochs $(epochs) --seed 1 | student-trainer --arch 784-1200-1200-10 $(try)
alone.%.safetensors:
	$(seen) --epochs $(epochs) --seed 1 | student-trainer --arch 784-800-800-10 $(try)
distilled.%.safetensors: transfer.pst
	replay $< --shuffle --epochs $(epochs) --seed 1 | temperature-softmax --temperature 20 | \
	    student-trainer --arch 784-800-800-10 $(try)

# This teacher has not learned from the validation split either.
teacher.chosen.safetensors: private seconds = $(call pick,900,20)
transfer.pst: teacher.chosen.safetensors
	$(seen) | teacher-forward $< --output $@

mixed.%.choice: private figures = validation_errors: .errors, validation_samples: .samples
mixed.%.json: mixed.%.safetensors
	loader mnist --split validation --hold-out 10000 | teacher-forward --name model $< | evaluator --json

%.json: %.safetensors
	$(unseen) | teacher-forward --name model $< | evaluator --json
