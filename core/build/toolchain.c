// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The identity of what turns source into a module. Programs are known by their build id,
 * a digest the linker made of all of their content: the same for a staged and an
 * installed copy, other for every rebuild, and read in microseconds where hashing cc1
 * takes a tenth of a second.
 */
#include "core/build/internal.h"
#include "core/build/path.h"

#include <stdio.h>
#include <string.h>

#include "core/base/digest.h"
#include "core/base/libcrypto.h"

#define CC1_TIMEOUT_MS 10000

static void identify(const char *role, const char *name, struct strv *seen,
		     struct str *out)
{
	_cleanup_str_ struct str path = { 0 };

	str_addf(out, "%s %s\n", role, name);
	if (path_find(name, &path))
		elf_identify(str_get(&path), seen, out);
	else
		str_add(out, "none\n");
}

/* The compiler proper: gcc only calls it. "cc1" when it has none, as clang. */
static void find_cc1(const char *cc, struct str *out)
{
	_cleanup_str_ struct str path = { 0 };
	const char *argv[] = { NULL, "-print-prog-name=cc1", NULL };
	_cleanup_close_ int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct kg_spawn how = { .argv = argv,
				.env = path_env,
				.dir_fd = -1,
				.in_fd = -1,
				.out_fd = -1,
				.err_fd = null_fd };
	int status = 0;

	if (!path_find(cc, &path))
		return;
	argv[0] = str_get(&path);
	if (spawn_capture(&how, CC1_TIMEOUT_MS, 4096, out, &status, NULL) < 0 ||
	    status != 0)
		str_clear(out);
	if (out->len > 0 && out->p[out->len - 1] == '\n')
		out->p[--out->len] = '\0';
}

void toolchain_identify(const struct build_tools *tools, bool has_rust, struct str *out)
{
	const char *const others[] = { "as", tools->strip, "objcopy", "pahole", "make" };
	const char *cc = tools->cc != NULL ? tools->cc : "gcc";
	_cleanup_str_ struct str cc1 = { 0 };
	_cleanup_strv_ struct strv seen = { 0 };
	/* a CC may be more than a program: "ccache gcc-12" */
	const char *last = strrchr(cc, ' ') != NULL ? strrchr(cc, ' ') + 1 : cc;

	str_addf(out, "command %s\n", cc);
	identify("cc", last, &seen, out);
	find_cc1(last, &cc1);
	if (cc1.len > 0)
		identify("cc1", str_get(&cc1), &seen, out);
	identify("ld",
		 tools->ld != NULL ? tools->ld
		 : tools->is_clang ? "ld.lld"
				   : "ld",
		 &seen, out);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		identify("tool", others[i], &seen, out);
	if (has_rust)
		identify("tool", "rustc", &seen, out);
	if (!strv_ok(&seen))
		out->failed = true;
}

int build_toolchain_identity(const struct sandbox *view, const struct kg_headers *headers,
			     struct arena *arena, const char **ret_identity,
			     struct kg_err *err)
{
	const struct tools_request req = { .view = view,
					   .headers = headers,
					   .depth = TOOLS_IDENTIFIED };
	_cleanup_str_ struct str said = { 0 };
	struct build_tools tools;
	char hex[DIGEST_HEX_SIZE];
	int r = libcrypto_load(err); /* ours, not the view's */

	if (r == 0)
		r = tools_find(&req, arena, &tools, &said, err);
	if (r < 0)
		return r;
	r = digest_hex(str_get(&said), said.len, hex);
	if (r == 0) {
		*ret_identity = arena_strdup(arena, hex);
		r = *ret_identity != NULL ? 0 : -ENOMEM;
	}
	return r == 0 ? 0 : kg_fail_errno(err, r, "cannot identify the compiler");
}
