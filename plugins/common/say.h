/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* One line on stderr, "kmodgate: " before it. libc only. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
