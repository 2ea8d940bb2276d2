/* The limit for what surrounds a system call: usage: call-loop COUNT; prints nanoseconds for each of COUNT ioctls that
 * fail at once. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>

static double now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e9 + time.tv_nsec;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	long count = atol(argv[1]);
	double start = now();
	for (long i = 0; i < count; i++)
		ioctl(-1, 0xae80, 0);
	printf("%.2f\n", (now() - start) / count);
	return 0;
}
