# The experiments on speech, with the settings of settings.mk. Figures are of the test set, or of the fold of the corpus that
# a net did not learn from.

# ---- One net, the ensemble, and its student ----

ten := $(teachers:%=one-%.safetensors)
one-%.safetensors: private seconds = $(one.seconds)
one-%.safetensors: train.pst
	$(call learn,one,$<)
taught.pst: private seconds = $(call pick,900,20)
taught.pst: train.pst $(ten)
	$(call teach,distilled,$<,$(ten))
distilled-%.safetensors: private seconds = $(distilled.seconds)
distilled-%.safetensors: train.pst taught.pst
	$(call learn,distilled,$<,taught.pst)

# ---- 3 % of the training set, drawn anew for each seed ----

small-%.pst: $(alignment) train.pst
	$(frames) --alignment $< $(held_out) --utterances $(small.utterances) --seed $* --like train.pst --output $@
taught-small-%.pst: small-%.pst $(ten)
	$(call teach,small-soft,$<,$(ten))
small-hard-%.safetensors: private seconds = $(small-hard.seconds)
small-soft-%.safetensors: private seconds = $(small-soft.seconds)
small-hard-%.safetensors: small-%.pst validation-spliced.pst
	$(call learn,small-hard,$<)
small-soft-%.safetensors: small-%.pst taught-small-%.pst
	$(call learn,small-soft,$<,taught-small-$*.pst)

# ---- A net with the flat start's labels, for any LABELS ----

flat-train.pst: flat.ctm
	$(fresh) --alignment $< $(held_out) --output $@
flat-validation.pst: flat.ctm
	$(fresh) --alignment $< $(held_out) --split validation --output $@
flat-test.pst: flat.ctm flat-train.pst
	$(frames) --alignment $< --split test --like flat-train.pst --output $@
align-flat-%.safetensors: private seconds = $(one.seconds)
align-flat-%.safetensors: flat-train.pst
	$(call learn,one,$<)
# The share of the frames that have the same label in both ways.
agreement.json: flat.ctm pocketsphinx.ctm
	agreement $^

# ---- How good they are ----

# The answers for each frame of the test set; for the decoder's settings, those of a row's first net for the validation set.
keep = stream-select --keep id --keep y --keep
# $(call answer,RECORDING,MODEL) and $(call answer_together,RECORDING,MODELS)
answer = replay $(1) $(splice) | teacher-forward --name model $(2) | $(keep) logits/model --output $@
answer_together = replay $(1) $(splice) $(call mean,$(2)) | $(keep) soft --output $@

%.answers: %.safetensors test.pst
	$(call answer,test.pst,$<)
%-1.tuning: %-1.safetensors validation.pst
	$(call answer,validation.pst,$<)
ensemble-1.answers: test.pst $(ten)
	$(call answer_together,$<,$(ten))
ensemble-1.tuning: validation.pst $(ten)
	$(call answer_together,$<,$(ten))
align-flat-%.answers: align-flat-%.safetensors flat-test.pst
	$(call answer,flat-test.pst,$<)
align-flat-1.tuning: align-flat-1.safetensors flat-validation.pst
	$(call answer,flat-validation.pst,$<)

# The shares of states are those of the training speakers; the language model is estimated from their transcripts for the
# decoder's settings, and from all of the training list for the figures.
train.list: train.pst
	listed $<
train.ctm: $(alignment) train.list
	only $^
flat-priors.ctm: flat.ctm train.list
	only $^
# $(call judged,ROW,PRIORS): how a row's figures come from its answers.
define judged
$(1).settings: private seconds = 25
$(1).settings: $(1)-1.tuning $(2) train.list
	decoder --priors $(2) --transcripts train.list --tune $$@ --json --input $$<
$(1)-%.words: $(1)-%.answers $(1).settings $(2)
	decoder --priors $(2) --settings $(1).settings --json --hypotheses $$@.txt --input $$<
endef
$(foreach name,one ensemble distilled small-hard small-soft,$(eval $(call judged,$(name),train.ctm)))
$(eval $(call judged,align-flat,flat-priors.ctm))
%.frames: %.answers
	frames $<
%.json: %.frames %.words
	figures $*

# ---- Cross-validation by speaker: each word of the corpus is tested with nets that did not learn from its speaker ----

# $(call fold,FOLD)
define fold
fold-$(1)-train.list fold-$(1)-test.list:
	fold $(fold.seed) $(fold.count) $(1) $$(word 3,$$(subst -, ,$$(basename $$@)))
fold-$(1)-train.pst: $(alignment) fold-$(1)-train.list
	$$(fresh) --alignment $$< --list fold-$(1)-train.list --output $$@
fold-$(1)-test.pst: $(alignment) fold-$(1)-test.list fold-$(1)-train.pst
	$$(frames) --alignment $$< --list fold-$(1)-test.list --like fold-$(1)-train.pst --output $$@
fold-$(1)-net-%.safetensors: private seconds = $(fold.seconds)
fold-$(1)-net-%.safetensors: fold-$(1)-train.pst
	$$(call learn,fold,$$<)
fold-$(1)-taught.pst: private seconds = $(call pick,400,10)
fold-$(1)-taught.pst: fold-$(1)-train.pst $(fold.teachers:%=fold-$(1)-net-%.safetensors)
	$$(call teach,fold-student,$$<,$(fold.teachers:%=fold-$(1)-net-%.safetensors),--list fold-$(1)-train.list)
fold-$(1)-student-%.safetensors: private seconds = $(fold-student.seconds)
fold-$(1)-student-%.safetensors: fold-$(1)-train.pst fold-$(1)-taught.pst
	$$(call learn,fold-student,$$<,fold-$(1)-taught.pst,--list fold-$(1)-train.list)
wer-cv-one-$(1).answers: fold-$(1)-test.pst fold-$(1)-net-1.safetensors
	$$(call answer,$$<,$$(word 2,$$^))
wer-cv-ensemble-$(1).answers: fold-$(1)-test.pst $(fold.teachers:%=fold-$(1)-net-%.safetensors)
	$$(call answer_together,$$<,$(fold.teachers:%=fold-$(1)-net-%.safetensors))
wer-cv-distilled-$(1).answers: fold-$(1)-test.pst fold-$(1)-student-1.safetensors
	$$(call answer,$$<,$$(word 2,$$^))
# The language model and the shares of states are those of the fold's training part, scale and penalty those of the row.
fold-$(1).ctm: $(alignment) fold-$(1)-train.list
	only $$^
wer-cv-%-$(1).words: wer-cv-%-$(1).answers %.settings fold-$(1).ctm
	decoder --priors fold-$(1).ctm --transcripts fold-$(1)-train.list --settings $$*.settings --json \
	    --hypotheses $$@.txt --input $$<
endef
$(foreach k,$(folds),$(eval $(call fold,$(k))))

# ---- The rows ----

$(eval $(call row,speech,one,null,one-%,$(teachers)))
$(eval $(call row,speech,ensemble,null,ensemble-%,1))
$(eval $(call row,speech,distilled,null,distilled-%,$(distilled.seeds)))
$(foreach kind,hard soft,$(eval $(call row,speech,small-$(kind),null,small-$(kind)-%,$(small.seeds))))
$(foreach kind,one ensemble distilled,$(eval $(call row,speech,wer-cv-$(kind),null,wer-cv-$(kind)-%,$(folds))))
$(eval $(call row,speech,align-flat,null,align-flat-%,$(flat.seeds)))
align-flat: $(if $(filter pocketsphinx,$(LABELS)),agreement.json)
