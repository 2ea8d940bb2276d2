import test from 'ava';
import {codeAt, descriptor, gdtAt, type LegacyMachine, stackTop, startLegacy} from './legacy-machine.ts';

const [hlt, nop] = [0xf4, 0x90];
const generalProtection = 13;

interface Limits {
	/** Greatest offset of code, whose segment begins at `base`. */
	readonly limit: number;
	readonly base?: number;
	readonly codeSize?: 16 | 32;
	/** Offset of the first instruction. */
	readonly at?: number;
	readonly descriptors?: readonly bigint[];
}

/** Code in a segment of its own, which ends with its first exception. */
function start(
	code: readonly number[],
	{limit, base = codeAt, codeSize = 32, at = 0, descriptors = []}: Limits,
): LegacyMachine {
	const machine = startLegacy([], {codeSize, descriptors});
	const {state} = machine.processor.core;
	machine.ram.set(code, base + at);
	Object.assign(state.segments[1] ?? {}, {base: BigInt(base), limit});
	state.rip = BigInt(at);
	state.general[1] = 0x1_0002n;
	machine.processor.changed();
	return machine;
}

const faultAt = (rip: number) => ({vector: generalProtection, errorCode: 0, rip: BigInt(rip)});

test('code runs up to its limit and faults at the first byte behind it, in a block and at its begin', (t) => {
	for (const codeSize of [16, 32] as const) {
		// INC EAX three times.
		const code = [0x40, 0x40, 0x40];
		const machine = start(code, {limit: 1, codeSize});
		t.deepEqual(machine.run(), faultAt(2), `${codeSize}`);
		t.is(machine.processor.core.state.general[0], 2n);
	}
	// A page whose end is the limit is whole; what comes next is in another.
	const last = start([0x40, 0x40], {limit: 0xfff, at: 0xffe});
	t.deepEqual([last.run(), last.processor.core.state.general[0]], [faultAt(0x1000), 2n]);
	t.is(start([hlt], {limit: 0}).run(), 'halted');
});

test('an instruction of which a byte is behind the limit faults before it does anything', (t) => {
	// INC EAX; MOV EAX,1.
	const code = [0x40, 0xb8, 1, 0, 0, 0];
	for (const limit of [1, 4]) {
		const machine = start(code, {limit});
		t.deepEqual([machine.run(), machine.processor.core.state.general[0]], [faultAt(1), 1n], `${limit}`);
	}
	t.is(start([...code, hlt], {limit: 6}).run(), 'halted');
	// An undefined one is undefined by what is within; one that ends in a page behind the limit is not read.
	t.like(start([0x0f, 0xff, 0xc0], {limit: 1}).run(), {vector: 6});
	const across = start(code.slice(1), {limit: 0xfff, at: 0xffe});
	t.deepEqual(across.run(), faultAt(0xffe));
});

test('a segment that begins within a page has its limit where that says', (t) => {
	const base = codeAt + 0x7f0;
	const machine = start(new Array(0x20).fill(0x40), {base, limit: 0x10});
	t.deepEqual([machine.run(), machine.processor.core.state.general[0]], [faultAt(0x11), 0x11n]);
});

const beyond = 0x5000;
const near = (opcode: readonly number[], length = opcode.length + 4) => [
	...opcode,
	...new Uint8Array(Int32Array.of(beyond - length).buffer),
];

for (const [name, code] of Object.entries({
	JMP: near([0xe9]),
	'JNZ that is taken': [...[0x85, 0xc9], ...near([0x0f, 0x85], 8)],
	CALL: near([0xe8]),
	// MOV EAX,[8800h], which holds where to; JMP EAX, CALL EAX, JMP and CALL of memory.
	'JMP EAX': [0xa1, 0, 0x88, 0, 0, 0xff, 0xe0],
	'CALL EAX': [0xa1, 0, 0x88, 0, 0, 0xff, 0xd0],
	'JMP of memory': [0xff, 0x25, 0, 0x88, 0, 0],
	'CALL of memory': [0xff, 0x15, 0, 0x88, 0, 0],
	RET: [0xc3],
	'RET of bytes': [0xc2, 8, 0],
}))
	test(`${name} to behind the limit faults where it is, and has done nothing`, (t) => {
		const machine = start([...code, hlt], {limit: 0xfff});
		const {state} = machine.processor.core;
		const view = new DataView(machine.ram.buffer);
		view.setUint32(0x8800, beyond, true);
		view.setUint32(stackTop, beyond, true);
		view.setUint32(stackTop - 4, 0x1234, true);
		const first = {JNZ: 2, 'JMP EAX': 5, 'CALL EAX': 5}[name.split(' that')[0] as 'JNZ'] ?? 0;
		t.deepEqual(machine.run(), faultAt(first));
		t.deepEqual([state.general[4], view.getUint32(stackTop - 4, true)], [BigInt(stackTop), 0x1234]);
	});

test('JNZ that is not taken, and LOOP that ends, go on; LOOP that does not counts back', (t) => {
	// XOR EAX,EAX; JNZ.
	t.is(start([0x31, 0xc0, ...near([0x0f, 0x85]), hlt], {limit: 0xfff}).run(), 'halted');
	// LOOP at the end of the segment, to 70h behind; the same with CX, of which the upper half stays.
	const at = 0xff0;
	for (const [code, count] of [
		[[0xe2, 0x70, hlt], 0x1_0002n],
		[[0x67, 0xe2, 0x70, hlt], 0x1_0002n],
	] as const) {
		const machine = start(code, {limit: 0xfff, at});
		t.deepEqual([machine.run(), machine.processor.core.state.general[1]], [faultAt(at), count]);
	}
	const last = start([0x67, 0xe2, 0x70, hlt], {limit: 0xfff, at});
	last.processor.core.state.general[1] = 0x1_0001n;
	t.is(last.run(), 'halted');
});

test('a branch within pages that another segment had whole finds the limit of its own', (t) => {
	// Page 0: JMP 1000h; HLT; a far jump to 0 of the segment that ends in page 1. Page 1: INC EAX; INC EAX; JMP EBX, to the HLT.
	const base = 0x2_0000;
	const code = [0xe9, 0xfb, 0x0f, 0, 0, hlt, 0xea, 0, 0, 0, 0, 0x18, 0];
	const machine = start(code, {base, limit: 0x1fff, descriptors: [descriptor(base, 0x1000, 0x9b, 4)]});
	const {ram, processor, faults} = machine;
	const {state} = processor.core;
	ram.set([0x40, 0x40, 0xff, 0xe3], base + 0x1000);
	state.general[3] = 5n;
	const runFrom = (rip: bigint) => {
		state.rip = rip;
		processor.isHalted = false;
		return machine.run();
	};
	t.deepEqual([runFrom(0n), runFrom(0n), state.general[0], faults], ['halted', 'halted', 4n, []]);
	t.deepEqual([runFrom(6n), state.general[0]], [faultAt(0x1001), 5n]);
});

test('code of 16 bits that comes to its end faults there, and jumps wrap', (t) => {
	const machine = start([nop, nop], {limit: 0xffff, codeSize: 16, at: 0xfffe, base: gdtAt + 0x1_0000});
	t.deepEqual(machine.run(), faultAt(0x1_0000));
	// JMP +2 at FFFEh: to 2.
	const jump = start([0xeb, 2], {limit: 0xffff, codeSize: 16, at: 0xfffe, base: 0x2_0000});
	jump.ram[0x2_0002] = hlt;
	t.is(jump.run(), 'halted');
});
