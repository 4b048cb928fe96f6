// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "core/seal/target.h"

#define R "6.1.0-50-amd64"
static const char debian[] =
	"#\n# Linux\n#\nCONFIG_64BIT=y\nCONFIG_X86_64=y\nCONFIG_SMP=y\n"
	"CONFIG_PREEMPT_BUILD=y\n# CONFIG_PREEMPT is not set\n"
	"CONFIG_MODULE_UNLOAD=y\nCONFIG_MODVERSIONS=y\n";

static void test_a_setting_is_a_whole_line(void **state)
{
	static const char config[] =
		"CONFIG_SMP=y\nCONFIG_ARM64=y\n# CONFIG_PREEMPT is not set\n"
		"CONFIG_M=m\nCONFIG_LONG=yes\nCONFIG_LAST=y";

	(void)state;
	assert_true(config_is_set(config, "CONFIG_SMP"));
	assert_true(config_is_set(config, "CONFIG_ARM64"));
	assert_true(config_is_set(config, "CONFIG_LAST"));
	assert_false(config_is_set(config, "CONFIG_ARM"));
	assert_false(config_is_set(config, "ARM64"));
	assert_false(config_is_set(config, "CONFIG_PREEMPT"));
	assert_false(config_is_set(config, "CONFIG_M"));
	assert_false(config_is_set(config, "CONFIG_LONG"));
	assert_false(config_is_set("", "CONFIG_SMP"));
}

static void assert_target(const char *config, const char *arch,
			  const struct target *expected)
{
	const struct target t = target_find(config, arch);

	assert_int_equal(t.machine, expected->machine);
	assert_int_equal(t.bits, expected->bits);
	assert_int_equal(t.data, expected->data);
}

static void test_the_config_tells_the_machine(void **state)
{
	(void)state;
	assert_target(debian, "aarch64",
		      &(struct target){ EM_X86_64, ELFCLASS64, ELFDATA2LSB });
	assert_target("CONFIG_X86_32=y\n", "x86_64",
		      &(struct target){ EM_386, ELFCLASS32, ELFDATA2LSB });
	assert_target("CONFIG_ARM64=y\n", "",
		      &(struct target){ EM_AARCH64, ELFCLASS64, ELFDATA2LSB });
	assert_target("CONFIG_ARM=y\nCONFIG_CPU_BIG_ENDIAN=y\n", "",
		      &(struct target){ EM_ARM, ELFCLASS32, ELFDATA2MSB });
	assert_target("CONFIG_PPC64=y\nCONFIG_CPU_LITTLE_ENDIAN=y\n", "",
		      &(struct target){ EM_PPC64, ELFCLASS64, ELFDATA2LSB });
	assert_target("CONFIG_PPC64=y\n", "",
		      &(struct target){ EM_PPC64, ELFCLASS64, ELFDATA2MSB });
	assert_target("CONFIG_RISCV=y\nCONFIG_64BIT=y\n", "",
		      &(struct target){ EM_RISCV, ELFCLASS64, ELFDATA2LSB });
	assert_target("CONFIG_S390=y\n", "",
		      &(struct target){ EM_S390, ELFCLASS64, ELFDATA2MSB });
}

static void test_without_a_config_uname_tells_it(void **state)
{
	(void)state;
	assert_target("", "x86_64",
		      &(struct target){ EM_X86_64, ELFCLASS64, ELFDATA2LSB });
	assert_target("", "mips64", &(struct target){ EM_MIPS, 0, 0 });
	assert_target("", "vax", &(struct target){ 0 });
}

static const char *refuse(unsigned char bits, unsigned char data, uint16_t type,
			  uint16_t machine)
{
	const struct target target = target_find(debian, "");
	unsigned char head[64] = { 0x7f, 'E', 'L', 'F', bits, data };

	head[data == ELFDATA2MSB ? 17 : 16] = (unsigned char)type;
	head[data == ELFDATA2MSB ? 19 : 18] = (unsigned char)machine;
	return target_refuse_elf(&target, head, sizeof(head));
}

static void test_only_objects_for_the_machine_are_taken(void **state)
{
	const struct target target = target_find(debian, "");

	(void)state;
	assert_null(refuse(ELFCLASS64, ELFDATA2LSB, ET_REL, EM_X86_64));
	assert_non_null(refuse(ELFCLASS64, ELFDATA2LSB, ET_DYN, EM_X86_64));
	assert_non_null(refuse(ELFCLASS64, ELFDATA2LSB, ET_REL, EM_AARCH64));
	assert_non_null(refuse(ELFCLASS32, ELFDATA2LSB, ET_REL, EM_X86_64));
	assert_non_null(refuse(ELFCLASS64, ELFDATA2MSB, ET_REL, EM_X86_64));
	assert_non_null(target_refuse_elf(&target, (const unsigned char *)"\177ELF", 4));
	assert_non_null(target_refuse_elf(&target, (const unsigned char *)"", 0));
}

static void test_the_kernels_own_vermagic_is_the_only_one(void **state)
{
	static const char own[] = R " SMP preempt mod_unload modversions ";

	(void)state;
	assert_true(vermagic_fits(own, R, debian, own));
	assert_false(
		vermagic_fits(R " SMP preempt mod_unload modversions", R, debian, own));
	assert_false(vermagic_fits(R " SMP mod_unload modversions ", R, debian, own));
}

static void test_without_it_the_config_tells_the_words(void **state)
{
	static const char *const good[] = {
		R " SMP preempt mod_unload modversions ",
		R " SMP preempt mod_unload modversions aarch64",
		R " SMP preempt mod_unload modversions RANDSTRUCT_0123",
	};
	static const char *const bad[] = {
		R,
		"",
		R "-rt SMP preempt mod_unload modversions ",
		"6.1.0-50 SMP preempt mod_unload modversions ",
		R " preempt mod_unload modversions ",
		R " SMP mod_unload modversions ",
		R " SMP preempt_rt mod_unload modversions ",
		R " SMP preempt modversions ",
		R " SMP preempt mod_unload ",
		R " SMP preempt mod_unload modversions_not ",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(vermagic_fits(good[i], R, debian, NULL));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(vermagic_fits(bad[i], R, debian, NULL));
	assert_true(vermagic_fits(R " anything", R, "", NULL));
	assert_false(vermagic_fits("6.1.0-50-amd6 anything", R, "", NULL));
}

static void test_preemption_has_had_several_names(void **state)
{
	(void)state;
	assert_true(vermagic_fits(R " preempt ", R, "CONFIG_PREEMPT=y\n", NULL));
	assert_true(vermagic_fits(R " preempt_rt ", R, "CONFIG_PREEMPT_RT=y\n", NULL));
	assert_true(vermagic_fits(R " preempt ", R,
				  "CONFIG_PREEMPT_BUILD=y\nCONFIG_PREEMPT_RT=y\n", NULL));
	assert_false(vermagic_fits(R " ", R, "CONFIG_PREEMPT_RT=y\n", NULL));
	assert_true(vermagic_fits(R " ", R, "CONFIG_PREEMPT_NONE=y\n", NULL));
	assert_false(vermagic_fits(R " preempt ", R, "CONFIG_PREEMPT_NONE=y\n", NULL));
}

static void test_the_loaders_own_symbols_need_no_provider(void **state)
{
	const struct target x86 = { .machine = EM_X86_64 };
	const struct target power = { .machine = EM_PPC64 };

	(void)state;
	assert_true(target_ignores_symbol(&x86, "_GLOBAL_OFFSET_TABLE_"));
	assert_false(target_ignores_symbol(&x86, "_restgpr0_14"));
	assert_false(target_ignores_symbol(&x86, "printk"));
	assert_true(target_ignores_symbol(&power, "_restgpr0_14"));
	assert_true(target_ignores_symbol(&power, ".TOC."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_setting_is_a_whole_line),
		cmocka_unit_test(test_the_config_tells_the_machine),
		cmocka_unit_test(test_without_a_config_uname_tells_it),
		cmocka_unit_test(test_only_objects_for_the_machine_are_taken),
		cmocka_unit_test(test_the_kernels_own_vermagic_is_the_only_one),
		cmocka_unit_test(test_without_it_the_config_tells_the_words),
		cmocka_unit_test(test_preemption_has_had_several_names),
		cmocka_unit_test(test_the_loaders_own_symbols_need_no_provider),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
