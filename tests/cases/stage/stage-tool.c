// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * core/stage for the cases:
 *   stage-tool unpack STAGE DEB...
 *   stage-tool list DEB
 *   stage-tool headers ROOT STAGE|- RELEASE SOURCE_DIR|- [REMOVED...]
 *   stage-tool many N > DEB        a package of N empty files
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/fd.h"
#include "core/base/libarchive.h"
#include "core/base/spawn.h"
#include "core/stage/headers.h"
#include "core/stage/stage.h"

static int tell(int r, const struct kg_err *err)
{
	if (r < 0)
		fprintf(stderr, "%s\n", kg_err_text(err, r));
	return r < 0 ? 1 : 0;
}

static int unpack(int n, char **args)
{
	struct stage_item *items = calloc((size_t)n, sizeof(*items));
	int stage_fd = open(args[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *max = getenv("STAGE_MAX_ENTRIES");
	struct stage_limits limits = { 0 };
	struct kg_err err = { 0 };
	int r = 0;

	limits.max_entries = max != NULL ? strtoul(max, NULL, 10) : 0;
	if (faccessat(stage_fd, "usr", F_OK, 0) < 0)
		r = stage_prepare(stage_fd, &err);
	for (int i = 1; i < n; i++)
		items[i - 1].path = args[i];
	cancel_watch();
	if (r == 0)
		r = stage_unpack_all(items, (size_t)n - 1, stage_fd, &limits, &err);
	free(items);
	return tell(r, &err);
}

static int list(const char *path)
{
	_cleanup_strv_ struct strv paths = { 0 };
	struct kg_err err = { 0 };
	int r = stage_list(path, NULL, &paths, &err);

	for (size_t i = 0; i < paths.n; i++)
		puts(paths.v[i]);
	return tell(r, &err);
}

static int headers(char **args)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const struct kg_system sys = { .root_fd = open(args[0], O_RDONLY | O_DIRECTORY),
				       .cache_dir = "var/cache/kmodgate" };
	struct sandbox view = SANDBOX_INIT;
	struct kg_headers found = { 0 };
	struct kg_err err = { 0 };
	int r;

	view.root_fd = sys.root_fd;
	if (strcmp(args[1], "-") != 0)
		view.stage_fd = open(args[1], O_RDONLY | O_DIRECTORY);
	view.uid = view.gid = 65534;
	if (args[4] != NULL)
		view.removed = (const char *const *)&args[4];
	r = headers_find(&sys, &view, args[2], strcmp(args[3], "-") != 0 ? args[3] : NULL,
			 &arena, &found, &err);
	if (r == 0)
		printf("%s\nsource=%s\nsymvers=%s\nconfig=%zu\nhash=%s\nsuffix=%s\n",
		       found.identity, found.source_dir, found.symvers,
		       strlen(found.config),
		       found.sig_hash != NULL ? found.sig_hash : "-", found.compression);
	return tell(r, &err);
}

static void put_member(const char *name, const char *data, size_t len)
{
	printf("%-16s%-12d%-6d%-6d%-8s%-10zu`\n", name, 0, 0, 0, "100644", len);
	fwrite(data, 1, len, stdout);
	if (len % 2 != 0)
		putchar('\n');
}

static la_ssize_t collect(struct archive *a, void *user, const void *data, size_t len)
{
	(void)a;
	str_addn(user, data, len);
	return (la_ssize_t)len;
}

static int many(unsigned long n)
{
	_cleanup_str_ struct str data = { 0 };
	struct archive *a = libarchive_load(NULL) == 0 ? archive_write_new() : NULL;
	struct archive_entry *entry = archive_entry_new();
	char name[32];

	archive_write_add_filter_zstd(a);
	archive_write_set_format_ustar(a);
	archive_write_open(a, &data, NULL, collect, NULL);
	for (unsigned long i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "./d%lu/f%lu", i / 1000, i);
		archive_entry_clear(entry);
		archive_entry_set_pathname(entry, name);
		archive_entry_set_filetype(entry, AE_IFREG);
		archive_entry_set_perm(entry, 0644);
		/* noise, or the ratio alone would stop it */
		archive_entry_set_mtime(entry, (time_t)(i * 2654435761UL % 4000000000UL),
					0);
		archive_write_header(a, entry);
	}
	archive_entry_free(entry);
	archive_write_free(a);
	fputs("!<arch>\n", stdout);
	put_member("debian-binary", "2.0\n", 4);
	put_member("data.tar.zst", data.p, data.len);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 3 && strcmp(argv[1], "unpack") == 0)
		return unpack(argc - 2, argv + 2);
	if (argc == 3 && strcmp(argv[1], "list") == 0)
		return list(argv[2]);
	if (argc > 5 && strcmp(argv[1], "headers") == 0)
		return headers(argv + 2);
	if (argc == 3 && strcmp(argv[1], "many") == 0)
		return many(strtoul(argv[2], NULL, 10));
	return 2;
}
