/* A product of matrices of doubles, so that a compiler takes several elements of a row at once. */
#include "float.h"

#define SIZE 96

static double a[SIZE][SIZE], b[SIZE][SIZE], product[SIZE][SIZE];

uint32_t float_matrix(void)
{
	uint32_t state = 1, sum = 0;
	for (int row = 0; row < SIZE; row++)
		for (int column = 0; column < SIZE; column++) {
			a[row][column] = next_random(&state) / 3e6 - 2;
			b[row][column] = next_random(&state) / 7e6 - 1;
			product[row][column] = 0;
		}
	for (int row = 0; row < SIZE; row++)
		for (int k = 0; k < SIZE; k++) {
			double factor = a[row][k];
			for (int column = 0; column < SIZE; column++)
				product[row][column] = multiply_add(factor, b[k][column], product[row][column]);
		}
	for (int row = 0; row < SIZE; row++)
		for (int column = 0; column < SIZE; column++)
			sum = mix(sum, product[row][column]);
	return sum;
}
