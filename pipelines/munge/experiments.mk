# The experiments, with the settings of settings.mk. Figures are of the test rows.

largest := $(lastword $(sizes))
# $(call curve,PROBLEM-METHOD,UNITS): the figures of its students.
curve = $(foreach size,$(sizes),$(foreach u,$(2),$(curve.seeds:%=$(1)-$(size)-$(u)-%.json)))

# ---- The teachers on the test rows: both ensembles, the best net, and the best of all models ----

# $(call teachers,PROBLEM)
define teachers
$(ensembles:%=$(1)-%.json): $(1)-%.json: $(1)-%.ensemble $(1)-test.pst
	together $$< <$(1)-test.pst | evaluator --of soft/ensemble --json
$(1)-net.json $(1)-single.json: $(1)-%.json: $(1)-$(lastword $(ensembles)).ensemble $(1)-test.pst
	ask $$$$(jq -r .$$* $$<) <$(1)-test.pst | evaluator --json
endef
$(foreach name,$(problems),$(eval $(call teachers,$(name))))

# ---- The students: METHOD-SIZE-UNITS-SEED ----

# $(call students,PROBLEM,METHOD,SAMPLES): learn from made-up samples.
define students
$(1)-$(2)-%.safetensors: private seconds = $(student.seconds)
$(1)-$(2)-%.safetensors: $(1)-made-$(3).pst
	$$(call student,$$<,$$(call part_of,1),$$(call part_of,2),$(1))
$(1)-$(2)-%.json: $(1)-$(2)-%.safetensors $(1)-asked-test.pst
	$$(call judge,$(1)-asked-test.pst)
endef
# $(call strangers,PROBLEM,HALF,THE OTHER): learn from one half of the test rows, without labels; judged on the other.
define strangers
$(1)-made-real$(2).pst: $(1)-test-$(2).pst $(1)-$(call teacher,$(1)).ensemble
	together $$(word 2,$$^) --drop y --output $$@ <$$<
$(1)-real$(2)-%.safetensors: private seconds = $(student.seconds)
$(1)-real$(2)-%.safetensors: $(1)-made-real$(2).pst
	$$(call student,$$<,$$(call part_of,1),$$(call part_of,2),$(1))
$(1)-real$(2)-%.json: $(1)-real$(2)-%.safetensors $(1)-asked-test-$(3).pst
	$$(call judge,$(1)-asked-test-$(3).pst)
endef
$(foreach name,$(problems),$(eval $(call students,$(name),munge,munge-$(largest)-$(munge.$(name)))))
$(foreach name,$(rivals),$(foreach method,random nbe,$(eval $(call students,$(name),$(method),$(method)-$(largest)))))
$(foreach name,$(real),$(eval $(call strangers,$(name),1,2))$(eval $(call strangers,$(name),2,1)))

# ---- The rows: a mimic of 256 units and the most samples for each seed, and what it is compared with ----

# $(call problem_row,PROBLEM)
define problem_row
$$(eval $$(call row,munge,$(1),null,$(1)-munge-$(largest)-256-%,$(seeds)))
$(1): $(1)-net.json $(1)-single.json $(ensembles:%=$(1)-%.json) $(seeds:%=$(1)-munge-$(largest)-32-%.json) \
    $(call curve,$(1)-munge,$(units)) \
    $(if $(filter $(1),$(rivals)),$(call curve,$(1)-random,256) $(call curve,$(1)-nbe,256)) \
    $(if $(filter $(1),$(real)),$(foreach size,$(real.sizes.$(1)),\
        $(foreach seed,$(curve.seeds),$(1)-real1-$(size)-256-$(seed).json $(1)-real2-$(size)-256-$(seed).json)))
endef
$(foreach name,$(problems),$(eval $(call problem_row,$(name))))
