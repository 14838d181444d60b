# How specialists and the nets beside them learn, for the experiments and for the search.

# ---- The generalist, and the sets of classes ----

# The dense generalist.
G-dense-%.safetensors: private seconds = $(dense.seconds)
G-dense-%.safetensors: private rate = $(dense.rate)
G-dense-%.safetensors:
	$(call seen,dense) | $(call net,$(dense.hidden),dense,$(decay.s))

# Its answers for the unmoved pictures that it learned from show which classes it confuses.
sets-%.txt: private seconds = $(call pick,60,5)
sets-%.txt: G-%-1.safetensors
	$(pictures) $($*.part) --no-shuffle | teacher-forward $(kernels) --name generalist $< | \
	    class-cluster --sets $(words $(sets)) --size $(size) --fill --output $@
# All learn from one recording, so the generalist is asked once, and specialists learn independently.
transfer-%.pst: private seconds = $(transfer.seconds)
transfer-%.pst: G-%-1.safetensors
	$(pictures) $(moved) $($*.part) --epochs $(transfer.epochs) --seed 1 | teacher-forward $(kernels) --name generalist $< --output $@

# ---- Specialists ----

# $(call special,KIND,SET,SEED): special samples, in the specialist's classes. $(call own,KIND,SET): the model that it starts from.
special = replay transfer-$(1).pst --shuffle --special @sets-$(1).txt:set-$(2) --seed $(3) | \
    class-map --classes @sets-$(1).txt:set-$(2) --dustbin other
own = student-trainer $(kernels) --from G-$(1)-1.safetensors --classes @sets-$(1).txt:set-$(2)
soften = $(if $(findstring kl,$(1)),| temperature-softmax --temperature $(special.temperature))
# $(call specialist,PREFIX,KIND,SET,DUSTBIN,OPTIONS): a rule; with options without kl it learns from labels alone.
define specialist
$(1)-$(2)-$(3)-%.safetensors: private seconds = $(special.seconds)
$(1)-$(2)-$(3)-%.safetensors: transfer-$(2).pst sets-$(2).txt G-$(2)-1.safetensors
	$$(call special,$(2),$(3),$$*) $(call soften,$(5)) | $$(call own,$(2),$(3)) $(4) $(5) $$(resumable) $$(output)
endef
given := --dustbin logits/generalist

# $(call of,PREFIX,KIND,SEED): the models of all sets.
of = $(foreach k,$(sets),$(1)-$(2)-$(k)-$(3).safetensors)
# $(call generalist_first,KIND) | $(call consult,PREFIX,KIND,SEED) …: each specialist is asked about the samples whose likeliest class is in
# its set.
generalist_first = teacher-forward $(kernels) --name generalist G-$(1)-1.safetensors
consult = $(foreach k,$(sets),teacher-forward $(kernels) --other-classes --name set-$(k) --when-top @sets-$(2).txt:set-$(k) --top $(top) \
    --by logits/generalist $(1)-$(2)-$(k)-$(3).safetensors |)
combine = specialist-combine --generalist logits/generalist --top $(top)
