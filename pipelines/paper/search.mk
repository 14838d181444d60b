# The search for settings: candidates, which the files of search/ name, are compared on a validation split. Nothing here
# reads a test set. Write the settings that you choose into reproduction/.
#
#   make -C pipelines/paper search                            all candidates below
#   make -C pipelines/paper search KIND=alone                 those of one kind
#   make -C pipelines/paper search KIND=alone 'try.alone.third=--learning-rate 0.05'      and another one
#
# A candidate is a variable try.KIND.NAME, which holds options of student-trainer. WORK/choices.json has one object for each,
# with its errors, as docs/results/choices.json has. If a candidate diverges, make stops; with -k it trains the others.

# Files are named KIND.NAME, as their variables are.
kind = $(firstword $(subst ., ,$@))
epochs = $(or $(epochs.$(basename $@)),$(epochs.$(kind)))
try = --schedule $(or $(schedule.$(kind)),linear) --seed 1 $(try.$(kind).$*) $(resumable) $(output)
# The figure of the evaluator's report by which candidates are compared.
figures = validation_errors: .errors
%.choice: %.json
	jq '{what: "$(what.$(kind))", setting: "$(try.$(basename $@))", epochs: $(epochs), $(figures)}' $<

.PHONY: search results
# Expanded twice, because the candidates come later.
.SECONDEXPANSION:
search: $$(patsubst try.%,%.choice,$$(filter $(if $(KIND),try.$(KIND) try.$(KIND).%,try.%),$$(.VARIABLES)))
results: SHELL := bash
# Another search may keep its choices in the same folder.
candidate_kinds = $(sort $(foreach name,$(filter try.%,$(.VARIABLES)),$(word 2,$(subst ., ,$(name)))))
results: .SHELLFLAGS := -O nullglob -c
results:
	cat /dev/null $(candidate_kinds:%=./%.*.choice) | jq --slurp . >choices.json && echo 'written: $(WORK)/choices.json' >&2
	@jq -r '.[] | "\(.validation_errors // .validation_rmse // "diverged")\t\(.what), \(.epochs) epochs: \(.setting)"' choices.json
