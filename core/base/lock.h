/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/base/err.h"

/*
 * One writer at a time: flock on @root_fd/run/kmodgate.lock, which names its holder. Waits at
 * most @timeout_ms, then -EBUSY naming the holder. Returns the lock's fd (close to release).
 * A child of the holder (KMODGATE_LOCK_HOLDER names its pid, an ancestor) does not wait for it.
 */
int lock_take(int root_fd, int timeout_ms, struct kg_err *err) _must_check_;
