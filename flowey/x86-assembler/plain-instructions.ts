import type {Encoder} from './encoder.ts';

/** Instructions without operands; the bytes are those of the Intel SDM, volume 2. */
const plainTable = {
	nop: [0x90],
	pause: [0xf3, 0x90],
	hlt: [0xf4],
	cli: [0xfa],
	sti: [0xfb],
	clc: [0xf8],
	stc: [0xf9],
	cld: [0xfc],
	std: [0xfd],
	leave: [0xc9],
	cdq: [0x99],
	cqo: [0x48, 0x99],
	pushf: [0x9c],
	popf: [0x9d],
	int3: [0xcc],
	iret: [0xcf],
	iretq: [0x48, 0xcf],
	retf: [0xcb],
	retfq: [0x48, 0xcb],
	ud2: [0x0f, 0x0b],
	syscall: [0x0f, 0x05],
	sysretq: [0x48, 0x0f, 0x07],
	swapgs: [0x0f, 0x01, 0xf8],
	cpuid: [0x0f, 0xa2],
	rdtsc: [0x0f, 0x31],
	rdtscp: [0x0f, 0x01, 0xf9],
	rdmsr: [0x0f, 0x32],
	wrmsr: [0x0f, 0x30],
	wbinvd: [0x0f, 0x09],
	clts: [0x0f, 0x06],
	lfence: [0x0f, 0xae, 0xe8],
	sfence: [0x0f, 0xae, 0xf8],
	mfence: [0x0f, 0xae, 0xf0],
	vmcall: [0x0f, 0x01, 0xc1],
	vmmcall: [0x0f, 0x01, 0xd9],
} as const satisfies Record<string, readonly number[]>;

/** String instructions: opcode of the byte form; the wider forms have the low bit set. */
const stringTable = {ins: 0x6c, outs: 0x6e, movs: 0xa4, cmps: 0xa6, stos: 0xaa, lods: 0xac, scas: 0xae} as const;
const stringSuffixes = {b: 8, w: 16, d: 32, q: 64} as const;

type PlainName = keyof typeof plainTable;
type StringName = `${keyof typeof stringTable}${keyof typeof stringSuffixes}`;

/** The instructions that take no operands. */
export type PlainInstructions = Readonly<Record<PlainName | StringName, () => void>>;

export function plainInstructions(encoder: Encoder): PlainInstructions {
	const instructions: Partial<Record<PlainName | StringName, () => void>> = {};
	for (const [name, opcode] of Object.entries(plainTable)) {
		// Size 8 asks for no prefix: where the form is wider, the table spells out the REX byte.
		instructions[name as PlainName] = () => encoder.emit({opcode, size: 8});
	}
	for (const [name, opcode] of Object.entries(stringTable)) {
		for (const [suffix, size] of Object.entries(stringSuffixes)) {
			const low = size === 8 ? 0 : 1;
			instructions[`${name}${suffix}` as StringName] = () => encoder.emit({opcode: [opcode | low], size});
		}
	}
	return instructions as PlainInstructions;
}
