# SPDX-License-Identifier: GPL-2.0-or-later
# pacman. Only where libalpm's headers are; one source for libalpm 13 to 16.
PAC := plugins/pacman
PAC_B := $(B)/$(PAC)
pac_obj = $(patsubst %,$(PAC_B)/%.o,$(1))
# Not by pkg-config: it asks for the headers of all that libalpm itself is linked with.
HAVE_ALPM := $(shell echo '\#include <alpm.h>' | $(CC) -E -x c - >/dev/null 2>&1 && echo yes)

.PHONY: install-pacman uninstall-pacman
ifeq ($(HAVE_ALPM),yes)
# libarchive here is libalpm's own: before libbase.a, whose calls of it are opened late.
pac_libs    := -lalpm $(shell $(PKG_CONFIG) --libs libarchive)
pac_libexec := $(DESTDIR)$(LIBEXECDIR)
ALPMHOOKDIR ?= $(PREFIX)/share/libalpm/hooks
pac_hooks   := $(notdir $(wildcard hooks/pacman/*.hook))

PAC_PROGRAMS := pacman-event pacman-plan pacman-state pacman-hold
PROGRAMS     += $(addprefix $(PAC_B)/,$(PAC_PROGRAMS))

$(PAC_B)/pacman-event: $(call pac_obj,event_main after source leaving open watch content)
$(PAC_B)/pacman-plan: $(call pac_obj,plan_main package find kernels headers archives removed \
	leaving content cmdline config)
$(PAC_B)/pacman-state: $(call pac_obj,state_main cmdline config open whole)
$(PAC_B)/pacman-hold: $(call pac_obj,hold_main hold cmdline)
$(addprefix $(PAC_B)/,$(PAC_PROGRAMS)): $(B)/libplugin.a $(B)/libbase.a
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(pac_libs) $(filter %.a,$^) \
		$(shell $(PKG_CONFIG) --libs yaml-0.1)

# Never below /etc/pacman.d/hooks: what is there runs for other roots, too, where we are not.
install-pacman: $(addprefix $(PAC_B)/,$(PAC_PROGRAMS))
	$(INSTALL) -d $(pac_libexec) $(DESTDIR)$(ALPMHOOKDIR)
	$(INSTALL) -m 0755 $(addprefix $(PAC_B)/,$(PAC_PROGRAMS)) $(pac_libexec)/
	for h in $(pac_hooks); do $(HOOK_SED) hooks/pacman/$$h > $(DESTDIR)$(ALPMHOOKDIR)/$$h && \
		chmod 0644 $(DESTDIR)$(ALPMHOOKDIR)/$$h || exit 1; done

uninstall-pacman:
	rm -f $(addprefix $(pac_libexec)/,$(PAC_PROGRAMS))
	rm -f $(addprefix $(DESTDIR)$(ALPMHOOKDIR)/,$(pac_hooks))
else
install-pacman uninstall-pacman: ;
endif

# What the plugin's unit tests are linked with, besides libcore.a; nothing of libalpm.
unit_objs_test_pacman := $(call pac_obj,content cmdline config hold)
$(B)/tests/unit/test_pacman: $(unit_objs_test_pacman)
