/* A product of integer matrices, row by column: multiplications, and loads of which half go from row to row. */
#include "work.h"

#define SIZE 112

static int32_t a[SIZE][SIZE], b[SIZE][SIZE], product[SIZE][SIZE];

uint32_t matrix(void)
{
	uint32_t state = 1, sum = 0;
	for (int row = 0; row < SIZE; row++)
		for (int column = 0; column < SIZE; column++) {
			a[row][column] = next_random(&state) & 0xff;
			b[row][column] = next_random(&state) & 0xff;
		}
	for (int row = 0; row < SIZE; row++)
		for (int column = 0; column < SIZE; column++) {
			int32_t each = 0;
			for (int k = 0; k < SIZE; k++)
				each += a[row][k] * b[k][column];
			product[row][column] = each;
		}
	for (int row = 0; row < SIZE; row++)
		for (int column = 0; column < SIZE; column++)
			sum = sum * 31 + product[row][column];
	return sum;
}
