/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to store/: the folder of all entries, and how they come and go as a whole. */
#include <stdbool.h>

#include "core/base/err.h"
#include "core/job.h"

struct folder {
	int fd;
};
#define FOLDER_INIT \
	{ \
		.fd = -1 \
	}

/* -ENOENT: none there. -EPERM: somebody else's, or others can write to it. Silent. */
int folder_open(struct folder *store, const struct kg_system *sys) _must_check_;
/* Makes it when missing. */
int folder_make(struct folder *store, const struct kg_system *sys,
		struct kg_err *err) _must_check_;
void folder_close(struct folder *store);
#define _cleanup_folder_ __attribute__((cleanup(folder_close)))

/* 64 lower-case hex digits: nothing else in the folder is an entry. */
bool folder_is_key(const char *name);

/*
 * Removes @name if it is still what @entry_fd opened (-1: something that is no folder). Never
 * seen half removed. Failures are left for the next time.
 */
void folder_discard(const struct folder *store, const char *name, int entry_fd);
/* Removes what killed processes left half written or half removed. */
void folder_drop_stale(const struct folder *store);

/* An entry being written; locked, so that nobody takes it for a leftover. */
struct draft {
	const struct folder *store;
	int fd;
	char name[32];
};
#define DRAFT_INIT \
	{ \
		.fd = -1 \
	}

int folder_begin(const struct folder *store, struct draft *ret_draft,
		 struct kg_err *err) _must_check_;
/* Gives the finished draft its name; -EEXIST, silently, when there is such an entry. */
int folder_publish(struct draft *draft, const char *key, struct kg_err *err) _must_check_;
/* Removes a draft that was not published. */
void folder_drop_draft(struct draft *draft);
#define _cleanup_draft_ __attribute__((cleanup(folder_drop_draft)))
