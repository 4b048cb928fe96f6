# SPDX-License-Identifier: GPL-2.0-or-later
# The rpm packages, by rpmbuild from a copy of the tree. --nodeps: on Debian no package of rpm's
# database stands for the compiler; what building needs is `make deps`' business.

RPM_OUT := build/rpm

.PHONY: rpm
rpm:                                     ## the rpm packages, in build/rpm/
	rm -rf $(RPM_OUT)
	mkdir -p $(RPM_OUT)/top/SOURCES
	tar -c --exclude=./build --exclude=./.git --transform 's|^\.|kmodgate-$(VERSION)|S' . | \
		gzip -1 > $(RPM_OUT)/top/SOURCES/kmodgate-$(VERSION).tar.gz
	env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL rpmbuild -bb --nodeps --quiet \
		-D '_topdir $(abspath $(RPM_OUT)/top)' -D 'kg_version $(VERSION)' \
		-D '_dbpath $(abspath $(RPM_OUT)/top)/db' packaging/rpm/kmodgate.spec
	find $(RPM_OUT)/top/RPMS -name '*.rpm' -exec mv {} $(RPM_OUT)/ \;
	rm -rf $(RPM_OUT)/top
	@ls $(RPM_OUT)/*.rpm
