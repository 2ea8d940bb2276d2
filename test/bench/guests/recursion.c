/* Functions that call themselves: Fibonacci's numbers and Takeuchi's function, whose values are known. */
#include "work.h"

__attribute__((noinline)) static uint32_t fibonacci(uint32_t n)
{
	return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

__attribute__((noinline)) static int takeuchi(int x, int y, int z)
{
	if (y >= x)
		return z;
	return takeuchi(takeuchi(x - 1, y, z), takeuchi(y - 1, z, x), takeuchi(z - 1, x, y));
}

uint32_t recursion(void)
{
	return fibonacci(25) * 100 + takeuchi(18, 12, 6);
}
