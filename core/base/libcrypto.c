// SPDX-License-Identifier: GPL-2.0-or-later
#define LIBCRYPTO_ITSELF /* the calls under their own names */
#include "core/base/libcrypto.h"

#include "core/base/late.h"

#define TEXT(x) #x
#define TEXT_OF(x) TEXT(x)
/* Of the headers that this is compiled with. */
#define SONAME "libcrypto.so." TEXT_OF(OPENSSL_SHLIB_VERSION)

LATE_NOTE("crypto", "digests and signatures", SONAME);

#define X(name) __typeof__(name) *late_##name;
LIBCRYPTO_CALLS(X)
#undef X

static const struct late_call calls[] = {
#define X(name) { #name, &late_##name },
	LIBCRYPTO_CALLS(X)
#undef X
};

LATE_LOADER(libcrypto, SONAME)
