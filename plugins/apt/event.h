/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What apt-event and dpkg-event share. libc only. */
#include "plugins/apt/stream.h"
#include "plugins/apt/verdict.h"
#include "plugins/common/child.h"

/* KMODGATE=off in the environment; says so. */
bool event_is_off(void);
/* false: every archive and every file list is known to have nothing for us. */
bool event_matters(const struct stream *s);
/* Runs apt-plan for @manager on @text. */
enum event_exit event_plan(const char *manager, const char *text, size_t len,
			   const struct owner *owner);
