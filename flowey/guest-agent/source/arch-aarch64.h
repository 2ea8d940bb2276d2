/* System calls and the entry point of aarch64. Numbers: Linux, include/uapi/asm-generic/unistd.h. */
#pragma once

#define ARCHITECTURE "aarch64"
#define PACKED_EPOLL_EVENT

enum {
	NR_epoll_create1 = 20,
	NR_epoll_ctl = 21,
	NR_epoll_pwait = 22,
	NR_dup3 = 24,
	NR_fcntl = 25,
	NR_inotify_init1 = 26,
	NR_inotify_add_watch = 27,
	NR_ioctl = 29,
	NR_mkdirat = 34,
	NR_unlinkat = 35,
	NR_symlinkat = 36,
	NR_mount = 40,
	NR_chdir = 49,
	NR_chroot = 51,
	NR_fchmodat = 53,
	NR_fchownat = 54,
	NR_openat = 56,
	NR_close = 57,
	NR_pipe2 = 59,
	NR_getdents64 = 61,
	NR_lseek = 62,
	NR_read = 63,
	NR_write = 64,
	NR_writev = 66,
	NR_ppoll = 73,
	NR_signalfd4 = 74,
	NR_readlinkat = 78,
	NR_sync = 81,
	NR_utimensat = 88,
	NR_exit_group = 94,
	NR_clock_settime = 112,
	NR_clock_gettime = 113,
	NR_kill = 129,
	NR_rt_sigaction = 134,
	NR_rt_sigprocmask = 135,
	NR_reboot = 142,
	NR_setgid = 144,
	NR_setuid = 146,
	NR_setsid = 157,
	NR_setgroups = 159,
	NR_uname = 160,
	NR_sethostname = 161,
	NR_getpid = 172,
	NR_socket = 198,
	NR_bind = 200,
	NR_listen = 201,
	NR_connect = 203,
	NR_getsockopt = 209,
	NR_shutdown = 210,
	NR_munmap = 215,
	NR_clone = 220,
	NR_execve = 221,
	NR_mmap = 222,
	NR_accept4 = 242,
	NR_wait4 = 260,
	NR_prlimit64 = 261,
	NR_finit_module = 273,
	NR_renameat2 = 276,
	NR_getrandom = 278,
	NR_statx = 291,
	NR_close_range = 436,
};

static inline long system_call(long number, long a, long b, long c, long d, long e, long f) {
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;
	__asm__ volatile("svc #0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}

/* The kernel begins with the argument count at the stack's top, which is aligned. */
#define ENTRY_POINT                                                                                                    \
	__asm__(".globl _start\n"                                                                                      \
		"_start:\n"                                                                                            \
		"	mov x29, #0\n"                                                                                 \
		"	mov x0, sp\n"                                                                                  \
		"	bl start\n"                                                                                    \
		"	brk #1\n")
