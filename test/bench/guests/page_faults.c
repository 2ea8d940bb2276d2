/* 2,000 pages, each touched for the first time. */
#include "work.h"
#include <stdlib.h>
#include <sys/mman.h>

#define PAGES 2000
#define PAGE 4096

uint32_t page_faults(void)
{
	uint32_t sum = 0;
	uint8_t *memory = mmap(0, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		abort();
	/* Huge pages would make a few faults of them. A kernel without them refuses. */
	madvise(memory, PAGES * PAGE, MADV_NOHUGEPAGE);
	for (int i = 0; i < PAGES; i++)
		memory[i * PAGE] = 1 + i % 7;
	for (int i = 0; i < PAGES; i++)
		sum += memory[i * PAGE];
	munmap(memory, PAGES * PAGE);
	return sum;
}
