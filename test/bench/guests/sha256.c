/* SHA-256 (FIPS 180-4) of 64 KiB: long code without branches, rotations, all registers in use. */
#include "work.h"

#define BYTES (64u << 10)

static const uint32_t constants[64] = {
	0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
	0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
	0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
	0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
	0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
	0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
	0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
	0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
};
static uint8_t data[BYTES + 64];

static uint32_t right(uint32_t value, int by)
{
	return value >> by | value << (32 - by);
}

static void add_block(uint32_t state[8], const uint8_t *block)
{
	uint32_t w[64], a[8];
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)block[i * 4] << 24 | block[i * 4 + 1] << 16 | block[i * 4 + 2] << 8 | block[i * 4 + 3];
	for (int i = 16; i < 64; i++)
		w[i] = w[i - 16] + w[i - 7] + (right(w[i - 15], 7) ^ right(w[i - 15], 18) ^ w[i - 15] >> 3)
			+ (right(w[i - 2], 17) ^ right(w[i - 2], 19) ^ w[i - 2] >> 10);
	for (int i = 0; i < 8; i++)
		a[i] = state[i];
	for (int i = 0; i < 64; i++) {
		uint32_t first = a[7] + (right(a[4], 6) ^ right(a[4], 11) ^ right(a[4], 25)) + ((a[4] & a[5]) ^ (~a[4] & a[6]))
			+ constants[i] + w[i];
		uint32_t second = (right(a[0], 2) ^ right(a[0], 13) ^ right(a[0], 22)) + ((a[0] & a[1]) ^ (a[0] & a[2]) ^ (a[1] & a[2]));
		for (int j = 7; j > 0; j--)
			a[j] = a[j - 1];
		a[4] += first;
		a[0] = first + second;
	}
	for (int i = 0; i < 8; i++)
		state[i] += a[i];
}

/* Gives the first word of the digest. */
uint32_t sha256(void)
{
	uint32_t state[8] = {
		0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
	};
	for (uint32_t i = 0; i < BYTES; i++)
		data[i] = i * 7 ^ i >> 8;
	/* One bit, zeros, and the length in bits: the data fill whole blocks. */
	data[BYTES] = 0x80;
	for (int i = 0; i < 4; i++)
		data[BYTES + 60 + i] = (uint64_t)BYTES * 8 >> (24 - i * 8);
	for (uint32_t at = 0; at < sizeof data; at += 64)
		add_block(state, data + at);
	return state[0];
}
