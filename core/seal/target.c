// SPDX-License-Identifier: GPL-2.0-or-later
#include "core/seal/target.h"

#include <elf.h>
#include <string.h>

#include "core/base/str.h"

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

bool config_is_set(const char *config, const char *name)
{
	size_t len = strlen(name);

	for (const char *at = config; (at = strstr(at, name)) != NULL; at += len)
		if ((at == config || at[-1] == '\n') && strncmp(at + len, "=y", 2) == 0 &&
		    (at[len + 2] == '\n' || at[len + 2] == '\0'))
			return true;
	return false;
}

/* ---- machine ---- */

enum width { W32, W64, W_CONFIG /* CONFIG_64BIT */ };
enum order { LITTLE, BIG, LITTLE_IF /* CONFIG_CPU_LITTLE_ENDIAN */, BIG_IF };

/* In this order: a 64-bit kernel of a family may have the family's symbol too. */
static const struct machine {
	const char *config;
	const char *arch; /* uname -m */
	uint16_t number;
	enum width width;
	enum order order;
} machines[] = {
	{ "CONFIG_X86_64", "x86_64", EM_X86_64, W64, LITTLE },
	{ "CONFIG_X86_32", "i686", EM_386, W32, LITTLE },
	{ "CONFIG_ARM64", "aarch64", EM_AARCH64, W64, BIG_IF },
	{ "CONFIG_ARM", "armv7l", EM_ARM, W32, BIG_IF },
	{ "CONFIG_RISCV", "riscv64", EM_RISCV, W_CONFIG, LITTLE },
	{ "CONFIG_PPC64", "ppc64le", EM_PPC64, W64, LITTLE_IF },
	{ "CONFIG_PPC32", "ppc", EM_PPC, W32, LITTLE_IF },
	{ "CONFIG_S390", "s390x", EM_S390, W64, BIG },
	{ "CONFIG_LOONGARCH", "loongarch64", EM_LOONGARCH, W_CONFIG, LITTLE },
	{ "CONFIG_MIPS", "mips64", EM_MIPS, W_CONFIG, LITTLE_IF },
	{ "CONFIG_SPARC64", "sparc64", EM_SPARCV9, W64, BIG },
	{ "CONFIG_M68K", "m68k", EM_68K, W32, BIG },
};

static unsigned char find_data(const struct machine *m, const char *config)
{
	switch (m->order) {
	case LITTLE:
		return ELFDATA2LSB;
	case BIG:
		return ELFDATA2MSB;
	case LITTLE_IF:
		return config_is_set(config, "CONFIG_CPU_LITTLE_ENDIAN") ? ELFDATA2LSB
									 : ELFDATA2MSB;
	case BIG_IF:
		return config_is_set(config, "CONFIG_CPU_BIG_ENDIAN") ? ELFDATA2MSB
								      : ELFDATA2LSB;
	}
	return ELFDATANONE;
}

/* Without a config the width and order of some families are not known: no claim then. */
static struct target target_of(const struct machine *m, const char *config)
{
	struct target target = { .machine = m->number };

	if (*config != '\0' || m->order < LITTLE_IF)
		target.data = find_data(m, config);
	if (m->width != W_CONFIG)
		target.bits = m->width == W64 ? ELFCLASS64 : ELFCLASS32;
	else if (*config != '\0')
		target.bits =
			config_is_set(config, "CONFIG_64BIT") ? ELFCLASS64 : ELFCLASS32;
	return target;
}

struct target target_find(const char *config, const char *arch)
{
	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		const struct machine *m = &machines[i];

		if (*config != '\0' ? config_is_set(config, m->config)
				    : strcmp(arch, m->arch) == 0)
			return target_of(m, config);
	}
	return (struct target){ 0 };
}

static unsigned int read_u16(const unsigned char *at, unsigned char data)
{
	unsigned int first = at[0];
	unsigned int second = at[1];

	return data == ELFDATA2MSB ? first << 8 | second : second << 8 | first;
}

const char *target_refuse_elf(const struct target *target, const unsigned char *head,
			      size_t len)
{
	unsigned char data;

	if (len < sizeof(Elf32_Ehdr) || memcmp(head, ELFMAG, SELFMAG) != 0)
		return "not an ELF file";
	data = head[EI_DATA];
	if (read_u16(head + 16, data) != ET_REL)
		return "not a relocatable ELF file, as modules are";
	if (target->machine != 0 && read_u16(head + 18, data) != target->machine)
		return "made for another architecture";
	if (target->bits != 0 && head[EI_CLASS] != target->bits)
		return "made for another word size";
	if (target->data != 0 && data != target->data)
		return "made for another byte order";
	return NULL;
}

/* As the kernel's module loader and its modpost see them. */
bool target_ignores_symbol(const struct target *target, const char *name)
{
	static const char *const power[] = { "_restgpr",   "_savegpr", "_rest32gpr",
					     "_save32gpr", "_restvr",  "_savevr" };

	if (strcmp(name, "_GLOBAL_OFFSET_TABLE_") == 0 ||
	    strcmp(name, "__this_module") == 0)
		return true;
	if (target->machine != EM_PPC && target->machine != EM_PPC64)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(power); i++)
		if (str_starts(name, power[i]))
			return true;
	return strcmp(name, ".TOC.") == 0 || strcmp(name, "TOC.") == 0;
}

/* ---- vermagic ---- */

static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at += len)
		if ((at == text || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}

static bool words_fit(const char *words, const char *config)
{
	static const struct {
		const char *word;
		const char *config;
	} flags[] = {
		{ "SMP", "CONFIG_SMP" },
		{ "mod_unload", "CONFIG_MODULE_UNLOAD" },
		{ "modversions", "CONFIG_MODVERSIONS" },
	};
	bool is_rt = config_is_set(config, "CONFIG_PREEMPT_RT");
	/* PREEMPT until Linux 5.13, PREEMPT_BUILD since; either goes before PREEMPT_RT */
	bool is_preempt = config_is_set(config, "CONFIG_PREEMPT") ||
			  config_is_set(config, "CONFIG_PREEMPT_BUILD");

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (has_word(words, flags[i].word) !=
		    config_is_set(config, flags[i].config))
			return false;
	if (has_word(words, "preempt_rt"))
		return is_rt;
	return has_word(words, "preempt") ? is_preempt : !is_preempt && !is_rt;
}

bool vermagic_fits(const char *vermagic, const char *release, const char *config,
		   const char *reference)
{
	size_t len = strlen(release);

	if (reference != NULL)
		return strcmp(vermagic, reference) == 0;
	if (strncmp(vermagic, release, len) != 0 ||
	    (vermagic[len] != ' ' && vermagic[len] != '\0'))
		return false;
	return *config == '\0' || words_fit(vermagic + len, config);
}
