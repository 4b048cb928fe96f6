/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Private to seal/: what a module for a kernel must look like, from that kernel's config. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

struct target {
	uint16_t machine;   /* EM_*; 0: unknown architecture, not compared */
	unsigned char bits; /* ELFCLASS32, ELFCLASS64 */
	unsigned char data; /* ELFDATA2LSB, ELFDATA2MSB */
};

/* The line "@name=y" is in the text of a .config. */
bool config_is_set(const char *config, const char *name);
/* @arch is what uname -m says, for a kernel whose config is "". */
struct target target_find(const char *config, const char *arch);
/* Why a file that begins with @head is no module for @target; NULL when it may be one. */
const char *target_refuse_elf(const struct target *target, const unsigned char *head,
			      size_t len);

/*
 * Does a kernel take @vermagic? @reference is that of one of its own modules: equal or not.
 * Without one (NULL) the first word is the release, the words that stand for SMP, preemption,
 * unloading and symbol versions are there as @config has them, and others, which are the
 * architecture's own and can only come from the headers that were built with, may be there.
 */
bool vermagic_fits(const char *vermagic, const char *release, const char *config,
		   const char *reference);

/* Undefined in modules of some machines, and resolved by no other module: the loader's own. */
bool target_ignores_symbol(const struct target *target, const char *name);
