/* Memory by the page: what is not touched costs nothing, and what is given back is zero when it comes again. */
#include "agent.h"

void *allocate(size_t size) {
	long at = call(NR_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return at < 0 && at > -4096 ? NULL : (void *)at;
}

void release(void *memory, size_t size) {
	if (memory != NULL) call(NR_munmap, memory, size);
}
