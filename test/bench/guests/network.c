/* A client of a server that gives back each byte, for so many seconds: usage: network trips|connections tcp|vsock ADDRESS PORT SECONDS. It tells
 * how many round trips of a byte, or connections with one each, there were, and how long that took, in nanoseconds. */
#include <arpa/inet.h>
#include <inttypes.h>
#include <linux/vm_sockets.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
}

static void check(int is_right, const char *what)
{
	if (is_right)
		return;
	perror(what);
	exit(1);
}

static int open_connection(char **words)
{
	struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_port = htons(atoi(words[2]))};
	struct sockaddr_vm vsock = {.svm_family = AF_VSOCK, .svm_cid = atoi(words[1]), .svm_port = atoi(words[2])};
	int is_tcp = strcmp(words[0], "tcp") == 0, one = 1;
	int fd = socket(is_tcp ? AF_INET : AF_VSOCK, SOCK_STREAM, 0);
	check(fd >= 0, "socket");
	if (is_tcp) {
		inet_pton(AF_INET, words[1], &tcp.sin_addr);
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		check(connect(fd, (void *)&tcp, sizeof tcp) == 0, "connect");
	} else {
		check(connect(fd, (void *)&vsock, sizeof vsock) == 0, "connect");
	}
	return fd;
}

static void trip(int fd)
{
	char byte = 'x';
	check(write(fd, &byte, 1) == 1, "write");
	check(read(fd, &byte, 1) == 1, "read");
}

int main(int argc, char **argv)
{
	if (argc != 6)
		return 2;
	int is_trips = strcmp(argv[1], "trips") == 0;
	int fd = open_connection(argv + 2);
	uint64_t start = now(), end = start + atoi(argv[5]) * UINT64_C(1000000000), time, count = 0;
	do {
		if (!is_trips) {
			close(fd);
			fd = open_connection(argv + 2);
		}
		trip(fd);
		count++;
		time = now();
	} while (time < end);
	printf("%" PRIu64 " %" PRIu64 "\n", count, time - start);
	return 0;
}
