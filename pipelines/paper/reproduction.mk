# Reproduction: the table of rows, which the files of reproduction/ fill in, with settings that were chosen before.

# $(call row,FILE,NAME,PAPER,FIGURES,SEEDS,BIASES) in $(eval …) adds a row.
#   FILE     the results file that has the row
#   PAPER    the paper's figure, or null
#   FIGURES  the evaluator's reports, without .json, and with % for the seed
#   SEEDS    if they are not those of the other rows
#   BIASES   the evaluator's reports of fitted biases, if they are apart from FIGURES
# The names in the list `apart` are rows that `all` leaves out; `further` are figures of other rows, of more seeds, that it leaves out.
define row
rows += $(2)
table += {"file": "$(1)", "row": "$(2)", "paper": $(3), "figures": "$(4)", "biases": "$(6)"}
.PHONY: $(2)
$(2): $(foreach seed,$(or $(SEED),$(5),$(call pick,1 2 3,1 2)),$(subst %,$(seed),$(4).json))
endef
# $(call recording,FILE,RECORDING): a recording that is made once for all rows of a results file.
define recording
table += {"file": "$(1)", "recording": "$(2)"}
endef

# Expanded twice, because the rows come later.
.SECONDEXPANSION:
.PHONY: all apart rows results page
all: $$(filter-out $$(apart),$$(rows))
apart: $$(apart) $$(further)

# These are not files, and use the usual shell. Results are of all figures that are there, not only of the rows to make.
rows results page: SHELL := bash
rows results page: .SHELLFLAGS := -c
rows:
	@printf '%s\n' $(rows)
results:
	@collect '$(RESULTS)' '$(table)' $(patsubst apart,$(apart),$(goals))
page: results
	@report '$(RESULTS)' '$(PAGE)' && echo 'written: $(PAGE)' >&2
