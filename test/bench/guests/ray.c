/* A picture of balls that mirror each other, ray by ray: square roots, divisions, comparisons, functions that call themselves. */
#include "float.h"
#include <math.h>

#define WIDTH 64
#define HEIGHT 48
#define BALLS 12
#define DEPTH 4

struct vector {
	float x, y, z;
};

struct ball {
	struct vector center;
	float radius, brightness, mirrors;
};

static struct ball balls[BALLS];

static struct vector along(struct vector from, struct vector by, float length)
{
	return (struct vector){
		multiply_add(by.x, length, from.x), multiply_add(by.y, length, from.y), multiply_add(by.z, length, from.z)};
}

static float product(struct vector a, struct vector b)
{
	return multiply_add(a.x, b.x, multiply_add(a.y, b.y, a.z * b.z));
}

static struct vector unit(struct vector a)
{
	float scale = 1 / sqrtf(product(a, a));
	return (struct vector){a.x * scale, a.y * scale, a.z * scale};
}

static float distance(const struct ball *ball, struct vector from, struct vector direction)
{
	struct vector way = along(ball->center, from, -1);
	float middle = product(way, direction);
	float rest = middle * middle - product(way, way) + ball->radius * ball->radius;
	return rest < 0 ? -1 : middle - sqrtf(rest);
}

static const struct ball *nearest(struct vector from, struct vector direction, float *length)
{
	const struct ball *found = 0;
	for (int i = 0; i < BALLS; i++) {
		float each = distance(&balls[i], from, direction);
		if (each > 0.001f && (!found || each < *length)) {
			found = &balls[i];
			*length = each;
		}
	}
	return found;
}

static float light(struct vector from, struct vector direction, int depth)
{
	static const struct vector sun = {0.48f, 0.6f, -0.64f};
	float length;
	const struct ball *ball = nearest(from, direction, &length);
	if (!ball)
		return 0.5f + 0.5f * direction.y;
	struct vector point = along(from, direction, length);
	struct vector normal = unit(along(point, ball->center, -1));
	float own = product(normal, sun), shadow;
	if (own < 0 || nearest(point, sun, &shadow))
		own = 0;
	own = ball->brightness * (0.2f + 0.8f * own);
	if (depth == 0)
		return own;
	struct vector mirrored = along(direction, normal, -2 * product(direction, normal));
	return multiply_add(ball->mirrors, light(point, mirrored, depth - 1) - own, own);
}

uint32_t ray(void)
{
	uint32_t state = 1, sum = 0;
	for (int i = 0; i < BALLS; i++) {
		float values[6];
		for (int j = 0; j < 6; j++)
			values[j] = (float)next_random(&state) / (1 << 24);
		balls[i] = (struct ball){
			.center = {values[0] * 6 - 3, values[1] * 4 - 2, values[2] * 4 + 4},
			.radius = 0.4f + values[3] * 0.6f,
			.brightness = 0.3f + values[4] * 0.7f,
			.mirrors = values[5] * 0.8f,
		};
	}
	for (int y = 0; y < HEIGHT; y++)
		for (int x = 0; x < WIDTH; x++) {
			struct vector direction = {(x - WIDTH / 2) / 40.0f, (HEIGHT / 2 - y) / 40.0f, 1};
			sum = mix(sum, light((struct vector){0, 0, -3}, unit(direction), DEPTH));
		}
	return sum;
}
