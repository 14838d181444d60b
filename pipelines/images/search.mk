# Candidates for the settings: they learn from 45,000 of the training pictures and are compared on the other 5,000, which their
# teacher has not learned from either. Nothing here reads the test set. The candidate KIND.NAME has options of student-trainer in
# try.KIND.NAME, and may have epochs and a temperature of its own.
nesterov := --optimiser nesterov

what.G := G
epochs.G := $(call pick,12,1)
schedule.G := cosine --warm-up $(call pick,2.4,0.2)
try.G.baseline := $(nesterov) --learning-rate 0.1 --weight-decay 0.0005
try.G.slower := $(nesterov) --learning-rate 0.05 --weight-decay 0.0005
try.G.faster := $(nesterov) --learning-rate 0.2 --weight-decay 0.0005
try.G.fastest := $(nesterov) --learning-rate 0.4 --weight-decay 0.0005
try.G.more-decay := $(nesterov) --learning-rate 0.2 --weight-decay 0.001
try.G.less-decay := $(nesterov) --learning-rate 0.1 --weight-decay 0.0002

what.alone := s alone
epochs.alone := $(call pick,8,1)
schedule.alone := cosine --warm-up $(call pick,1.6,0.2)
try.alone.baseline := $(nesterov) --learning-rate 0.1 --weight-decay 0.0001
try.alone.slower := $(nesterov) --learning-rate 0.05 --weight-decay 0.0001
try.alone.faster := $(nesterov) --learning-rate 0.2 --weight-decay 0.0001
try.alone.fastest := $(nesterov) --learning-rate 0.4 --weight-decay 0.0001
try.alone.still-faster := $(nesterov) --learning-rate 0.8 --weight-decay 0.0001
try.alone.much-faster := $(nesterov) --learning-rate 1.6 --weight-decay 0.0001
try.alone.too-fast := $(nesterov) --learning-rate 3.2 --weight-decay 0.0001

what.distilled = s, taught by G, T = $(or $(temperature.$(basename $@)),2)
epochs.distilled := $(call pick,8,1)
schedule.distilled := $(schedule.alone)
both := $(nesterov) --learning-rate 0.1 --weight-decay 0.0001
try.distilled.baseline := $(both) --loss labels::0.1 --loss kl::0.9
try.distilled.t4 := $(both) --loss labels::0.1 --loss kl::0.9
temperature.distilled.t4 := 4
try.distilled.soft := $(both) --loss kl
try.distilled.even := $(both) --loss labels::0.5 --loss kl::0.5
try.distilled.faster := $(nesterov) --learning-rate 0.2 --weight-decay 0.0001 --loss labels::0.1 --loss kl::0.9
try.distilled.fastest := $(nesterov) --learning-rate 0.4 --weight-decay 0.0001 --loss labels::0.1 --loss kl::0.9
try.distilled.still-faster := $(nesterov) --learning-rate 0.8 --weight-decay 0.0001 --loss labels::0.1 --loss kl::0.9
try.distilled.much-faster := $(nesterov) --learning-rate 1.6 --weight-decay 0.0001 --loss labels::0.1 --loss kl::0.9
try.distilled.too-fast := $(nesterov) --learning-rate 3.2 --weight-decay 0.0001 --loss labels::0.1 --loss kl::0.9
try.distilled.t4-still-faster := $(nesterov) --learning-rate 0.8 --weight-decay 0.0001 --loss labels::0.1 --loss kl::0.9
temperature.distilled.t4-still-faster := 4
try.distilled.slower := $(nesterov) --learning-rate 0.05 --weight-decay 0.0001 --loss labels::0.1 --loss kl::0.9

# What may make the taught s better still: options of loader in loader.best.NAME, of teacher-forward in hint.best.NAME.
what.best = s, taught by two G, T = 2$(and $(loader.$(basename $@)),$(comma) loader $(loader.$(basename $@)))
comma := ,
epochs.best := $(epochs.alone)
schedule.best := $(schedule.alone)
taught := $(nesterov) --learning-rate 1.6 --weight-decay 0.0001 --loss labels::0.1 --loss kl::0.9
try.best.two-G := $(taught)
try.best.ema := $(taught) --ema 0.999
# The labels of mixed pictures are shares of classes.
mixed := $(subst labels::,cross-entropy:y:,$(taught))
try.best.mixup := $(mixed)
loader.best.mixup := --mixup 0.2
# s learns from the last convolution of the first G.
try.best.hint := $(taught) --loss features:hint/G:1,layer=11
hint.best.hint := --hint 13

known = $(pictures) $(moved) $(held_out) --epochs $(epochs) --seed 1
%.safetensors: private seconds = $(call pick,200,20)
G.%.safetensors: private seconds = $(12.seconds)
G.%.safetensors:
	$(known) | student-trainer $(kernels) --hidden $(G) $(try)
alone.%.safetensors:
	$(known) | student-trainer $(kernels) --hidden $(s) $(try)
distilled.%.safetensors: G-12-1.safetensors
	$(known) | teacher-forward $(kernels) --name G $< | temperature-softmax --temperature $(or $(temperature.$(basename $@)),2) | \
	    student-trainer $(kernels) --hidden $(s) $(try)
best.%.safetensors: G-12-1.safetensors G-12-2.safetensors
	$(known) $(loader.best.$*) | teacher-forward $(kernels) --name G $(hint.best.$*) $< | \
	    teacher-forward $(kernels) --name second $(word 2,$^) | temperature-softmax --temperature 2 | averager --teachers 2 --geometric | \
	    student-trainer $(kernels) --hidden $(s) $(try)

validation.pst:
	$(pictures) $(held_out) --split validation --output $@
%.json: %.safetensors validation.pst
	replay validation.pst | teacher-forward $(kernels) --name model $< | evaluator --json
