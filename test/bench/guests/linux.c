/* Does one piece of work so many times, and tells its checksum, how long that took, and how much processor time, in nanoseconds: usage:
 * work NAME TIMES. With NEEDS_AVX2 it first looks whether the processor has that, and FMA. */
#include "work.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static const struct {
	const char *name;
	uint32_t (*run)(void);
} all[] = {
#define WORK(name) {#name, name},
	WORKS
#undef WORK
};

static uint64_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * UINT64_C(1000000000) + time.tv_nsec;
}

static uint64_t of(struct timeval time)
{
	return time.tv_sec * UINT64_C(1000000000) + time.tv_usec * UINT64_C(1000);
}

static uint64_t processor_time(int who)
{
	struct rusage usage;
	getrusage(who, &usage);
	return of(usage.ru_utime) + of(usage.ru_stime);
}

static uint64_t all_processor_time(void)
{
	return processor_time(RUSAGE_SELF) + processor_time(RUSAGE_CHILDREN);
}

static int measure(const char *name, uint32_t (*run)(void), long times)
{
	printf("work %s begins\n", name);
	fflush(stdout);
	uint64_t start = now(), cpu = all_processor_time();
	uint32_t sum = run();
	for (long i = 1; i < times; i++)
		if (run() != sum) {
			printf("work %s failed: not the same again\n", name);
			return 1;
		}
	uint64_t taken = now() - start;
	printf("work %s ends %" PRIu32 " %" PRIu64 " %" PRIu64 "\n", name, sum, taken, all_processor_time() - cpu);
	return 0;
}

int main(int argc, char **argv)
{
#ifdef NEEDS_AVX2
	if (argc == 3 && !(__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))) {
		printf("work %s lacks AVX2 and FMA\n", argv[1]);
		return 0;
	}
#endif
	for (unsigned i = 0; argc == 3 && i < sizeof all / sizeof *all; i++)
		if (strcmp(all[i].name, argv[1]) == 0)
			return measure(argv[1], all[i].run, atol(argv[2]));
	return 2;
}
