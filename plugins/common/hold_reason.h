/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/base/digest.h"
#include "core/base/err.h"

/*
 * A digest of what a hold hangs on: module sources, compilers, kmodgate's policy and overrides.
 * When it changes the next run may succeed.
 */
int hold_reason(char ret_hex[DIGEST_HEX_SIZE], struct kg_err *err) _must_check_;
