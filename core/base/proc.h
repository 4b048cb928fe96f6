/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Processes by pid and start time (field 22 of /proc/PID/stat, clock ticks since boot). */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/base/str.h"

/* 0 or -errno. */
int proc_start_time(pid_t pid, uint64_t *ret_ticks);
int proc_parent(pid_t pid, pid_t *ret_parent);
/* The name in /proc/PID/comm. */
int proc_name(pid_t pid, struct str *out);
/* Arguments of /proc/PID/cmdline. */
int proc_arguments(pid_t pid, struct strv *out);
/* Same pid and same start time: that process still runs (a zombie does not). */
bool proc_is_running(pid_t pid, uint64_t start_ticks);
/* @pid is this process or one of its ancestors. */
bool proc_is_ancestor(pid_t pid, uint64_t start_ticks);
/* The running kernel's boot id: a pid and start time of another boot mean nothing. */
int proc_boot_id(struct str *out);
