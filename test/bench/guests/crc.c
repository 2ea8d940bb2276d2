/* CRC-32 of IEEE 802.3 over 256 KiB by a table: loads that depend on each other. */
#include "work.h"

#define BYTES (256u << 10)

static uint32_t table[256];
static uint8_t data[BYTES];

uint32_t crc(void)
{
	uint32_t state = 1, sum = ~0u;
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t value = i;
		for (int bit = 0; bit < 8; bit++)
			value = value & 1 ? value >> 1 ^ 0xedb88320u : value >> 1;
		table[i] = value;
	}
	for (uint32_t i = 0; i < BYTES; i++)
		data[i] = next_random(&state);
	for (int pass = 0; pass < 4; pass++)
		for (uint32_t i = 0; i < BYTES; i++)
			sum = sum >> 8 ^ table[(sum ^ data[i]) & 0xff];
	return ~sum;
}
