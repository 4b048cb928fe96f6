#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What DKMS 3.4 does and Debian's dkms does not, or not right; bad input. See commands.sh.
exec "$(dirname "$0")/commands.sh" from_outside kernels keys bad_input options weak
