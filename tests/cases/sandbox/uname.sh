#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Everybody who asks for the release is told the one that is built for.
# shellcheck disable=SC2016 # expanded inside the sandbox
# shellcheck source=tests/cases/sandbox/common
. "$(dirname "$0")/common"
R=6.1.0-99-test
in_box() { "$box" -r $R "$@" 2>&1; }

check "uname -r" $R "$(in_box -- /usr/bin/uname -r)"
check "without an environment" $R "$(in_box -- /usr/bin/env -i /bin/uname -r)"
check "the other fields are true" "$(uname -snvm)" "$(in_box -- /usr/bin/uname -snvm)"
check "in make" $R "$(in_box -- /bin/sh -c 'printf "all:\n\t@echo \$(shell uname -r)\n" | make -sf -')"
check "in /proc" $R "$(in_box -- /bin/cat /proc/sys/kernel/osrelease)"
check "in a function" "$R uid 990" "$("$box" -r $R -x)"
check "a function's value is the status" 7 "$("$box" -x >/dev/null; echo $?)"
! command -v perl >/dev/null ||
	check "in perl" $R "$(in_box -- "$(command -v perl)" -MPOSIX -e 'print((POSIX::uname())[2])')"
! [ -x /usr/bin/python3 ] ||
	check "in python" $R "$(in_box -- /usr/bin/python3 -c 'import os; print(os.uname().release)')"

cat >"$work/u.c" <<'C'
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
static void *ask(void *p) {
	struct utsname u;
	for (int i = 0; i < 200; i++)
		if (uname(&u) || strcmp(u.release, p)) return p;
	return 0;
}
int main(int n, char **v) {
	struct utsname u;
	pthread_t t[4];
	void *bad = 0, *r;
	uname(&u);
	for (int i = 0; i < 4; i++) pthread_create(t + i, 0, ask, v[1]);
	for (int i = 0; i < 4; i++) { pthread_join(t[i], &r); bad = bad ? bad : r; }
	printf("%s %s %d\n", u.release, bad ? "bad" : "good", uname((void *)8) < 0 ? errno : 0);
	return n < 2;
}
C
cc -static -w -pthread -o "$work/u" "$work/u.c"
check "in a static program, by threads, with a bad address" "$R good 14" \
	"$(in_box -b "/mnt/u=$work/u" -- /mnt/u $R)"
check "the truth when nothing is asked for" "$(uname -r)" "$("$box" -- /usr/bin/uname -r)"

# Where a listener is refused (somebody else's is there, as in some containers) the script answers.
cat >"$work/outer.c" <<'C'
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#define LOAD(what) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, what))
int main(int n, char **v) {
	struct sock_filter f[] = {
		LOAD(nr),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_seccomp, 0, 3),
		LOAD(args[1]),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, SECCOMP_FILTER_FLAG_NEW_LISTENER, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EBUSY),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog p = { sizeof(f) / sizeof(*f), f };
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &p) < 0) return 99;
	execv(v[1], v + 1);
	return n;
}
C
cc -w -o "$work/outer" "$work/outer.c"
in_nested() { "$work/outer" "$box" -r $R "$@" 2>&1; }
check "where notification is refused the script answers" "#!/bin/sh" \
	"$(in_nested -- /usr/bin/head -n 1 /usr/bin/uname)"
check "... uname -r" $R "$(in_nested -- /usr/bin/uname -r)"
check "... and /bin/uname" $R "$(in_nested -- /bin/uname -r)"
check "... with other options" "$(uname -s) $R $(uname -m)" "$(in_nested -- /usr/bin/uname -srm)"
check "... alone" "$(uname -s)" "$(in_nested -- /usr/bin/uname)"
check "... wrong ones fail" 1 "$(in_nested -- /usr/bin/uname --nonsense >/dev/null; echo $?)"
check "... and nothing to write to" "" "$(in_nested -- /bin/sh -c 'find /run /dev/.kmodgate -writable')"
mkdir "$work/shown" && echo seen >"$work/shown/file"
check "... and what is bound below /run is still seen" seen \
	"$(in_nested -m /run/kg -b "/run/kg/out=$work/shown" -- /bin/cat /run/kg/out/file)"
finish
