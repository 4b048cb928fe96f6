// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugins/rpm/arch.h"

#include <fnmatch.h>
#include <stddef.h>

/* rpm has a name for each set of instructions that a package may use, the kernel does not. */
const char *arch_to_machine(const char *arch)
{
	static const struct {
		const char *pattern;
		const char *machine;
	} names[] = {
		{ "i[3-6]86", "i686" },
		{ "armv7h*", "armv7l" },
		{ "x86_64_v*", "x86_64" },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (fnmatch(names[i].pattern, arch, 0) == 0)
			return names[i].machine;
	return arch;
}
