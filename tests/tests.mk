# SPDX-License-Identifier: GPL-2.0-or-later
# Unit tests (cmocka), case scripts, the real package managers, style.

unit_src  := $(wildcard tests/unit/test_*.c)
unit_bin  := $(patsubst tests/unit/%.c,$(B)/tests/unit/%,$(unit_src))
cases     := $(sort $(wildcard tests/cases/*/*.sh))

$(B)/tests/unit/%: $(B)/tests/unit/%.o $(B)/libcore.a
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) -o $@ $< $(unit_objs_$*) $(B)/libcore.a \
		$(pc_libs) $(late_libs) -lcmocka

.PHONY: check-unit check-cases check-managers check
check-unit: $(unit_bin)                  ## unit tests
	tests/lib/run-list $(B)/unit.count $(unit_bin)

check-cases: programs                    ## case scripts: sandbox, build, stage, fault ... (root)
	@tests/lib/bed.sh setup || true # fetched outside of the first script's time
	KG_BUILD=$(abspath $(B)) tests/lib/run-list $(B)/cases.count $(cases)

check-managers: programs deb rpm arch    ## the real apt, dpkg, rpm, dnf, zypper, pacman in throw-away roots (root)
	@mkdir -p $(B)
	@set -o pipefail; tests/managers/run | tee $(B)/managers.out; status=$$?; \
		tail -n 1 $(B)/managers.out > $(B)/managers.count; exit $$status

.PHONY: check-corpus
check-corpus: programs deb               ## every -dkms package of Debian against Debian's dkms (hours; docs/corpus.md)
	KG_BUILD=$(abspath $(B)) KG_CORPUS_MOST=100000000 tests/cases/recipe/corpus.sh
	tests/lib/corpus -j2
	KG_BED_SUITE=sid tests/lib/corpus -j2

check:                                   ## everything; ends with "N passed, N failed, N skipped"
	tests/lib/check $(MAKE)

.PHONY: check-layers lint
check-layers:                            ## arrows between folders point one way
	tests/lib/check-layers

lint: check-layers                       ## format, static analysis, spelling, lengths
	tests/lib/lint
