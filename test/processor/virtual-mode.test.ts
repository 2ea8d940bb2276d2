import test from 'ava';
import {flagsOf, setFlags} from '#vcpu-worker/software/system';
import {descriptor, gate, kernelCode, kernelData, type LegacyMachine, setTask, startLegacy} from './legacy-machine.ts';

const RF = 0x1_0000;

const [hlt, iret, cli, sti, pushf, popf] = [0xf4, 0xcf, 0xfa, 0xfb, 0x9c, 0x9d];
const [IF, VM, VIF, VIP, IOPL3] = [0x200, 0x2_0000, 0x8_0000, 0x10_0000, 0x3000];
const [taskAt, innerTop, gatesAt, handler] = [0x4000, 0x8000, 0x2000, 0x3000];
/** Segments of the program, and what its stack pointer is. */
const [code, stack, data, extra, fs, gs, top] = [0x2000, 0x3000, 0x2100, 0x2200, 0x2300, 0x2400, 0x100];
const codeAt = code * 16;
const stackAt = stack * 16;
const [VME, PVI] = [1n, 2n];
const portMapAt = 0x88;

/** A machine at IRETD of privilege 0, whose frame leads to a program of virtual-8086 mode at offset 0 of its code. */
/** The program's flags where the fault that ends it has come, which sets RF for the frame that it is about to push. */
const programFlags = (state: Parameters<typeof flagsOf>[0]): number => flagsOf(state) & ~RF;

function startVirtual(program: readonly number[], flags: number, cr4 = 0n): LegacyMachine {
	const machine = startLegacy([iret], {descriptors: [descriptor(0, 0xf_ffff, 0xfb, 0xc)]});
	const {ram, processor} = machine;
	const {state} = processor.core;
	ram.set(program, codeAt);
	state.cr4 = cr4;
	state.general[4] = BigInt(innerTop - 36);
	new Uint32Array(ram.buffer, innerTop - 36, 9).set([0, code, flags | VM | 2, top, stack, extra, data, fs, gs]);
	setTask(machine, taskAt, 0x2000, 0x8b);
	new Uint32Array(ram.buffer, taskAt, 3).set([0, innerTop, kernelData]);
	new DataView(ram.buffer).setUint16(taskAt + 0x66, portMapAt, true);
	processor.changed();
	return machine;
}

/** Lets a vector lead to HLT of privilege 0. */
function handle(machine: LegacyMachine, vector: number, type = 0xee, selector = kernelCode): void {
	const {ram, processor} = machine;
	new BigUint64Array(ram.buffer, gatesAt, 256)[vector] = gate(selector, handler, type);
	ram[handler] = hlt;
	Object.assign(processor.core.state.idtr, {base: BigInt(gatesAt), limit: 0x7ff});
	Reflect.deleteProperty(processor.interrupts, 'raise');
}

test('IRET enters virtual-8086 mode, and an interrupt leaves it with all of its segments', (t) => {
	// MOV AX,[0]; INT 21h.
	const machine = startVirtual([0xa1, 0, 0, 0xcd, 0x21], IOPL3 | IF);
	const {state} = machine.processor.core;
	machine.ram.set([0x34, 0x12], data * 16);
	handle(machine, 0x21);
	t.is(machine.processor.run(100), 'halted');
	const frame = [...new Uint32Array(machine.ram.buffer, innerTop - 36, 9)];
	t.deepEqual(frame, [5, code, VM | IOPL3 | IF | 2, top, stack, extra, data, fs, gs]);
	t.deepEqual([state.general[0], state.general[4], state.rip], [0x1234n, BigInt(innerTop - 36), BigInt(handler + 1)]);
	t.is(flagsOf(state) & (VM | IF), 0);
	t.deepEqual(
		[0, 3, 4, 5].map((segment) => state.segments[segment]?.attributes),
		[0, 0, 0, 0],
	);
	t.is(state.segments[1]?.selector, kernelCode);
});

test('an interrupt of virtual-8086 mode leads to privilege 0 alone', (t) => {
	const machine = startVirtual([0xcd, 0x21], IOPL3);
	handle(machine, 0x21, 0xee, 0x1b);
	handle(machine, 13);
	t.is(machine.processor.run(100), 'halted');
	t.deepEqual([...new Uint32Array(machine.ram.buffer, innerTop - 40, 2)], [0x18, 0]);
});

test('instructions on IF are for an IOPL of 3', (t) => {
	const programs = [[cli], [sti], [pushf], [popf], [0xcd, 0x21], [iret], [0x66, pushf], [0x66, iret]];
	for (const program of programs) {
		const machine = startVirtual([...program, hlt], 0x2000);
		t.deepEqual(machine.run(), {vector: 13, errorCode: 0, rip: 0n}, `${program}`);
		t.is(machine.processor.core.state.general[4], BigInt(top));
	}
	// STI; PUSHF; CLI; PUSHF; HLT, which is never for programs; POPF leaves IOPL.
	const machine = startVirtual([sti, pushf, cli, pushf, 0x6a, 0, popf, hlt], IOPL3);
	t.deepEqual(machine.run(), {vector: 13, errorCode: 0, rip: 7n});
	t.deepEqual([...new Uint16Array(machine.ram.buffer, stackAt + top - 4, 2)], [IOPL3 | 2, IOPL3 | IF | 2]);
	t.is(programFlags(machine.processor.core.state), VM | IOPL3 | 2);
});

test('IRET of virtual-8086 mode returns within it', (t) => {
	const machine = startVirtual([iret], IOPL3);
	new Uint16Array(machine.ram.buffer, stackAt + top, 3).set([0x10, code + 1, IF | 1]);
	machine.ram[codeAt + 0x20] = hlt;
	t.deepEqual(machine.run(), {vector: 13, errorCode: 0, rip: 0x10n});
	const {state} = machine.processor.core;
	t.deepEqual([state.segments[1]?.selector, programFlags(state)], [code + 1, VM | IOPL3 | IF | 3]);
});

test('with CR4.VME programs have VIF for IF', (t) => {
	const run = (program: readonly number[], flags: number) => {
		const machine = startVirtual([...program, hlt], flags, VME);
		const end = machine.run();
		const {state} = machine.processor.core;
		return {end, flags: programFlags(state), word: new DataView(machine.ram.buffer).getUint16(stackAt + top - 2, true)};
	};
	t.like(run([sti], 0), {flags: VM | VIF | 2, end: {rip: 1n}});
	t.like(run([cli], VIF | IF), {flags: VM | IF | 2, end: {rip: 1n}});
	t.like(run([pushf], VIF), {word: IOPL3 | IF | 2, end: {rip: 1n}});
	t.like(run([pushf], IF), {word: IOPL3 | 2, end: {rip: 1n}});
	// PUSH 203h; POPF.
	const popIf = [0x68, 3, 2, popf];
	t.like(run(popIf, 0), {flags: VM | VIF | 3, end: {rip: 4n}});
	t.like(run([0x6a, 0, popf], VIF), {flags: VM | 2, end: {rip: 3n}});
	// An interrupt waits, or TF would be set.
	t.like(run(popIf, VIP), {flags: VM | VIP | 2, end: {vector: 13, rip: 3n}});
	t.like(run([sti], VIP), {flags: VM | VIP | 2, end: {vector: 13, rip: 0n}});
	t.like(run([0x68, 0, 1, popf], 0), {flags: VM | 2, end: {vector: 13, rip: 3n}});
	t.like(run([0x66, pushf], 0), {end: {vector: 13, rip: 0n}});
});

test('with CR4.VME the map of a task has INT n handled by the program itself', (t) => {
	for (const [flags, image, after] of [
		[VIF, IOPL3 | IF | 2, VM | 2],
		[IOPL3 | IF, IOPL3 | IF | 2, VM | IOPL3 | 2],
	] as const) {
		const machine = startVirtual([0xcd, 0x21], flags, VME);
		new Uint16Array(machine.ram.buffer, 0x21 * 4, 2).set([0x40, code]);
		machine.ram[codeAt + 0x40] = hlt;
		t.deepEqual(machine.run(), {vector: 13, errorCode: 0, rip: 0x40n});
		t.deepEqual([...new Uint16Array(machine.ram.buffer, stackAt + top - 6, 3)], [2, code, image]);
		t.is(programFlags(machine.processor.core.state), after);
	}
	// A bit that is set leads to the system: by the gate, or as an exception.
	const refused = startVirtual([0xcd, 0x21], 0, VME);
	refused.ram[taskAt + portMapAt - 32 + 4] = 2;
	t.deepEqual(refused.run(), {vector: 13, errorCode: 0, rip: 0n});
});

test('with CR4.PVI a program of protected mode has VIF for IF in CLI and STI', (t) => {
	const run = (instruction: number, flags: number) => {
		const machine = startLegacy([instruction, hlt], {descriptors: [descriptor(0, 0xf_ffff, 0xfb, 0xc)]});
		const {state} = machine.processor.core;
		Object.assign(state.segments[1] ?? {}, {selector: 0x1b, attributes: 0xc0fb});
		state.cr4 = PVI;
		setFlags(state, flags | 2);
		machine.processor.changed();
		return [machine.run(), programFlags(state)];
	};
	const [refused, next] = [0n, 1n].map((behind) => ({vector: 13, errorCode: 0, rip: 0x1_0000n + behind}));
	t.deepEqual(run(sti, 0), [next, VIF | 2]);
	t.deepEqual(run(cli, VIF | IF), [next, IF | 2]);
	t.deepEqual(run(sti, VIP), [refused, VIP | 2]);
	t.deepEqual(run(sti, IOPL3), [next, IOPL3 | IF | 2]);
});

test('ports of virtual-8086 mode go by the map, whatever IOPL is', (t) => {
	// OUT 10h,AL; OUT 11h,AL, which the map forbids.
	const machine = startVirtual([0xe6, 0x10, 0xe6, 0x11], IOPL3);
	machine.ram[taskAt + portMapAt + 2] = 2;
	t.deepEqual(machine.run(), {vector: 13, errorCode: 0, rip: 2n});
	t.deepEqual(
		machine.writes.map(({port}) => port),
		[0x10],
	);
});

test('a task whose flags have VM begins in virtual-8086 mode', (t) => {
	const machine = startLegacy([0xea, 0, 0, 0, 0, 0x18, 0], {descriptors: [descriptor(0x5000, 0x67, 0x89)]});
	setTask(machine, taskAt, 0x67, 0x8b);
	const task = new Uint32Array(machine.ram.buffer, 0x5000, 26);
	task.set([0x10, VM | IOPL3 | 2], 8);
	task.set([top], 14);
	task.set([extra, code, stack, data, fs, gs], 18);
	machine.ram[codeAt + 0x10] = pushf;
	machine.ram[codeAt + 0x11] = hlt;
	t.deepEqual(machine.run(), {vector: 13, errorCode: 0, rip: 0x11n});
	const {state} = machine.processor.core;
	t.deepEqual(
		[state.segments[1]?.base, state.segments[3]?.base, state.general[4]],
		[BigInt(codeAt), BigInt(data * 16), BigInt(top - 2)],
	);
});

test('a program faults before its next instruction where VIF and VIP meet, and only where IF is VIF', (t) => {
	const ends = (flags: number, cr4: bigint) => startVirtual([0x90, hlt], flags, cr4).run();
	const at = (rip: bigint) => ({vector: 13, errorCode: 0, rip});
	t.deepEqual(ends(VIF | VIP, VME), at(0n));
	t.deepEqual(ends(VIF | VIP | IOPL3, VME), at(1n));
	t.deepEqual(ends(VIF | VIP, PVI), at(1n));
	t.deepEqual([ends(VIF, VME), ends(VIP, VME)], [at(1n), at(1n)]);
	const inProtectedMode = (attributes: number, cr4: bigint) => {
		const machine = startLegacy([0x90, 0x0f, 0x0b]);
		const {state} = machine.processor.core;
		Object.assign(state.segments[1] ?? {}, {attributes});
		state.cr4 = cr4;
		setFlags(state, VIF | VIP | 2);
		machine.processor.changed();
		return machine.run();
	};
	t.like(inProtectedMode(0xc0fb, PVI), {vector: 13, rip: 0x1_0000n});
	for (const [attributes, cr4] of [
		[0xc09b, PVI],
		[0xc0fb, VME],
	] as const)
		t.like(inProtectedMode(attributes, cr4), {vector: 6, rip: 0x1_0001n});
});
