# The experiments on pictures, with the settings of settings.mk. Figures are of the test set.

# $(call student,EPOCHS)
define student
s-alone-$(1)-%.safetensors s-distilled-$(1)-%.safetensors: private seconds = $(s-$(1).seconds)
s-alone-$(1)-%.safetensors s-distilled-$(1)-%.safetensors: private rate = $(rate.s)
s-alone-$(1)-%.safetensors:
	$(pictures) $(moved) $(held_out) --epochs $(s-$(1).epochs) --seed $$* | $$(call net,$$(s),s-$(1),$(decay.s))
# The teacher gets the same moved pictures.
s-distilled-$(1)-%.safetensors: G-$(s-$(1).teacher)-1.safetensors
	$(pictures) $(moved) $(held_out) --epochs $(s-$(1).epochs) --seed $$* | teacher-forward $(kernels) --name G $$< | \
	    temperature-softmax --temperature $(temperature) | \
	    $$(call net,$$(s),s-$(1),$(decay.s)) --loss labels::$(hard) --loss kl::$(soft)
endef
$(foreach epochs,8 60,$(eval $(call student,$(epochs))))

# The best s, apart from the other rows. Of all that the search tried, a second teacher alone helped.
s-best-%.safetensors: private seconds = $(best.seconds)
s-best-%.safetensors: private rate = $(rate.s)
s-best-%.safetensors: G-60-1.safetensors G-30-2.safetensors
	$(pictures) $(moved) $(held_out) --epochs $(s-60.epochs) --seed $* | \
	    teacher-forward $(kernels) --name G $< | teacher-forward $(kernels) --name second $(word 2,$^) | \
	    temperature-softmax --temperature $(temperature) | averager --teachers 2 --geometric | \
	    $(call net,$(s),s-60,$(decay.s)) --loss labels::$(hard) --loss kl::$(soft)

%.json: %.safetensors test.pst
	replay test.pst | teacher-forward $(kernels) --name model $< | \
	    stream-export --to csv --take y,logits/model | figures

$(foreach kind,12 60,$(eval $(call row,images,G-$(kind),null,G-$(kind)-%,1)))
apart := s-best
$(eval $(call row,images,s-best,null,s-best-%,1))
$(foreach epochs,8 60,$(foreach how,alone distilled,$(eval \
    $(call row,images,s-$(how)-$(epochs),null,s-$(how)-$(epochs)-%,$(s-$(epochs).seeds)))))
