/* Deflate (RFC 1951) with its fixed codes, and back: hash chains, comparisons of bytes, bits of a stream, branches that nobody foretells. */
#include "work.h"

#define BYTES (64u << 10)
#define HASHES (1u << 12)
#define CHAIN 16
#define SHORTEST 3
#define LONGEST 258

static uint8_t text[BYTES], packed[BYTES * 2], unpacked[BYTES];
static uint32_t newest[HASHES], older[BYTES];

/* By code less 257: the shortest length, and bits behind it. */
static const uint16_t lengths[] = {
	3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258,
};
static const uint8_t length_bits[] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};

struct bits {
	uint8_t *next;
	uint32_t held;
	uint32_t count;
};

/* The shortest distance of a code, and bits behind it. */
static uint32_t distance_bits(uint32_t code)
{
	return code < 2 ? 0 : code / 2 - 1;
}

static uint32_t distance_of(uint32_t code)
{
	return code < 2 ? code + 1 : ((2 + (code & 1)) << distance_bits(code)) + 1;
}

static void put(struct bits *out, uint32_t value, uint32_t count)
{
	out->held |= value << out->count;
	for (out->count += count; out->count >= 8; out->count -= 8) {
		*out->next++ = out->held;
		out->held >>= 8;
	}
}

/* Codes come with their highest bit first, other values with their lowest. */
static void put_code(struct bits *out, uint32_t code, uint32_t count)
{
	uint32_t turned = 0;
	for (uint32_t i = 0; i < count; i++)
		turned |= (code >> i & 1) << (count - 1 - i);
	put(out, turned, count);
}

static void put_symbol(struct bits *out, uint32_t symbol)
{
	if (symbol < 144)
		put_code(out, symbol + 0x30, 8);
	else if (symbol < 256)
		put_code(out, symbol - 144 + 0x190, 9);
	else if (symbol < 280)
		put_code(out, symbol - 256, 7);
	else
		put_code(out, symbol - 280 + 0xc0, 8);
}

static void put_match(struct bits *out, uint32_t length, uint32_t distance)
{
	uint32_t code = 0;
	while (code < 28 && lengths[code + 1] <= length)
		code++;
	put_symbol(out, 257 + code);
	put(out, length - lengths[code], length_bits[code]);
	for (code = 0; code < 29 && distance_of(code + 1) <= distance; code++)
		;
	put_code(out, code, 5);
	put(out, distance - distance_of(code), distance_bits(code));
}

static uint32_t hash_at(uint32_t at)
{
	return ((uint32_t)text[at] << 16 | text[at + 1] << 8 | text[at + 2]) * 2654435761u >> 20;
}

static uint32_t match_at(uint32_t at, uint32_t candidate)
{
	uint32_t length = 0;
	while (length < LONGEST && at + length < BYTES && text[candidate + length] == text[at + length])
		length++;
	return length;
}

static uint32_t pack(void)
{
	struct bits out = {.next = packed};
	for (uint32_t i = 0; i < HASHES; i++)
		newest[i] = 0;
	put(&out, 1, 1);
	put(&out, 1, 2);
	for (uint32_t at = 0; at < BYTES;) {
		uint32_t best = 0, distance = 0;
		if (at + SHORTEST <= BYTES) {
			uint32_t candidate = newest[hash_at(at)];
			/* Places count from 1. */
			for (int tries = 0; tries < CHAIN && candidate && at - (candidate - 1) <= 32768; tries++) {
				uint32_t length = match_at(at, candidate - 1);
				if (length > best) {
					best = length;
					distance = at - (candidate - 1);
				}
				candidate = older[candidate - 1];
			}
		}
		if (best < SHORTEST)
			best = 1;
		if (best == 1)
			put_symbol(&out, text[at]);
		else
			put_match(&out, best, distance);
		for (uint32_t end = at + best; at < end; at++) {
			if (at + SHORTEST > BYTES)
				continue;
			uint32_t hash = hash_at(at);
			older[at] = newest[hash];
			newest[hash] = at + 1;
		}
	}
	put_symbol(&out, 256);
	put(&out, 0, 7);
	return out.next - packed;
}

static uint32_t get(struct bits *in, uint32_t count)
{
	uint32_t value;
	for (; in->count < count; in->count += 8)
		in->held |= (uint32_t)*in->next++ << in->count;
	value = in->held & ((1u << count) - 1);
	in->held >>= count;
	in->count -= count;
	return value;
}

static uint32_t get_code(struct bits *in, uint32_t code, uint32_t count)
{
	while (count--)
		code = code << 1 | get(in, 1);
	return code;
}

static uint32_t get_symbol(struct bits *in)
{
	uint32_t code = get_code(in, 0, 7);
	if (code < 0x18)
		return code + 256;
	code = get_code(in, code, 1);
	if (code >= 0x30 && code < 0xc0)
		return code - 0x30;
	if (code >= 0xc0 && code < 0xc8)
		return code - 0xc0 + 280;
	return get_code(in, code, 1) - 0x190 + 144;
}

static uint32_t unpack(void)
{
	struct bits in = {.next = packed};
	uint32_t at = 0;
	get(&in, 3);
	for (uint32_t symbol = get_symbol(&in); symbol != 256; symbol = get_symbol(&in)) {
		if (symbol < 256) {
			unpacked[at++] = symbol;
			continue;
		}
		uint32_t length = lengths[symbol - 257] + get(&in, length_bits[symbol - 257]);
		uint32_t code = get_code(&in, 0, 5);
		uint32_t distance = distance_of(code) + get(&in, distance_bits(code));
		for (; length--; at++)
			unpacked[at] = unpacked[at - distance];
	}
	return at;
}

uint32_t deflate(void)
{
	uint32_t state = 1, sum = 0, count;
	for (uint32_t i = 0; i < BYTES; i++) {
		uint32_t random = next_random(&state) >> 6;
		/* A fourth of it is as it was some way before. */
		if (i > 600 && random % 16 == 0)
			for (uint32_t end = i + 60; i < end && i < BYTES; i++)
				text[i] = text[i - 500 - random % 64];
		if (i < BYTES)
			text[i] = 'a' + random % 29;
	}
	count = pack();
	for (uint32_t i = 0; i < count; i++)
		sum = sum * 31 + packed[i];
	if (unpack() != BYTES)
		return 0;
	for (uint32_t i = 0; i < BYTES; i++)
		if (unpacked[i] != text[i])
			return 0;
	return sum;
}
