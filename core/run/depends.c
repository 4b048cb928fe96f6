// SPDX-License-Identifier: GPL-2.0-or-later
/* BUILD_DEPENDS_REBUILD: what was built against a module that changed since. */
#include <fcntl.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/log.h"
#include "core/run/run.h"

#define VERSION_MAX_BYTES 4096

/* Built against another version of @source than the one that is there now. */
static bool is_outdated(const struct run *run, const struct reg_entry *e,
			const struct kg_source *source)
{
	_cleanup_str_ struct str name = { 0 };
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int ka_fd =
		reg_open_built(run->sys, e->name, e->version, e->release, e->arch, NULL);

	str_addf(&name, RUN_DEPEND_FILE "%s", source->name);
	if (ka_fd < 0 || !str_ok(&name) ||
	    fd_read_file_in(ka_fd, str_get(&name), VERSION_MAX_BYTES, &text, NULL, NULL) <
		    0)
		return false;
	text[strcspn(text, "\n")] = '\0';
	return strcmp(text, source->version) != 0;
}

/* Over the one that is installed, whose version is the same. */
static int install_again(struct run *run, struct run_set *rs, struct kg_err *err)
{
	struct run_item item = { .rs = rs };

	item.is_forced = run_is_installed(run, &rs->source, rs->set.release, rs->arch);
	return run_install_items(run, rs->set.release, &item, 1, err);
}

/* The old one stays until the new one is whole, and for good when that can't be built. */
static int rebuild(struct run *run, const struct reg_entry *e, struct kg_err *err)
{
	struct kg_source *source = arena_alloc(&run->arena, sizeof(*source));
	const char *release = arena_strdup(&run->arena, e->release);
	const char *arch = arena_strdup(&run->arena, e->arch);
	struct kg_job *job;
	struct run_set rs;
	int r;

	if (source == NULL || release == NULL || arch == NULL)
		return kg_fail_errno(err, -ENOMEM, "%s/%s", e->name, e->version);
	r = reg_find_source(run->sys, e->name, e->version, &run->arena, source, err);
	if (r < 0)
		return r;
	job = run_add_job(run, source, release, arch);
	r = job == NULL ? -ENOMEM : run_make_set(run, job, &rs, err);
	if (r < 0)
		return r;
	r = install_again(run, &rs, err);
	run_drop_made(run, job, &rs);
	if (r == 0)
		run_rebuild_dependents(run, source, release, arch);
	return r;
}

void run_rebuild_dependents(struct run *run, const struct kg_source *source,
			    const char *release, const char *arch)
{
	const struct reg_filter filter = { .release = release, .arch = arch };
	struct reg_list list = { 0 };
	struct kg_err err = { 0 };

	/* A gate has built everything against what will be there. */
	if (run->txn != NULL || (run->target != NULL && run->target->force == KG_FORCE) ||
	    reg_list_read(run->sys, &filter, REG_NO_COMPARE, &list, &err) < 0)
		return;
	for (size_t i = 0; i < list.n; i++) {
		const struct reg_entry *e = &list.entries[i];

		if (e->release == NULL || strcmp(e->name, source->name) == 0 ||
		    !is_outdated(run, e, source))
			continue;
		kg_info("%s: %s/%s is built again for %s/%s", release, e->name,
			e->version, source->name, source->version);
		err = (struct kg_err){ 0 };
		if (rebuild(run, e, &err) < 0)
			kg_warning("%s: %s/%s: %s", release, e->name, e->version,
				   kg_err_text(&err, err.code));
	}
	reg_list_fini(&list);
}
