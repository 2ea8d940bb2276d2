import type {Random} from '#test/silicon';
import {type MicroKernel, microKernel} from '#test/tmk';

/** Registers that random code leaves alone: fuel, stack, memory. */
const [fuel, stack, memory] = [1, 4, 6];
/** Data that it works on, and where its stack ends. */
export const flowMemory = {data: 0x20_0000, bytes: 0x1000, stack: 0x30_0000} as const;
const others = Array.from({length: 16}, (_, register) => register).filter(
	(register) => register !== fuel && register !== stack && register !== memory,
);
/** Opcodes of instructions on a register or memory and a register, of bytes where the lowest bit is 0. */
const pairs = [
	0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x84, 0x86, 0x88, 0x02, 0x0a, 0x12, 0x1a, 0x2a, 0x3a, 0x8a,
];
/** Those of one operand, with what the middle of their ModRM byte can be. */
const groups: readonly (readonly [opcode: number, members: readonly number[], immediate: number])[] = [
	[0xfe, [0, 1], 0],
	[0xf6, [2, 3], 0],
	[0xd0, [0, 1, 2, 3, 4, 5, 7], 0],
	[0xd2, [0, 1, 2, 3, 4, 5, 7], 0],
	[0xc0, [0, 1, 2, 3, 4, 5, 7], 1],
	[0x80, [0, 1, 2, 3, 4, 5, 6, 7], 1],
];
/** Those that begin with 0F: CMOVcc, SETcc, IMUL, MOVZX, MOVSX, BT, BTS, BSF. */
const wide = [
	...Array.from({length: 16}, (_, condition) => 0x40 + condition),
	0xaf,
	0xb6,
	0xb7,
	0xbe,
	0xbf,
	0xa3,
	0xab,
	0xbc,
];

/** What a vector instruction has for its second operand: a vector, or for it unaligned data too; a general register. */
type Source = 'vector' | 'memory' | 'general';
/** Vector instructions: prefix, opcode behind 0F, second operand, and whether a constant follows. */
const vectors: readonly (readonly [prefix: number | undefined, opcode: number, source: Source, immediate?: true])[] = [
	[0x66, 0xfe, 'vector'],
	[0x66, 0xd4, 'vector'],
	[0x66, 0xef, 'vector'],
	[0x66, 0x6c, 'vector'],
	[0x66, 0x63, 'vector'],
	[0x66, 0x59, 'vector'],
	[undefined, 0x58, 'vector'],
	[undefined, 0xc6, 'vector', true],
	[0x66, 0x70, 'vector', true],
	[0xf2, 0x70, 'vector', true],
	// MOVDQU, MOVSD and MOVSS both ways, ADDSD, SUBSS, UCOMISS as far as it can be unaligned.
	[0xf3, 0x6f, 'memory'],
	[0xf3, 0x7f, 'memory'],
	[0xf2, 0x10, 'memory'],
	[0xf2, 0x11, 'memory'],
	[0xf3, 0x10, 'memory'],
	[0xf2, 0x58, 'memory'],
	[0xf3, 0x5c, 'memory'],
	[undefined, 0x2e, 'memory'],
	// MOVQ both ways, CVTSI2SD; PINSRW.
	[0x66, 0x6e, 'general'],
	[0x66, 0x7e, 'general'],
	[0xf2, 0x2a, 'general'],
	[0x66, 0xc4, 'general', true],
];

function vectorInstruction(random: Random): number[] {
	const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
	const [prefix, opcode, source, immediate] = pick(vectors);
	const vector = random.below(16);
	const isInMemory = source === 'memory' && random.below(2) === 0;
	const other = source === 'general' ? pick(others) : random.below(16);
	const rex = 0x40 | (source === 'general' ? 8 : 0) | (vector > 7 ? 4 : 0) | (!isInMemory && other > 7 ? 1 : 0);
	const middle = (vector & 7) << 3;
	const place = isInMemory ? [0x40 | middle | memory, random.below(0x40)] : [0xc0 | middle | (other & 7)];
	const before = prefix === undefined ? [] : [prefix];
	return [...before, rex, 0x0f, opcode, ...place, ...(immediate ? [random.below(256)] : [])];
}

/** An instruction on registers, or on data within reach of the register that memory is by. */
function instruction(random: Random): number[] {
	const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
	const [one, other] = [pick(others), pick(others)];
	const isInMemory = random.below(3) === 0;
	if (random.below(4) === 0) return vectorInstruction(random);
	const size = random.below(4);
	const prefixes = size === 1 ? [0x66] : [];
	const operand = (middle: number, isWide: boolean) => {
		const rex = 0x40 | (size === 2 || !isWide ? 8 : 0) | (middle > 7 ? 4 : 0) | (!isInMemory && other > 7 ? 1 : 0);
		const place = isInMemory
			? [0x40 | ((middle & 7) << 3) | memory, random.below(0x40)]
			: [0xc0 | ((middle & 7) << 3) | (other & 7)];
		return {rex, place};
	};
	const kind = random.below(4);
	if (kind === 0) {
		const [opcode, members, immediate] = pick(groups);
		const {rex, place} = operand(pick(members), true);
		const isByte = size === 3 || opcode === 0x80;
		return [
			...prefixes,
			rex,
			isByte ? opcode : opcode + 1,
			...place,
			...(immediate && (isByte || opcode === 0xc0) ? [random.below(256)] : []),
		].slice(0);
	}
	if (kind === 1) {
		const {rex, place} = operand(one, true);
		return [...prefixes, rex, 0x0f, pick(wide), ...place];
	}
	const {rex, place} = operand(one, true);
	return [...prefixes, rex, pick(pairs) | (size === 3 ? 0 : 1), ...place];
}

const jump = (opcode: readonly number[], at: number, target: number): number[] => [
	...opcode,
	...new Uint8Array(Int32Array.of(target - (at + opcode.length + 4)).buffer),
];

/**
 * A kernel of random instructions in pieces that branch to each other at random, forth and back, call functions and return, until its fuel is
 * used up. It fills a page and more.
 */
export function randomFlow(random: Random): MicroKernel {
	const count = 4 + random.below(40);
	const functions = 1 + random.below(4);
	const bodies = Array.from({length: count}, () =>
		Array.from({length: random.below(6)}, () => instruction(random)).flat(),
	);
	const tail = 32;
	const starts: number[] = [];
	let length = 0;
	for (const body of bodies) {
		starts.push(length);
		length += body.length + tail;
	}
	const end = length;
	const image: number[] = [];
	for (const [index, body] of bodies.entries()) {
		image.push(...body);
		// LEA ECX,[RCX-1]; JRCXZ to a jump that ends it all.
		image.push(0x8d, 0x49, 0xff, 0xe3, 2, 0xeb, 5);
		image.push(...jump([0xe9], image.length, end));
		const isFunction = index < functions;
		const target = isFunction ? index : functions + random.below(count - functions);
		image.push(...jump([0x0f, 0x80 | random.below(16)], image.length, starts[target] as number));
		const how = random.below(3);
		if (isFunction) image.push(0xc3);
		else if (how === 0) image.push(...jump([0xe8], image.length, starts[random.below(functions)] as number));
		else if (how === 1)
			image.push(...jump([0xe9], image.length, starts[functions + random.below(count - functions)] as number));
		// What is left of the piece does nothing.
		while (image.length < (starts[index + 1] ?? end)) image.push(0x90);
	}
	image.push(0xf4);
	return microKernel('flow', ({bytes, jmp, label}) => {
		jmp('begin');
		// Another page than the one of the entry.
		for (let index = 0; index < random.below(0x1000); index++) bytes(0x90);
		bytes(Uint8Array.from(image.slice(0, 0)));
		label('pieces');
		bytes(Uint8Array.from(image));
		label('begin');
		// JMP to the first piece that is no function.
		bytes(0xe9, ...new Uint8Array(Int32Array.of((starts[functions] as number) - image.length - 5).buffer));
	});
}
