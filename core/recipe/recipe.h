/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * dkms.conf -> struct kg_recipe, for one release. Two ways with one answer: plain assignments
 * are read in C (recipe_plain.c), everything else is evaluated by bash inside the sandbox
 * (recipe_bash.c) with the variables DKMS makes visible.
 */
#include "core/job.h"
#include "core/sandbox/sandbox.h"

enum recipe_way { RECIPE_ANY, RECIPE_PLAIN_ONLY, RECIPE_BASH_ONLY };

struct recipe_request {
	const struct kg_system *sys;
	const struct kg_source *source;
	int source_fd; /* the folder that holds dkms.conf, wherever it is now */
	const char *release;
	const char *arch;
	const char *kernel_source_dir; /* absolute, in the view */
	const char *
		config; /* text of the kernel's .config, for BUILD_EXCLUSIVE_CONFIG; "" */
	const char *const *directives; /* "NAME=VALUE", NULL-terminated; NULL none */
	const char *conf; /* path, of the caller's world, instead of source_fd's; NULL */
	const struct sandbox
		*view; /* template: root, stage, masks, uid; bash runs in it */
	enum recipe_way way;
};

/*
 * -KGE_RECIPE with the file's name and the reason for a conf that is unreadable, not bash,
 * prints garbage, runs longer than 10 s, or breaks a rule of the format. RECIPE_PLAIN_ONLY
 * answers -EAGAIN when the conf needs bash.
 */
int recipe_read(const struct recipe_request *req, struct kg_recipe *ret_recipe,
		struct kg_err *err) _must_check_;
void recipe_fini(struct kg_recipe *recipe);

/* PACKAGE_NAME and PACKAGE_VERSION only, no release needed; in @arena. */
int recipe_read_identity(const struct kg_system *sys, int source_fd,
			 const struct sandbox *view, struct arena *arena,
			 const char **ret_name, const char **ret_version,
			 struct kg_err *err) _must_check_;
