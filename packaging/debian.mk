# SPDX-License-Identifier: GPL-2.0-or-later
# The Debian package, built in a copy of the tree: debhelper wants debian/ at its top. What it
# needs is `make deps`' business (-d: build-essential by name is not asked for). The source package
# comes along for lintian.

DEB      := build/deb
DEB_TREE := $(DEB)/kmodgate-$(VERSION)

.PHONY: deb
deb:                                     ## the Debian package and its source, in build/deb/
	rm -rf $(DEB)
	mkdir -p $(DEB_TREE)
	tar -c --exclude=./build --exclude=./.git . | tar -x -C $(DEB_TREE)
	cp -a packaging/debian $(DEB_TREE)/debian
	sed -i '1s/([^)]*)/($(VERSION))/' $(DEB_TREE)/debian/changelog
	cd $(DEB_TREE) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		DEB_BUILD_OPTIONS="noautodbgsym parallel=$$(nproc) $(DEB_BUILD_OPTIONS)" \
		dpkg-buildpackage -us -uc -d
	rm -rf $(DEB_TREE)
	@ls $(DEB)/*.deb

# What it says is mended, or overridden with a sentence why (kmodgate.lintian-overrides). Left out: no
# init.d script is needed where systemd is not, as whoever changes anything finishes first what a killed
# one left, and a kernel's own hooks bring its modules. (Newer lintian does not know that tag, and calls
# an override of it an error.)
.PHONY: lint-deb
lint-deb:                                ## lintian on what `make deb` left
	@ls $(DEB)/kmodgate_*.changes >/dev/null
	lintian --allow-root --display-info --pedantic --fail-on error,warning,info,pedantic \
		--suppress-tags package-supports-alternative-init-but-no-init.d-script \
		$(DEB)/kmodgate_*.changes
