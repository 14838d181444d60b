# A training like that of the paper's networks, apart from the other rows because it takes an hour and a half: `make mnist-paper`. The
# teacher there is "regularized using dropout and weight-constraints as described in" Hinton et al. (2012), whose appendix A.1 says how
# such networks were trained: batches of 100, a momentum that rises from 0.5 to 0.99, a learning rate that falls by 0.2 % an epoch and is
# multiplied by 1 - momentum, the squared norm of a unit's weights at most 15, 3,000 epochs. Here are a fifth of the epochs, over which
# everything changes five times as fast. The learning rate is 1 instead of 10, with which networks of rectified units diverge.
apart += teacher-long distilled-one-long distilled-one-both-long

# $(call long,MOMENTUM-EPOCHS,STEP-EPOCHS[,LEARNING-RATE]): of all epochs the momentum rises in a sixth, and a step, which is 0.998 to
# the power of 30, comes a hundred times.
long = --learning-rate $(or $(3),1) --rate-by-momentum --momentum 0.5 --final-momentum 0.99 --momentum-epochs $(1) \
    --schedule step --step-epochs $(2) --gamma 0.9417 --max-norm 3.873

teacher-long-%.safetensors: private seconds = $(call pick,3600,60)
teacher-long-%.safetensors:
	loader mnist --shift 2 --batch 100 --epochs $(call pick,600,6) --seed $* | \
	    student-trainer $(kernels) --arch 784-1200-1200-10 --dropout-input 0.2 --dropout-hidden 0.5 \
	    $(call long,$(call pick,100,1),$(call pick,6,0.06)) --seed $* $(resumable) $(output)
transfer-long.pst: teacher-long-1.safetensors
	loader mnist --batch 100 $(call ask,$^) --output $@

# What the teacher alone gains: its student is trained as distilled-one-plain is.
distilled-one-long-%.safetensors: private seconds = $(call pick,300,40)
distilled-one-long-%.safetensors: transfer-long.pst
	$(learn_from_one)
# What the training of both gains. The gradients of soft targets at T = 20 are large at first, so this one begins slowly.
distilled-one-both-long-%.safetensors: private seconds = $(call pick,1200,40)
distilled-one-both-long-%.safetensors: transfer-long.pst
	replay $< --shuffle --epochs $(call pick,180,6) --seed $* | temperature-softmax --temperature 20 | \
	    student-trainer $(kernels) --arch 784-800-800-10 --targets both \
        $(call long,$(call pick,30,1),$(call pick,1.8,0.06),$(call pick,1,0.5)) --warm-up $(call pick,15,2) --seed $* $(resumable) $(output)

$(eval $(call row,long,teacher-long,67,teacher-long-%,1))
$(foreach name,distilled-one-long distilled-one-both-long,$(eval $(call row,long,$(name),74,$(name)-%,1)))
$(eval $(call recording,long,transfer-long.pst))
