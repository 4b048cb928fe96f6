/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Module sources in the dkms tree (docs/registry.md), by their folder: "usr/src/zfs-2.2.2". On Arch no
 * script of a package adds them or takes them off.
 */
#include <stdbool.h>
#include <stddef.h>

#include "plugins/common/owner.h"

/* The registered NAME/VERSION whose source is /@folder; "": none. */
void source_find(const char *folder, char *ret, size_t size);
/* Its dkms.conf is there. */
bool source_is_there(const char *folder);
/* Before its files go: keeps its dkms.conf in @kept_fd, of leaving_make(). */
void source_keep(int kept_fd, const char *folder);
/*
 * After @owner's transaction took them: @name_version has a source that is nothing but that dkms.conf,
 * which `dkms remove` needs.
 */
void source_put_stub(const struct owner *owner, const char *folder,
		     const char *name_version);
