/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include "core/base/err.h"

/*
 * Moves what is in @from_fd into the stage, by renames: a file replaces a file or link of
 * the same name, folders are joined, also through a link of the stage (lib -> usr/lib). A
 * folder is never replaced by something else, nor the other way round. @archive is for
 * messages.
 */
int merge_into_stage(int stage_fd, int from_fd, const char *archive,
		     struct kg_err *err) _must_check_;
