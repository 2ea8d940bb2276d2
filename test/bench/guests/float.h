/* What work with floating point has in common: each result is rounded as the source says, whatever the compiler. */
#include "work.h"
#include <string.h>

#ifdef __FMA__
#define multiply_add(a, b, c) __builtin_fma(a, b, c)
#else
#define multiply_add(a, b, c) ((a) * (b) + (c))
#endif

/* Each bit of a number counts. */
static inline uint32_t mix(uint32_t sum, double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof bits);
	return sum * 31 + (uint32_t)(bits ^ bits >> 32);
}
