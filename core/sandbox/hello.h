/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the command tells init, with the uname listener's descriptor if there is one. */
struct hello {
	void *probe; /* one byte of the command's memory that init may write to */
};
