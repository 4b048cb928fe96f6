// SPDX-License-Identifier: GPL-2.0-or-later
/* Which compiler and linker a kernel wants its modules built with. */
#include "core/build/internal.h"
#include "core/build/path.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define LOOK_TIMEOUT_MS 20000

const char *config_value(const char *config, const char *name, struct arena *arena)
{
	size_t len = strlen(name);

	for (const char *line = config; *line != '\0';) {
		size_t end = strcspn(line, "\n");
		const char *value = line + 7 + len + 1;

		if (strncmp(line, "CONFIG_", 7) == 0 &&
		    strncmp(line + 7, name, len) == 0 && line[7 + len] == '=') {
			size_t n = end - (7 + len + 1);

			if (n >= 2 && value[0] == '"' && value[n - 1] == '"')
				return arena_strndup(arena, value + 1, n - 2);
			return arena_strndup(arena, value, n);
		}
		line += end + (line[end] == '\n');
	}
	return NULL;
}

static bool config_is_set(const char *config, const char *name)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const char *value = config_value(config, name, &arena);

	return value != NULL && strcmp(value, "y") == 0;
}

/* Only what a compiler may be called; it goes into an environment and past a shell. */
static bool is_command_name(const char *name)
{
	return *name != '\0' && *name != '-' &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789+-._")] == '\0';
}

/* Value of the first line "@key=value" that has one; in @arena. */
static const char *said_value(const char *said, const char *key, struct arena *arena)
{
	size_t len = strlen(key);

	for (const char *line = said; *line != '\0';) {
		size_t end = strcspn(line, "\n");

		if (strncmp(line, key, len) == 0 && end > len)
			return arena_strndup(arena, line + len, end - len);
		line += end + (line[end] == '\n');
	}
	return NULL;
}

struct look {
	const char *source_dir;
	const char *config_cc; /* first word of CONFIG_CC_VERSION_TEXT, NULL none */
	bool is_clang;
	bool is_lld;
	bool has_rust;
	enum tools_depth depth;
};

static struct build_tools decide(const struct look *look, const char *said,
				 struct arena *arena)
{
	struct build_tools tools = { .is_clang = look->is_clang };

	tools.cc = said_value(said, "cc=", arena);
	tools.ld = said_value(said, "ld=", arena);
	tools.strip = said_value(said, "strip=", arena) ?: "strip";
	if (tools.cc == NULL && look->is_clang)
		tools.cc = "clang";
	if (tools.ld == NULL && look->is_lld)
		tools.ld = "ld.lld";
	return tools;
}

/* ---- inside the view ---- */

/* Asks make what .kernelvariables makes of CC and LD; "" where it says nothing. */
static int ask_make(const char *source_dir, struct str *out)
{
	_cleanup_close_ int fd = memfd_create("kernelvariables", MFD_CLOEXEC);
	_cleanup_close_ int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	_cleanup_str_ struct str make = { 0 };
	const char *argv[] = { NULL, "-r", "-R", "-s", "-f", "-", NULL };
	struct kg_spawn how = { .argv = argv,
				.env = path_env,
				.dir_fd = -1,
				.in_fd = fd,
				.out_fd = -1,
				.err_fd = null_fd };
	int status = 0;
	int r;

	if (fd < 0 || null_fd < 0 || !path_find("make", &make))
		return -ENOENT;
	argv[0] = str_get(&make);
	dprintf(fd,
		"include %s/.kernelvariables\n"
		"$(info cc=$(if $(filter file override,$(origin CC)),$(strip $(CC))))\n"
		"$(info ld=$(if $(filter file override,$(origin LD)),$(strip $(LD))))\n"
		"all: ;\n",
		source_dir);
	lseek(fd, 0, SEEK_SET);
	r = spawn_capture(&how, LOOK_TIMEOUT_MS / 2, 8192, out, &status, NULL);
	return r < 0 || status != 0 ? -ENOENT : 0;
}

static int look_in_view(void *data)
{
	_cleanup_arena_ struct arena arena = { 0 };
	const struct look *look = data;
	_cleanup_str_ struct str path = { 0 };
	_cleanup_str_ struct str said = { 0 };
	struct build_tools tools;

	str_addf(&path, "%s/.kernelvariables", look->source_dir);
	if (access(str_get(&path), R_OK) == 0 && ask_make(look->source_dir, &said) < 0)
		str_clear(&said);
	if (look->config_cc != NULL && path_find(look->config_cc, &path))
		str_addf(&said, "cc=%s\n", look->config_cc);
	/* Not every clang comes with it; the other does as well. */
	if (look->is_clang && path_find("llvm-strip", &path))
		str_addf(&said, "strip=llvm-strip\n");
	if (look->depth == TOOLS_IDENTIFIED) {
		tools = decide(look, str_get(&said), &arena);
		toolchain_identify(&tools, look->has_rust, &said);
	}
	if (!str_ok(&said) || arena.failed)
		return 1;
	return fd_write_all(1, str_get(&said), said.len) < 0;
}

/* ---- outside ---- */

int tools_find(const struct tools_request *req, struct arena *arena,
	       struct build_tools *ret_tools, struct str *ret_said, struct kg_err *err)
{
	const char *config = req->headers->config;
	const char *text = config_value(config, "CC_VERSION_TEXT", arena);
	struct look look = { .source_dir = req->headers->source_dir,
			     .is_clang = config_is_set(config, "CC_IS_CLANG"),
			     .is_lld = config_is_set(config, "LD_IS_LLD"),
			     .has_rust = config_is_set(config, "RUST"),
			     .depth = req->depth };
	struct sandbox box = *req->view;
	int status = 0;
	int r;

	if (text != NULL)
		look.config_cc = arena_strndup(arena, text, strcspn(text, " "));
	if (look.config_cc != NULL && !is_command_name(look.config_cc))
		look.config_cc = NULL;
	box.argv = NULL;
	box.call = look_in_view;
	box.data = &look;
	box.in_fd = -1;
	box.cwd = "/";
	r = sandbox_capture(&box, LOOK_TIMEOUT_MS, 1 << 20, ret_said, &status, err);
	if (r < 0)
		return r;
	if (status != 0)
		return kg_fail(err, -KGE_SANDBOX, "cannot look for a compiler (exit %d)",
			       status);
	*ret_tools = decide(&look, str_get(ret_said), arena);
	return arena->failed ? kg_fail_errno(err, -ENOMEM, "cannot look for a compiler")
			     : 0;
}
