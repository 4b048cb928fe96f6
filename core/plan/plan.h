/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What one package transaction will change, as far as kernel modules care. Written by the
 * plugins, read by the core; the format is described in kmodgate-plan(5).
 */
#include <stdint.h>
#include <sys/types.h>

#include "core/base/arena.h"
#include "core/base/err.h"
#include "core/base/str.h"

#define KG_PLAN_VERSION 1

enum kg_change { KG_CHANGE_STAYS, KG_CHANGE_ENTERS, KG_CHANGE_CHANGES, KG_CHANGE_LEAVES };
enum kg_role { KG_ROLE_OTHER, KG_ROLE_IMAGE, KG_ROLE_MODULES, KG_ROLE_HEADERS };

struct kg_package {
	const char *name;
	const char *
		version; /* as it will be after the transaction; as it is now when it leaves */
	enum kg_role role;
	enum kg_change change;
};

struct kg_plan_kernel {
	const char *release;
	const char *arch; /* kernel arch as `uname -m` says: x86_64 */
	const char *
		flavour; /* releases of the same flavour follow each other: "amd64", "cloud-amd64"; "" unknown */
	const char *hint; /* headers missing: the package to install, NULL unknown */
	enum kg_change change;
	struct kg_package *packages;
	size_t n_packages;
	struct kg_package
		*headers; /* none: no headers of the image's source version in sight */
	size_t n_headers;
};

struct kg_plan_source {
	const char *path; /* relative path of its dkms.conf below the root */
	enum kg_change change;
	const char *package;
	const char *version; /* of the package; NULL unknown */
};

struct kg_plan_archive {
	const char *package;
	const char *version;
	const char *path; /* absolute path of the package file */
	enum kg_change change;
	enum kg_role role;
	const char *release; /* kernel it belongs to, NULL none */
};

struct kg_plan {
	struct arena arena;  /* owns every pointer here */
	const char *id;	     /* MANAGER-PID-STARTTIME-DIGEST16; computed by plan_seal() */
	const char *manager; /* "apt", "dpkg", "rpm", "dnf", "zypper", "pacman" */
	pid_t owner_pid;     /* the package manager's process */
	uint64_t owner_start; /* its start time, proc_start_time() */
	const char *root;     /* always "/" unless kmodgate was asked for another root */
	uint64_t
		growth_bytes; /* what the transaction itself will add below /, 0 unknown */
	struct kg_plan_kernel *kernels;
	size_t n_kernels;
	struct kg_plan_source *sources;
	size_t n_sources;
	struct kg_plan_archive *archives;
	size_t n_archives;
	const char *
		removed; /* file with one path a line that will be gone afterwards; NULL none */
};

void plan_fini(struct kg_plan *plan);

/* Strict: an unknown key, a missing key, a name that is not plain is -KGE_FORMAT "line N: …". */
int plan_read(const char *text, size_t len, struct kg_plan *ret_plan,
	      struct kg_err *err) _must_check_;
int plan_read_fd(int fd, struct kg_plan *ret_plan, struct kg_err *err) _must_check_;

/* Sorts lists by name and sets @plan->id: equal body under the same owner, equal id. */
int plan_seal(struct kg_plan *plan, struct kg_err *err) _must_check_;
int plan_write(const struct kg_plan *plan, struct str *out,
	       struct kg_err *err) _must_check_;
/* Digest of the sorted body without id and owner. */
int plan_digest(const struct kg_plan *plan, char ret_hex[65],
		struct kg_err *err) _must_check_;

/* It is there afterwards, and is not what it was. */
bool plan_comes(enum kg_change change);
/* What boots of @kernel comes, not only something for it. */
bool plan_brings_image(const struct kg_plan_kernel *kernel);
const char *plan_change_text(enum kg_change change);
const char *plan_role_text(enum kg_role role);

/*
 * What the package database says afterwards: written by a plugin's state program, read by
 * settle. A package that is not named is not installed.
 */
enum kg_package_state {
	KG_STATE_ABSENT,  /* no files */
	KG_STATE_BROKEN,  /* half-installed: unpacking stopped in the middle */
	KG_STATE_PENDING, /* unpacked, its scripts have not all run */
	KG_STATE_INSTALLED,
};

struct kg_state_package {
	const char *name;
	const char *version;
	enum kg_package_state state;
};

struct kg_state {
	struct arena arena;
	struct kg_state_package *packages;
	size_t n_packages;
};

void state_fini(struct kg_state *state);
int state_read(const char *text, size_t len, struct kg_state *ret_state,
	       struct kg_err *err) _must_check_;
int state_write(const struct kg_state *state, struct str *out,
		struct kg_err *err) _must_check_;
/* NULL when not named. */
const struct kg_state_package *state_find(const struct kg_state *state, const char *name);
