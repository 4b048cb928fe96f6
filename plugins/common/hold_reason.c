// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/common/hold_reason.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "core/base/digest.h"
#include "core/base/fd.h"
#include "core/base/str.h"

static void add_stat(struct digest *d, const char *path)
{
	char text[96];
	struct stat st;

	if (stat(path, &st) < 0)
		return;
	snprintf(text, sizeof(text), "%lld %lld.%09ld", (long long)st.st_size,
		 (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	digest_add_field(d, path, text);
}

/* Every entry of the folder, or @file in each of its folders. */
static void add_folder(struct digest *d, const char *folder, const char *file)
{
	_cleanup_dir_ DIR *dir = opendir(folder);
	_cleanup_strv_ struct strv paths = { 0 };
	struct dirent *entry;

	while (dir != NULL && (entry = fd_list_next(dir)) != NULL)
		strv_addf(&paths, "%s/%s%s%s", folder, entry->d_name,
			  file != NULL ? "/" : "", file != NULL ? file : "");
	strv_sort(&paths);
	for (size_t i = 0; i < paths.n; i++)
		add_stat(d, paths.v[i]);
	d->failed = d->failed || !strv_ok(&paths);
}

int hold_reason(char ret_hex[DIGEST_HEX_SIZE], struct kg_err *err)
{
	static const char *const files[] = {
		"/usr/bin/gcc", "/usr/bin/cc",	   "/usr/bin/clang",
		"/usr/bin/ld",	"/usr/bin/pahole", "/etc/kmodgate/kmodgate.yaml"
	};
	struct digest d;
	int r = digest_ready(err);

	if (r == 0)
		r = digest_init(&d);
	if (r == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(files); i++)
			add_stat(&d, files[i]);
		add_folder(&d, "/usr/src", "dkms.conf");
		add_folder(&d, "/etc/kmodgate/kmodgate.d", NULL);
		add_folder(&d, "/etc/dkms", NULL);
		r = digest_final(&d, ret_hex);
		digest_fini(&d);
	}
	return r < 0 ? kg_fail_errno(err, r, "digest of the hold's reason") : 0;
}
