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

%.safetensors: private seconds = $(call pick,90,10)
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

%.json: %.safetensors
	$(unseen) | teacher-forward --name model $< | evaluator --json
