// SPDX-License-Identifier: GPL-2.0-or-later
/* unpack FOLDER ARCHIVE...: what the gate does to the archives of a plan, alone. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/stage/stage.h"

int main(int argc, char **argv)
{
	const struct stage_limits limits = { 0 };
	struct kg_err err = { 0 };
	struct stage_item *items = calloc((size_t)argc + 1, sizeof(*items));
	int fd = argc > 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	int r;

	if (fd < 0 || items == NULL) {
		fputs("usage: unpack FOLDER ARCHIVE...\n", stderr);
		return 2;
	}
	for (int i = 2; i < argc; i++)
		items[i - 2].path = argv[i];
	r = stage_prepare(fd, &err);
	if (r == 0)
		r = stage_unpack_all(items, (size_t)argc - 2, fd, &limits, &err);
	free(items);
	if (r < 0)
		fprintf(stderr, "unpack: %s\n", err.text);
	return r < 0;
}
