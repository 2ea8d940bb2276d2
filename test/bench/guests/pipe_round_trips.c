/* 2,000 bytes go through a pipe to another process of the same processor, and come back through a second one. */
#define _GNU_SOURCE
#include "pair.h"

#define ROUNDS 2000

static uint8_t get(int fd)
{
	uint8_t byte;
	if (read(fd, &byte, 1) != 1)
		abort();
	return byte;
}

static void put(int fd, uint8_t byte)
{
	if (write(fd, &byte, 1) != 1)
		abort();
}

uint32_t pipe_round_trips(void)
{
	int there[2], back[2];
	uint32_t sum = 0;
	if (pipe(there) || pipe(back))
		abort();
	pid_t child = fork_here();
	for (int i = 0; i < ROUNDS; i++) {
		if (child == 0) {
			put(back[1], get(there[0]) ^ 0x5a);
			continue;
		}
		put(there[1], i);
		sum += get(back[0]);
	}
	join(child);
	for (int i = 0; i < 2; i++) {
		close(there[i]);
		close(back[i]);
	}
	return sum;
}
