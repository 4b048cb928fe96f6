/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Programs as a build finds them. */
#include "core/base/str.h"

extern const char *const path_env[]; /* the PATH of a build, and no locale */
/*
 * Puts where @name is found along the PATH into @ret_path; a name with a '/' is its own
 * place.
 */
bool path_find(const char *name, struct str *ret_path);
