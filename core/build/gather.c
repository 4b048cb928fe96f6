// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/build/internal.h"

#include <stdio.h>

/*
 * Stripped in place and before they are copied, so a POST_BUILD finds what DKMS leaves
 * it.
 */
static int strip_modules(struct build *b)
{
	const struct kg_recipe *recipe = b->req->recipe;
	const char **argv = arena_array(&b->arena, recipe->n_modules + 4, sizeof(*argv));
	int status = 0;
	size_t n = 0;
	int r;

	if (argv == NULL)
		return kg_fail_errno(b->err, -ENOMEM, "cannot strip");
	argv[n++] = "/usr/bin/env";
	argv[n++] = b->tools.strip;
	argv[n++] = "-g";
	for (size_t i = 0; i < recipe->n_modules; i++) {
		const struct kg_recipe_module *m = &recipe->modules[i];

		if (m->strip && !m->is_excluded)
			argv[n++] = arena_printf(&b->arena, "./%s%s.ko",
						 m->built_location, m->built_name);
	}
	if (b->arena.failed)
		return kg_fail_errno(b->err, -ENOMEM, "cannot strip");
	if (n == 3)
		return 0;
	r = step_run(b, "strip", argv, -1, &status);
	if (r == 0 && status != 0)
		step_log(b, "warning: strip failed (exit %d)\n", status);
	return r;
}

static int copy_module(const struct build *b, const struct kg_recipe_module *m)
{
	_cleanup_close_ int from_fd = -1;
	_cleanup_close_ int to_fd = -1;
	_cleanup_str_ struct str path = { 0 };
	int r;

	str_addf(&path, "./%s%s.ko", m->built_location, m->built_name);
	from_fd = open(str_get(&path), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (from_fd < 0) {
		dprintf(1, "make ended well, but there is no %s", str_get(&path) + 2);
		return 1;
	}
	str_clear(&path);
	str_addf(&path, "%s/module/%s.ko", b->ka_dir, m->dest_name);
	to_fd = open(str_get(&path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	r = to_fd < 0 ? -errno : fd_copy_data(from_fd, to_fd);
	if (r == 0)
		return 0;
	dprintf(1, "cannot copy %s.ko: %s", m->built_name, kg_strerror(r));
	return r == -ENOSPC ? 2 : 3;
}

/* Where DKMS puts it: beside the modules, before POST_BUILD looks. */
static int copy_symvers(const struct build *b)
{
	_cleanup_close_ int from_fd =
		open("Module.symvers", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	_cleanup_close_ int to_fd = -1;
	_cleanup_str_ struct str path = { 0 };
	struct stat st;
	int r;

	if (from_fd < 0 || fstat(from_fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	str_addf(&path, "%s/module/Module.symvers", b->ka_dir);
	to_fd = open(str_get(&path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	r = to_fd < 0 ? -errno : fd_copy_data(from_fd, to_fd);
	if (r == 0)
		return 0;
	dprintf(1, "cannot copy Module.symvers: %s", kg_strerror(r));
	return r == -ENOSPC ? 2 : 3;
}

/* Runs in the view, as the build user: links within it may be followed there. */
static int copy_modules(void *data)
{
	const struct build *b = data;
	const struct kg_recipe *recipe = b->req->recipe;
	int r = 0;

	for (size_t i = 0; r == 0 && i < recipe->n_modules; i++)
		if (!recipe->modules[i].is_excluded)
			r = copy_module(b, &recipe->modules[i]);
	return r == 0 ? copy_symvers(b) : r;
}

int gather_modules(struct build *b)
{
	struct sandbox box = b->box;
	_cleanup_str_ struct str said = { 0 };
	int status = 0;
	int r = strip_modules(b);

	if (r < 0)
		return r;
	box.call = copy_modules;
	box.data = b;
	r = sandbox_capture(&box, b->req->timeout_ms, 4096, &said, &status, b->err);
	if (r < 0)
		return r;
	if (status == 0)
		return 0;
	if (said.len == 0)
		str_addf(&said, "cannot copy the modules (exit %d)", status);
	return kg_fail(b->err, status == 2 ? -ENOSPC : -KGE_BUILD, "%s", str_get(&said));
}
