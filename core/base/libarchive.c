// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/base/libarchive.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/late.h"

#define SONAME "libarchive.so.13"

LATE_NOTE("archive", "package archives", SONAME);

typedef struct archive ar;
typedef struct archive_entry entry;

/* result, name, parameters, arguments */
#define CALLS(X) \
	X(ar *, archive_read_new, (void), ()) \
	X(int, archive_read_free, (ar * a), (a)) \
	X(int, archive_read_support_filter_none, (ar * a), (a)) \
	X(int, archive_read_support_filter_bzip2, (ar * a), (a)) \
	X(int, archive_read_support_filter_gzip, (ar * a), (a)) \
	X(int, archive_read_support_filter_lzma, (ar * a), (a)) \
	X(int, archive_read_support_filter_rpm, (ar * a), (a)) \
	X(int, archive_read_support_filter_xz, (ar * a), (a)) \
	X(int, archive_read_support_filter_zstd, (ar * a), (a)) \
	X(int, archive_read_support_format_ar, (ar * a), (a)) \
	X(int, archive_read_support_format_cpio, (ar * a), (a)) \
	X(int, archive_read_support_format_empty, (ar * a), (a)) \
	X(int, archive_read_support_format_raw, (ar * a), (a)) \
	X(int, archive_read_support_format_tar, (ar * a), (a)) \
	X(int, archive_read_open, \
	  (ar * a, void *data, archive_open_callback *open, archive_read_callback *read, \
	   archive_close_callback *close), \
	  (a, data, open, read, close)) \
	X(int, archive_read_open_fd, (ar * a, int fd, size_t size), (a, fd, size)) \
	X(int, archive_read_next_header, (ar * a, entry * *e), (a, e)) \
	X(la_ssize_t, archive_read_data, (ar * a, void *data, size_t n), (a, data, n)) \
	X(int, archive_read_data_block, \
	  (ar * a, const void **data, size_t *n, la_int64_t *offset), \
	  (a, data, n, offset)) \
	X(int, archive_errno, (ar * a), (a)) \
	X(const char *, archive_error_string, (ar * a), (a)) \
	X(__LA_MODE_T, archive_entry_filetype, (entry * e), (e)) \
	X(__LA_MODE_T, archive_entry_perm, (entry * e), (e)) \
	X(const char *, archive_entry_hardlink, (entry * e), (e)) \
	X(const char *, archive_entry_pathname, (entry * e), (e)) \
	X(const char *, archive_entry_pathname_utf8, (entry * e), (e)) \
	X(const char *, archive_entry_symlink, (entry * e), (e)) \
	X(const char *, archive_entry_symlink_utf8, (entry * e), (e)) \
	X(time_t, archive_entry_mtime, (entry * e), (e)) \
	X(long, archive_entry_mtime_nsec, (entry * e), (e)) \
	X(la_int64_t, archive_entry_size, (entry * e), (e)) \
	X(int, archive_entry_size_is_set, (entry * e), (e)) \
	X(ar *, archive_write_new, (void), ()) \
	X(int, archive_write_add_filter_bzip2, (ar * a), (a)) \
	X(int, archive_write_add_filter_gzip, (ar * a), (a)) \
	X(int, archive_write_add_filter_none, (ar * a), (a)) \
	X(int, archive_write_add_filter_xz, (ar * a), (a)) \
	X(int, archive_write_add_filter_zstd, (ar * a), (a)) \
	X(int, archive_write_set_format_gnutar, (ar * a), (a)) \
	X(int, archive_write_open_fd, (ar * a, int fd), (a, fd)) \
	X(int, archive_write_header, (ar * a, entry * e), (a, e)) \
	X(la_ssize_t, archive_write_data, (ar * a, const void *data, size_t n), \
	  (a, data, n)) \
	X(int, archive_write_close, (ar * a), (a)) \
	X(int, archive_write_free, (ar * a), (a)) \
	X(entry *, archive_entry_new, (void), ()) \
	X(entry *, archive_entry_clear, (entry * e), (e)) \
	X(void, archive_entry_free, (entry * e), (e)) \
	X(void, archive_entry_set_filetype, (entry * e, unsigned int type), (e, type)) \
	X(void, archive_entry_set_gname, (entry * e, const char *name), (e, name)) \
	X(void, archive_entry_set_mtime, (entry * e, time_t s, long ns), (e, s, ns)) \
	X(void, archive_entry_set_pathname, (entry * e, const char *path), (e, path)) \
	X(void, archive_entry_set_perm, (entry * e, __LA_MODE_T perm), (e, perm)) \
	X(void, archive_entry_set_size, (entry * e, la_int64_t size), (e, size)) \
	X(void, archive_entry_set_symlink, (entry * e, const char *to), (e, to)) \
	X(void, archive_entry_set_uname, (entry * e, const char *name), (e, name))

/* The library's own, and ours of the same name that hands on to it. */
#define X(result, name, params, args) \
	static result(*own_##name) params; \
	result name params \
	{ \
		return own_##name args; \
	}
CALLS(X)
#undef X

static void (*own_set_error)(ar *a, int code, const char *fmt, ...);

void archive_set_error(ar *a, int code, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	own_set_error(a, code, "%s", text);
}

static const struct late_call calls[] = {
#define X(result, name, params, args) { #name, &own_##name },
	CALLS(X)
#undef X
		{ "archive_set_error", &own_set_error },
};

LATE_LOADER(libarchive, SONAME)
