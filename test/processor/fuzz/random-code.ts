import type {Random} from '#test/silicon';
import {type CodeSize, decode} from '#vcpu-worker/software/decode';
import {bytesOf, opcodeCases} from '../opcode-map.ts';

const maxLength = 15;
const prefixes = [0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65] as const;
/** Model-specific registers for RDMSR and WRMSR: the local APIC's, those of system calls, KVM's clock. */
const msrs = [
	...[
		0x10, 0x1b, 0x3b, 0x174, 0x175, 0x176, 0x277, 0x2ff, 0x6e0, 0x808, 0x80b, 0x80f, 0x828, 0x830, 0x832, 0x838, 0x83f,
		0xda0,
	],
	...[
		0xc000_0080, 0xc000_0081, 0xc000_0082, 0xc000_0084, 0xc000_0100, 0xc000_0101, 0xc000_0102, 0x4b56_4d00, 0x4b56_4d01,
	],
] as const;
/** Opcodes of every instruction that the decoder knows, by its name: rare ones are as likely as ADD. */
const pools = new Map<CodeSize, readonly (readonly (readonly number[])[])[]>();

function poolOf(codeSize: CodeSize): readonly (readonly (readonly number[])[])[] {
	const known = pools.get(codeSize);
	if (known !== undefined) return known;
	const byName = new Map<string, (readonly number[])[]>();
	for (const one of opcodeCases(codeSize)) {
		const bytes = bytesOf(one);
		const instruction = decode(
			Uint8Array.from([...bytes, ...Array<number>(maxLength - bytes.length).fill(0)]),
			0,
			codeSize,
		);
		if (typeof instruction === 'string') continue;
		const same = byName.get(instruction.name);
		if (same === undefined) byName.set(instruction.name, [bytes]);
		else same.push(bytes);
	}
	const pool = [...byName.values()];
	pools.set(codeSize, pool);
	return pool;
}

const byte = (random: Random): number => random.below(256);

/** Bytes that an instruction begins with: any, or an opcode of those that there are with other bits for its operands. */
function beginning(random: Random, codeSize: CodeSize): number[] {
	if (random.oneIn(8)) return Array.from({length: 1 + random.below(3)}, () => byte(random));
	const code = [...random.pick(random.pick(poolOf(codeSize)))];
	if (random.oneIn(2)) code.push(((code.pop() as number) & 0x38) | (byte(random) & 0xc7));
	const count = random.pick([0, 0, 0, 1, 1, 2]);
	const before = Array.from({length: count}, () => random.pick(prefixes) as number);
	if (codeSize === 64 && random.oneIn(2)) {
		// REX stands before the opcode, behind prefixes that belong to it.
		const isOfOpcode = prefixes.some((prefix) => prefix === code[0]) && code.length > 1;
		before.push(...(isOfOpcode ? code.splice(0, 1) : []), 0x40 | random.below(16));
	}
	return [...before, ...code];
}

function instruction(random: Random, codeSize: CodeSize): readonly number[] {
	const start = beginning(random, codeSize);
	const rest = Array.from({length: Math.max(maxLength - start.length, 0)}, () => (random.oneIn(3) ? 0 : byte(random)));
	const bytes = [...start, ...rest].slice(0, maxLength);
	const found = decode(Uint8Array.from(bytes), 0, codeSize);
	// Bytes that are no instruction end a program: they are rare.
	if (typeof found === 'string') return random.oneIn(20) ? bytes : [0x90];
	const own = bytes.slice(0, found.length);
	if (found.name !== 'rdmsr' && found.name !== 'wrmsr') return own;
	// MOV ECX, the register's number.
	return [
		...(codeSize === 16 ? [0x66] : []),
		0xb9,
		...new Uint8Array(Uint32Array.of(random.pick(msrs)).buffer),
		...own,
	];
}

/** Fills bytes with code: noise, or instructions that mostly are some, with jumps back. */
export function fillCode(random: Random, code: Uint8Array, codeSize: CodeSize): void {
	if (random.oneIn(6)) {
		for (let index = 0; index < code.length; index++) code[index] = byte(random);
		return;
	}
	for (let at = 0; at < code.length; ) {
		// JMP back by up to 128 bytes.
		const bytes = random.oneIn(24) ? [0xeb, 0x80 | byte(random)] : instruction(random, codeSize);
		code.set(bytes.slice(0, code.length - at), at);
		at += bytes.length;
	}
}
