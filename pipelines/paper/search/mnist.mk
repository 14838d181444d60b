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

%.safetensors: private seconds = $(call pick,90,10)
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
