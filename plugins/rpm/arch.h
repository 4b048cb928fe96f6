/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* rpm's names for architectures, and the kernel's own. */

/* What `uname -m` says where packages of rpm's @arch run; @arch itself when it has no other name. */
const char *arch_to_machine(const char *arch);
