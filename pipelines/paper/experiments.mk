# What the Makefiles of experiments have in common: they build pipestill, and call make in the folder WORK with the rules. A
# Makefile that includes this one has set
#
#   main       the part that is made unless settings are searched
#   title.$(main), title.search     the name of the folder WORK below build/
#   rules      the files of rules, which may depend on $(part): search, or main
#   data       variables that name folders of data
#
# and begins with a comment, which is its help.
MAKEFLAGS += --no-print-directory
here := $(dir $(lastword $(MAKEFILE_LIST)))
root := $(abspath $(here)../..)
BUILD ?= build
goals := $(or $(MAKECMDGOALS),help)
part := $(if $(filter search,$(goals)),search,$(main))
dry := $(findstring n,$(firstword -$(MAKEFLAGS)))
WORK ?= $(root)/build/$(title.$(part))$(if $(QUICK),-quick)
RESULTS ?= $(WORK)/results
PAGE ?= $(RESULTS).md
export WORK RESULTS PAGE goals
# A program in the Makefile's folder replaces one of the same name beside this file.
export PATH := $(CURDIR):$(abspath $(here)):$(abspath $(if $(filter /%,$(BUILD)),,$(root)/)$(BUILD))/stages:$(PATH)

# The stages run in WORK, so they would not find data relative to another folder.
$(foreach name,$(data),$(if $(filter-out /%,$($(name))),\
    $(error $(name)=$($(name)) is relative: write the path from the root, which begins with /)))

experiments = $(MAKE) -C '$(WORK)' $(patsubst %,-f '$(CURDIR)/%',$(rules))

.PHONY: $(goals) run prepare
ifneq ($(filter help,$(goals)),)
help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' $(firstword $(MAKEFILE_LIST))
else
$(goals): run
	@:
endif

# A dry run (-n) prints the commands of the experiments alone.
prepare:
	+@mkdir -p '$(WORK)'
ifeq ($(dry)$(filter rows,$(goals)),)
	@$(MAKE) -s -C '$(root)' reproduce-deps
	@$(MAKE) -s -C '$(root)' all
endif

run: prepare
ifeq ($(dry)$(filter rows,$(goals)),)
	+@progress $(experiments) $(goals) && $(experiments) $(if $(filter all,$(goals)),page,results)
else
	+@$(experiments) $(goals)
endif
