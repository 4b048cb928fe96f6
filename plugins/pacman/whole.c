// SPDX-License-Identifier: GPL-2.0-or-later
/* Reading all of a kernel would take a second: only a file with a hole in it is read. */
#include "plugins/pacman/whole.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/base/name.h"
#include "core/base/str.h"

#define SHA256_SIZE 32
#define MODULES "usr/lib/modules/"
#define ORIGINALS "/var/lib/dkms/*/original_module"

/* What a build or a boot needs; the rest, a person may have thrown away. */
static bool matters(const char *path)
{
	return str_starts(path, MODULES) || str_starts(path, "usr/src/");
}

static const char *base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* A module of the kernel's that one of ours stands in for: DKMS' tree has it. */
static bool is_archived(const char *path)
{
	static const char *const places[] = { "", "collisions/*/" };
	const char *base = base_of(path);
	const int length = (int)name_module_length(base);
	char pattern[PATH_MAX];
	glob_t found;
	bool is_found = false;

	for (size_t i = 0; !is_found && length > 0 && i < ARRAY_SIZE(places); i++) {
		snprintf(pattern, sizeof(pattern), ORIGINALS "/%.*s/*/%s%.*s.ko*",
			 (int)strcspn(path + strlen(MODULES), "/"),
			 path + strlen(MODULES), places[i], length, base);
		is_found = glob(pattern, GLOB_NOSORT, NULL, &found) == 0;
		if (is_found)
			globfree(&found);
	}
	return is_found;
}

static bool is_missing(alpm_handle_t *alpm, const char *name, struct stat *ret_st)
{
	char path[PATH_MAX];

	*ret_st = (struct stat){ 0 };
	snprintf(path, sizeof(path), "/%s", name);
	return lstat(path, ret_st) < 0 && errno == ENOENT &&
	       alpm_option_match_noextract(alpm, name) != 0 &&
	       !(str_starts(name, MODULES) && is_archived(name));
}

static bool is_list_there(alpm_handle_t *alpm, alpm_pkg_t *pkg)
{
	const alpm_filelist_t *files = alpm_pkg_get_files(pkg);
	struct stat st;

	if (files == NULL || files->count == 0)
		return alpm_pkg_get_desc(pkg) != NULL;
	for (size_t i = 0; i < files->count; i++)
		if (matters(files->files[i].name) &&
		    is_missing(alpm, files->files[i].name, &st))
			return false;
	return true;
}

/* 1: @fd's content has the digest that @entry names; 0: another; < 0: not to be known. */
static int has_digest(int fd, struct archive_entry *entry)
{
	static const unsigned char none[SHA256_SIZE];
	const unsigned char *wanted =
		archive_entry_digest(entry, ARCHIVE_ENTRY_DIGEST_SHA256);
	struct digest d;
	char wanted_hex[DIGEST_HEX_SIZE];
	char hex[DIGEST_HEX_SIZE];
	int r;

	if (wanted == NULL || memcmp(wanted, none, sizeof(none)) == 0)
		return -ENODATA;
	for (size_t i = 0; i < SHA256_SIZE; i++)
		snprintf(wanted_hex + 2 * i, 3, "%02x", wanted[i]);
	r = digest_init(&d);
	if (r < 0)
		return r;
	r = digest_add_fd(&d, fd);
	if (r == 0)
		r = digest_final(&d, hex);
	digest_fini(&d);
	return r < 0 ? r : strcmp(hex, wanted_hex) == 0;
}

/* Some file systems have holes for zeros that were written: those are read, too. */
static bool has_unwritten(const char *name, off_t size, struct archive_entry *entry)
{
	char path[PATH_MAX];
	_cleanup_close_ int fd = -1;
	off_t hole;

	snprintf(path, sizeof(path), "/%s", name);
	fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	hole = fd < 0 ? -1 : lseek(fd, 0, SEEK_HOLE);
	return hole >= 0 && hole < size && has_digest(fd, entry) == 0;
}

/* depmod writes its indexes anew, a person a source; a module that was signed is larger. */
static bool may_be_shorter(const char *name, off_t size)
{
	const char *base = base_of(name);

	return size > 0 && name_module_length(base) == 0 && strcmp(base, "vmlinuz") != 0;
}

static bool is_entry_whole(alpm_handle_t *alpm, struct archive_entry *entry)
{
	const char *name = archive_entry_pathname(entry);
	const off_t size = archive_entry_size(entry);
	struct stat st;

	if (name == NULL)
		return true;
	name += str_starts(name, "./") ? 2 : 0;
	if (!matters(name) || archive_entry_filetype(entry) == AE_IFDIR)
		return true;
	if (is_missing(alpm, name, &st))
		return false;
	if (archive_entry_filetype(entry) != AE_IFREG || !S_ISREG(st.st_mode))
		return true;
	if (st.st_size < size)
		return may_be_shorter(name, st.st_size);
	return st.st_size > size || !has_unwritten(name, size, entry);
}

bool package_is_whole(alpm_handle_t *alpm, alpm_pkg_t *pkg)
{
	struct archive *list = alpm_pkg_mtree_open(pkg);
	struct archive_entry *entry;
	bool is_whole = true;
	int r = ARCHIVE_EOF;

	if (list == NULL) /* there is none, or it is torn */
		return alpm_errno(alpm) != ALPM_ERR_LIBARCHIVE &&
		       is_list_there(alpm, pkg);
	/* ARCHIVE_WARN: a keyword that libarchive does not know. */
	while (is_whole && ((r = alpm_pkg_mtree_next(pkg, list, &entry)) == ARCHIVE_OK ||
			    r == ARCHIVE_WARN))
		is_whole = is_entry_whole(alpm, entry);
	(void)alpm_pkg_mtree_close(pkg, list);
	return is_whole && r == ARCHIVE_EOF;
}
