/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Archives that people hand to dkms (tar, however compressed, and rpm), and the ones mktarball
 * makes. Nothing in an archive is trusted: a member that would leave the folder it is unpacked
 * into, a device, a setuid file, too many members or bytes is an error naming archive and member.
 */
#include "core/base/err.h"
#include "core/base/str.h"

/*
 * Everything in the archive @archive_fd (@name in messages) below @dir_fd, an empty folder of ours.
 * Owner is who we are, nobody else may write. -KGE_FORMAT: no archive. On failure @dir_fd is to be
 * thrown away.
 */
int tarball_unpack(int archive_fd, const char *name, int dir_fd,
		   struct kg_err *err) _must_check_;

/* -KGE_HOSTILE naming the first link below @dir_fd that leads out of it. */
int tarball_check_links(int dir_fd, const char *name, struct kg_err *err) _must_check_;

/*
 * The least deep folder below @dir_fd with a regular file @file in it ("." for @dir_fd itself); of
 * equally deep ones the first by name. -ENOENT, silent, when there is none.
 */
int tarball_find_folder(int dir_fd, const char *file, struct str *ret_path);

/* ---- making one ---- */
struct tarball;

/* Into @fd, compressed as the suffix of @name says (".gz" ".tgz" ".xz" ".zst" ".bz2", else not). */
int tarball_create(int fd, const char *name, struct tarball **ret_tarball,
		   struct kg_err *err) _must_check_;
/* The folder "./@path", or "./". */
int tarball_add_folder(struct tarball *t, const char *path,
		       struct kg_err *err) _must_check_;
int tarball_add_text(struct tarball *t, const char *path, const char *text,
		     struct kg_err *err) _must_check_;
/* The regular file @name of @dir_fd as "./@path". */
int tarball_add_file(struct tarball *t, const char *path, int dir_fd, const char *name,
		     struct kg_err *err) _must_check_;
/* What is in @dir_fd below "./@path", in the order of its names; links as they are. */
int tarball_add_tree(struct tarball *t, const char *path, int dir_fd,
		     struct kg_err *err) _must_check_;
/* Writes the end. */
int tarball_finish(struct tarball *t, struct kg_err *err) _must_check_;
/* NULL is fine. */
void tarball_free(struct tarball *t);
