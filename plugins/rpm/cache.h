/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Archives that clients have downloaded. */

/* Below @dir, at most @depth folders down: calls @take for every *.rpm. */
void archives_find(const char *dir, unsigned int depth,
		   void (*take)(const char *path, const char *name, void *data),
		   void *data);
