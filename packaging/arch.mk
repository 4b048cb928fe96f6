# SPDX-License-Identifier: GPL-2.0-or-later
# The package for pacman, by makepkg from a copy of the tree, as an ordinary user: makepkg refuses
# root. --nodeps: what building needs is `make deps`' business where pacman manages nothing.

ARCH_OUT  := build/arch
ARCH_USER ?= nobody

.PHONY: arch
arch:                                    ## the package for pacman, in build/arch/ (makepkg)
	rm -rf $(ARCH_OUT)
	mkdir -p $(ARCH_OUT)/top
	tar -c --exclude=./build --exclude=./.git --transform 's|^\.|kmodgate-$(VERSION)|S' . | \
		gzip -1 > $(ARCH_OUT)/top/kmodgate-$(VERSION).tar.gz
	cp packaging/arch/kmodgate.install $(ARCH_OUT)/top/
	sed 's/@VERSION@/$(VERSION)/' packaging/arch/PKGBUILD > $(ARCH_OUT)/top/PKGBUILD
	packaging/arch/makepkg $(ARCH_USER) $(ARCH_OUT)/top
	mv $(ARCH_OUT)/top/*.pkg.tar* $(ARCH_OUT)/
	rm -rf $(ARCH_OUT)/top
	@ls $(ARCH_OUT)/*.pkg.tar*
