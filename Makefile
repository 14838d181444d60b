# pipestill: knowledge distillation as a pipeline of filters.
#
#   make demo       set up, build, and distil a student in under three minutes
#   make test       set up, build, and run all tests
#   make test-python   the Python package with PyTorch, scikit-learn and ONNX, which pip installs under build/
#   make            build everything under build/
#   make reproduce  make the paper's MNIST results again: about three hours; QUICK=1: a taste
#   make mnist-paper   one MNIST result with a training like that of the paper's networks: an hour and a half
#   make speech     the same for its speech results, with AN4 in AN4_DIR
#   make munge      the results of MUNGE's paper, with tables in TABULAR_DIR
#   make images     a net for pictures and one that it teaches, with CIFAR-100 in CIFAR100_DIR
#   make specialists   the paper's specialists, with the same
#   make install    PREFIX=/usr/local, DESTDIR=
#   make soak       200 random schedules of faults in a pool of workers, and every shortage of memory
#   make fuzz       MINUTES=5: foreign bytes for every parser, so long for each
#   make bench      measure, print a table, write build/bench.json
#   make bench-peers  the same beside PyTorch, which it installs below build/; ROUNDS=5, ROWS=, PARTS=
#   make lint       formatting, static analysis, shell scripts, man pages
#
# V=1 shows whole commands. ONEDNN=0 builds without oneDNN. BUILD=folder, CC=clang-14, SANITIZE=address,undefined and WRAPPER='valgrind …' make variants
# side by side.

VERSION := $(shell sed -n 's/^\#define PST_VERSION "\(.*\)"/\1/p' include/pipestill/base.h)
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
SANITIZE ?=
ONEDNN ?= 1

ifeq ($(origin CC),default)
CC := gcc
endif

# step WORD,FILE: begins a command: with V=1 make shows the command itself, otherwise these two, and nothing with -s.
Q := $(if $(V),,@)
ifneq ($(V),)
step =
else ifneq ($(findstring s,$(firstword -$(MAKEFLAGS))),)
step = @
else
step = @printf '%-7s %s\n' $(1) "$(2)";
endif

# ---- what Debian must provide (docs/dependencies.md says why each) ----
BUILD_PACKAGES := gcc make pkg-config libc6-dev libzmq3-dev libmsgpack-dev libopenblas-dev zlib1g-dev \
    libjansson-dev nettle-dev libzstd-dev libcsv-dev libspng-dev libjpeg62-turbo-dev \
    libsndfile1-dev libsamplerate0-dev libkissfft-dev
ifneq ($(ONEDNN),0)
BUILD_PACKAGES += libdnnl-dev
endif
TEST_PACKAGES := bats jq espeak-ng strace locales libcmocka-dev python3-msgpack python3-numpy mandoc iproute2 procps zstd zsh fish
REPRODUCE_PACKAGES := jq python3
SLURM_PACKAGES := slurmctld slurmd slurm-client munge
PYTHON_PACKAGES := python3-venv
FUZZ_PACKAGES := clang-14 libclang-rt-14-dev
PEERS_PACKAGES := python3-venv g++
LINT_PACKAGES := clang clang-format clang-tidy cppcheck shellcheck valgrind
MSGPACK := $(shell pkg-config --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack)

cflags_of = $(shell pkg-config --cflags $(1) 2>/dev/null)
libs_of = $(shell pkg-config --libs $(1) 2>/dev/null)

WARNINGS := -Wall -Wextra -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition \
    -Wpointer-arith -Wwrite-strings -Wundef -Wvla -Wformat=2 -Wimplicit-fallthrough -Wno-missing-field-initializers -Werror
OPTIMISE ?= -O3 -g
# A fault that no test has found should end the program, not help an attacker. Sanitizers see more than fortified calls.
ifneq ($(SANITIZE),)
SANITIZER_FLAGS := -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer -DPST_SANITIZED
else
HARDENING := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong
endif
# The compiler may not contract a·b + c, so gcc and clang builds of a kernel agree to the bit. Where a kernel wants it fused, it calls fma.
CFLAGS += -std=c17 -D_POSIX_C_SOURCE=200809L -I. -Iinclude -fPIC -pthread -ffp-contract=off $(OPTIMISE) $(HARDENING) \
    $(WARNINGS) $(SANITIZER_FLAGS)
LDFLAGS += -pthread $(SANITIZER_FLAGS) -Wl,--as-needed -Wl,-z,relro,-z,now

# Each room is compiled with the include paths of its own libraries alone, so it cannot include other ones.
CFLAGS_base := $(call cflags_of,nettle)
CFLAGS_transport := $(call cflags_of,libzmq)
CFLAGS_stream := $(call cflags_of,$(MSGPACK) jansson libzstd)
CFLAGS_compact := $(call cflags_of,jansson)
# Nothing reads errno after a square root, and a square root that sets errno cannot be vectorised.
CFLAGS_nn := $(call cflags_of,openblas jansson) -fno-math-errno $(if $(filter 0,$(ONEDNN)),-DPST_WITHOUT_ONEDNN)
CFLAGS_teacher := $(call cflags_of,jansson)
CFLAGS_data := $(call cflags_of,zlib spng libjpeg sndfile samplerate kissfft-float)
CFLAGS_cli := $(call cflags_of,jansson)
CFLAGS_pool := $(call cflags_of,jansson)
CFLAGS_stages := $(CFLAGS_cli) $(call cflags_of,zlib)
LIBS := $(call libs_of,$(MSGPACK) jansson nettle zlib libzstd spng libjpeg sndfile samplerate kissfft-float openblas libzmq) -lcsv -lm $(if $(filter 0,$(ONEDNN)),,-ldnnl -lgomp)

ROOMS := base speech transport stream compact nn data teacher cli pool
LIB_SOURCES := $(filter-out $(if $(filter 0,$(ONEDNN)),lib/nn/kernels/onednn%),$(foreach room,$(ROOMS),$(wildcard lib/$(room)/*.c lib/$(room)/*/*.c)))
LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/objects/%.o)
PERCENT := %
STAGES := $(patsubst stages/%.c,%,$(wildcard stages/*.c))
STAGE_PROGRAMS := $(STAGES:%=$(BUILD)/stages/%)
UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/%,$(wildcard tests/unit/test_*.c))
TEST_TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tests/%,$(filter-out tests/tools/shim_%,$(wildcard tests/tools/*.c)))
TEST_SHIMS := $(patsubst tests/tools/%.c,$(BUILD)/tests/%.so,$(wildcard tests/tools/shim_*.c))
BENCH_PROGRAMS := $(patsubst bench/%.c,$(BUILD)/bench/%,$(wildcard bench/*.c))
MAN_PAGES := $(wildcard docs/man/*.1)
COMPLETIONS := $(addprefix $(BUILD)/completion/,bash zsh fish)

.PHONY: all tests deps test-deps slurm-deps lint-deps reproduce-deps reproduce mnist-paper speech munge images specialists setup test-setup demo test test-python check soak fuzz fuzz-deps fuzz-targets bench bench-peers lint format install uninstall clean \
    unit-tests test-tools bench-programs
.DELETE_ON_ERROR:

all: $(STAGE_PROGRAMS) $(BUILD)/libpipestill.a $(BUILD)/libpipestill.so $(BUILD)/pipestill $(COMPLETIONS)

# ---- set-up ----
define install_packages
@missing=; for package in $(1); do \
    dpkg-query -W -f '$${Status}' $$package 2>/dev/null | grep -q 'ok installed' || missing="$$missing $$package"; \
done; \
if [ -z "$$missing" ]; then exit 0; fi; \
command="apt-get install -y --no-install-recommends$$missing"; \
if [ "$$(id -u)" = 0 ]; then sudo=; \
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo=sudo; \
else echo "As root, please run: apt-get update && $$command" >&2; exit 1; fi; \
echo "Installing:$$missing"; \
$$sudo apt-get update -q >/dev/null; \
DEBIAN_FRONTEND=noninteractive $$sudo $$command >/dev/null
endef

deps:
	$(call install_packages,$(BUILD_PACKAGES))
test-deps: deps
	$(call install_packages,$(TEST_PACKAGES))
# A target of its own, because Debian starts these packages' daemons. Without them the test of Slurm is skipped.
slurm-deps: test-deps
	$(call install_packages,$(SLURM_PACKAGES))
lint-deps: test-deps
	$(call install_packages,$(LINT_PACKAGES))

fuzz-deps: deps
	$(call install_packages,$(FUZZ_PACKAGES))

# ---- the library ----
$(BUILD)/objects/lib/%.o: lib/%.c
	@mkdir -p $(@D)
	$(call step,CC,$<)$(CC) $(CFLAGS) $(CFLAGS_$(word 2,$(subst /, ,$<))) -MMD -MP -c $< -o $@

$(BUILD)/libpipestill.a: $(LIB_OBJECTS)
	@rm -f $@
	$(call step,AR,$@)$(AR) rcs $@ $^

$(BUILD)/libpipestill.so: $(LIB_OBJECTS)
	$(call step,LINK,$@)$(CC) $(CFLAGS) -shared -Wl,-soname,libpipestill.so.0 $^ $(LDFLAGS) $(LIBS) -o $@

# ---- the stages: one file, one program; a folder of the stage's name holds the rest of a stage that needs more ----
$(BUILD)/objects/stages/%.o: stages/%.c
	@mkdir -p $(@D)
	$(call step,CC,$<)$(CC) $(CFLAGS) $(CFLAGS_stages) -MMD -MP -c $< -o $@

.SECONDEXPANSION:
$(STAGE_PROGRAMS): $(BUILD)/stages/%: $(BUILD)/objects/stages/%.o \
    $$(patsubst stages/$$(PERCENT).c,$(BUILD)/objects/stages/$$(PERCENT).o,$$(wildcard stages/$$*/*.c)) \
    $(BUILD)/libpipestill.a
	@mkdir -p $(@D)
	$(call step,LINK,$@)$(CC) $(CFLAGS) $^ $(LDFLAGS) $(LIBS) -o $@

$(BUILD)/pipestill: pipelines/pipestill.sh
	@mkdir -p $(@D)
	$(call step,COPY,$@)install -m 755 $< $@

$(COMPLETIONS): $(BUILD)/completion/%: $(BUILD)/pipestill $(STAGE_PROGRAMS)
	@mkdir -p $(@D)
	$(call step,WRITE,$@)$< completion $* >$@

# ---- tests ----
$(BUILD)/tests/%: tests/unit/%.c $(BUILD)/libpipestill.a
	@mkdir -p $(@D)
	$(call step,CC,$<)$(CC) $(CFLAGS) $(CFLAGS_cli) $(CFLAGS_nn) $(CFLAGS_stream) -Wno-missing-prototypes $(call cflags_of,cmocka) \
	    -MMD -MP $< $(BUILD)/libpipestill.a $(LDFLAGS) $(LIBS) $(call libs_of,cmocka) -o $@

$(BUILD)/tests/%: tests/tools/%.c $(BUILD)/libpipestill.a
	@mkdir -p $(@D)
	$(call step,CC,$<)$(CC) $(CFLAGS) $(CFLAGS_cli) $(CFLAGS_nn) $(CFLAGS_stream) -MMD -MP $< $(BUILD)/libpipestill.a \
	    $(LDFLAGS) $(LIBS) -o $@

# They are preloaded into the programs, so they have no sanitizer of their own.
$(BUILD)/tests/shim_%.so: tests/tools/shim_%.c
	@mkdir -p $(@D)
	$(call step,CC,$<)$(CC) -std=c17 -O1 -fPIC $(WARNINGS) -Wno-missing-prototypes -Wno-pedantic -shared $< -ldl -o $@

# All programs that tests/run needs.
tests: all unit-tests test-tools
unit-tests: $(UNIT_TESTS)
test-tools: $(TEST_TOOLS) $(TEST_SHIMS)

test: test-deps
	@$(MAKE) --no-print-directory check

check: all unit-tests test-tools
	@BUILD=$(BUILD) CC="$(CC)" CFLAGS_EXAMPLE="$(SANITIZER_FLAGS)" SANITIZE="$(SANITIZE)" WRAPPER="$(WRAPPER)" tests/run $(TESTS)

# The parts of the Python package that need more than Debian's numpy and msgpack.
test-python: test-deps
	$(call install_packages,$(PYTHON_PACKAGES))
	@$(MAKE) --no-print-directory all test-tools
	@BUILD=$(BUILD) tests/python-client/run $(TESTS)

# Ten times as many schedules of faults as `make test` runs; docs/pool.md has the result. Then every shortage of memory;
# `make test` tries some of them.
soak: test-deps
	@$(MAKE) --no-print-directory all test-tools
	@BUILD=$(BUILD) tests/faults 200 1000
	@BUILD=$(BUILD) SHORTAGE=all /usr/bin/python3 tests/python/test_shortage.py

# ---- fuzzing: a build of its own, by clang ----
FUZZ_TARGETS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))
MINUTES ?= 5

$(BUILD)/fuzz/%: tests/fuzz/%.c $(BUILD)/libpipestill.a
	@mkdir -p $(@D)
	$(call step,CC,$<)$(CC) $(CFLAGS) $(CFLAGS_cli) $(CFLAGS_transport) -MMD -MP $< $(BUILD)/libpipestill.a -fsanitize=fuzzer \
	    $(LDFLAGS) $(LIBS) -o $@

fuzz-targets: $(FUZZ_TARGETS)

fuzz: fuzz-deps
	+@$(MAKE) --no-print-directory BUILD=build/fuzz CC=clang-14 SANITIZE=fuzzer-no-link,address,undefined OPTIMISE='-O1 -g' \
	    fuzz-targets
	@BUILD=build/fuzz tests/fuzz/run $$(($(MINUTES) * 60))

# ---- demo and benchmarks ----
demo: deps
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) pipelines/demo

reproduce-deps: deps
	$(call install_packages,$(REPRODUCE_PACKAGES))

# Each takes some hours on two cores, and is a small sample with QUICK=1. It may be interrupted and run again.
# It runs JOBS=n trainings at a time, or as many as there are processors.
reproduce: experiments := paper
speech: experiments := speech
munge: experiments := munge
images: experiments := images
specialists: experiments := specialists
experiment_jobs = $(if $(JOBS),-j$(JOBS),$(if $(filter -j%,$(MAKEFLAGS)),,-j$(shell nproc)))
reproduce speech munge images specialists:
	+@$(MAKE) --no-print-directory $(experiment_jobs) -C pipelines/$(experiments) all $(if $(QUICK),,RESULTS=$(CURDIR)/docs/results)

# Its results stay in build/reproduce/results: in docs/results, summary.json would lose all other rows.
mnist-paper:
	+@$(MAKE) --no-print-directory $(experiment_jobs) -C pipelines/paper apart

$(BUILD)/bench/%: bench/%.c $(BUILD)/libpipestill.a
	@mkdir -p $(@D)
	$(call step,CC,$<)$(CC) $(CFLAGS) $(CFLAGS_cli) $(CFLAGS_nn) -MMD -MP $< $(BUILD)/libpipestill.a $(LDFLAGS) $(LIBS) -o $@

bench-programs: $(BENCH_PROGRAMS) $(BUILD)/tests/passthrough

bench: test-deps
	@$(MAKE) --no-print-directory all bench-programs
	@BUILD=$(BUILD) bench/run

# PyTorch and what else pip installs go into build/peers; nothing else needs them.
bench-peers: test-deps
	$(call install_packages,$(PEERS_PACKAGES))
	@$(MAKE) --no-print-directory all bench-programs
	@BUILD=$(BUILD) bench/peers/run

# ---- lint ----
lint: lint-deps
	@$(MAKE) --no-print-directory all
	@BUILD=$(BUILD) tests/lint

format:
	clang-format -i $(wildcard include/*.h include/pipestill/*.h lib/*/*.[ch] lib/*/*/*.[ch] stages/*.c stages/*/*.[ch] tests/*/*.[ch] bench/*.c)

# ---- installation ----
# After `make` as a user, `make install` as root compiles nothing. Files that only an older version has are removed only by
# that version's `make uninstall`.
# Folders are given to the shell as variables, so they may have any name.
SHARED_NAMES := libpipestill.so libpipestill.so.0 libpipestill.so.$(VERSION)
PIPELINES := $(addprefix pipelines/,demo mnist-distil mnist-pool mnist-record-once mnist-two-hosts python-teacher \
    python-teacher.py)
PIPELINE_PARTS := $(addprefix pipelines/,mnist-slurm.sbatch pool.sh start.sh)
PYTHON_MODULES := $(wildcard python/pipestill/*.py)
PAGES := README.md CONTRIBUTING.md NEWS.md LICENSE $(wildcard docs/*.md docs/*.md5 docs/results/*)
FOLDERS := bin libexec/pipestill lib/pkgconfig include/pipestill share/man/man1 share/pipestill/python/pipestill share/doc/pipestill/docs/results \
    share/bash-completion/completions share/zsh/site-functions share/fish/vendor_completions.d
INSTALLED := bin/pipestill $(STAGES:%=libexec/pipestill/%) lib/libpipestill.a $(SHARED_NAMES:%=lib/%) lib/pkgconfig/pipestill.pc \
    $(wildcard include/*.h include/pipestill/*.h) $(MAN_PAGES:docs/man/%=share/man/man1/%) \
    $(patsubst pipelines/%,share/pipestill/%,$(PIPELINES) $(PIPELINE_PARTS)) $(PYTHON_MODULES:%=share/pipestill/%) $(PAGES:%=share/doc/pipestill/%) \
    share/doc/pipestill/pipelines share/doc/pipestill/docs/man share/bash-completion/completions/pipestill \
    share/zsh/site-functions/_pipestill share/fish/vendor_completions.d/pipestill.fish
install uninstall: export PREFIX := $(PREFIX)
install uninstall: export TO := $(DESTDIR)$(PREFIX)

install: all
	$(call step,INSTALL,$$TO)for folder in $(FOLDERS); do install -d "$$TO/$$folder" || exit; done
	$(Q)install -m 755 $(STAGE_PROGRAMS) "$$TO/libexec/pipestill"
	$(Q)install -m 755 $(BUILD)/pipestill "$$TO/bin/pipestill"
	$(Q)install -m 644 $(BUILD)/libpipestill.a "$$TO/lib"
	$(Q)install -m 755 $(BUILD)/libpipestill.so "$$TO/lib/libpipestill.so.$(VERSION)"
	$(Q)ln -sf libpipestill.so.$(VERSION) "$$TO/lib/libpipestill.so.0"
	$(Q)ln -sf libpipestill.so.0 "$$TO/lib/libpipestill.so"
	$(Q)install -m 644 include/pipestill.h "$$TO/include"
	$(Q)install -m 644 $(wildcard include/pipestill/*.h) "$$TO/include/pipestill"
	$(Q)install -m 644 $(MAN_PAGES) "$$TO/share/man/man1"
	$(Q)install -m 755 $(PIPELINES) "$$TO/share/pipestill"
	$(Q)install -m 644 $(PIPELINE_PARTS) "$$TO/share/pipestill"
	$(Q)install -m 644 $(PYTHON_MODULES) "$$TO/share/pipestill/python/pipestill"
	$(Q)for page in $(PAGES); do install -m 644 $$page "$$TO/share/doc/pipestill/$$page" || exit; done
	$(Q)ln -sfn ../../pipestill "$$TO/share/doc/pipestill/pipelines"
	$(Q)ln -sfn ../../../man/man1 "$$TO/share/doc/pipestill/docs/man"
	$(Q)install -m 644 $(BUILD)/completion/bash "$$TO/share/bash-completion/completions/pipestill"
	$(Q)install -m 644 $(BUILD)/completion/zsh "$$TO/share/zsh/site-functions/_pipestill"
	$(Q)install -m 644 $(BUILD)/completion/fish "$$TO/share/fish/vendor_completions.d/pipestill.fish"
	$(Q)printf '%s\n' "prefix=$$PREFIX" 'libdir=$${prefix}/lib' 'includedir=$${prefix}/include' '' 'Name: pipestill' \
	    'Description: knowledge distillation as a pipeline of filters' 'Version: $(VERSION)' \
	    'Libs: -L"$${libdir}" -lpipestill' 'Libs.private: -pthread $(LIBS)' 'Cflags: -I"$${includedir}"' \
	    >"$$TO/lib/pkgconfig/pipestill.pc"

uninstall:
	$(call step,REMOVE,$$TO)for file in $(INSTALLED); do rm -f "$$TO/$$file" || exit; done
	$(Q)rm -rf "$$TO/share/pipestill/python/pipestill/__pycache__"
	$(Q)for folder in share/doc/pipestill/docs/results share/doc/pipestill/docs share/doc/pipestill share/pipestill/python/pipestill \
	    share/pipestill/python share/pipestill libexec/pipestill \
	    include/pipestill; do rmdir "$$TO/$$folder" 2>/dev/null || :; done

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJECTS:.o=.d) $(patsubst %.c,$(BUILD)/objects/%.d,$(wildcard stages/*.c stages/*/*.c)) $(UNIT_TESTS:=.d) $(TEST_TOOLS:=.d) \
    $(BENCH_PROGRAMS:=.d) $(FUZZ_TARGETS:=.d)
