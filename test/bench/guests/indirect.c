/* A machine with a stack whose instructions are functions, called by a table: what interpreters and virtual methods do. */
#include "work.h"

enum { PUSH, ADD, SUBTRACT, MULTIPLY, XOR, SHIFT, DUPLICATE, SWAP, OVER, ROTATE, DROP, LOOP, END };

struct machine {
	const uint32_t *next;
	uint32_t *top;
	uint32_t left;
	uint32_t stack[16];
};

/* The stack has a sum, and a number on top of it; each round makes the next number, and mixes it into the sum. */
static const uint32_t program[] = {
	PUSH, 1, PUSH, 12345,
	PUSH, 1664525, MULTIPLY, PUSH, 1013904223, ADD, OVER, OVER, SHIFT, 9, XOR, PUSH, 77, SUBTRACT,
	ROTATE, DROP, SWAP, DUPLICATE, PUSH, 5, MULTIPLY, DROP, LOOP, 4,
	END,
};

static int push(struct machine *m) { *++m->top = *m->next++; return 1; }
static int add(struct machine *m) { m->top--; *m->top += m->top[1]; return 1; }
static int subtract(struct machine *m) { m->top--; *m->top -= m->top[1]; return 1; }
static int multiply(struct machine *m) { m->top--; *m->top *= m->top[1]; return 1; }
static int xor(struct machine *m) { m->top--; *m->top ^= m->top[1]; return 1; }
static int shift(struct machine *m) { *m->top >>= *m->next++; return 1; }
static int duplicate(struct machine *m) { m->top[1] = *m->top; m->top++; return 1; }
static int over(struct machine *m) { m->top[1] = m->top[-1]; m->top++; return 1; }
static int rotate(struct machine *m)
{
	uint32_t third = m->top[-2];
	m->top[-2] = m->top[-1];
	m->top[-1] = *m->top;
	*m->top = third;
	return 1;
}

static int drop(struct machine *m) { m->top--; return 1; }
static int end(struct machine *m) { (void)m; return 0; }

static int swap(struct machine *m)
{
	uint32_t top = *m->top;
	*m->top = m->top[-1];
	m->top[-1] = top;
	return 1;
}

static int loop(struct machine *m)
{
	m->next = --m->left ? program + *m->next : m->next + 1;
	return 1;
}

static int (*const instructions[])(struct machine *) = {
	push, add, subtract, multiply, xor, shift, duplicate, swap, over, rotate, drop, loop, end,
};

uint32_t indirect(void)
{
	struct machine machine = {.next = program, .top = machine.stack, .left = 20000};
	while (instructions[*machine.next++](&machine))
		;
	return machine.top[0] + machine.top[-1] * 31;
}
