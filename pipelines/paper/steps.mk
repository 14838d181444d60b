# How a file is made, for reproduction.mk and search.mk. `step` runs their recipes in place of make's shell: it gets the
# file's name, the expected seconds, and the recipe, and keeps the recipe beside the file. So a recipe is a pipeline as it
# is typed. If nothing else writes the file, the pipeline's standard output becomes it.
SHELL := step
.SHELLFLAGS = $@ $(seconds)
.SUFFIXES:
.SILENT:
# Recordings and models are kept, though they are made on the way to something else.
.SECONDARY:
export LC_ALL := C
export OPENBLAS_NUM_THREADS := 1

# Seconds on a core of its own, for the estimate of the time left; a rule that takes longer has its own figure.
seconds = 2

# $(call pick,FULL,QUICK): the second with QUICK=1, else the first.
pick = $(if $(QUICK),$(2),$(1))
# The last options of a student-trainer; the first are for one that takes long.
resumable = --checkpoint $@.checkpoint --resume
output = --log $@.log --output $@
