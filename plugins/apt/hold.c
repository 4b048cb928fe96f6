// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/apt/hold.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/fd.h"
#include "core/base/name.h"

#define HOLD_MAX (1u << 20)
#define EXPLANATION "Explanation: kmodgate: held for kernel "
#define REASON "# reason: "

static const char head[] =
	"# Written by kmodgate, and rewritten or removed by it: a kernel module that is needed here\n"
	"# did not build for these kernels, so exactly these versions are not installed. Everything\n"
	"# else is. The hold ends by itself when a module source, a compiler, kmodgate's policy or\n"
	"# the kernel's version changes. To end it now:\n"
	"#   " KG_LIBEXECDIR "/apt-hold clear\n";

void hold_fini(struct hold_list *list)
{
	arena_fini(&list->arena);
	*list = (struct hold_list){ 0 };
}

struct hold *hold_of(struct hold_list *list, const char *release)
{
	struct hold *hold;

	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->holds[i].release, release) == 0)
			return &list->holds[i];
	hold = ARENA_ADD(&list->arena, list->holds, list->n);
	if (hold != NULL)
		*hold = (struct hold){ .release = arena_strdup(&list->arena, release) };
	return hold;
}

void hold_add_pin(struct hold_list *list, struct hold *hold, const char *package,
		  const char *version)
{
	struct hold_pin *pin;

	for (size_t i = 0; i < hold->n_pins; i++)
		if (strcmp(hold->pins[i].package, package) == 0 &&
		    strcmp(hold->pins[i].version, version) == 0)
			return;
	pin = ARENA_ADD(&list->arena, hold->pins, hold->n_pins);
	if (pin == NULL)
		return;
	pin->package = arena_strdup(&list->arena, package);
	pin->version = arena_strdup(&list->arena, version);
}

void hold_drop(struct hold_list *list, const char *release)
{
	size_t n = 0;

	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->holds[i].release, release) != 0)
			list->holds[n++] = list->holds[i];
	list->n = n;
}

/* ---- the file ---- */

/* What a stanza has said so far. */
struct stanza {
	char release[256];
	char package[256];
};

static void take_line(struct hold_list *list, struct stanza *s, const char *line)
{
	struct hold *hold;
	char version[256];

	if (str_starts(line, REASON))
		list->reason = arena_strdup(&list->arena, line + strlen(REASON));
	else if (str_starts(line, EXPLANATION))
		snprintf(s->release, sizeof(s->release), "%s",
			 line + strlen(EXPLANATION));
	else if (sscanf(line, "Package: %255s", s->package) == 1)
		return;
	else if (sscanf(line, "Pin: version %255s", version) == 1 &&
		 name_is_word(s->release) && s->package[0] != '\0') {
		hold = hold_of(list, s->release);
		if (hold != NULL)
			hold_add_pin(list, hold, s->package, version);
		*s = (struct stanza){ 0 };
	}
}

int hold_read(int dir_fd, struct hold_list *ret, struct kg_err *err)
{
	_cleanup_close_ int fd =
		openat(dir_fd, HOLD_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	_cleanup_free_ char *text = NULL;
	struct stanza s = { 0 };
	int r;

	*ret = (struct hold_list){ 0 };
	if (fd < 0 && errno == ENOENT)
		return 0;
	r = fd < 0 ? -errno : fd_read_all(fd, HOLD_MAX, &text, NULL);
	if (r < 0 || text == NULL)
		return kg_fail_errno(err, r, "cannot read %s/%s", HOLD_DIR, HOLD_FILE);
	for (char *line = text; *line != '\0';) {
		char *end = strchrnul(line, '\n');
		bool is_last = *end == '\0';

		*end = '\0';
		take_line(ret, &s, line);
		line = is_last ? end : end + 1;
	}
	return ret->arena.failed ? kg_fail_errno(err, -ENOMEM, "reading the holds") : 0;
}

static void write_hold(const struct hold *hold, struct str *out)
{
	for (size_t i = 0; i < hold->n_pins; i++)
		str_addf(out,
			 "\n" EXPLANATION "%s\nPackage: %s\nPin: version %s\n"
			 "Pin-Priority: -1\n",
			 hold->release, hold->pins[i].package, hold->pins[i].version);
}

int hold_write(int dir_fd, const struct hold_list *list, struct kg_err *err)
{
	_cleanup_str_ struct str text = { 0 };

	if (list->n == 0) {
		if (unlinkat(dir_fd, HOLD_FILE, 0) < 0 && errno != ENOENT)
			return kg_fail_errno(err, -errno, "cannot remove %s/%s", HOLD_DIR,
					     HOLD_FILE);
		return 0;
	}
	str_add(&text, head);
	if (list->reason != NULL)
		str_addf(&text, REASON "%s\n", list->reason);
	for (size_t i = 0; i < list->n; i++)
		write_hold(&list->holds[i], &text);
	if (!str_ok(&text) || list->arena.failed)
		return kg_fail_errno(err, -ENOMEM, "writing the holds");
	return fd_replace_at(dir_fd, HOLD_FILE, text.p, text.len, 0644, err);
}
