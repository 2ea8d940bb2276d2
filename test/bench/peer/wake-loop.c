/*
 * The way from a word in shared memory to another thread and back, without any of our code: by an eventfd that the
 * thread sleeps on (argument "sleep"), or by a word that it watches ("poll"). Prints nanoseconds of one round, the median.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static atomic_int asked, answered;
static int bell, sleeps;

static uint64_t now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static void *worker(void *unused)
{
	int set = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN}, ready;
	uint64_t count;
	(void)unused;
	epoll_ctl(set, EPOLL_CTL_ADD, bell, &event);
	for (int done = 0;;) {
		if (sleeps && epoll_wait(set, &ready, 1, -1) == 1 && read(bell, &count, 8) != 8)
			return NULL;
		while (atomic_load(&asked) == done)
			;
		done = atomic_load(&asked);
		atomic_store(&answered, done);
		if (done < 0)
			return NULL;
	}
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	int rounds = argc > 2 ? atoi(argv[2]) : 0;
	uint64_t one = 1, *times;
	pthread_t thread;

	if (rounds < 1)
		return 2;
	sleeps = strcmp(argv[1], "sleep") == 0;
	bell = eventfd(0, EFD_NONBLOCK);
	times = malloc(rounds * sizeof(*times));
	pthread_create(&thread, NULL, worker, NULL);
	for (int round = 1; round <= rounds; round++) {
		/* Long enough for the thread to be asleep again. */
		for (uint64_t until = now() + 50000; now() < until;)
			;
		uint64_t start = now();
		atomic_store(&asked, round);
		if (sleeps && write(bell, &one, 8) != 8)
			return 1;
		while (atomic_load(&answered) != round)
			;
		times[round - 1] = now() - start;
	}
	qsort(times, rounds, sizeof(*times), compare);
	printf("%llu\n", (unsigned long long)times[rounds / 2]);
	return 0;
}
