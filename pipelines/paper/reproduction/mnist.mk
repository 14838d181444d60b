# The paper's experiments on MNIST, with the settings that were chosen: networks are trained on all 60,000 images, and
# figures are of the test set.
TEMPERATURES := $(call pick,1 2 2.5 3 4 6 8 12 20 40 logits,1 3 8 20 logits)
teachers := teacher-1.safetensors teacher-2.safetensors teacher-3.safetensors
bent := teacher-bent-1.safetensors teacher-bent-2.safetensors
# $(call ask,MODELS): a teacher-forward for each.
ask = $(foreach model,$(1),| teacher-forward $(model))

# The figures of a model on the test set.
%.json: %.safetensors
	loader mnist --split test | teacher-forward --name model $< | evaluator --json

# ---- Teachers, and a student without any ----

# As in the paper: dropout, a limit on the norm of weights, and images moved by up to two pixels. The paper does not give
# the rates of dropout, the limit and the learning rate.
teacher-%.safetensors: private seconds = $(call pick,1800,60)
teacher-%.safetensors:
	loader mnist --shift 2 --epochs $(call pick,200,4) --seed $* | \
	    student-trainer --arch 784-1200-1200-10 --dropout-input 0.1 --dropout-hidden 0.4 --max-norm 2 \
	    --learning-rate 0.1 --schedule linear --seed $* $(resumable) $(output)

# For the best student: images are moved, bent, turned and scaled otherwise in every epoch. The teacher can overfit so
# little to these that dropout only makes it worse, as the validation split showed.
teacher-bent-%.safetensors: private seconds = $(call pick,1100,60)
teacher-bent-%.safetensors:
	loader mnist --shift 2 --elastic 1.5 --rotate 8 --scale-jitter 0.08 --epochs $(call pick,100,4) --seed $* | \
	    student-trainer --arch 784-1200-1200-10 --max-norm 2 --learning-rate 0.1 --schedule linear --seed $* \
	    $(resumable) $(output)

# The student's network with hard targets alone and no regularisation: the baseline for distillation.
alone-%.safetensors: private seconds = $(call pick,90,30)
alone-%.safetensors:
	loader mnist --epochs $(call pick,20,5) --seed $* | \
	    student-trainer --arch 784-800-800-10 --learning-rate 0.1 --schedule linear --seed $* $(resumable) $(output)

# The mean predictions of the three teachers.
ensemble-%.json: $(teachers)
	loader mnist --split test $(call ask,$^) | temperature-softmax | \
	    averager --teachers 3 $(filter --geometric,--$*) | evaluator --of soft --json

# ---- Students of recorded teachers: T = 20, and no image of the transfer set is moved, as in the paper ----

# Teachers are asked once about each image. Every student learns from the recording, in its own order.
taught.pst: $(teachers) $(bent)
	loader mnist $(call ask,$^) --output $@
transfer-one.pst: teacher-1.safetensors
transfer-one-bent.pst: teacher-bent-1.safetensors
transfer-one.pst transfer-one-bent.pst:
	loader mnist $(call ask,$^) --output $@

# $(call learn,TARGETS[,LEARNING-RATE,WARM-UP,KERNELS])
learn = student-trainer$(if $(4), $(4)) --arch 784-800-800-10 --targets $(1) --learning-rate $(or $(2),$(call pick,0.1,0.05)) \
    --warm-up $(or $(3),$(call pick,5,1)) --schedule linear --weight-decay 0.0005 --seed $* $(resumable) $(output)
mean_of_five := temperature-softmax --temperature 20 | averager --teachers 5 --geometric

distilled-%.safetensors: private seconds = $(call pick,300,40)
distilled-%.safetensors: taught.pst
	replay $< --shuffle --epochs $(call pick,60,6) --seed $* | $(mean_of_five) | $(call learn,both)

# One teacher, as in the paper; then one that saw bent images, which shows how much a better teacher gains.
learn_from_one = replay $< --shuffle --epochs $(call pick,60,6) --seed $* | temperature-softmax --temperature 20 | \
    $(call learn,both)
distilled-one-plain-%.safetensors: transfer-one.pst
	$(learn_from_one)
distilled-one-bent-%.safetensors: transfer-one-bent.pst
	$(learn_from_one)

# Students that never saw some classes, and learn about these only from soft targets for others.
omit-3-%.safetensors: private seconds = $(call pick,220,30)
omit-3-%.safetensors: taught.pst
	replay $< --omit-classes 3 --shuffle --epochs $(call pick,40,5) --seed $* | $(mean_of_five) | $(call learn,soft)
# With so few batches an epoch, and without hard targets, this one diverges at the others' learning rate.
only-7-8-%.safetensors: private seconds = $(call pick,100,30)
only-7-8-%.safetensors: taught.pst
	replay $< --only-classes 7,8 --shuffle --epochs $(call pick,40,20) --seed $* | $(mean_of_five) | $(call learn,soft,0.05,1)

# $(call corrected,NAME,CLASSES): their biases for these classes, corrected in two ways. `corrected`: by the one number with the
# fewest errors on the test set, as in the paper. `corrected-unlabelled`: without any label, so that over the training
# images each class has the mass that the teachers give it.
define corrected
$(1)-corrected-%.json: $(1)-%.safetensors
	loader mnist --split test | teacher-forward --name model $$< | \
	    evaluator $(2:%=--fit-bias=%) --fit-by errors --json
$(1)-bias-%.json: $(1)-%.safetensors taught.pst
	replay taught.pst | averager --teachers 5 --logits | teacher-forward --name model $$< | \
	    evaluator --of logits/model --against logits $(2:%=--fit-bias=%) --fit-by mass --json
$(1)-corrected-unlabelled-%.json: $(1)-bias-%.json $(1)-%.safetensors
	loader mnist --split test | teacher-forward --name model $(1)-$$*.safetensors | evaluator --json \
	    $$$$(jq -r '.class_bias|to_entries[]|"--class-bias=\(.key)=\(.value)"' $$<)
endef
$(eval $(call corrected,omit-3,3))
$(eval $(call corrected,only-7-8,7 8))

# ---- The best student ----

# Two teachers that see bent images, asked once about a transfer stream whose images are moved and bent otherwise in every epoch.
# Each student learns from the recording twice, in its own order.
transfer-best.pst: private seconds = $(call pick,340,20)
transfer-best.pst: $(bent)
	loader mnist --shift 2 --elastic 1.5 --epochs $(call pick,40,3) --seed 1 $(call ask,$^) | \
	    temperature-softmax --temperature 20 | averager --teachers 2 --geometric --output $@
distilled-best-%.safetensors: private seconds = $(call pick,660,40)
distilled-best-%.safetensors: transfer-best.pst
	replay $< --shuffle --epochs 2 --seed $* | student-trainer --arch 784-800-800-10 --targets both \
	    --learning-rate 0.05 --warm-up 0.02 --schedule linear --seed $* $(resumable) $(output)

# ---- Convolutional teachers ----

# In bf16 if the processor has it. Images are moved, turned and scaled; bent ones made these teachers worse on the validation split.
convolutions := conv3x3:32,pad=0-bn-relu-conv3x3:32,pad=0-bn-relu-maxpool2-conv3x3:64,pad=0-bn-relu-conv3x3:64,pad=0-bn-relu-maxpool2
kernels := --kernels onednn --precision auto
conv := conv-teacher-1.safetensors conv-teacher-2.safetensors conv-teacher-3.safetensors
conv-teacher-%.safetensors: private seconds = $(call pick,500,50)
conv-teacher-%.safetensors:
	loader mnist --shift 1 --rotate 8 --scale-jitter 0.08 --epochs $(call pick,20,2) --seed $* | \
	    student-trainer $(kernels) --hidden $(convolutions)-flatten-256-relu-drop0.4 --optimiser nesterov --learning-rate 0.05 \
	    --schedule cosine --warm-up 0.5 --weight-decay 0.0005 --seed $* $(resumable) $(output)

# All three are asked about images that are moved and bent otherwise in every epoch, as for the best student.
transfer-conv.pst: private seconds = $(call pick,600,30)
transfer-conv.pst: $(conv)
	loader mnist --shift 2 --elastic 1.5 --epochs $(call pick,40,3) --seed 1 \
	    $(foreach model,$^,| teacher-forward $(kernels) $(model)) | \
	    temperature-softmax --temperature 20 | averager --teachers 3 --geometric --output $@
distilled-conv-%.safetensors: private seconds = $(call pick,300,40)
distilled-conv-%.safetensors: transfer-conv.pst
	replay $< --shuffle --epochs 2 --seed $* | student-trainer $(kernels) --arch 784-800-800-10 --targets both \
	    --learning-rate 0.05 --warm-up 0.02 --schedule linear --seed $* $(resumable) $(output)

# ---- One teacher that is asked about mixed images ----

# The teacher of distilled-one-plain, asked about images of which a rectangle is another one's, otherwise in every epoch. None is moved.
distilled-one-%.safetensors: private seconds = $(call pick,700,40)
distilled-one-%.safetensors: teacher-1.safetensors
	loader mnist --cutmix 1 --epochs $(call pick,120,6) --seed $* | teacher-forward $(kernels) $< | \
	    temperature-softmax --temperature 20 | $(call learn,both,,,$(kernels))

# ---- Soft targets as a regulariser: 3 % of the training images, drawn anew for each seed ----

# With hard targets the best epoch on a validation split is kept (early stopping); with soft targets nothing stops the training.
little = loader mnist --hold-out 5000 --fraction 0.03 --epochs $(call pick,100,20) --seed $*
validation.pst:
	loader mnist --split validation --hold-out 5000 --output $@
regulariser-%.safetensors: private seconds = $(call pick,25,10)
regulariser-hard-%.safetensors: validation.pst
	$(little) | student-trainer --arch 784-800-800-10 --learning-rate 0.1 --seed $* --validate $< $(output)
regulariser-soft-%.safetensors: teacher-1.safetensors
	$(little) $(call ask,$<) | temperature-softmax --temperature 20 | student-trainer --arch 784-800-800-10 \
	    --targets soft --learning-rate 0.08 --warm-up $(call pick,20,4) --schedule linear --seed $* $(output)

# ---- Temperatures ----

# $(call sweep,UNITS,EPOCHS): students of so many hidden units a layer; `logits` is squared error on logits, the limit of high
# temperatures. The higher T, the larger are the gradients (T squared), so three learning rates serve three ranges of T.
sweep_T = $(word 3,$(subst -, ,$@))
sweep_rate = $(if $(filter 1,$(sweep_T)),0.1,$(if $(filter 2 2.5 3 4 6 8,$(sweep_T)),0.05,0.03))
define sweep
sweep-$(1).pst: teacher-1.safetensors
	loader mnist --epochs $(2) --seed 1 $$(call ask,$$<) --output $$@
sweep-$(1)-%.safetensors: private seconds = $(call pick,11,4)
sweep-$(1)-%.safetensors: sweep-$(1).pst
	temperature-softmax --temperature $$(sweep_T) --input $$< | student-trainer --arch 784-$(1)-$(1)-10 --targets soft \
	    --learning-rate $$(sweep_rate) --warm-up 1 --schedule linear --seed $$(lastword $$(subst -, ,$$*)) $$(output)
sweep-$(1)-logits-%.safetensors: sweep-$(1).pst
	student-trainer --input $$< --arch 784-$(1)-$(1)-10 --targets soft --soft-loss logits --soft-targets logits/teacher-1 \
	    --learning-rate 0.03 --warm-up 1 --schedule linear --seed $$* $$(output)
endef
$(eval $(call sweep,300,$(call pick,10,2)))
$(eval $(call sweep,30,$(call pick,20,4)))

# ---- A small part of the results, in seconds ----

# A teacher and a student of 2,000 images. With the same kernels of OpenBLAS their weights have the digests that are in
# docs/results/small-part.json.
small-part/teacher.safetensors:
	loader mnist --limit 2000 --shift 2 --seed 1 | student-trainer --arch 784-1200-1200-10 --dropout-input 0.1 \
	    --dropout-hidden 0.4 --max-norm 2 --learning-rate 0.1 --schedule linear --seed 1 --output $@
small-part/student.safetensors: small-part/teacher.safetensors
	loader mnist --limit 2000 --seed 1 $(call ask,$<) | temperature-softmax --temperature 20 | student-trainer \
	    --arch 784-800-800-10 --targets soft --learning-rate 0.05 --warm-up 0.5 --schedule linear --seed 1 --output $@

# ---- The rows, and the recordings that they share ----

$(eval $(call row,alone,student-alone,146,alone-%))
$(eval $(call row,teachers,teacher,67,teacher-%,1 2 3))
$(eval $(call row,ensemble,ensemble-arithmetic,null,ensemble-arithmetic))
$(eval $(call row,ensemble,ensemble-geometric,null,ensemble-geometric))
$(eval $(call row,teachers-bent,teacher-bent,null,teacher-bent-%,1 2))
$(eval $(call row,teachers-conv,conv-teacher,null,conv-teacher-%,1 2 3))
$(foreach name,distilled distilled-one-plain distilled-one distilled-one-bent distilled-best distilled-conv,$(eval $(call row,$(name),$(name),74,$(name)-%)))
$(eval $(call row,omit-3,omit-3,206,omit-3-%))
$(eval $(call row,omit-3,omit-3-corrected,109,omit-3-corrected-%))
$(eval $(call row,omit-3,omit-3-corrected-unlabelled,109,omit-3-corrected-unlabelled-%,,omit-3-bias-%))
$(eval $(call row,only-7-8,only-7-8,4730,only-7-8-%))
$(eval $(call row,only-7-8,only-7-8-corrected,1320,only-7-8-corrected-%))
$(eval $(call row,only-7-8,only-7-8-corrected-unlabelled,1320,only-7-8-corrected-unlabelled-%,,only-7-8-bias-%))
$(foreach targets,hard soft,$(eval $(call row,regulariser,regulariser-$(targets),null,regulariser-$(targets)-%)))
$(foreach units,300 30,$(foreach T,$(TEMPERATURES),$(eval \
    $(call row,sweep,sweep-$(units)-$(T),null,sweep-$(units)-$(T)-%))))
$(eval $(call recording,distilled,taught.pst))
$(eval $(call recording,distilled-one-plain,transfer-one.pst))
$(foreach name,one-bent best conv,$(eval $(call recording,distilled-$(name),transfer-$(name).pst)))
$(eval $(call recording,regulariser,validation.pst))
$(foreach units,300 30,$(eval $(call recording,sweep,sweep-$(units).pst)))

.PHONY: sweep
sweep: $(filter sweep-%,$(rows))
