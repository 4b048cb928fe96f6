/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * libarchive, opened when the first archive is: it brings libxml2 and ICU along, whose loading
 * takes longer than all of `dkms status`. After libarchive_load() its calls are made as ever; one
 * that libarchive.c does not list yet fails to link.
 */
#include <archive.h>
#include <archive_entry.h>

#include "core/base/err.h"

/* -EOPNOTSUPP: the library is not there or lacks a call. Any thread may call it, any time. */
int libarchive_load(struct kg_err *err) _must_check_;
