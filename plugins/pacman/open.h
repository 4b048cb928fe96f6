/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The transactions that a gate has let through and nobody has settled yet, by their folders. */
#include <stdbool.h>

#include "core/base/str.h"
#include "plugins/common/owner.h"

#define OPEN_DIR "/var/lib/kmodgate/txn"

/* Names of the folders of @owner's; true when there is one. */
bool open_find(const struct owner *owner, struct strv *ret_ids);
/* The owner of one, whoever it is, that still runs; pid 0: none. */
void open_owner(struct owner *ret);
/* Releases that such a transaction brings. */
void open_releases(const struct strv *ids, struct strv *ret);

/*
 * Starts a process that outlives this one: when the owner, or its lock, is gone and its transaction
 * is still open, pacman was interrupted before its last hooks. Then it settles, and says so.
 */
void watch_start(const struct owner *owner);
