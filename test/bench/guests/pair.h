/* Two processes that share a processor, so that one runs only while the other waits. */
#include "work.h"
#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* Gives 0 to a child; it has the same processor. */
static inline pid_t fork_here(void)
{
	cpu_set_t here;
	CPU_ZERO(&here);
	CPU_SET(sched_getcpu(), &here);
	pid_t child = sched_setaffinity(0, sizeof here, &here) ? -1 : fork();
	if (child < 0)
		abort();
	return child;
}

/* The end of a child; its parent waits for it. */
static inline void join(pid_t child)
{
	int status;
	if (child == 0)
		_exit(0);
	if (waitpid(child, &status, 0) != child || status)
		abort();
}
