# SPDX-License-Identifier: GPL-2.0-or-later
# The Debian package, built in a copy of the tree: debhelper wants debian/ at its top. What it
# needs is `make deps`' business (-d: build-essential by name is not asked for).

DEB      := build/deb
DEB_TREE := $(DEB)/kmodgate-$(VERSION)

.PHONY: deb
deb:                                     ## the Debian package, in build/deb/
	rm -rf $(DEB)
	mkdir -p $(DEB_TREE)
	tar -c --exclude=./build --exclude=./.git . | tar -x -C $(DEB_TREE)
	cp -a packaging/debian $(DEB_TREE)/debian
	sed -i '1s/([^)]*)/($(VERSION))/' $(DEB_TREE)/debian/changelog
	cd $(DEB_TREE) && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL \
		DEB_BUILD_OPTIONS="noautodbgsym parallel=$$(nproc) $(DEB_BUILD_OPTIONS)" \
		dpkg-buildpackage -b -us -uc -d
	rm -rf $(DEB_TREE)
	@ls $(DEB)/*.deb
