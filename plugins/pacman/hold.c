// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/pacman/hold.h"

#include <stdlib.h>
#include <string.h>

#define HEAD \
	"# Kernels that kmodgate holds back. Written by it; what is added here is lost.\n" \
	"# In use when [options] of pacman.conf has: Include = " HOLD_DIR "/" HOLD_FILE \
	"\n"
#define REASON_MARK "# reason "
#define KERNEL_MARK "# kernel "
#define IGNORE_MARK "IgnorePkg = "

static void drop_at(struct hold_list *list, size_t i)
{
	free(list->v[i].release);
	strv_fini(&list->v[i].packages);
	list->v[i] = list->v[--list->n];
}

void hold_fini(struct hold_list *list)
{
	while (list->n > 0)
		drop_at(list, 0);
	free(list->v);
	free(list->reason);
	*list = (struct hold_list){ 0 };
}

void hold_drop(struct hold_list *list, const char *release)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i].release, release) == 0) {
			drop_at(list, i);
			return;
		}
}

struct hold *hold_take(struct hold_list *list, const char *release)
{
	struct hold *grown;

	hold_drop(list, release);
	grown = reallocarray(list->v, list->n + 1, sizeof(*grown));
	if (grown == NULL)
		return NULL;
	list->v = grown;
	grown[list->n] = (struct hold){ .release = strdup(release) };
	return grown[list->n].release != NULL ? &grown[list->n++] : NULL;
}

static int take_line(const char *line, size_t len, struct hold_list *list)
{
	_cleanup_free_ char *text = strndup(line, len);

	if (text == NULL)
		return -ENOMEM;
	if (str_starts(text, REASON_MARK)) {
		free(list->reason);
		list->reason = strdup(text + strlen(REASON_MARK));
		return list->reason == NULL ? -ENOMEM : 0;
	}
	if (str_starts(text, KERNEL_MARK))
		return hold_take(list, text + strlen(KERNEL_MARK)) == NULL ? -ENOMEM : 0;
	if (str_starts(text, IGNORE_MARK) && list->n > 0)
		strv_add(&list->v[list->n - 1].packages, text + strlen(IGNORE_MARK));
	return 0;
}

int hold_parse(const char *text, struct hold_list *ret)
{
	int r = 0;

	*ret = (struct hold_list){ 0 };
	while (r == 0 && *text != '\0') {
		const size_t len = strcspn(text, "\n");

		r = take_line(text, len, ret);
		text += len + (text[len] == '\n');
	}
	if (r < 0)
		hold_fini(ret);
	return r;
}

int hold_print(const struct hold_list *list, struct str *out)
{
	str_add(out, HEAD);
	if (list->n > 0)
		str_addf(out, REASON_MARK "%s\n",
			 list->reason != NULL ? list->reason : "");
	for (size_t i = 0; i < list->n; i++) {
		const struct hold *h = &list->v[i];

		str_addf(out, KERNEL_MARK "%s\n", h->release);
		for (size_t k = 0; k < h->packages.n; k++)
			str_addf(out, IGNORE_MARK "%s\n", h->packages.v[k]);
	}
	return str_ok(out) ? 0 : -ENOMEM;
}
