/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The Nth call that changes a file system fails or kills the process. Linked into a driver (its
 * definitions win over libc's), or as a shared object under LD_PRELOAD for a whole program:
 *   KG_FAULT=N:fail | N:die     KG_FAULT_COUNT=FILE   the number of calls is written there
 */
#include <stdbool.h>
#include <sys/types.h>

enum fault_mode { FAULT_NONE, FAULT_FAIL, FAULT_DIE };

#define FAULT_DIED 99 /* exit status of FAULT_DIE */

#define FAULT_EXPORT __attribute__((visibility("default")))

/* Call number @n (from 1) does @mode. Counting begins anew. */
FAULT_EXPORT void fault_arm(unsigned int n, enum fault_mode mode);
FAULT_EXPORT void fault_disarm(void);
/* Calls since fault_arm(). */
FAULT_EXPORT unsigned int fault_count(void);
/* Name of the call that was hit, "" while none was. */
FAULT_EXPORT const char *fault_hit(void);

/*
 * What a power cut would have lost. While watching: how many files were renamed that were written
 * since and not fsynced, and is the directory @dev/@ino waiting for its fsync?
 */
FAULT_EXPORT void fault_watch(void);
FAULT_EXPORT unsigned int fault_unsynced_renames(void);
FAULT_EXPORT bool fault_is_pending_dir(dev_t dev, ino_t ino);
