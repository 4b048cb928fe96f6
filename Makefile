# SPDX-License-Identifier: GPL-2.0-or-later
# kmodgate: the only build file.  `make help` lists the targets.
# Variants build beside each other:  make V=asan check-unit
SHELL     := /bin/bash
VERSION   := 0.1.0
V         ?= release
B         := build/$(V)

PREFIX      ?= /usr
SBINDIR     ?= $(PREFIX)/sbin
LIBEXECDIR  ?= $(PREFIX)/lib/kmodgate
DKMSLIBDIR  ?= $(PREFIX)/lib/dkms
SYSCONFDIR  ?= /etc
MANDIR      ?= $(PREFIX)/share/man
DATADIR     ?= $(PREFIX)/share/kmodgate
UNITDIR     ?= $(PREFIX)/lib/systemd/system
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
TMPFILESDIR ?= $(PREFIX)/lib/tmpfiles.d
DESTDIR     ?=
PKG_CONFIG  ?= pkg-config
INSTALL     ?= install

CFLAGS   ?= -O2 -g
CXXFLAGS ?= -O2 -g
WARN     := -Wall -Wextra -Wshadow -Wpointer-arith -Wcast-qual -Wwrite-strings -Wformat=2 \
	    -Wundef -Wvla -Wimplicit-fallthrough
# never only a warning: two halves of a change that do not fit
CWARN    := $(WARN) -Werror=incompatible-pointer-types -Werror=implicit-function-declaration \
	    -Werror=int-conversion -Wstrict-prototypes -Wmissing-prototypes -Wmissing-declarations \
	    -Wconversion -Wno-sign-conversion
ALL_CPPFLAGS := -I. -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -DVERSION='"$(VERSION)"' \
		-DKG_LIBEXECDIR='"$(LIBEXECDIR)"' -DKG_SBINDIR='"$(SBINDIR)"' -MMD -MP
HARDEN       := -fstack-protector-strong -fPIE -pthread
ALL_CFLAGS   := -std=gnu11 -fvisibility=hidden -fno-common $(CWARN) $(HARDEN)
ALL_CXXFLAGS := -std=c++17 -fvisibility=hidden $(WARN) $(HARDEN)
ALL_LDFLAGS  := -pie -pthread -Wl,-z,relro,-z,now,--as-needed

ifeq ($(V),asan)
CFLAGS   := -O1 -g -fno-omit-frame-pointer -fsanitize=address,undefined \
	    -fno-sanitize-recover=all
CXXFLAGS := $(CFLAGS)
else ifeq ($(V),release)
ALL_CPPFLAGS += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
else
$(error V must be release or asan)
endif
ifdef WERROR
ALL_CFLAGS   += -Werror
ALL_CXXFLAGS += -Werror
endif

# VERBOSE=1 shows whole commands.
ifndef VERBOSE
Q = @printf '  %-4s %s\n' $(1) '$(2)';
endif

# Third-party libraries of the core; each one's header has one home (make check-layers).
CORE_PC           := yaml-0.1 zlib liblzma libzstd
# Opened when needed: core/base/late.h.
LATE_PC           := libarchive libcrypto libkmod
pc_cflags         := $(shell $(PKG_CONFIG) --cflags $(CORE_PC) $(LATE_PC))
pc_libs           := $(shell $(PKG_CONFIG) --libs $(CORE_PC))
late_libs         := $(shell $(PKG_CONFIG) --libs $(LATE_PC))

base_src := $(wildcard core/base/*.c)
plan_src := $(wildcard core/plan/*.c)
core_src := $(base_src) $(plan_src) \
	    $(wildcard $(addprefix core/,$(addsuffix /*.c,sandbox registry recipe stage build \
	    store seal commit report tarball run))) $(wildcard core/*.c)
cli_src  := $(wildcard core/cli/*.c)
obj       = $(patsubst %.c,$(B)/%.o,$(1))

PROGRAMS := $(B)/kmodgate
.PHONY: all
all: programs man                        ## build everything (default)

$(B)/libbase.a: $(call obj,$(base_src) $(plan_src))
$(B)/libcore.a: $(call obj,$(core_src))
$(B)/libplugin.a: $(call obj,$(wildcard plugins/common/*.c))
%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(call Q,AR,$@)$(AR) rcs $@ $^

$(B)/kmodgate: $(call obj,$(cli_src)) $(B)/libcore.a
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) -o $@ $^ $(pc_libs)

# Linked with what is opened late, for packagers' dependency generators; installed nowhere.
$(B)/late-libs:
	@mkdir -p $(@D)
	$(call Q,LD,$@)echo 'int main(void) { return 0; }' | \
		$(CC) -x c - -o $@ -Wl,--no-as-needed $(late_libs)

$(B)/core/%.o: core/%.c
	@mkdir -p $(@D)
	$(call Q,CC,$<)$(CC) $(ALL_CPPFLAGS) $(pc_cflags) $(CPPFLAGS) $(ALL_CFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(call Q,CC,$<)$(CC) $(ALL_CPPFLAGS) $(CPPFLAGS) $(ALL_CFLAGS) $(CFLAGS) -c -o $@ $<

$(B)/%.o: %.cc
	@mkdir -p $(@D)
	$(call Q,CXX,$<)$(CXX) $(ALL_CPPFLAGS) $(CPPFLAGS) $(ALL_CXXFLAGS) $(CXXFLAGS) -c -o $@ $<

# What a hook file calls the installed programs by.
HOOK_SED := sed -e 's|@LIBEXECDIR@|$(LIBEXECDIR)|g' -e 's|@SBINDIR@|$(SBINDIR)|g'

# Which package managers: apt, rpm (with dnf and zypper), pacman.
PLUGINS ?= apt rpm pacman
-include $(foreach p,$(PLUGINS),plugins/$(p)/$(p).mk)
-include packaging/debian.mk
-include packaging/rpm.mk
-include packaging/arch.mk
include tests/tests.mk
-include tests/demo/demo.mk
-include tests/bench/bench.mk

.PHONY: programs
programs: $(PROGRAMS)

MAN := $(patsubst %.scd,$(B)/%,$(wildcard man/*.scd))
.PHONY: man
man: $(MAN)                              ## the manual pages
# A page with tables says so to man.
$(B)/man/%: man/%.scd
	@mkdir -p $(@D)
	{ ! grep -q '^\[' $< || echo "'\\\" t"; scdoc < $<; } > $@

DEPS_BUILD := gcc g++ make pkg-config libarchive-dev libkmod-dev libyaml-dev libssl-dev \
	      libapt-pkg-dev librpm-dev rpm libjson-c-dev libzstd-dev liblzma-dev zlib1g-dev scdoc \
	      debhelper fakeroot dpkg-dev libalpm-dev makepkg libarchive-tools
DEPS_CHECK := clang clang-format clang-tidy cppcheck shellcheck codespell universal-ctags \
	      libcmocka-dev mmdebstrap kmod cpio strace xz-utils zstd openssl patch \
	      util-linux apt-utils curl git lintian
.PHONY: deps
deps:                                    ## install what building and checking need (apt-get)
	@missing=$$(dpkg-query -W -f '$${binary:Package} $${db:Status-Status}\n' \
		$(DEPS_BUILD) $(DEPS_CHECK) 2>&1 | \
		grep -cE 'no packages found|not-installed|config-files' || true); \
	if [ "$$missing" -eq 0 ]; then echo "deps: all there"; else \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y \
		--no-install-recommends $(DEPS_BUILD) $(DEPS_CHECK); fi

.PHONY: config
config:                                  ## print what was found
	@for p in $(CORE_PC) apt-pkg rpm json-c cmocka; do \
		printf '%-12s %s\n' $$p "$$($(PKG_CONFIG) --modversion $$p 2>/dev/null || echo missing)"; \
	done

.PHONY: install
install: all $(addprefix install-,$(PLUGINS)) ## install under DESTDIR, PREFIX
	$(INSTALL) -D -m 0755 $(B)/kmodgate $(DESTDIR)$(SBINDIR)/kmodgate
	ln -sf kmodgate $(DESTDIR)$(SBINDIR)/dkms
	$(INSTALL) -d $(DESTDIR)$(DKMSLIBDIR) $(DESTDIR)$(SYSCONFDIR)/kmodgate/kmodgate.d
	for f in $(wildcard hooks/dkms/*); do \
		$(INSTALL) -m 0755 $$f $(DESTDIR)$(DKMSLIBDIR)/ || exit 1; done
	$(INSTALL) -D -m 0644 hooks/kmodgate.yaml $(DESTDIR)$(SYSCONFDIR)/kmodgate/kmodgate.yaml
	$(INSTALL) -d $(DESTDIR)$(UNITDIR)
	for u in kmodgate-recover dkms; do $(HOOK_SED) hooks/systemd/$$u.service \
		> $(DESTDIR)$(UNITDIR)/$$u.service || exit 1; done
	$(INSTALL) -D -m 0644 hooks/systemd/kmodgate.sysusers \
		$(DESTDIR)$(SYSUSERSDIR)/kmodgate.conf
	$(INSTALL) -D -m 0644 hooks/systemd/kmodgate.tmpfiles \
		$(DESTDIR)$(TMPFILESDIR)/kmodgate.conf
	for m in $(MAN); do $(INSTALL) -D -m 0644 $$m \
		$(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/} || exit 1; done

.PHONY: uninstall
uninstall: $(addprefix uninstall-,$(PLUGINS)) ## remove what install put there (state and /etc/kmodgate stay)
	rm -f $(DESTDIR)$(SBINDIR)/kmodgate $(DESTDIR)$(SBINDIR)/dkms
	rm -f $(addprefix $(DESTDIR)$(DKMSLIBDIR)/,$(notdir $(wildcard hooks/dkms/*)))
	rm -f $(DESTDIR)$(UNITDIR)/dkms.service
	rm -f $(DESTDIR)$(UNITDIR)/kmodgate-recover.service $(DESTDIR)$(SYSUSERSDIR)/kmodgate.conf \
		$(DESTDIR)$(TMPFILESDIR)/kmodgate.conf
	for m in $(MAN); do rm -f $(DESTDIR)$(MANDIR)/man$${m##*.}/$${m##*/}; done
	-rmdir $(DESTDIR)$(DKMSLIBDIR) $(DESTDIR)$(LIBEXECDIR)

.PHONY: clean
clean:                                   ## remove every build variant
	rm -rf build

.PHONY: help
help:                                    ## this list
	@sed -nE 's/^([a-z][a-z-]*):.*## (.*)/  \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

-include $(shell find $(B) -name '*.d' 2>/dev/null)
