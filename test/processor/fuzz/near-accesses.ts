import type {Random} from '#test/silicon';
import type {GuestProcessor} from '../guest-processor.ts';
import {codeAt, gates, handle, startBytes, tables} from '../raw-code.ts';

const pageBytes = 0x1000;
/** Linear addresses of pages of several kinds, and physical ones of memory. */
const pagesAt = 0x60_0000;
const [dataAt, basesAt] = [0x24_0000, 0x28_0000];
const tableAt = tables + 0x8000;
const safe = 0x24_8800;
const [writable, readable] = [7n, 5n];
/** The same page twice, one that can be read only, none, memory of devices, and the page of the code. */
const entries: readonly bigint[] = [
	BigInt(codeAt) | writable,
	BigInt(dataAt) | writable,
	BigInt(dataAt + pageBytes) | writable,
	BigInt(dataAt + 2 * pageBytes) | readable,
	BigInt(dataAt) | writable,
	0n,
	BigInt(dataAt + 3 * pageBytes) | writable,
	0x1000_0000n | writable,
	BigInt(dataAt + 4 * pageBytes) | writable,
];
const rounds = 400;

/** Numbers of RBX, RBP, RSI and RDI, by which memory is accessed; of RAX, RDX, R8 to R11. */
const bases = [3, 5, 6, 7] as const;
const others = [0, 2, 8, 9, 10, 11] as const;

const dword = (value: number): readonly number[] => [...new Uint8Array(Int32Array.of(value).buffer)];

/**
 * Code that accesses memory near to where it has done so just now, by registers that also change meanwhile, in pages of several kinds. What faults has
 * all of them lead to where nothing does; R13 and R14 tell by which addresses and how.
 */
export function nearAccesses(random: Random): GuestProcessor {
	const pick = <T>(list: readonly T[]): T => list[random.below(list.length)] as T;
	/** REX, the opcode, and how an operand in memory is named. */
	const memory = (opcode: readonly number[], register: number, width: 8 | 16 | 32 | 64 | 128) => {
		const base = pick(bases);
		const short = random.below(3) > 0;
		const displacement = short ? random.below(192) - 64 : random.below(700) - 350;
		const prefixes = [
			...(random.below(12) === 0 ? [0x67] : []),
			...(random.below(12) === 0 ? [pick([0x64, 0x65])] : []),
			...(width === 16 ? [0x66] : []),
		];
		// With an index, R12, now and then.
		const hasIndex = random.below(10) === 0;
		const rex = 0x40 | (width === 64 ? 8 : 0) | (register >= 8 ? 4 : 0) | (hasIndex ? 2 : 0);
		const mode = (short ? 0x40 : 0x80) | ((register & 7) << 3) | (hasIndex ? 4 : base);
		const tail = short ? [displacement & 0xff] : dword(displacement);
		const isLegacy = opcode[0] === 0xf0 || opcode[0] === 0xf3;
		const [first, rest] = isLegacy ? [opcode.slice(0, 1), opcode.slice(1)] : [[], opcode];
		return [...prefixes, ...first, rex, ...rest, mode, ...(hasIndex ? [0x20 | base] : []), ...tail];
	};
	const width = () => pick([8, 16, 32, 64, 64] as const);
	const sized = (opcode: readonly number[], register: number, of = width()) => {
		const last = opcode.length - 1;
		return memory(
			opcode.map((byte, at) => (at === last && of === 8 ? byte - 1 : byte)),
			register,
			of,
		);
	};
	/** REX.W, opcode, two registers. */
	const registers = (opcode: readonly number[], register: number, rm: number) => [
		0x48 | (register >= 8 ? 4 : 0) | (rm >= 8 ? 1 : 0),
		...opcode,
		0xc0 | ((register & 7) << 3) | (rm & 7),
	];
	const plain = (): readonly number[] => {
		const other = pick(others);
		const base = pick(bases);
		switch (random.below(30)) {
			case 0:
			case 1:
			case 2:
			case 3:
			case 4:
				return sized([0x8b], other);
			case 5:
			case 6:
			case 7:
			case 8:
				return sized([0x89], other);
			case 9:
				return sized([pick([0x01, 0x03, 0x11, 0x13, 0x29, 0x2b, 0x39, 0x3b])], other);
			case 10:
				return sized([0x87], other);
			case 11:
				return sized([0xf0, 0x01], other);
			case 12:
				return sized([0x0f, pick([0xb1, 0xc1])], other);
			case 13:
				// Shifts by CL or 1, rotations too.
				return sized([pick([0xd1, 0xd3])], pick([0, 1, 2, 3, 4, 5, 7]));
			case 14:
				return memory([pick([0xff, 0x8f])], 6, 64).map((byte, at, all) =>
					// PUSH, and POP, which is /0.
					all[at - 1] === 0x8f ? byte & ~0x38 : byte,
				);
			case 15:
				return memory([0x0f, pick([0x10, 0x11])], random.below(4), 128);
			case 16:
				return memory([0xf3, 0x0f, pick([0x6f, 0x7f])], random.below(4), 128);
			case 17:
			case 18:
				// LEA base,[base+displacement].
				return memory([0x8d], base, 64);
			case 19:
			case 20:
				return [0x48, 0x83, 0xc0 | (pick([0, 5]) << 3) | base, random.below(80)];
			case 21:
				return registers([0x89], base, pick(bases));
			case 22:
				return registers([0x0f, 0x40 | random.below(16)], base, pick(bases));
			case 23:
				// STOS, MOVS, LODS, CMPS, SCAS, some of them by REP a few times.
				return [
					...(random.below(3) === 0 ? [0x51, 0xb9, ...dword(random.below(5)), 0xf3] : [0x51]),
					...[0x48, pick([0xab, 0xa5, 0xad, 0xa7, 0xaf]), 0x59],
				];
			case 24:
				return [0x48, 0xff, 0xc0 | base];
			case 25:
				return registers([0x0f, 0xc1], base, pick([8, 9]));
			case 26:
				return memory([0x0f, 0x40 | random.below(16)], pick([other, base]), 64);
			case 27:
				// MOV base's low part.
				return [0x66, 0x83, 0xc0 | base, random.below(16)];
			case 28:
				return [0x50 | base, 0x58 | pick(bases)];
			default:
				return [...memory([0x0f, 0xba], pick([4, 5, 6, 7]), 64), random.below(64)];
		}
	};
	const steps: (readonly number[])[] = [];
	for (let count = 0; count < 40; count++) {
		const code = plain();
		if (random.below(8) === 0) steps.push([0x70 | random.below(16), code.length]);
		steps.push(code);
	}
	const body = [
		// MOV RBX,[R15]; MOV RBP,[R15+8]; MOV RSI,[R15+16]; MOV RDI,[R15+24]; ADD R15,32.
		...[0x49, 0x8b, 0x1f, 0x49, 0x8b, 0x6f, 8, 0x49, 0x8b, 0x77, 16, 0x49, 0x8b, 0x7f, 24, 0x49, 0x83, 0xc7, 32],
		...steps.flat(),
	];
	// DEC ECX; JNZ back; HLT.
	const code = [...body, 0xff, 0xc9, 0x0f, 0x85, ...dword(-(body.length + 8)), 0xf4];
	const guest = startBytes(code);
	const {processor, ram} = guest;
	const {state} = processor.core;
	const toSafe = bases.flatMap((base) => [0x48, 0xc7, 0xc0 | base, ...dword(safe)]);
	// PUSH RAX; MOV RAX,CR2; IMUL R13,R13,31; ADD R13,RAX; POP RAX; IMUL R14,R14,31; ADD R14,[RSP]; ...; ADD RSP,8; IRETQ.
	const noted = [0x50, 0x0f, 0x20, 0xd0, 0x4d, 0x6b, 0xed, 31, 0x49, 0x01, 0xc5, 0x58, 0x4d, 0x6b, 0xf6, 31];
	handle(guest, 14, [...noted, 0x4c, 0x03, 0x34, 0x24, ...toSafe, 0x48, 0x83, 0xc4, 8, 0x48, 0xcf]);
	// The same for what is not aligned or not canonical.
	const words = new BigUint64Array(ram.buffer);
	for (const vector of [12, 13]) words[gates / 8 + vector * 2] = words[gates / 8 + 14 * 2] as bigint;
	words[tables / 8 + 1024 + pagesAt / 2 ** 21] = BigInt(tableAt) | 7n;
	for (const [index, entry] of entries.entries()) words[tableAt / 8 + index] = entry;
	for (let at = 0; at < 5 * pageBytes; at++) ram[dataAt + at] = random.below(256);
	const near = [0, 8, 0x40, 0x100, 0x7f8, 0xf00, 0xf80, 0xfc0, 0xff8, 0xfff];
	for (let base = 0; base < rounds * 4; base++) {
		const page = pick([0, 1, 1, 2, 2, 2, 3, 4, 4, 5, 6, 7, 8]);
		let address = BigInt(
			pagesAt + page * pageBytes + (page === 0 ? 0xc00 + random.below(0x400) : pick(near) + random.below(20)),
		);
		if (random.below(40) === 0)
			address = pick([0n, 0xffff_fff0n, 0xffff_ffff_ffff_fff8n, 0x7fff_ffff_fff8n, 0x8000_0000_0000n]);
		words[basesAt / 8 + base] = address;
	}
	for (const other of others) state.general[other] = random.u64();
	Object.assign(state.general, {1: BigInt(rounds), 12: 8n, 13: 0n, 14: 0n, 15: BigInt(basesAt)});
	Object.assign(state.segments[4] ?? {}, {base: 0x10n});
	Object.assign(state.segments[5] ?? {}, {base: 0xff0n});
	Object.assign(state.segments[1] ?? {}, {selector: 8});
	state.cr4 |= 0x600n;
	processor.changed();
	return guest;
}
