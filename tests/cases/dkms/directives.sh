#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dkms.conf, weak-modules and framework.conf of DKMS 3.4.3, at work: the functions of directives.in, each in a
# throw-away root. What a directive means is test_recipe.c's and cases/recipe's.   directives.sh [FUNCTION...]
KG_INSIDE=directives.in exec "$(dirname "$0")/install.sh" "$@"
