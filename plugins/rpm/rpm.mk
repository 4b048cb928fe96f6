# SPDX-License-Identifier: GPL-2.0-or-later
# rpm, dnf and zypper. Only where librpm's headers are.
RPM := plugins/rpm
RPM_B := $(B)/$(RPM)
rpm_obj     = $(patsubst %,$(RPM_B)/%.o,$(1))
rpm_pic_obj = $(patsubst %,$(RPM_B)/%.pic.o,$(1))
HAVE_RPM   := $(shell $(PKG_CONFIG) --exists rpm && echo yes)

.PHONY: install-rpm uninstall-rpm
ifeq ($(HAVE_RPM),yes)
rpm_cflags := $(shell $(PKG_CONFIG) --cflags rpm)
rpm_libs   := $(shell $(PKG_CONFIG) --libs-only-L --libs-only-l rpm | sed 's/-lpopt//')
# Where librpm looks for plugins: only rpm itself knows.
RPMPLUGINDIR ?= $(or $(shell rpm --eval '%{__plugindir}' 2>/dev/null),$(PREFIX)/lib64/rpm-plugins)
RPMMACRODIR  ?= $(PREFIX)/lib/rpm/macros.d

RPM_PROGRAMS := rpm-plan rpm-state rpm-locks
PROGRAMS     += $(RPM_B)/kmodgate.so $(addprefix $(RPM_B)/,$(RPM_PROGRAMS))

$(RPM_B)/%.o: ALL_CPPFLAGS += $(rpm_cflags)

# In rpm's own process: linked with librpm itself (dnf4 loads librpm's symbols privately), with
# nothing of ours but what is listed, and nothing is left to be resolved later.
$(RPM_B)/%.pic.o: $(RPM)/%.c
	@mkdir -p $(@D)
	$(call Q,CC,$<)$(CC) $(ALL_CPPFLAGS) $(CPPFLAGS) $(filter-out -fPIE,$(ALL_CFLAGS)) -fPIC \
		$(CFLAGS) -c -o $@ $<

$(RPM_B)/kmodgate.so: $(call rpm_pic_obj,gate_plugin child client content)
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) -shared -Wl,-z,relro,-z,now -Wl,-soname,kmodgate.so \
		-Wl,--no-undefined -o $@ $^ $(rpm_libs)

$(RPM_B)/rpm-plan: $(call rpm_obj,plan_main package steps cache kernels headers archives removed content arch)
$(RPM_B)/rpm-state: $(call rpm_obj,state_main)
$(RPM_B)/rpm-locks: $(call rpm_obj,hold_main hold hold_record hold_toml toml)
$(addprefix $(RPM_B)/,$(RPM_PROGRAMS)): $(B)/libplugin.a $(B)/libbase.a
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) $(filter %.a,$^) \
		$(rpm_libs) $(shell $(PKG_CONFIG) --libs yaml-0.1)

# zypper's commit plugin: json-c, nothing of librpm.
HAVE_JSON_C := $(shell $(PKG_CONFIG) --exists json-c && echo yes)
ZYPP_PROGRAM := $(if $(HAVE_JSON_C),$(B)/plugins/zypper/zypp-commit)
PROGRAMS     += $(ZYPP_PROGRAM)
$(B)/plugins/zypper/zypp-commit: $(B)/plugins/zypper/commit_main.o $(B)/libbase.a
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) -o $@ $^ \
		$(shell $(PKG_CONFIG) --libs json-c yaml-0.1)
$(B)/plugins/zypper/%.o: ALL_CPPFLAGS += $(shell $(PKG_CONFIG) --cflags json-c)

zypp_plugin_dir := $(DESTDIR)$(PREFIX)/lib/zypp/plugins/commit
# Debian's python has a second place for what comes in packages.
DNF4PLUGINDIR ?= $(shell python3 -c 'import sysconfig as s; print(s.get_path("purelib", \
	"deb_system" if "deb_system" in s.get_scheme_names() else s.get_default_scheme()))')/dnf-plugins
dnf5_actions_dir := $(DESTDIR)$(SYSCONFDIR)/dnf/libdnf5-plugins/actions.d

.PHONY: install-dnf install-zypper uninstall-dnf uninstall-zypper
install-dnf:
	$(INSTALL) -d $(rpm_libexec) $(DESTDIR)$(DNF4PLUGINDIR) $(dnf5_actions_dir)
	$(INSTALL) -m 0755 plugins/dnf/dnf-early $(rpm_libexec)/dnf-early
	$(HOOK_SED) plugins/dnf/kmodgate.py > $(DESTDIR)$(DNF4PLUGINDIR)/kmodgate.py
	$(HOOK_SED) plugins/dnf/kmodgate.actions > $(dnf5_actions_dir)/kmodgate.actions
	chmod 0644 $(DESTDIR)$(DNF4PLUGINDIR)/kmodgate.py $(dnf5_actions_dir)/kmodgate.actions

install-zypper: $(ZYPP_PROGRAM)
ifneq ($(ZYPP_PROGRAM),)
	$(INSTALL) -d $(rpm_libexec) $(zypp_plugin_dir)
	$(INSTALL) -m 0755 $(ZYPP_PROGRAM) $(rpm_libexec)/zypp-commit
	ln -sf $(LIBEXECDIR)/zypp-commit $(zypp_plugin_dir)/kmodgate
endif

uninstall-dnf:
	rm -f $(rpm_libexec)/dnf-early $(DESTDIR)$(DNF4PLUGINDIR)/kmodgate.py
	rm -f $(dnf5_actions_dir)/kmodgate.actions
uninstall-zypper:
	rm -f $(rpm_libexec)/zypp-commit $(zypp_plugin_dir)/kmodgate

rpm_libexec := $(DESTDIR)$(LIBEXECDIR)
RPM_ALIASES := dnf-state zypper-state dnf-hold zypper-hold

install-rpm: install-dnf install-zypper $(RPM_B)/kmodgate.so $(addprefix $(RPM_B)/,$(RPM_PROGRAMS))
	$(INSTALL) -d $(rpm_libexec) $(DESTDIR)$(RPMPLUGINDIR) $(DESTDIR)$(RPMMACRODIR)
	$(INSTALL) -m 0755 $(addprefix $(RPM_B)/,$(RPM_PROGRAMS)) $(rpm_libexec)/
	for m in dnf zypper; do ln -sf rpm-state $(rpm_libexec)/$$m-state && \
		ln -sf rpm-locks $(rpm_libexec)/$$m-hold || exit 1; done
	$(INSTALL) -m 0755 $(RPM_B)/kmodgate.so $(DESTDIR)$(RPMPLUGINDIR)/kmodgate.so
	$(INSTALL) -m 0644 hooks/rpm/macros.transaction_kmodgate $(DESTDIR)$(RPMMACRODIR)/
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/lib/kernel/install.d
	$(HOOK_SED) hooks/rpm/40-dkms.install > $(DESTDIR)$(PREFIX)/lib/kernel/install.d/40-dkms.install
	chmod 0755 $(DESTDIR)$(PREFIX)/lib/kernel/install.d/40-dkms.install

uninstall-rpm: uninstall-dnf uninstall-zypper
	rm -f $(DESTDIR)$(RPMMACRODIR)/macros.transaction_kmodgate
	rm -f $(DESTDIR)$(RPMPLUGINDIR)/kmodgate.so $(DESTDIR)$(PREFIX)/lib/kernel/install.d/40-dkms.install
	rm -f $(addprefix $(rpm_libexec)/,$(RPM_PROGRAMS) $(RPM_ALIASES))
else
install-rpm uninstall-rpm: ;
endif

# What the plugin's unit tests are linked with, besides libcore.a; nothing of librpm.
unit_objs_test_rpm_arch    := $(call rpm_obj,arch)
unit_objs_test_rpm_content := $(call rpm_obj,content)
unit_objs_test_rpm_hold    := $(call rpm_obj,hold hold_record hold_toml toml)
unit_objs_test_rpm_child   := $(call rpm_obj,child)
$(B)/tests/unit/test_rpm_arch: $(unit_objs_test_rpm_arch)
$(B)/tests/unit/test_rpm_child: $(unit_objs_test_rpm_child)
$(B)/tests/unit/test_rpm_content: $(unit_objs_test_rpm_content)
$(B)/tests/unit/test_rpm_hold: $(unit_objs_test_rpm_hold)
