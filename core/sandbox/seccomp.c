// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The build user can do little harm already: no capability, no network, nothing writable.
 * This closes the doors to kernel code that needs neither: new user namespaces, other
 * instruction sets' entries, keyrings, bpf, tracing.
 */
#include "core/sandbox/internal.h"

#include <sched.h>
#include <stddef.h>
#include <sys/syscall.h>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__i386__)
#define OUR_ARCH AUDIT_ARCH_I386
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__arm__)
#define OUR_ARCH AUDIT_ARCH_ARM
#elif defined(__riscv) && __riscv_xlen == 64
#define OUR_ARCH AUDIT_ARCH_RISCV64
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OUR_ARCH AUDIT_ARCH_PPC64LE
#elif defined(__powerpc64__)
#define OUR_ARCH AUDIT_ARCH_PPC64
#elif defined(__s390x__)
#define OUR_ARCH AUDIT_ARCH_S390X
#elif defined(__loongarch64)
#define OUR_ARCH AUDIT_ARCH_LOONGARCH64
#endif
/* Not there: this architecture is still to be named above. */
static const unsigned int our_arch = OUR_ARCH;

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static const long denied[] = {
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_setns,
	SYS_open_tree,
	SYS_move_mount,
	SYS_fsopen,
	SYS_fsconfig,
	SYS_fsmount,
	SYS_fspick,
	SYS_mount_setattr,
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_pidfd_getfd,
	SYS_kcmp,
	SYS_keyctl,
	SYS_add_key,
	SYS_request_key,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_io_uring_setup,
	SYS_io_uring_enter,
	SYS_io_uring_register,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_swapon,
	SYS_swapoff,
	SYS_reboot,
	SYS_quotactl,
	SYS_open_by_handle_at,
};

struct program {
	struct sock_filter code[160];
	unsigned short n;
};

static void add(struct program *p, struct sock_filter line)
{
	p->code[p->n++] = line;
}

static void load(struct program *p, size_t offset)
{
	add(p,
	    (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned int)offset));
}

static void answer(struct program *p, unsigned int what)
{
	add(p, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, what));
}

/* When the number loaded is @value, @what is the answer. */
static void answer_if(struct program *p, long value, unsigned int what)
{
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
					    (unsigned int)value, 0, 1));
	answer(p, what);
}

static size_t low_half(size_t argument)
{
	size_t offset = offsetof(struct seccomp_data, args) + argument * sizeof(uint64_t);

	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? offset
							 : offset + sizeof(uint32_t);
}

static void deny_new_user(struct program *p, long call, size_t argument)
{
	/*
	 * not this call: over the three lines that look at its flags, and the number's
	 * reload
	 */
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call,
					    0, 4));
	load(p, low_half(argument));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_NEWUSER, 0,
					    1));
	answer(p, SECCOMP_RET_ERRNO | EPERM);
	load(p, offsetof(struct seccomp_data, nr));
}

static void compose(struct program *p, enum uname_mode mode)
{
	load(p, offsetof(struct seccomp_data, arch));
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, our_arch, 1, 0));
	answer(p, SECCOMP_RET_KILL_PROCESS);
	load(p, offsetof(struct seccomp_data, nr));
#ifdef __x86_64__
	/* x32: the same calls under other numbers */
	add(p, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1));
	answer(p, SECCOMP_RET_ERRNO | ENOSYS);
#endif
	if (mode == UNAME_ASK)
		answer_if(p, SYS_uname, SECCOMP_RET_USER_NOTIF);
	for (size_t i = 0; i < ARRAY_SIZE(denied); i++)
		answer_if(p, denied[i], SECCOMP_RET_ERRNO | EPERM);
	/* its flags are in memory, out of reach; every C library falls back to clone */
	answer_if(p, SYS_clone3, SECCOMP_RET_ERRNO | ENOSYS);
#ifdef __s390x__
	deny_new_user(p, SYS_clone, 1);
#else
	deny_new_user(p, SYS_clone, 0);
#endif
	deny_new_user(p, SYS_unshare, 0);
	answer(p, SECCOMP_RET_ALLOW);
}

int seccomp_install(enum uname_mode mode)
{
	struct program p = { .n = 0 };
	struct sock_fprog filter = { .filter = p.code };
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;
	long fd;

	compose(&p, mode);
	filter.len = p.n;
	if (mode == UNAME_TRUE)
		return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0
			       ? -errno
			       : 0;
	/*
	 * else a signal such as make's SIGCHLD could make a caller ask twice; Linux 5.19
	 */
	fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		     flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &filter);
	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
	return fd < 0 ? -errno : (int)fd;
}
