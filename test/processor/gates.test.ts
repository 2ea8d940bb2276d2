import test from 'ava';
import {
	codeAt,
	descriptor,
	gate,
	kernelCode,
	kernelData,
	type LegacyMachine,
	setTask,
	startLegacy,
} from './legacy-machine.ts';
import {startBytes} from './raw-code.ts';

const hlt = 0xf4;
const [userCode, userData, gate32, gate16, closed, absent, toUser] = [0x1b, 0x23, 0x28, 0x30, 0x38, 0x40, 0x48];
const [taskAt, innerTop, handler, handler16] = [0x4000, 0x8000, 0x3000, 0x3800];

const descriptors = [
	descriptor(0, 0xf_ffff, 0xfb, 0xc),
	descriptor(0, 0xf_ffff, 0xf3, 0xc),
	gate(kernelCode, handler, 0xec, 2),
	gate(kernelCode, handler16, 0xe4, 1),
	gate(kernelCode, handler, 0x8c, 0),
	gate(kernelCode, handler, 0x6c, 0),
	gate(userCode, handler, 0xec, 3),
];

/** A program of privilege 3 whose stack holds 11h, 22h, 33h from the top on. */
function startProgram(code: readonly number[]): LegacyMachine {
	const machine = startLegacy(code, {descriptors});
	const {core} = machine.processor;
	Object.assign(core.state.segments[1] ?? {}, {selector: userCode, attributes: 0xc0fb});
	for (const index of [0, 2, 3, 4, 5])
		Object.assign(core.state.segments[index] ?? {}, {selector: userData, attributes: 0xc0f3});
	setTask(machine, taskAt, 0x67, 0x8b);
	const words = new Uint32Array(machine.ram.buffer);
	words.set([innerTop, kernelData], taskAt / 4 + 1);
	words.set([0x11, 0x22, 0x33], 0x9000 / 4);
	machine.ram.fill(hlt, handler, handler + 16);
	machine.ram.fill(hlt, handler16, handler16 + 16);
	machine.processor.changed();
	return machine;
}

const callFar = (selector: number) => [0x9a, 0, 0, 0, 0, selector, 0];
const jumpFar = (selector: number) => [0xea, 0, 0, 0, 0, selector, 0];

test('a call gate of 32 bits leads to the inner stack, with the old one, parameters and where to return', (t) => {
	const machine = startProgram(callFar(gate32));
	const {state} = machine.processor.core;
	t.is(machine.run(), 'halted');
	t.deepEqual(
		[state.rip, state.segments[1]?.selector, state.segments[2]?.selector, state.general[4]],
		[BigInt(handler + 1), kernelCode, kernelData, BigInt(innerTop - 24)],
	);
	const frame = new Uint32Array(machine.ram.buffer, innerTop - 24, 6);
	t.deepEqual([...frame], [codeAt + 7, userCode, 0x11, 0x22, 0x9000, userData]);
});

test('a call gate of 16 bits pushes words, and RETF leaves parameters and returns to the outer stack', (t) => {
	// CALL FAR; at the gate O16 RETF 2.
	const machine = startProgram([...callFar(gate16), hlt]);
	machine.ram.set([0x66, 0xca, 2, 0], handler16);
	const {state} = machine.processor.core;
	// HLT is not for programs; the return offset of 16 bits loses the upper half of 10007h.
	machine.ram[7] = hlt;
	t.like(machine.run(), {vector: 13, errorCode: 0, rip: 7n});
	const frame = new Uint16Array(machine.ram.buffer, innerTop - 10, 5);
	t.deepEqual([...frame], [7, userCode, 0x11, 0x9000, userData]);
	t.deepEqual([state.segments[1]?.selector, state.segments[2]?.selector], [userCode, userData]);
	t.is(state.general[4], 0x9002n);
});

test('a gate to the same privilege keeps the stack; a jump keeps the privilege', (t) => {
	const machine = startProgram(callFar(toUser));
	t.like(machine.run(), {vector: 13, errorCode: 0, rip: BigInt(handler)});
	t.is(machine.processor.core.state.general[4], 0x9000n - 8n);
	t.like(startProgram(jumpFar(toUser)).run(), {rip: BigInt(handler)});
	t.like(startProgram(jumpFar(gate32)).run(), {vector: 13, errorCode: kernelCode, rip: BigInt(codeAt)});
});

test('a gate that is closed or absent, and a stack that is none, are exceptions that name them', (t) => {
	const failing = (selector: number, change: (words: Uint32Array) => void = () => {}) => {
		const machine = startProgram(callFar(selector));
		change(new Uint32Array(machine.ram.buffer));
		const fault = machine.run();
		t.is(machine.processor.core.state.general[4], 0x9000n);
		return fault;
	};
	const rip = BigInt(codeAt);
	t.deepEqual(failing(closed), {vector: 13, errorCode: closed, rip});
	t.deepEqual(failing(absent), {vector: 11, errorCode: absent, rip});
	const stackSelector = taskAt / 4 + 2;
	t.deepEqual(
		failing(gate32, (words) => words.fill(0, stackSelector, stackSelector + 1)),
		{vector: 10, errorCode: 0, rip},
	);
	t.deepEqual(
		failing(gate32, (words) => words.fill(userData, stackSelector, stackSelector + 1)),
		{
			vector: 10,
			errorCode: userData & ~3,
			rip,
		},
	);
});

test('a call gate of long mode has 16 bytes, an inner stack without a segment, and no parameters', (t) => {
	// CALL FAR [RBX]: a pointer of 32 bits, of which the gate leaves the offset aside.
	const machine = startBytes([0xff, 0x1b]);
	const {core} = machine.processor;
	const {state} = core;
	const [at, target, stack] = [0x10_0000, 0x11_0000, 0x12_0000];
	const words = new BigUint64Array(machine.ram.buffer, at, 8);
	const program = 0x00af_fb00_0000_ffffn;
	const fill = (upper: bigint) => words.set([0n, 0x00af_9b00_0000_ffffn, gate(8, target, 0xec), upper, program, 0n]);
	Object.assign(state.gdtr, {base: BigInt(at), limit: 0x2f});
	Object.assign(state.segments[7] ?? {}, {selector: 0x28, base: BigInt(at + 0x100), limit: 0x67, attributes: 0x8b});
	new DataView(machine.ram.buffer).setBigUint64(at + 0x104, BigInt(stack), true);
	Object.assign(state.segments[1] ?? {}, {selector: 0x23, attributes: 0xa0fb});
	Object.assign(state.segments[2] ?? {}, {selector: 0x2b, attributes: 0xc0f3});
	machine.ram[target] = hlt;
	state.general[3] = BigInt(at + 0x200);
	new Uint32Array(machine.ram.buffer, at + 0x200, 2).set([0x1234_5678, 0x13]);
	const [rip, rsp] = [state.rip, state.general[4] as bigint];
	machine.processor.changed();
	const faults: unknown[] = [];
	machine.processor.interrupts.raise = ({vector, errorCode}) => {
		faults.push({vector, errorCode});
		return false;
	};
	// The type of the upper half must be 0.
	fill(1n << 40n);
	t.is(machine.processor.run(100), 'shutdown');
	t.deepEqual([faults, state.rip, state.general[4]], [[{vector: 13, errorCode: 0x10}], rip, rsp]);
	fill(0n);
	t.is(machine.processor.run(100), 'halted');
	t.deepEqual(
		[state.rip, state.segments[1]?.selector, state.segments[2]?.selector, state.general[4]],
		[BigInt(target + 1), 8, 0, BigInt(stack - 32)],
	);
	t.deepEqual([...new BigUint64Array(machine.ram.buffer, stack - 32, 4)], [rip + 2n, 0x23n, rsp, 0x2bn]);
});
