#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The signing policy of framework.conf, with the kernel's own sign-file beside libcrypto. See commands.sh.
exec "$(dirname "$0")/commands.sh" signing keys_of_a_gate
