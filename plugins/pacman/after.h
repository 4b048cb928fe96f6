/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What is done for the files that a hook lists on stdin, one a line, when @owner's transaction has
 * changed them or, after_leave(), is about to. Never fails: what goes wrong is said.
 */
#include "plugins/common/owner.h"

void after_leave(const struct owner *owner);
void after_arrive(const struct owner *owner);
void after_remove(const struct owner *owner);
