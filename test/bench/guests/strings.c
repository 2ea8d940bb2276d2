/* Bytes one by one and by string instructions: words are written, counted, turned round, searched for, copied and compared. */
#include "work.h"

#define BYTES (64u << 10)

static uint8_t text[BYTES + 1], other[BYTES + 1];

static void copy(uint8_t *to, const uint8_t *from, uintptr_t count)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

static uintptr_t length(const uint8_t *of)
{
	const uint8_t *end = of;
	uintptr_t most = BYTES + 1;
	__asm__ volatile("repne scasb" : "+D"(end), "+c"(most) : "a"(0) : "memory", "cc");
	return end - of - 1;
}

/* How many bytes from the beginning are the same. */
static uintptr_t same(const uint8_t *a, const uint8_t *b, uintptr_t most)
{
	uintptr_t left = most;
	uint8_t equal;
	__asm__ volatile("cmp %2, %2; repe cmpsb; sete %3" : "+D"(a), "+S"(b), "+c"(left), "=r"(equal) : : "memory", "cc");
	return most - left - !equal;
}

static uint32_t occurrences(const uint8_t *in, const char *word)
{
	uint32_t count = 0;
	for (; *in; in++) {
		uint32_t i = 0;
		while (word[i] && in[i] == word[i])
			i++;
		count += !word[i];
	}
	return count;
}

static uint32_t words(const uint8_t *in)
{
	uint32_t count = 0;
	int inside = 0;
	for (; *in; in++) {
		int letter = *in != ' ' && *in != '\n';
		count += letter && !inside;
		inside = letter;
	}
	return count;
}

uint32_t strings(void)
{
	uint32_t state = 1, sum = 0;
	for (uint32_t i = 0; i < BYTES; i++) {
		uint32_t random = next_random(&state) >> 4;
		text[i] = random % 7 == 0 ? ' ' : random % 61 == 0 ? '\n' : 'a' + random % 13;
	}
	sum += words(text) + occurrences(text, "abb") * 3 + occurrences(text, "cad ") * 5;
	for (uint32_t i = 0; i < BYTES; i++)
		other[i] = text[BYTES - 1 - i];
	sum = sum * 31 + words(other) + occurrences(other, "bba");
	for (uint32_t i = 0; i < BYTES; i++)
		if (other[i] >= 'a')
			other[i] -= 'a' - 'A';
	sum = sum * 31 + occurrences(other, "BBA");
	for (uint32_t at = 0; at + 64 <= BYTES; at += 64) {
		copy(other + at, text + at, 64 - at / 64 % 8);
		sum = sum * 31 + same(other + at, text + at, 64);
	}
	copy(other, text, BYTES);
	other[BYTES - 5] = '!';
	return sum + length(text) + same(text, other, BYTES);
}
