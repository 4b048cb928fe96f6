/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The plugin interface of librpm. Its header is installed since rpm 4.20; the interface itself is
 * the same from 4.18 to 6.1, so for older ones it is declared here. Hooks that we do not
 * have are pointers to anything.
 */
#include <rpm/rpmts.h>

#if __has_include(<rpm/rpmplugin.h>)
#include <rpm/rpmplugin.h>
#else
typedef struct rpmPlugin_s *rpmPlugin;

struct rpmPluginHooks_s {
	rpmRC (*init)(rpmPlugin plugin, rpmts ts);
	void (*cleanup)(rpmPlugin plugin);
	rpmRC (*tsm_pre)(rpmPlugin plugin, rpmts ts);
	rpmRC (*tsm_post)(rpmPlugin plugin, rpmts ts, int res);
	rpmRC (*psm_pre)(rpmPlugin plugin, rpmte te);
	rpmRC (*psm_post)(rpmPlugin plugin, rpmte te, int res);
	void (*scriptlet_pre)(void);
	void (*scriptlet_fork_post)(void);
	void (*scriptlet_post)(void);
	void (*fsm_file_pre)(void);
	void (*fsm_file_post)(void);
	void (*fsm_file_prepare)(void);
};
#endif
