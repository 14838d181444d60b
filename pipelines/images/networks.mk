# What pipelines/images and pipelines/specialists have in common: the test set, and G.

# $(call seen,KIND): the pictures that a kind of net learns from, moved otherwise in each epoch.
seen = $(pictures) $(moved) $($(1).part) --epochs $($(1).epochs) --seed $*
# $(call net,LAYERS,KIND,DECAY): the training of a net from them.
net = student-trainer $(kernels) --hidden $(1) --optimiser nesterov --learning-rate $(rate) --schedule cosine \
    --warm-up $($(2).warm) --weight-decay $(3) --seed $* $(resumable) $(output)

test.pst:
	$(pictures) --split test --output $@

# $(call generalist,KIND,LAYERS,DECAY)
define generalist
G-$(1)-%.safetensors: private seconds = $($(1).seconds)
G-$(1)-%.safetensors:
	$$(call seen,$(1)) | $$(call net,$(2),$(1),$(3))
endef
$(foreach kind,12 30 60,$(eval $(call generalist,$(kind),$$(G),$(decay.G))))
