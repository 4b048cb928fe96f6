/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to seal/: the other way round from compress.c. */
#include "core/base/err.h"

/*
 * The content of a compressed module in a new file in memory, owned by the caller; -ENOTSUP when
 * @fd is not compressed, -EINVAL when it is damaged, -KGE_LIMIT when it would be too large.
 */
int unpack_fd(int fd) _must_check_;
