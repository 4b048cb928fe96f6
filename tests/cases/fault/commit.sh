#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Old or new, never a mixture: every 11th call of each commit action fails or is the last one.
# All of them: tests/fault/sweep.sh 1
exec "$(dirname "$0")/../../fault/sweep.sh" "${KG_FAULT_STEP:-11}"
