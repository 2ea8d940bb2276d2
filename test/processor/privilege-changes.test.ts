import test from 'ava';
import {Random} from '#test/silicon';
import {flagsOf} from '#vcpu-worker/software/system';
import type {GuestProcessor} from './guest-processor.ts';
import {codeAt, descriptors, gates, handle, startBytes, task, upperHalf} from './raw-code.ts';

const [hlt, userCode, userData] = [0xf4, 0x2b, 0x23];
const programAt = codeAt + 0x1000;
const callsAt = codeAt + 0x2000;
const undefinedAt = codeAt + 0x3000;
const [stackTop, programStack] = [0x2e_0000, 0x2d_0000];
const le32 = (value: number) => [value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24];

/** SYSRET to the program. */
const begin = [0x48, 0x0f, 0x07];
/** PUSHF; POP RBX; ADD R8,RBX; SYSCALL; UD2; JMP to the first. */
const program = [0x9c, 0x5b, 0x49, 0x01, 0xd8, 0x0f, 0x05, 0x0f, 0x0b, 0xeb, 0xf5];
/**
 * The handler of SYSCALL: SWAPGS; RSP; PUSHF; POP RDX; ADD RBP,RDX; STAC; CLI; STI; CLAC; DEC R13; to its end; SHR R15,1; without carry to
 * SYSRET; else PUSH of SS, R14, R11, CS, RCX; SWAPGS; IRET.
 */
const calls = [
	...[
		0x0f,
		0x01,
		0xf8,
		0xbc,
		...le32(stackTop),
		0x9c,
		0x5a,
		0x48,
		0x01,
		0xd5,
		0x0f,
		0x01,
		0xcb,
		0xfa,
		0xfb,
		0x0f,
		0x01,
		0xca,
	],
	...[0x49, 0xff, 0xcd, 0x74, 0x1b, 0x49, 0xd1, 0xef, 0x73, 0x10],
	...[0x6a, userData, 0x41, 0x56, 0x41, 0x53, 0x6a, userCode, 0x51, 0x0f, 0x01, 0xf8, 0x48, 0xcf, 0x90, 0x90],
	...[0x0f, 0x01, 0xf8, 0x48, 0x0f, 0x07, hlt, hlt],
];
/** The handler of UD2: to behind it. CLC; ADD QWORD [RSP],2; IRET. */
const behind = [0xf8, 0x48, 0x83, 0x04, 0x24, 2, 0x48, 0xcf];

/** Bits of RFLAGS that the program may have: none that traps. */
const programFlags = 0x24_7ed5;

function start(random: Random): GuestProcessor {
	const guest = startBytes(begin);
	const {processor, ram} = guest;
	const {state} = processor.core;
	for (const vector of [8, 10, 11, 12, 13, 14]) handle(guest, vector, [hlt]);
	handle(guest, 6, [hlt]);
	ram.set(program, programAt);
	ram.set(calls, callsAt);
	ram.set(behind, undefinedAt);
	const words = new BigUint64Array(ram.buffer);
	// That of UD2, by the stack of the privilege.
	words[gates / 8 + 12] = (BigInt(undefinedAt) & 0xffffn) | 0x8e00_0008_0000n | (BigInt(undefinedAt >> 16) << 48n);
	new DataView(ram.buffer).setBigUint64(task + 4, BigInt(stackTop - random.below(3) * 0x1000), true);
	// At times one that the fast way does not know: not accessed yet, or with other bits that mean nothing.
	words[descriptors / 8 + 4] = 0x00cf_f300_0000_ffffn - (random.below(4) === 0 ? 1n << 40n : 0n);
	words[descriptors / 8 + 5] = 0x00af_fb00_0000_ffffn + (random.below(4) === 0 ? 1n << 52n : 0n);
	state.gdtr.limit = random.below(8) === 0 ? 0x27 : 0x2f;
	const {msrs} = processor;
	msrs.write(0xc000_0081, (0x18n << 48n) | (8n << 32n));
	msrs.write(0xc000_0082, upperHalf + BigInt(callsAt));
	msrs.write(0xc000_0084, BigInt(random.below(2) === 0 ? 0x4_7700 : programFlags & random.u32()));
	msrs.write(0xc000_0102, 0x1234n);
	// At times a data segment that the program must not have.
	for (const segment of [0, 3, 4, 5])
		Object.assign(state.segments[segment] ?? {}, {attributes: random.below(3) === 0 ? 0xc093 : 0, base: 0n});
	const general = {1: BigInt(programAt), 4: BigInt(programStack), 11: BigInt(programFlags & random.u32()), 13: 20n};
	Object.assign(state.general, {...general, 5: 0n, 8: 0n, 14: BigInt(programStack), 15: random.u64()});
	processor.changed();
	return guest;
}

/** All that it leaves: registers, and what lies on stacks. */
function left({processor, ram}: GuestProcessor) {
	const {state} = processor.core;
	return {
		general: [...state.general],
		flags: flagsOf(state),
		rip: state.rip,
		base: state.kernelGsBase,
		segments: state.segments.map(({base, limit, attributes, selector}) => ({base, limit, attributes, selector})),
		stacks: Buffer.from(ram.subarray(programStack - 0x1000, stackTop)).toString('base64'),
	};
}

test('calls of the system and exceptions go there and back as TypeScript does it, interpreted and translated', (t) => {
	let fast = 0;
	for (let count = 0; count < 60; count++) {
		const run = (heat: number | undefined, isWatched: boolean) => {
			const random = new Random(2);
			random.restart(4, count);
			const guest = start(random);
			const {processor} = guest;
			const {state} = processor.core;
			processor.heat = heat;
			// Nothing is accessed there, but while something is watched all is left to TypeScript.
			if (isWatched) Object.assign(state.debug, {0: 0x7000_0000n, 7: 0xf_0401n});
			processor.changed();
			while (processor.run(random.below(100)) === 'polled');
			return {left: left(guest), exits: state.exits};
		};
		const expected = run(undefined, true);
		for (const heat of [undefined, 1]) {
			const {left: actual, exits} = run(heat, false);
			t.deepEqual(actual, expected.left, `${count}, ${heat}`);
			if (exits * 4 < expected.exits) fast++;
		}
	}
	t.true(fast > 30, `${fast} went by generated code`);
});

test('32-bit code stays what it is behind STAC', (t) => {
	// JMP to INC EAX; NOP; HLT, which is NOP; HLT in 64-bit code; there RETF to 32-bit code: STAC; JMP to the same.
	const there = 0x100;
	const guest = startBytes([0xe9, ...le32(there - 5)]);
	const {processor, ram} = guest;
	const {state} = processor.core;
	ram.set([0x40, 0x90, hlt, 0x6a, 0x18, 0x68, ...le32(programAt), 0x48, 0xcb], codeAt + there);
	ram.set([0x0f, 0x01, 0xcb, 0xe9, ...le32(codeAt + there - programAt - 8)], programAt);
	handle(guest, 13, [hlt]);
	new BigUint64Array(ram.buffer)[descriptors / 8 + 3] = 0x00cf_9b00_0000_ffffn;
	state.gdtr.limit = 0x1f;
	state.general[0] = 0n;
	processor.changed();
	for (const expected of [0n, 1n]) {
		processor.isHalted = false;
		t.is(processor.run(1000), 'halted');
		t.is(state.general[0], expected);
	}
	t.is(state.rip, BigInt(codeAt + there + 3));
});
