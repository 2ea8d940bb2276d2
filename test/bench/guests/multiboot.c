/* Does pieces of work, each so many times, without a system below: a multiboot kernel of 32 bits, which says the same on COM1 as linux.c does on
 * its console, but that it has no clock. TIMES tells how often, for each of WORKS. */
#include "work.h"
#include <stddef.h>

#define COM1 0x3f8

static const struct {
	const char *name;
	uint32_t (*run)(void);
} all[] = {
#define WORK(name) {#name, name},
	WORKS
#undef WORK
};
static const uint32_t times[] = {TIMES};

static uint8_t in(uint16_t port)
{
	uint8_t value;
	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static void say(const char *text)
{
	for (; *text; text++) {
		while (!(in(COM1 + 5) & 0x20))
			;
		__asm__ volatile("outb %0, %1" : : "a"(*text), "Nd"((uint16_t)COM1));
	}
}

static void say_number(uint32_t value)
{
	char digits[11], *next = digits + sizeof digits;
	*--next = 0;
	do
		*--next = '0' + value % 10;
	while (value /= 10);
	say(next);
}

static void work(const char *name, uint32_t (*run)(void), uint32_t count)
{
	say("work ");
	say(name);
	say(" begins\n");
	uint32_t sum = run(), same = 1;
	while (--count)
		same &= run() == sum;
	say("work ");
	say(name);
	say(same ? " ends " : " failed ");
	say_number(sum);
	say("\n");
}

__attribute__((used)) static void all_work(void)
{
	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		work(all[i].name, all[i].run, times[i]);
	for (;;)
		__asm__ volatile("cli; hlt");
}

/* Multiboot Specification 0.6.96, 3.1: magic number, no flags, checksum, within the first 8 KiB of the file. */
__asm__(".text\n"
	"	.align 4\n"
	"	.long 0x1badb002, 0, -0x1badb002\n"
	".globl _start\n"
	"_start:\n"
	"	cli\n"
	"	cld\n"
	"	mov $stack_end, %esp\n"
	"	call all_work\n"
	".lcomm stack, 65536\n"
	".set stack_end, stack + 65536\n");

/* What the compiler takes for there. */
void *memset(void *to, int value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		((volatile uint8_t *)to)[i] = value;
	return to;
}

void *memcpy(void *to, const void *from, size_t count)
{
	for (size_t i = 0; i < count; i++)
		((volatile uint8_t *)to)[i] = ((const uint8_t *)from)[i];
	return to;
}
