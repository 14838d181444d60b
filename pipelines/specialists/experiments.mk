# The experiments on specialists, with the settings of settings.mk. Figures are of the test set.

# A row's name: specialists-12, but dense-specialists.
named = $(if $(filter dense,$(2)),dense-$(1),$(1)-$(2))
# $(call judged,TENSOR): the last stages for answers about the test set.
judged = stream-export --to csv --take y,$(1) | figures sets-$(2).txt

# ---- For each generalist ----

# $(call experiments,KIND)
define experiments
$(foreach k,$(sets),$(eval $(call specialist,special,$(1),$(k),$(given),$(call special.options,$(1)) $(special.loss))))
control-$(1)-%.safetensors: private seconds = $(control.seconds)
control-$(1)-%.safetensors: transfer-$(1).pst G-$(1)-1.safetensors
	replay $$< --shuffle --epochs $(control.passes) --seed $$* | \
	    student-trainer $(kernels) --from G-$(1)-1.safetensors $(call control.options,$(1)) $$(resumable) $$(output)
# The combined answers of all for the recording.
combined-$(1).pst: private seconds = $(transfer.seconds)
combined-$(1).pst: transfer-$(1).pst sets-$(1).txt $(call of,special,$(1),1)
	replay $$< | $(call consult,special,$(1),1) $(combine) | \
	    stream-select --keep x --keep y --keep id --keep soft --output $$@
back-$(1)-%.safetensors: private seconds = $(back.seconds)
back-$(1)-%.safetensors: combined-$(1).pst G-$(1)-1.safetensors
	replay $$< --shuffle --epochs $(back.passes) --seed $$* | \
	    student-trainer $(kernels) --from G-$(1)-1.safetensors $(call back.options,$(1)) --weight-decay 0.0005 $$(resumable) $$(output)

generalist-$(1)-%.json: G-$(1)-%.safetensors sets-$(1).txt test.pst
	replay test.pst | teacher-forward $(kernels) --name model $$< | $$(call judged,logits/model,$(1))
control-$(1)-%.json: control-$(1)-%.safetensors sets-$(1).txt test.pst
	replay test.pst | teacher-forward $(kernels) --name model $$< | $$(call judged,logits/model,$(1))
averaged-$(1)-%.json: control-$(1)-%.safetensors G-$(1)-1.safetensors sets-$(1).txt test.pst
	replay test.pst | teacher-forward $(kernels) --name a $$< | teacher-forward $(kernels) --name b G-$(1)-1.safetensors | temperature-softmax | \
	    averager --teachers 2 | $$(call judged,soft,$(1))
distilled-back-$(1)-%.json: back-$(1)-%.safetensors sets-$(1).txt test.pst
	replay test.pst | teacher-forward $(kernels) --name model $$< | $$(call judged,logits/model,$(1))

$$(eval $$(call row,specialists,$(call named,generalist,$(1)),null,generalist-$(1)-%,1))
$$(eval $$(call together,special,specialists,$(1),$(special.seeds)))
$$(eval $$(call row,specialists,$(call named,control,$(1)),null,control-$(1)-%,$(special.seeds)))
$$(eval $$(call row,specialists,$(call named,averaged,$(1)),null,averaged-$(1)-%,$(special.seeds)))
$$(eval $$(call row,specialists,$(call named,distilled-back,$(1)),null,distilled-back-$(1)-%,$(back.seeds)))
endef

# $(call together,PREFIX,ROW,KIND,SEEDS): a row of the combined answers of a prefix's specialists and the generalist. Each seed has its
# own rule, because prerequisites have it in the middle. Seeds that the row leaves out are made by `apart`.
define together
$(foreach seed,$(or $(SEED),$(special.seeds)),$(eval $(call together_seed,$(1),$(2),$(3),$(seed))))
$(call row,specialists,$(call named,$(2),$(3)),null,$(2)-$(3)-%,$(4))
further += $(foreach seed,$(filter-out $(4) $(SEED),$(special.seeds)),$(2)-$(3)-$(seed).json)
endef
define together_seed
$(2)-$(3)-$(4).json: sets-$(3).txt G-$(3)-1.safetensors $(call of,$(1),$(3),$(4)) test.pst
	replay test.pst | $(call generalist_first,$(3)) | $(call consult,$(1),$(3),$(4)) $(combine) --log $$@.log | \
	    stream-export --to csv --take y,soft | figures sets-$(3).txt $$@.log
endef
$(foreach kind,$(kinds),$(eval $(call experiments,$(kind))))

# ---- The paper's dustbin, a unit of its own: all layers, and the last alone; and labels alone with the other ----

labels := --targets hard
$(foreach k,$(sets),$(eval $(call specialist,unit,12,$(k),--dustbin-unit,$(call special.options,12) $(labels))))
$(foreach k,$(sets),$(eval $(call specialist,last,12,$(k),--dustbin-unit --learn-last 1,$(call special.options,12) $(labels))))
$(foreach k,$(sets),$(eval $(call specialist,labels,12,$(k),$(given),$(call special.options,12) $(labels))))
$(foreach how,unit last labels,$(eval $(call together,$(how),specialists-$(how),12,$(beside.seeds))))

# ---- One net of s's size ----

back-s-12-%.safetensors: private seconds = $(back-s.seconds)
back-s-12-%.safetensors: combined-12.pst
	replay $< --shuffle --epochs $(back.passes) --seed $* | \
	    student-trainer $(kernels) --hidden $(s) $(back-s.options) --seed $* $(resumable) $(output)
distilled-back-s-12-%.json: back-s-12-%.safetensors sets-12.txt test.pst
	replay test.pst | teacher-forward $(kernels) --name model $< | $(call judged,logits/model,12)
$(eval $(call row,specialists,distilled-back-s-12,null,distilled-back-s-12-%,$(back.seeds)))
