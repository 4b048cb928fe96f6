// SPDX-License-Identifier: GPL-2.0-or-later
/* Which command line this is: `kmodgate VERB`, or `dkms`. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/spawn.h"
#include "core/cli/cli.h"

static const struct verb {
	const char *name;
	const char *args;
	int (*run)(struct cli *cli);
	bool needs_root;
	const char *help;
} verbs[] = {
	{ "status", "", cmd_status, false, "open transactions and holds" },
	{ "skip-once", "", cmd_skip_once, true,
	  "let the next transaction through without a check" },
	{ "recover", "", cmd_recover, true,
	  "finish or undo what a kill or a power cut left half-way" },
	{ "gate", "[--test]", cmd_gate, true,
	  "read a plan on stdin; build, check, pass (0) or stop (3)" },
	{ "arrive", "RELEASE", cmd_arrive, true,
	  "its files are on disk, its initramfs is not yet made" },
	{ "depart", "RELEASE", cmd_depart, true, "its files are going" },
	{ "settle", "[--owner PID]", cmd_settle, true,
	  "keep or roll back what ended transactions placed" },
};

static void log_to_stderr(enum kg_level level, const char *text, void *data)
{
	const enum kg_level *least = data;

	if (level < *least)
		return;
	if (level == KG_WARNING)
		fprintf(stderr, "kmodgate: warning: %s\n", text);
	else if (level == KG_ERROR)
		fprintf(stderr, "kmodgate: error: %s\n", text);
	else
		fprintf(stderr, "kmodgate: %s\n", text);
}

static void usage(FILE *out)
{
	fputs("usage: kmodgate VERB [ARGUMENT...]\n"
	      "       dkms ACTION ...            see dkms(8)\n\n",
	      out);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		fprintf(out, "  %-9s %-14s %s\n", verbs[i].name, verbs[i].args,
			verbs[i].help);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int run_verb(const struct verb *verb, struct cli *cli)
{
	struct kg_err err = { 0 };
	int code;

	if (verb->needs_root && geteuid() != 0) {
		kg_error("kmodgate %s must be run as root", verb->name);
		return EXIT_USAGE;
	}
	if (kg_system_init(&cli->sys, "/", &cli->arena, &err) < 0) {
		kg_error("%s", kg_err_text(&err, err.code));
		code = EXIT_MODULES;
	} else {
		code = verb->run(cli);
	}
	kg_system_fini(&cli->sys);
	return code;
}

static int kmodgate_main(int argc, char **argv)
{
	struct cli cli = { .argc = argc - 2, .argv = argv + 2, .sys = { .root_fd = -1 } };
	const struct verb *verb = argc > 1 ? find_verb(argv[1]) : NULL;
	int code;

	if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		usage(stdout);
		return EXIT_DONE;
	}
	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("kmodgate " VERSION);
		return EXIT_DONE;
	}
	if (verb == NULL) {
		if (argc > 1)
			kg_error("there is no verb '%s'", argv[1]);
		usage(stderr);
		return EXIT_USAGE;
	}
	cancel_watch();
	code = run_verb(verb, &cli);
	arena_fini(&cli.arena);
	return code;
}

int main(int argc, char **argv)
{
	static enum kg_level least;
	const char *name = argc > 0 ? argv[0] : "kmodgate";
	const char *slash = strrchr(name, '/');

	umask(022); /* what we make is read by the build user */
	least = getenv("KMODGATE_DEBUG") != NULL ? KG_DEBUG : KG_INFO;
	kg_log_set(log_to_stderr, &least);
	if (strcmp(slash != NULL ? slash + 1 : name, "dkms") == 0)
		return dkms_main(argc, argv);
	if (argc > 1 && strcmp(argv[1], "dkms") == 0)
		return dkms_main(argc - 1, argv + 1);
	return kmodgate_main(argc, argv);
}
