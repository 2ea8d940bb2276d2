/* 2,000 times one process of a processor sleeps until the other has woken it: twice as many switches. */
#define _GNU_SOURCE
#include "pair.h"
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define ROUNDS 2000

static void wait_for_turn(_Atomic uint32_t *turn, uint32_t own)
{
	while (atomic_load(turn) != own)
		syscall(SYS_futex, turn, FUTEX_WAIT, 1 - own, 0, 0, 0);
}

static void give_turn(_Atomic uint32_t *turn, uint32_t to)
{
	atomic_store(turn, to);
	syscall(SYS_futex, turn, FUTEX_WAKE, 1, 0, 0, 0);
}

static void play(_Atomic uint32_t *turn, uint32_t own, uint32_t *count)
{
	for (int i = 0; i < ROUNDS; i++) {
		wait_for_turn(turn, own);
		++*count;
		give_turn(turn, 1 - own);
	}
}

uint32_t context_switches(void)
{
	uint32_t *shared = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		abort();
	_Atomic uint32_t *turn = (_Atomic uint32_t *)&shared[0];
	pid_t child = fork_here();
	play(turn, child == 0, &shared[1]);
	join(child);
	uint32_t count = shared[1];
	munmap(shared, 4096);
	return count;
}
