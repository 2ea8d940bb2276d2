/* Counts the primes below 2^20 by a sieve of bytes: stores at growing distances, and a loop that nothing disturbs. */
#include "work.h"

#define LIMIT (1u << 20)

static uint8_t composite[LIMIT];

uint32_t sieve(void)
{
	uint32_t primes = 0;
	for (uint32_t i = 0; i < LIMIT; i++)
		composite[i] = 0;
	for (uint32_t i = 2; i < LIMIT; i++) {
		if (composite[i])
			continue;
		primes++;
		for (uint64_t multiple = (uint64_t)i * i; multiple < LIMIT; multiple += i)
			composite[multiple] = 1;
	}
	return primes;
}
