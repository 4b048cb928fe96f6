/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Package archives unpacked into a stage folder, by libarchive, trusting nothing: a member
 * that would leave the stage, a device, too many entries or bytes is an error that names
 * archive and member, and nothing is written outside @stage_fd. After any failure to read the
 * stage is as it was; after one to put packages together it is to be thrown away. Modes (but
 * setuid, setgid, sticky) and times are kept, owner is who we are, nothing is synced.
 */
#include "core/job.h"

/* 0 (or no limits at all): the default. */
struct stage_limits {
	size_t max_entries; /* per archive; default 400000 */
	uint64_t max_bytes; /* unpacked, per archive; default 4 GiB */
	/* stop with -ENOSPC when the file system would fall below */
	uint64_t reserve_bytes;
};

/* Makes the empty stage's usr/ and the lib, bin, sbin, lib64 -> usr/... links. */
int stage_prepare(int stage_fd, struct kg_err *err) _must_check_;

/*
 * NULL in @want takes everything; else a member is taken when want(path, data) is true. Paths
 * are the archive's, without "./": a pre-usrmerge package says lib/modules. is_done() is asked
 * about every member, after it was taken or not. Called by one thread at a time per archive.
 */
struct stage_filter {
	bool (*want)(const char *path, void *data);
	/* true: nothing wanted can follow this member; stop reading the archive */
	bool (*is_done)(const char *path, void *data);
	void *data;
};

/*
 * Unpacks one archive (.deb: ar with data.tar.*; later rpm and pacman packages through the same
 * call). ./lib/... lands in usr/lib when lib is a link.
 */
int stage_unpack(const char *archive_path, int stage_fd,
		 const struct stage_limits *limits, const struct stage_filter *filter,
		 struct kg_err *err) _must_check_;

/*
 * All @n archives, as many at a time as there are CPUs; the first failure ends the rest. The
 * result is that of one after the other in this order: a later one's file replaces an earlier
 * one's. Signals noted by cancel_watch() end it too.
 */
struct stage_item {
	const char *path;
	struct stage_filter filter;
};
int stage_unpack_all(const struct stage_item *items, size_t n, int stage_fd,
		     const struct stage_limits *limits, struct kg_err *err) _must_check_;

/* Member paths (no leading "./") of a package archive. Reads the whole archive. */
int stage_list(const char *archive_path, const struct stage_limits *limits,
	       struct strv *ret_paths, struct kg_err *err) _must_check_;
