// SPDX-License-Identifier: GPL-2.0-or-later
/* A kernel's .config that is somewhere else than its headers. */
#include <fcntl.h>

#include "core/base/fd.h"
#include "core/run/run.h"
#include "core/stage/kconfig.h"

#define CONFIG_MAX_BYTES (16u << 20)

int run_take_config(struct run *run, struct run_release *release)
{
	const char *path = run->kernel_config;
	_cleanup_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	int r = fd < 0 ? -errno : fd_read_all(fd, CONFIG_MAX_BYTES, &text, NULL);
	const char *config;

	if (r < 0)
		return kg_fail_errno(&release->err, r, "cannot read %s", path);
	config = arena_strdup(&run->arena, text);
	if (config == NULL)
		return kg_fail_errno(&release->err, -ENOMEM, "%s", path);
	release->headers.config = config;
	release->headers.sig_hash = kconfig_sig_hash(config, &run->arena);
	return 0;
}
