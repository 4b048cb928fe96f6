# SPDX-License-Identifier: GPL-2.0-or-later
.PHONY: demo
demo:                                    ## an upgrade that passes and one that is stopped, in a throw-away root (root)
	tests/demo/demo.sh $(MAKE)
