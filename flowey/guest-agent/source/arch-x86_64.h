/* System calls and the entry point of x86-64. Numbers: Linux, arch/x86/entry/syscalls/syscall_64.tbl. */
#pragma once

#define ARCHITECTURE "x86_64"
#define PACKED_EPOLL_EVENT __attribute__((packed))

enum {
	NR_read = 0,
	NR_write = 1,
	NR_close = 3,
	NR_lseek = 8,
	NR_mmap = 9,
	NR_munmap = 11,
	NR_rt_sigaction = 13,
	NR_rt_sigprocmask = 14,
	NR_ioctl = 16,
	NR_writev = 20,
	NR_getpid = 39,
	NR_socket = 41,
	NR_connect = 42,
	NR_shutdown = 48,
	NR_bind = 49,
	NR_listen = 50,
	NR_getsockopt = 55,
	NR_clone = 56,
	NR_execve = 59,
	NR_wait4 = 61,
	NR_kill = 62,
	NR_uname = 63,
	NR_fcntl = 72,
	NR_chdir = 80,
	NR_setuid = 105,
	NR_setgid = 106,
	NR_setsid = 112,
	NR_setgroups = 116,
	NR_chroot = 161,
	NR_sync = 162,
	NR_mount = 165,
	NR_reboot = 169,
	NR_sethostname = 170,
	NR_getdents64 = 217,
	NR_clock_settime = 227,
	NR_clock_gettime = 228,
	NR_exit_group = 231,
	NR_epoll_ctl = 233,
	NR_openat = 257,
	NR_mkdirat = 258,
	NR_fchownat = 260,
	NR_unlinkat = 263,
	NR_symlinkat = 266,
	NR_readlinkat = 267,
	NR_fchmodat = 268,
	NR_ppoll = 271,
	NR_utimensat = 280,
	NR_epoll_pwait = 281,
	NR_accept4 = 288,
	NR_signalfd4 = 289,
	NR_epoll_create1 = 291,
	NR_dup3 = 292,
	NR_pipe2 = 293,
	NR_inotify_init1 = 294,
	NR_inotify_add_watch = 254,
	NR_prlimit64 = 302,
	NR_finit_module = 313,
	NR_renameat2 = 316,
	NR_getrandom = 318,
	NR_statx = 332,
	NR_close_range = 436,
};

static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

/* The kernel begins with the argument count at the stack's top; the ABI wants 16-byte alignment at a call. */
#define ENTRY_POINT                                                                                                    \
	__asm__(".globl _start\n"                                                                                      \
		"_start:\n"                                                                                            \
		"	xor %ebp, %ebp\n"                                                                              \
		"	mov %rsp, %rdi\n"                                                                              \
		"	and $-16, %rsp\n"                                                                              \
		"	call start\n"                                                                                  \
		"	hlt\n")
