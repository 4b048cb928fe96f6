/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The module sources that a transaction takes, told by a hook before the gate: one file for each,
 * a copy of its dkms.conf under the name of its folder below usr/src, in a folder of the owner's.
 */
#include "core/base/str.h"
#include "plugins/common/owner.h"

/* The owner's folder, new and empty; those of others that no longer run go. Its fd or negative. */
int leaving_make(const struct owner *owner);
/* It, as it is; -ENOENT: nothing leaves, as far as is known. */
int leaving_open(const struct owner *owner);
/* The names in it that came after the file @lock; without that file, all of them. */
void leaving_list(const struct owner *owner, const char *lock, struct strv *ret_names);
