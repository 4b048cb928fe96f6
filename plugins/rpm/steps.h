/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A zypper commit of several rpm processes: what plugins/zypper has noted of all its steps, found
 * again as archives in the cache, and which archives were judged already.
 */
#include "core/base/err.h"
#include "core/base/str.h"
#include "plugins/rpm/package.h"

/* Every archive of @paths was part of a gate of zypper's process @pid. */
bool steps_are_judged(pid_t pid, const struct strv *paths);
/* Remembers that @txn's archives are. */
int steps_note_judged(pid_t pid, const struct txn *txn, struct kg_err *err) _must_check_;
/*
 * Adds the packages of all steps to @txn, unless that was done before in this commit. @near: where
 * one of them lies.
 */
int steps_add(pid_t pid, const char *near, struct txn *txn,
	      struct kg_err *err) _must_check_;
