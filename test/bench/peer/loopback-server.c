/*
 * What a guest talks to on the host's loopback, in a process of its own, so that no runtime bounds what is measured: ports that send without end, that
 * take all and close when the other side has, that send back what they get, and one of UDP that does. Prints their numbers in this order; ends when its
 * input does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum kind { SOURCE, SINK, ECHO, DATAGRAMS, KINDS, INPUT };

static char bytes[256 * 1024];
static int set;

static void watch(int fd, enum kind kind, int listens, int events)
{
	struct epoll_event event = {.events = events, .data.u64 = (uint64_t)listens << 40 | (uint64_t)kind << 32 | fd};
	epoll_ctl(set, EPOLL_CTL_ADD, fd, &event);
}

static int listen_at(enum kind kind)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t length = sizeof(at);
	int is_udp = kind == DATAGRAMS;
	int fd = socket(AF_INET, (is_udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_NONBLOCK, 0);
	if (bind(fd, (void *)&at, length) || (!is_udp && listen(fd, 1024)) || getsockname(fd, (void *)&at, &length))
		return 0;
	watch(fd, kind, !is_udp, EPOLLIN);
	return ntohs(at.sin_port);
}

static void take(int fd, enum kind kind)
{
	int one = 1, peer = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
	if (peer < 0)
		return;
	setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	watch(peer, kind, 0, kind == SOURCE ? EPOLLOUT : EPOLLIN);
}

/* A source never reads: its peer's reset ends it. A sink's bytes are not copied (tcp(7), MSG_TRUNC). */
static void serve(int fd, enum kind kind)
{
	ssize_t length = kind == SOURCE ? send(fd, bytes, sizeof(bytes), MSG_NOSIGNAL)
	                                : recv(fd, bytes, sizeof(bytes), kind == SINK ? MSG_TRUNC : 0);
	if (length > 0 && kind == ECHO)
		length = send(fd, bytes, length, MSG_NOSIGNAL);
	if (length == 0 || (length < 0 && errno != EAGAIN))
		close(fd);
}

static void answer(int fd)
{
	for (int i = 0; i < 32; i++) {
		struct sockaddr_in from;
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(fd, bytes, sizeof(bytes), 0, (void *)&from, &size);
		if (length < 0)
			return;
		sendto(fd, bytes, length, 0, (void *)&from, size);
	}
}

int main(void)
{
	struct epoll_event ready[64];
	set = epoll_create1(0);
	for (int kind = 0; kind < KINDS; kind++)
		printf("%d%c", listen_at(kind), kind == DATAGRAMS ? '\n' : ' ');
	fflush(stdout);
	watch(STDIN_FILENO, INPUT, 0, EPOLLIN);
	for (;;) {
		int count = epoll_wait(set, ready, 64, -1);
		for (int i = 0; i < count; i++) {
			uint64_t data = ready[i].data.u64;
			int fd = (int)(uint32_t)data;
			enum kind kind = data >> 32 & 0xff;
			if (kind == INPUT)
				return 0;
			if (data >> 40)
				take(fd, kind);
			else if (kind == DATAGRAMS)
				answer(fd);
			else
				serve(fd, kind);
		}
	}
}
