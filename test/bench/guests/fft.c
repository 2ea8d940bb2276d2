/* A Fourier transform of 4096 complex numbers, and back: the first has to come out again. */
#include "float.h"
#include <math.h>

#define BITS 12
#define SIZE (1 << BITS)

static double real[SIZE], imaginary[SIZE], cosines[SIZE / 2], sines[SIZE / 2];

/* Half an angle at a time, from that of -1: square roots are exact everywhere, and sines are not. */
static void find_roots(void)
{
	double c = -1, s = 0;
	for (int bit = 1; bit < BITS; bit++) {
		double half = sqrt((1 + c) / 2);
		s = bit == 1 ? 1 : s / (2 * half);
		c = half;
	}
	cosines[0] = 1;
	sines[0] = 0;
	for (int i = 1; i < SIZE / 2; i++) {
		cosines[i] = multiply_add(cosines[i - 1], c, -(sines[i - 1] * s));
		sines[i] = multiply_add(cosines[i - 1], s, sines[i - 1] * c);
	}
}

static void swap(double *a, double *b)
{
	double kept = *a;
	*a = *b;
	*b = kept;
}

/* Turns the order of the bits of each index round. */
static void reorder(void)
{
	for (uint32_t i = 0, j = 0; i < SIZE; i++) {
		if (i < j) {
			swap(&real[i], &real[j]);
			swap(&imaginary[i], &imaginary[j]);
		}
		uint32_t bit = SIZE >> 1;
		for (; j & bit; bit >>= 1)
			j ^= bit;
		j |= bit;
	}
}

static void transform(double sign)
{
	reorder();
	for (int half = 1; half < SIZE; half *= 2)
		for (int start = 0; start < SIZE; start += 2 * half)
			for (int i = 0; i < half; i++) {
				double c = cosines[i * (SIZE / 2 / half)], s = sign * sines[i * (SIZE / 2 / half)];
				double *re = &real[start + i], *im = &imaginary[start + i];
				double x = multiply_add(re[half], c, -(im[half] * s));
				double y = multiply_add(re[half], s, im[half] * c);
				re[half] = re[0] - x;
				im[half] = im[0] - y;
				re[0] += x;
				im[0] += y;
			}
}

uint32_t fft(void)
{
	uint32_t state = 1, sum = 0;
	double first = 0;
	find_roots();
	for (int i = 0; i < SIZE; i++) {
		real[i] = next_random(&state) / 1e6;
		imaginary[i] = next_random(&state) / 2e6;
		first = i ? first : real[0];
	}
	transform(1);
	for (int i = 0; i < SIZE; i++)
		sum = mix(sum, real[i] + imaginary[i]);
	transform(-1);
	double error = real[0] / SIZE - first;
	return error < 1e-9 && error > -1e-9 ? sum : 0;
}
