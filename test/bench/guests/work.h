/* A piece of work. Each is a function of its file's name; it does the same every time that it is called, and gives a checksum. */
#include <stdint.h>

#define WORK(name) uint32_t name(void);
WORKS
#undef WORK

/* The same numbers on every machine. */
static inline uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525u + 1013904223u;
	return *state >> 8;
}
