// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * kmodgate.so: librpm's transaction plugin, in the process of rpm, dnf, zypper or zypp-rpm. It
 * looks at what a transaction brings and takes; when a kernel or a module source is among it,
 * rpm-plan and the core are run in processes of their own. Only their exit code 3, or that a person
 * interrupted them, stops a transaction; whatever else is wrong is a warning.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rpm/rpmfiles.h>
#include <rpm/rpmio.h>
#include <rpm/rpmlog.h>
#include <rpm/rpmps.h>
#include <rpm/rpmte.h>

#include "plugins/rpm/child.h"
#include "plugins/rpm/client.h"
#include "plugins/rpm/content.h"
#include "plugins/rpm/hooks.h"

#define EXIT_STOP 3
#define KERNEL_BITS (CONTENT_IMAGE | CONTENT_MODULES)

static const char plan_program[] = KG_LIBEXECDIR "/rpm-plan";
static const char core_program[] = KG_SBINDIR "/kmodgate";

/* One package of a kernel, added or removed. */
struct kernel_part {
	rpmte te;
	char release[CONTENT_RELEASE_SIZE];
	char image[PATH_MAX]; /* "": it has none */
	bool is_added;
	bool is_done; /* on disk and in the database */
};

/* The transaction that runs; rpm runs one at a time in a process. */
static struct {
	struct client client;
	struct kernel_part *parts;
	size_t n_parts;
	int level;    /* of what a child said last, for rpmlog */
	bool matters; /* a kernel or a module source is among it */
	bool adds;    /* something comes */
	bool is_real; /* not a test, and it changes files */
	bool is_stopped;
} now;

static void forget(void)
{
	free(now.parts);
	memset(&now, 0, sizeof(now));
}

/* ---- what is said ---- */

/* A line of kmodgate's says what those below it are. */
static void log_line(const char *line)
{
	if (strncmp(line, "kmodgate: error", 15) == 0)
		now.level = RPMLOG_ERR;
	else if (strncmp(line, "kmodgate: warning", 17) == 0)
		now.level = RPMLOG_WARNING;
	else if (strncmp(line, "kmodgate: ", 10) == 0)
		now.level = RPMLOG_NOTICE;
	rpmlog(now.level != 0 ? now.level : RPMLOG_NOTICE, "%s\n", line);
}

static const char *what_happened(int code)
{
	if (code == CHILD_LOST)
		return "was waited for by somebody else";
	return code == CHILD_NOT_STARTED ? "cannot be started" : "failed";
}

static void warn_unchecked(const char *program, int code)
{
	rpmlog(RPMLOG_WARNING,
	       "kmodgate: %s %s (%d): the transaction goes on WITHOUT a check of kernel "
	       "modules\n",
	       program, what_happened(code), code);
}

/* ---- what a package is to us ---- */

static bool is_elsewhere(rpmfiles files)
{
	const int n = (int)rpmfilesDC(files);

	for (int i = 0; i < n; i++)
		if (!content_is_elsewhere(rpmfilesDN(files, i)))
			return false;
	return true;
}

/* What one file says; the first release and the first image count: no kernel package has two. */
static unsigned int look_at_file(rpmfiles files, int i, struct kernel_part *part)
{
	const char *dir = rpmfilesDN(files, rpmfilesDI(files, i));
	char release[CONTENT_RELEASE_SIZE];
	const unsigned int bit = content_of(dir, rpmfilesBN(files, i), release);

	/* A %ghost is owned, but not brought. */
	if (bit == 0 || (rpmfilesFFlags(files, i) & RPMFILE_GHOST) != 0)
		return 0;
	if ((bit & KERNEL_BITS) != 0 && part->release[0] == '\0')
		memcpy(part->release, release, sizeof(release));
	if (bit == CONTENT_IMAGE && part->image[0] == '\0')
		snprintf(part->image, sizeof(part->image), "%s%s", dir,
			 rpmfilesBN(files, i));
	return bit;
}

static unsigned int look_at_files(rpmfiles files, struct kernel_part *part)
{
	const int n = (int)rpmfilesFC(files);
	unsigned int bits = 0;

	for (int i = 0; i < n; i++)
		bits |= look_at_file(files, i, part);
	return bits;
}

static void add_part(const struct kernel_part *part)
{
	struct kernel_part *grown =
		reallocarray(now.parts, now.n_parts + 1, sizeof(*grown));

	if (grown == NULL)
		return; /* then it does not arrive here, but at the kernel's own hook */
	now.parts = grown;
	now.parts[now.n_parts++] = *part;
}

static void look_at(rpmte te)
{
	struct kernel_part part = { .te = te, .is_added = rpmteType(te) == TR_ADDED };
	rpmfiles files = rpmteFiles(te);
	unsigned int bits = 0;

	if (files != NULL && !is_elsewhere(files))
		bits = look_at_files(files, &part);
	rpmfilesFree(files);
	now.adds = now.adds || part.is_added;
	now.matters = now.matters || (bits & CONTENT_MATTERS) != 0;
	if ((bits & KERNEL_BITS) != 0)
		add_part(&part);
}

static void look_at_all(rpmts ts)
{
	rpmtsi it = rpmtsiInit(ts);
	rpmte te;

	while ((te = rpmtsiNext(it, 0)) != NULL)
		look_at(te);
	rpmtsiFree(it);
}

/* ---- the list for rpm-plan ---- */

/* Every client opens the archive when asked to; only then has its path one meaning. */
static bool archive_path(rpmts ts, rpmte te, char *path, size_t size)
{
	FD_t fd = rpmtsNotify(ts, te, RPMCALLBACK_INST_OPEN_FILE, 0, 0);
	char link[64];
	ssize_t n = -1;

	if (fd != NULL) {
		snprintf(link, sizeof(link), "/proc/self/fd/%d", Fileno(fd));
		n = readlink(link, path, size - 1);
	}
	rpmtsNotify(ts, te, RPMCALLBACK_INST_CLOSE_FILE, 0, 0);
	path[n > 0 ? n : 0] = '\0';
	return n > 0 && strchr(path, '\n') == NULL;
}

/* "+ PATH" comes, "- NUMBER" (its place in the database) goes. */
static int write_list(rpmts ts)
{
	int fd = memfd_create("transaction", MFD_CLOEXEC);
	rpmtsi it = rpmtsiInit(ts);
	char path[PATH_MAX];
	rpmte te;

	while (fd >= 0 && (te = rpmtsiNext(it, 0)) != NULL)
		if (rpmteType(te) == TR_REMOVED)
			dprintf(fd, "- %d\n", rpmteDBOffset(te));
		else if (archive_path(ts, te, path, sizeof(path)))
			dprintf(fd, "+ %s\n", path);
		else
			rpmlog(RPMLOG_WARNING, "kmodgate: %s: cannot see its archive\n",
			       rpmteNEVRA(te));
	rpmtsiFree(it);
	if (fd >= 0 && lseek(fd, 0, SEEK_SET) < 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* ---- the gate ---- */

/*
 * libzypp 17.25 takes five seconds of silence for the end of what rpm has to say, and the reason of a stop would be
 * lost. A line of `rpm --percent` shows it that there is more; it asks for those when something comes.
 */
static const char *beat(void)
{
	return now.client.is_step && now.adds ? "%% 0.000000\n" : NULL;
}

static int run_plan(int list_fd)
{
	char owner[16];
	const char *argv[] = { plan_program, now.client.manager, owner, NULL, NULL };
	const struct child_how how = {
		.argv = argv,
		.in_fd = list_fd,
		.err = now.client.hides_stderr ? CHILD_STDERR_LOGGED : CHILD_STDERR_LIVE,
		.log = log_line,
		.beat = beat(),
	};

	snprintf(owner, sizeof(owner), "%d", now.client.owner);
	if (!now.is_real)
		argv[3] = "--test";
	else if (now.client.is_step)
		argv[3] = "--step";
	return child_run(&how);
}

/* zypper may ask the user and try again: then it is judged again. */
static void forget_judged(void)
{
	char path[64];

	snprintf(path, sizeof(path), CLIENT_JUDGED_FORMAT, now.client.owner);
	(void)unlink(path);
}

static bool is_interrupt(int code)
{
	return code == 128 + SIGINT || code == 128 + SIGTERM;
}

static rpmRC gate(rpmts ts)
{
	int fd = write_list(ts);
	int code = fd < 0 ? CHILD_NOT_STARTED : run_plan(fd);

	if (fd >= 0)
		close(fd);
	now.is_stopped = code == EXIT_STOP || is_interrupt(code);
	if (now.is_stopped) {
		if (now.client.is_step)
			forget_judged();
		rpmlog(RPMLOG_ERR,
		       "kmodgate: %sthe transaction is stopped: nothing was changed\n",
		       is_interrupt(code) ? "interrupted: " : "");
		return RPMRC_FAIL;
	}
	if (code != 0)
		warn_unchecked(plan_program, code);
	return RPMRC_OK;
}

static bool is_switched_off(void)
{
	const char *value = getenv("KMODGATE");

	if (value == NULL || strcmp(value, "off") != 0)
		return false;
	rpmlog(RPMLOG_WARNING,
	       "kmodgate: switched off by KMODGATE=off: kernel modules are not checked\n");
	return true;
}

/* rpm stops by itself when it has found something wrong. */
static bool has_problems(rpmts ts)
{
	rpmps problems = rpmtsProblems(ts);
	bool has = rpmpsNumProblems(problems) > 0;

	rpmpsFree(problems);
	return has;
}

static bool is_ours(rpmts ts)
{
	const char *root = rpmtsRootDir(ts);

	return (root == NULL || strcmp(root, "/") == 0) &&
	       (rpmtsFlags(ts) & RPMTRANS_FLAG_JUSTDB) == 0 && geteuid() == 0;
}

static rpmRC plugin_tsm_pre(rpmPlugin plugin, rpmts ts)
{
	(void)plugin;
	forget();
	if (!is_ours(ts) || has_problems(ts))
		return RPMRC_OK;
	client_find(&now.client);
	look_at_all(ts);
	now.is_real = (rpmtsFlags(ts) & RPMTRANS_FLAG_TEST) == 0;
	/* In a commit of several rpm processes the kernel may be in a later one. */
	if (!now.matters && !now.client.is_step)
		return RPMRC_OK;
	return is_switched_off() ? RPMRC_OK : gate(ts);
}

/* ---- afterwards ---- */

static void run_core(const char *verb, const char *arg, const char *more)
{
	const char *const argv[] = { core_program, verb, arg, more, NULL };
	const struct child_how how = {
		.argv = argv,
		.in_fd = -1,
		.err = now.client.hides_stderr ? CHILD_STDERR_LOGGED : CHILD_STDERR_LIVE,
		.log = log_line,
	};
	int code = child_run(&how);

	if (code != 0 && code != CHILD_LOST)
		rpmlog(RPMLOG_WARNING, "kmodgate: \"kmodgate %s %s\" ended with %d\n",
		       verb, arg, code);
}

/* Every package of that kernel that comes here is on disk. */
static bool is_complete(const char *release)
{
	for (size_t i = 0; i < now.n_parts; i++)
		if (now.parts[i].is_added && !now.parts[i].is_done &&
		    strcmp(now.parts[i].release, release) == 0)
			return false;
	return true;
}

/* Before rpm 6 also called around %pretrans and %posttrans: only once it is in the database. */
static rpmRC plugin_psm_post(rpmPlugin plugin, rpmte te, int res)
{
	(void)plugin;
	for (size_t i = 0; now.is_real && i < now.n_parts; i++) {
		struct kernel_part *part = &now.parts[i];

		if (part->te != te || !part->is_added || part->is_done ||
		    res != RPMRC_OK || rpmteDBInstance(te) == 0)
			continue;
		part->is_done = true;
		if (is_complete(part->release))
			run_core("arrive", part->release, NULL);
	}
	return RPMRC_OK;
}

static bool comes_too(const char *release)
{
	for (size_t i = 0; i < now.n_parts; i++)
		if (now.parts[i].is_added && now.parts[i].image[0] != '\0' &&
		    strcmp(now.parts[i].release, release) == 0)
			return true;
	return false;
}

static void depart_all(void)
{
	for (size_t i = 0; i < now.n_parts; i++) {
		const struct kernel_part *part = &now.parts[i];

		if (!part->is_added && part->image[0] != '\0' &&
		    access(part->image, F_OK) < 0 && !comes_too(part->release))
			run_core("depart", part->release, NULL);
	}
}

/* Not by @res: a failed scriptlet of a kernel that is there counts in it since rpm 6. */
static rpmRC plugin_tsm_post(rpmPlugin plugin, rpmts ts, int res)
{
	char owner[16];

	(void)plugin;
	(void)ts;
	(void)res;
	if (now.is_real && now.matters && !now.is_stopped) {
		depart_all();
		snprintf(owner, sizeof(owner), "%d", now.client.owner);
		if (!now.client.is_step)
			run_core("settle", "--owner", owner);
	}
	forget();
	return RPMRC_OK;
}

static void plugin_cleanup(rpmPlugin plugin)
{
	(void)plugin;
	forget();
}

__attribute__((visibility("default"))) extern struct rpmPluginHooks_s kmodgate_hooks;
struct rpmPluginHooks_s kmodgate_hooks = {
	.cleanup = plugin_cleanup,
	.tsm_pre = plugin_tsm_pre,
	.tsm_post = plugin_tsm_post,
	.psm_post = plugin_psm_post,
};
