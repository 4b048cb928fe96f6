/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
#include <stdbool.h>

/*
 * headers_missing of /etc/kmodgate/kmodgate.yaml and kmodgate.d: may missing headers be
 * downloaded? Everything else in there is the core's, which also complains about mistakes.
 */
bool policy_fetches_headers(void);
