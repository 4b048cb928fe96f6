/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which strings from outside may become path components. */
#include <stdbool.h>
#include <stddef.h>

/* One path component: not empty, no '/', no leading '.', no control character, <= 255 bytes. */
bool name_is_plain(const char *name);

/* A plain name of [A-Za-z0-9._+~:-] only: kernel releases, module names and versions. */
bool name_is_word(const char *name);

/* A word that may have "^" in it, as versions of rpm packages do. */
bool name_is_package(const char *name);

/* Relative path of plain components ("usr/src/zfs-2.1"), no "..", no "//", no leading '/'. */
bool name_is_path(const char *path);

/* Length of NAME in the file name "NAME.ko", ".ko.gz", ".ko.xz" or ".ko.zst"; 0: no module. */
size_t name_module_length(const char *file);
/* The files are of one module, however compressed. */
bool name_is_same_module(const char *file, const char *other);
