/* What the agent needs of Linux's interface to programs. Written down here, so that no header of the machine that builds has a say in the binary. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#include "arch-x86_64.h"
#elif defined(__aarch64__)
#include "arch-aarch64.h"
#else
#error "No header of system calls for this architecture"
#endif

/* call(NR_x, up to six arguments): a result, or a negative errno. */
#define CALL7(n, a, b, c, d, e, f, ...)                                                                                \
	system_call((n), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), (long)(f))
#define call(...) CALL7(__VA_ARGS__, 0, 0, 0, 0, 0, 0)

/* include/uapi/asm-generic/errno-base.h, errno.h */
enum {
	EPERM = 1, ENOENT = 2, EINTR = 4, EIO = 5, ECHILD = 10, EAGAIN = 11, ENOMEM = 12, EACCES = 13, EEXIST = 17,
	ENODEV = 19, ENOTDIR = 20, EISDIR = 21, EINVAL = 22, ENFILE = 23, ENOSYS = 38, EADDRNOTAVAIL = 99, EINPROGRESS = 115,
};

/* fcntl.h; those whose values differ between architectures are not here but below. */
enum {
	AT_FDCWD = -100, AT_SYMLINK_NOFOLLOW = 0x100, AT_REMOVEDIR = 0x200,
	O_RDONLY = 0, O_WRONLY = 1, O_RDWR = 2, O_CREAT = 0x40, O_EXCL = 0x80, O_NOCTTY = 0x100, O_TRUNC = 0x200,
	O_APPEND = 0x400, O_NONBLOCK = 0x800, O_CLOEXEC = 0x80000, SEEK_END = 2,
	F_SETFD = 2, F_GETFL = 3, F_SETFL = 4, F_DUPFD_CLOEXEC = 1030, FD_CLOEXEC = 1,
	CLOSE_RANGE_CLOEXEC = 4, RENAME_NOREPLACE = 1,
};
#if defined(__aarch64__)
enum { O_DIRECTORY = 0x4000, O_NOFOLLOW = 0x8000 };
#else
enum { O_DIRECTORY = 0x10000, O_NOFOLLOW = 0x20000 };
#endif

/* include/uapi/linux/stat.h */
enum { S_IFMT = 0170000, S_IFDIR = 0040000, STATX_BASIC_STATS = 0x7ff };
struct statx_time {
	int64_t seconds;
	uint32_t nanoseconds;
	int32_t reserved;
};
struct statx {
	uint32_t mask, block_size;
	uint64_t attributes;
	uint32_t links, uid, gid;
	uint16_t mode, spare;
	uint64_t inode, size, blocks, attributes_mask;
	struct statx_time atime, btime, ctime, mtime;
	uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
	uint64_t rest[14];
};
struct directory_entry {
	uint64_t inode;
	int64_t next;
	uint16_t size;
	uint8_t kind;
	char name[];
};

/* include/uapi/asm-generic/mman.h */
enum { PROT_READ = 1, PROT_WRITE = 2, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20 };

/* include/uapi/linux/eventpoll.h */
enum { EPOLLIN = 1, EPOLLOUT = 4, EPOLLERR = 8, EPOLL_CTL_ADD = 1, EPOLL_CTL_DEL = 2, EPOLL_CLOEXEC = O_CLOEXEC };
#define EPOLLET (1u << 31)
struct epoll_event {
	uint32_t events;
	uint64_t data;
} PACKED_EPOLL_EVENT;

/* include/uapi/asm-generic/signal.h, sched.h, wait.h */
enum { SIGKILL = 9, SIGPIPE = 13, SIGCHLD = 17, SIG_BLOCK = 0, SIG_SETMASK = 2, WNOHANG = 1, SIGNALS = 64 };
enum { CLONE_VM = 0x100, CLONE_VFORK = 0x4000 };
struct kernel_sigaction {
	uint64_t handler, flags, restorer, mask;
};

/* include/uapi/asm-generic/ioctls.h, linux/random.h, linux/sockios.h */
enum {
	TIOCSCTTY = 0x540e, TIOCSWINSZ = 0x5414, FIONREAD = 0x541b, RNDRESEEDCRNG = 0x5207,
	SIOCADDRT = 0x890b, SIOCGIFFLAGS = 0x8913, SIOCSIFFLAGS = 0x8914, SIOCSIFADDR = 0x8916, SIOCSIFNETMASK = 0x891c,
};
#define TIOCSPTLCK 0x40045431L
#define TIOCGPTPEER 0x5441L
#define RNDADDENTROPY 0x40085203L

/* include/linux/socket.h, uapi/linux/vm_sockets.h, in.h, in6.h, un.h */
enum {
	AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, AF_VSOCK = 40, SOCK_STREAM = 1, SOCK_DGRAM = 2, SOCK_NONBLOCK = O_NONBLOCK,
	SOCK_CLOEXEC = O_CLOEXEC, SHUT_WR = 1, SOL_SOCKET = 1, SO_ERROR = 4, CID_HOST = 2,
};
#define CID_ANY 0xffffffffu
struct sockaddr_vsock {
	uint16_t family, reserved;
	uint32_t port, cid;
	uint8_t zero[4];
};
struct sockaddr_in {
	uint16_t family, port;
	uint32_t address;
	uint8_t zero[8];
};
struct sockaddr_in6 {
	uint16_t family, port;
	uint32_t flow;
	uint8_t address[16];
	uint32_t scope;
};
struct sockaddr_unix {
	uint16_t family;
	char path[108];
};

/* include/uapi/linux/if.h, route.h */
enum { IFF_UP = 1, RTF_UP = 1, RTF_GATEWAY = 2 };
struct interface_request {
	char name[16];
	union {
		struct sockaddr_in address;
		int16_t flags;
		uint8_t room[24];
	};
};
struct route_request {
	unsigned long pad1;
	struct sockaddr_in destination, gateway, mask;
	uint16_t flags;
	int16_t pad2;
	unsigned long pad3;
	void *pad4;
	int16_t metric;
	char *device;
	unsigned long mtu, window;
	uint16_t rtt;
};

/* include/uapi/linux/mount.h, reboot.h, inotify.h, module.h */
enum {
	MS_RDONLY = 1, MS_NOSUID = 2, MS_NODEV = 4, MS_NOEXEC = 8, MS_MOVE = 8192, MODULE_INIT_COMPRESSED_FILE = 4,
	IN_MODIFY = 2, IN_ATTRIB = 4, IN_CLOSE_WRITE = 8, IN_MOVED_FROM = 0x40, IN_MOVED_TO = 0x80, IN_CREATE = 0x100,
	IN_DELETE = 0x200, IN_DELETE_SELF = 0x400, IN_MOVE_SELF = 0x800,
};
struct inotify_event {
	int32_t watch;
	uint32_t mask, cookie, length;
	char name[];
};

enum { RLIMIT_NOFILE = 7, CLOCK_REALTIME = 0, CLOCK_MONOTONIC = 1 };
struct resource_limit {
	uint64_t soft, hard;
};
struct time_spec {
	int64_t seconds, nanoseconds;
};
struct io_vector {
	void *base;
	size_t length;
};
struct poll_descriptor {
	int fd;
	int16_t events, found;
};
struct system_names {
	char system[65], node[65], release[65], version[65], machine[65], domain[65];
};
