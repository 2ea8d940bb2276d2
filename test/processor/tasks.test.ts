import test from 'ava';
import {flagsOf} from '#vcpu-worker/software/system';
import {
	codeAt,
	descriptor,
	gate,
	kernelCode,
	kernelData,
	type LegacyMachine,
	setTask,
	stackTop,
	startLegacy,
} from './legacy-machine.ts';

const [hlt, iret] = [0xf4, 0xcf];
const NT = 0x4000;
const [first, second, toSecond, narrow, localTable] = [0x18, 0x20, 0x28, 0x30, 0x38];
const [firstAt, secondAt, narrowAt, localTableAt, interruptTableAt] = [0x4000, 0x5000, 0x6000, 0x7000, 0x2000];
const [secondCode, secondStack, narrowCode] = [0x3000, 0x8000, 0x3800];

const descriptors = [
	descriptor(firstAt, 0x67, 0x8b),
	descriptor(secondAt, 0x67, 0x89),
	gate(second, 0, 0x85),
	descriptor(narrowAt, 0x2b, 0x81),
	descriptor(localTableAt, 0xf, 0x82),
];

/** Places of words in a TSS of 32 bits. */
const [linkAt, eipAt, flagsAt, eaxAt, espAt, csAt, ssAt, dsAt, ldtAt, trapAt] = [
	...[0, 0x20 / 4, 0x24 / 4, 0x28 / 4, 0x38 / 4, 0x4c / 4, 0x50 / 4, 0x54 / 4, 0x60 / 4, 0x64 / 4],
] as [number, number, number, number, number, number, number, number, number, number];

interface TaskMachine extends LegacyMachine {
	/** TSS of 32 bits, as words. */
	readonly old: Uint32Array;
	readonly next: Uint32Array;
	/** Types of the two descriptors, with the bit that tells which task is under way. */
	types(): readonly number[];
}

/** The first task at code of privilege 0, and a second one that halts. */
function startTasks(code: readonly number[]): TaskMachine {
	const machine = startLegacy(code, {descriptors});
	const {ram, processor} = machine;
	setTask(machine, firstAt, 0x67, 0x8b, first);
	const [old, next] = [firstAt, secondAt].map((at) => new Uint32Array(ram.buffer, at, 26)) as [
		Uint32Array,
		Uint32Array,
	];
	next.set([secondCode, 0x46, 0xaaaa_aaaa], eipAt);
	next.set([secondStack], espAt);
	next.set([kernelData, kernelCode, kernelData, kernelData, 0, 0, localTable], csAt - 1);
	new BigUint64Array(ram.buffer, localTableAt, 2).set([0n, descriptor(0x1_0000, 0xfff, 0x93)]);
	ram.fill(hlt, secondCode, secondCode + 16);
	ram.fill(hlt, narrowCode, narrowCode + 16);
	processor.core.state.general[0] = 0x1234_5678n;
	const types = () => [first, second].map((selector) => (ram[0x1000 + selector + 5] as number) & 0xf);
	return Object.assign(machine, {old, next, types});
}

const jump = (selector: number) => [0xea, 0, 0, 0, 0, selector, 0];
const call = (selector: number) => [0x9a, 0, 0, 0, 0, selector, 0];

/** Lets exceptions be delivered, by task gates to the second task. */
function useTaskGates(machine: LegacyMachine, ...vectors: readonly number[]): void {
	const table = new BigUint64Array(machine.ram.buffer, interruptTableAt, 32);
	for (const vector of vectors) table[vector] = gate(second, 0, 0x85);
	Object.assign(machine.processor.core.state.idtr, {base: BigInt(interruptTableAt), limit: 0xff});
	Reflect.deleteProperty(machine.processor.interrupts, 'raise');
}

test('a jump to a task saves the old one and loads the new one', (t) => {
	for (const selector of [second, toSecond]) {
		const machine = startTasks(jump(selector));
		const {state} = machine.processor.core;
		const {old, next} = machine;
		t.is(machine.run(), 'halted');
		t.deepEqual(
			[old[eipAt], old[eaxAt], old[espAt], old[csAt], old[ssAt]],
			[codeAt + 7, 0x1234_5678, stackTop, kernelCode, kernelData],
		);
		t.deepEqual(
			[state.rip, state.general[0], state.general[4]],
			[BigInt(secondCode + 1), 0xaaaa_aaaan, BigInt(secondStack)],
		);
		t.deepEqual([flagsOf(state), next[linkAt], machine.types()], [0x46, 0, [9, 11]]);
		t.deepEqual(
			[state.segments[7]?.selector, state.segments[6]?.base, state.cr0 & 8n],
			[second, BigInt(localTableAt), 8n],
		);
	}
	t.like(startTasks(jump(first)).run(), {vector: 13, errorCode: first, rip: BigInt(codeAt)});
});

test('a call of a task nests it, and IRET returns to the one before', (t) => {
	const machine = startTasks([...call(second), hlt]);
	const {state} = machine.processor.core;
	machine.ram[secondCode] = iret;
	t.is(machine.run(), 'halted');
	// IRET saves its task without NT, and where it goes on if it is called again.
	t.deepEqual([machine.next[linkAt], machine.next[flagsAt], machine.next[eipAt]], [first, 0x46, secondCode + 1]);
	t.deepEqual([state.rip, state.general[0], machine.types()], [BigInt(codeAt + 8), 0x1234_5678n, [11, 9]]);
	t.deepEqual([flagsOf(state) & NT, state.segments[7]?.selector], [0, first]);
	const stays = startTasks(call(second));
	stays.run();
	t.deepEqual([flagsOf(stays.processor.core.state) & NT, stays.types()], [NT, [11, 11]]);
	// Without a task to return to.
	const lost = startTasks([iret]);
	lost.processor.core.state.controlFlags |= NT;
	lost.old[linkAt] = second;
	t.like(lost.run(), {vector: 10, errorCode: second, rip: BigInt(codeAt)});
});

test('a task of 16 bits has the lower halves of registers, and neither FS nor GS', (t) => {
	const machine = startTasks(jump(narrow));
	const words = new Uint16Array(machine.ram.buffer, narrowAt, 22);
	words.set(
		[narrowCode, 2, 0xaaaa, 0xcccc, 0xdddd, 0xbbbb, 0x8000, 1, 2, 3, kernelData, kernelCode, kernelData, kernelData],
		7,
	);
	const {state} = machine.processor.core;
	t.is(machine.run(), 'halted');
	t.deepEqual(
		[
			state.rip,
			(state.general[0] as bigint) & 0xffffn,
			(state.general[7] as bigint) & 0xffffn,
			state.segments[4]?.selector,
		],
		[BigInt(narrowCode + 1), 0xaaaan, 3n, 0],
	);
});

test('an exception goes to a task by its gate, with its error code on the stack of that', (t) => {
	// MOV DS,EAX with a selector beyond the table.
	const machine = startTasks([0x8e, 0xd8]);
	machine.processor.core.state.general[0] = 0xff8n;
	useTaskGates(machine, 13);
	t.is(machine.processor.run(100), 'halted');
	const {state} = machine.processor.core;
	t.deepEqual(
		[state.general[4], machine.ram[secondStack - 4], machine.ram[secondStack - 3]],
		[BigInt(secondStack - 4), 0xf8, 0xf],
	);
	t.deepEqual([machine.old[eipAt], machine.next[linkAt]], [codeAt, first]);
});

test('a double fault goes to a task where the stack of the old one is lost', (t) => {
	// UD2, whose handler's frame does not fit on the stack, nor that of the exception about it.
	const machine = startTasks([0x0f, 0x0b]);
	const {processor, ram} = machine;
	Object.assign(processor.core.state.segments[2] ?? {}, {limit: 0xff, attributes: 0x4093});
	useTaskGates(machine, 8);
	const table = new BigUint64Array(ram.buffer, interruptTableAt, 32);
	table[6] = table[12] = gate(kernelCode, 0x3c00, 0x8e);
	t.is(processor.run(100), 'halted');
	t.deepEqual([processor.core.state.rip, machine.old[eipAt]], [BigInt(secondCode + 1), codeAt]);
	t.deepEqual([...ram.subarray(secondStack - 4, secondStack)], [0, 0, 0, 0]);
});

test('what is wrong with a new task is an exception in it; its T bit is one too', (t) => {
	for (const [place, value, vector, errorCode] of [
		[ssAt, 0, 10, 0],
		[ssAt, kernelCode, 10, kernelCode],
		[csAt, kernelData, 10, kernelData],
		[dsAt, 0xf8, 10, 0xf8],
		[ldtAt, second, 10, second],
		[trapAt, 1, 1, undefined],
	] as const) {
		const machine = startTasks(jump(second));
		machine.next[place] = value;
		t.deepEqual(machine.run(), {vector, errorCode, rip: BigInt(secondCode)}, `${place}`);
		t.deepEqual([machine.processor.core.state.segments[7]?.selector, machine.types()], [second, [9, 11]]);
	}
	const local = startTasks(jump(second));
	local.next[dsAt] = 0xc;
	t.is(local.run(), 'halted');
	t.is(local.processor.core.state.segments[3]?.base, 0x1_0000n);
});

test('a TSS that is short, absent or not permitted is an exception of the old task', (t) => {
	const failing = (value: bigint) => {
		const machine = startTasks(jump(second));
		new BigUint64Array(machine.ram.buffer, 0x1000 + second, 1)[0] = value;
		const end = machine.run();
		t.is(machine.processor.core.state.segments[7]?.selector, first);
		return end;
	};
	const rip = BigInt(codeAt);
	t.deepEqual(failing(descriptor(secondAt, 0x66, 0x89)), {vector: 10, errorCode: second, rip});
	t.deepEqual(failing(descriptor(secondAt, 0x67, 0x09)), {vector: 11, errorCode: second, rip});
	t.deepEqual(failing(descriptor(secondAt, 0x67, 0x8b)), {vector: 13, errorCode: second, rip});
});

test('a task has page tables of its own, by which its segments are found', (t) => {
	const machine = startTasks(jump(second));
	const {ram, processor} = machine;
	const {state} = processor.core;
	const [directory, other] = [0x10_0000, 0x10_1000];
	// Pages of 4 MiB: both map the first one to itself, the second task's next one too.
	const entries = new Uint32Array(ram.buffer);
	entries[directory / 4] = entries[other / 4] = 0x87;
	entries[other / 4 + 1] = 0x87;
	Object.assign(state, {cr0: state.cr0 | (1n << 31n), cr3: BigInt(directory), cr4: 0x10n});
	processor.changed();
	machine.next[0x1c / 4] = other;
	// MOV EAX,[405038h]: its own ESP in its TSS.
	ram.set([0xa1, 0x38, 0x50, 0x40, 0, hlt], secondCode);
	t.is(machine.run(), 'halted');
	t.deepEqual([state.cr3, state.general[0]], [BigInt(other), BigInt(secondStack)]);
	// A TSS of which a page is missing is a page fault of the old task.
	const missing = startTasks(jump(second));
	new BigUint64Array(missing.ram.buffer, 0x1000 + second, 1)[0] = descriptor(0x40_0000, 0x67, 0x89);
	new Uint32Array(missing.ram.buffer)[directory / 4] = 0x87;
	const before = missing.processor.core.state;
	Object.assign(before, {cr0: before.cr0 | (1n << 31n), cr3: BigInt(directory), cr4: 0x10n});
	missing.processor.changed();
	t.like(missing.run(), {vector: 14, rip: BigInt(codeAt)});
	t.deepEqual([before.segments[7]?.selector, missing.old[eaxAt], missing.types()], [first, 0, [11, 9]]);
});

test('a switch ends the local breakpoints, and leaves the global ones', (t) => {
	for (const [enabled, end] of [
		[1, 'halted'],
		[2, {vector: 1, errorCode: undefined, rip: BigInt(secondCode)}],
	] as const) {
		const machine = startTasks(jump(second));
		const {debug} = machine.processor.core.state;
		debug[0] = BigInt(secondCode);
		debug[7] = 0x500n | BigInt(enabled);
		machine.processor.changed();
		t.deepEqual(machine.run(), end, `${enabled}`);
		t.is(debug[7], enabled === 1 ? 0x400n : 0x402n);
	}
});

test('debug exceptions of tasks that switch to each other without end end in a triple fault', (t) => {
	// A debug exception leads to a task, which has other page tables and a debug exception at its begin. There the gate leads to another
	// one, which goes back. Where a task is saved the other page tables have the first ones' descriptors, which its ECX and EDX make new:
	// no task is ever busy.
	const [table, tableOffset, entryOf] = [0x7000, 0x1e4, 0x48];
	const taskOffset = tableOffset + entryOf - 0x2c;
	const machine = startLegacy([0xcc]);
	const {ram, processor} = machine;
	const view = new DataView(ram.buffer);
	const spaces = [
		{directory: 0x10_0000, task: 0x5000, descriptors: 0x8000, content: 0xa000},
		{directory: 0x11_0000, task: 0x6000, descriptors: 0x9000, content: 0xb000},
	] as const;
	for (const [index, space] of spaces.entries()) {
		const other = spaces[1 - index] as (typeof spaces)[number];
		const flat = space.directory + 0x1000;
		view.setUint32(space.directory, flat | 3, true);
		for (let page = 0; page < 1024; page++) view.setUint32(flat + page * 4, (page << 12) | 3, true);
		const moved = [
			[table, space.descriptors],
			[space.task, space.content],
			[other.task, other.descriptors],
		] as const;
		for (const [linear, physical] of moved) view.setUint32(flat + (linear >> 12) * 4, physical | 3, true);
		const own = descriptor(space.task + taskOffset, 0x67, 0x89);
		const entries = new Map([
			[kernelCode, descriptor(0, 0xf_ffff, 0x9b, 0xc)],
			[kernelData, descriptor(0, 0xf_ffff, 0x93, 0xc)],
			[entryOf, own],
		]);
		for (const [selector, entry] of entries) view.setBigUint64(space.descriptors + tableOffset + selector, entry, true);
		const task = new Uint32Array(ram.buffer, space.content + taskOffset, 26);
		task.set([other.directory, codeAt, 2], eipAt - 1);
		task.set([Number(own & 0xffff_ffffn), Number(own >> 32n)], eaxAt + 1);
		task.set([stackTop], espAt);
		task.set([kernelData, kernelCode, kernelData, kernelData], csAt - 1);
		task[trapAt] = 1;
	}
	for (const vector of [1, 3]) view.setBigUint64(interruptTableAt + vector * 8, gate(entryOf, 0, 0x85), true);
	const {state} = processor.core;
	Object.assign(state, {cr0: 0x8000_0011n, cr3: BigInt(spaces[0].directory)});
	Object.assign(state.gdtr, {base: BigInt(table + tableOffset), limit: 0x4f});
	Object.assign(state.idtr, {base: BigInt(interruptTableAt), limit: 0x3ff});
	setTask(machine, 0x4000, 0x67, 0x8b);
	processor.changed();
	Reflect.deleteProperty(processor.interrupts, 'raise');
	let deliveries = 0;
	const deliver = processor.interrupts.deliver.bind(processor.interrupts);
	processor.interrupts.deliver = (...how) => {
		deliveries++;
		deliver(...how);
	};
	t.is(processor.run(1000), 'shutdown');
	t.true(deliveries > 10 && deliveries < 1000, `${deliveries} deliveries`);
});
