# SPDX-License-Identifier: GPL-2.0-or-later
# apt and dpkg: the hook programs, and the hook files of apt, dpkg and Debian's kernel packages.
APT := plugins/apt
A   := $(B)/$(APT)
apt_obj = $(patsubst %,$(A)/%.o,$(1))

APT_PROGRAMS := apt-event apt-plan apt-fetch apt-settle apt-state apt-hold dpkg-event
PROGRAMS     += $(addprefix $(A)/,$(APT_PROGRAMS))
apt_link = -o $@ $(filter %.o,$^) $(filter %.a,$^)

# libc and nothing else: what runs in every transaction.
apt_light := $(call apt_obj,stream verdict content)
$(A)/apt-event:  $(call apt_obj,event_main event) $(apt_light)
$(A)/dpkg-event: $(call apt_obj,dpkg_event_main event) $(apt_light)
$(A)/apt-settle: $(call apt_obj,settle_main)
$(A)/apt-event $(A)/dpkg-event $(A)/apt-settle: $(B)/libplugin.a $(B)/libbase.a
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) $(apt_link)

$(A)/apt-plan: $(call apt_obj,plan_main planner kernels headers kept archives removed policy txn \
	       dpkgdb deb tar unzip version) $(apt_light) $(B)/libplugin.a $(B)/libbase.a
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) $(apt_link) \
		$(shell $(PKG_CONFIG) --libs yaml-0.1 zlib liblzma libzstd)

$(A)/apt-state: $(call apt_obj,state_main)
$(A)/apt-hold:  $(call apt_obj,hold_main hold)
$(A)/apt-state $(A)/apt-hold: $(B)/libplugin.a $(B)/libbase.a
	$(call Q,LD,$@)$(CC) $(CFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) $(apt_link) \
		$(shell $(PKG_CONFIG) --libs yaml-0.1)

# The only C++.
$(A)/apt-fetch: $(call apt_obj,fetch_main shim version deb_pool deb tar unzip) \
	      $(B)/libbase.a
	$(call Q,LD,$@)$(CXX) $(CXXFLAGS) $(LDFLAGS) $(ALL_LDFLAGS) $(apt_link) \
		$(shell $(PKG_CONFIG) --libs apt-pkg zlib liblzma libzstd)

apt_libexec := $(DESTDIR)$(LIBEXECDIR)
apt_etc     := $(DESTDIR)$(SYSCONFDIR)
KERNEL_HOOKS := postinst preinst prerm postrm header_postinst

.PHONY: install-apt uninstall-apt
install-apt: $(addprefix $(A)/,$(APT_PROGRAMS))
	$(INSTALL) -d $(apt_libexec) $(apt_etc)/apt/apt.conf.d $(apt_etc)/dpkg/dpkg.cfg.d
	$(INSTALL) -m 0755 $^ $(apt_libexec)/
	ln -sf apt-state $(apt_libexec)/dpkg-state
	$(HOOK_SED) hooks/apt/99kmodgate > $(apt_etc)/apt/apt.conf.d/99kmodgate
	$(HOOK_SED) hooks/dpkg/kmodgate > $(apt_etc)/dpkg/dpkg.cfg.d/kmodgate
	chmod 0644 $(apt_etc)/apt/apt.conf.d/99kmodgate $(apt_etc)/dpkg/dpkg.cfg.d/kmodgate
	for h in $(KERNEL_HOOKS); do \
		$(INSTALL) -d $(apt_etc)/kernel/$$h.d && \
		$(HOOK_SED) hooks/kernel/$$h > $(apt_etc)/kernel/$$h.d/00-kmodgate && \
		chmod 0755 $(apt_etc)/kernel/$$h.d/00-kmodgate || exit 1; done

uninstall-apt:
	rm -f $(addprefix $(apt_libexec)/,$(APT_PROGRAMS) dpkg-state)
	rm -f $(apt_etc)/apt/apt.conf.d/99kmodgate $(apt_etc)/dpkg/dpkg.cfg.d/kmodgate
	for h in $(KERNEL_HOOKS); do rm -f $(apt_etc)/kernel/$$h.d/00-kmodgate; done

# What the plugin's unit tests are linked with, besides libcore.a.
unit_objs_test_apt_content := $(call apt_obj,content version)
unit_objs_test_apt_stream  := $(call apt_obj,stream)
unit_objs_test_apt_verdict := $(call apt_obj,verdict)
unit_objs_test_apt_deb     := $(call apt_obj,deb tar unzip)
unit_objs_test_apt_deb_pool := $(call apt_obj,deb_pool deb tar unzip)
unit_objs_test_apt_hold    := $(call apt_obj,hold)
$(foreach t,content stream verdict deb deb_pool hold,\
	$(eval $(B)/tests/unit/test_apt_$(t): $(unit_objs_test_apt_$(t))))
