# What the experiments and the search have in common: rows, models, ensembles, and their answers for made-up samples.

# $(call part_of,N): the N-th word of a file's name after its problem; and the seed.
part_of = $(word $(1),$(subst -, ,$*))
seed = $(lastword $(subst -, ,$(basename $@)))

# ---- Rows ----

# $(call load,TABLE,PARTS): parts of a table, with its columns.
load = loader $(2:%=csv:$(1)-%.csv) $(columns.$(1)) --no-shuffle
# $(call drawn,TABLE)
define drawn
$(1)-train.csv $(1)-validation.csv $(1)-test-1.csv $(1)-test-2.csv: $(1)-%.csv:
	rows $(1) $$* $(train.rows) $(validation.rows) $(draw.seed)
$(1)-rows-train.pst: $(1)-train.csv
	$$(call load,$(1),train) --standardise --output $$@
$(1)-rows-validation.pst $(1)-rows-test-1.pst $(1)-rows-test-2.pst: $(1)-rows-%.pst: $(1)-%.csv $(1)-rows-train.pst
	$$(call load,$(1),$$*) --like $(1)-rows-train.pst --unknown-category zeros --output $$@
$(1)-rows-test.pst: $(1)-test-1.csv $(1)-test-2.csv $(1)-rows-train.pst
	$$(call load,$(1),test-1 test-2) --like $(1)-rows-train.pst --unknown-category zeros --output $$@
endef
$(foreach name,$(sort $(foreach problem,$(problems),$(table.$(problem)))),$(eval $(call drawn,$(name))))

# ---- Models, ensembles, and the answers of ensembles ----

# $(call nets,PROBLEM) and $(call scikit,PROBLEM): their names.
nets = $(foreach u,$(net.units),$(foreach d,$(net.decays),$(net.seeds:%=$(1)-net-$(u)-$(d)-%)))
scikit = $(if $(filter all,$(TEACHERS)),$(foreach kind,$(scikit.kinds),$(scikit.seeds:%=$(1)-scikit-$(kind)-%)))
# $(call choose,NAMES,HOW): an ensemble, by the models' answers for the validation rows.
choose = ask $(1) <$< | stream-export --to tsv --take y $(1:%=--take soft/%) | choose $(2)
# The ensembles: all nets; and a choice of all models.
ensembles := nets $(if $(filter all,$(TEACHERS)),selected)
# $(call teacher,PROBLEM): the one that teaches.
teacher = $(firstword $(filter $(teacher.$(1)),$(ensembles)) nets)

define problem
$(1)-train.pst $(1)-validation.pst $(1)-test.pst $(1)-test-1.pst $(1)-test-2.pst: $(1)-%.pst: $(table.$(1))-rows-%.pst
	class-map --classes '$(classes.$(1))' --input $$< --output $$@
$(1)-net-%.safetensors: private seconds = $(net.seconds)
$(1)-net-%.safetensors: $(1)-train.pst $(1)-validation.pst
	replay $$< --shuffle --epochs $(net.epochs) --seed $$(seed) | \
	    student-trainer --hidden $$(call part_of,1) --weight-decay $$(call part_of,2)e-5 $(net.options) \
	    --validate $(1)-validation.pst --validate-by loss --seed $$(seed) $$(output)
$(1)-scikit-%.joblib: private seconds = $(scikit.seconds)
$(1)-scikit-%.joblib: $(1)-train.pst
	scikit train $$(*:%-$$(seed)=%) $$(seed) $$< $$@
$(1)-nets.ensemble: private seconds = 10
$(1)-nets.ensemble: $(1)-validation.pst $(patsubst %,%.safetensors,$(call nets,$(1)))
	$$(call choose,$(call nets,$(1)),all)
$(1)-selected.ensemble: private seconds = 30
$(1)-selected.ensemble: $(1)-validation.pst $(patsubst %,%.safetensors,$(call nets,$(1))) $(patsubst %,%.joblib,$(call scikit,$(1)))
	$$(call choose,$(call nets,$(1)) $(call scikit,$(1)),greedy)
$(1)-asked-%.pst: private seconds = 20
$(1)-asked-%.pst: $(1)-%.pst $(1)-$(call teacher,$(1)).ensemble
	together $$(word 2,$$^) --output $$@ <$$<
# Made-up samples: METHOD-SIZE, and for munge METHOD-SIZE-PROBABILITY-SPREAD.
$(1)-made-%.pst: private seconds = $(made.seconds)
$(1)-made-%.pst: $(1)-train.pst $(1)-$(call teacher,$(1)).ensemble
	munge --method $$(call part_of,1) --size $$(call part_of,2) $$(and $$(call part_of,3),--probability $$(call part_of,3) --spread \
	    $$(call part_of,4)) --batch 2000 --seed 1 $$< | together $$(word 2,$$^) --output $$@
endef
$(foreach name,$(problems),$(eval $(call problem,$(name))))

# $(call student,RECORDING,SIZE,UNITS,PROBLEM): a training with so many of the recorded samples, drawn by its seed.
student = replay $(1) --sample $(2) --shuffle --epochs $$(($(student.samples) / $(2))) --seed $(seed) --memory 512M | \
    student-trainer --hidden $(3) --learning-rate $(or $(student.rate.$(4)),$(student.rate)) $(student.options) --seed $(seed) $(output)
# $(call judge,RECORDING): the student's figures, beside the teacher's answers.
judge = teacher-forward --name student --input $(1) $< | temperature-softmax | \
    evaluator --of soft/student --against soft/ensemble --json
