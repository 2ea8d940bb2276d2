import test from 'ava';
import {flagsOf, setFlags} from '#vcpu-worker/software/system';
import {codeAt, descriptor, gate, startLegacy} from './legacy-machine.ts';

const hlt = 0xf4;
const [CF, PF, AF, ZF, SF, OF] = [1, 4, 0x10, 0x40, 0x80, 0x800] as const;
const status = CF | PF | AF | ZF | SF | OF;

/** Executes an instruction with AX and flags given, and gives both afterwards. */
function decimal(code: readonly number[], ax: number, flags: number): readonly [number, number] {
	const machine = startLegacy([...code, hlt]);
	const {state} = machine.processor.core;
	state.general[0] = BigInt(ax) | 0xabcd_0000n;
	setFlags(state, flags | 2);
	machine.run();
	return [Number((state.general[0] as bigint) & 0xffffn), flagsOf(state) & status];
}

test('decimal digits are corrected as the manual says', (t) => {
	const [daa, das, aaa, aas] = [[0x27], [0x2f], [0x37], [0x3f]];
	for (const [code, before, flags, after, changed] of [
		[daa, 0xae, 0, 0x14, CF | AF | PF], // SDM volume 2, DAA: 79h + 35h.
		[daa, 0x2e, 0, 0x34, AF],
		[daa, 0x9a, 0, 0x00, CF | AF | ZF | PF],
		[daa, 0x05, AF | CF, 0x6b, CF | AF],
		[das, 0xee, AF, 0x88, CF | AF | SF | PF], // 35h - 47h.
		[das, 0x03, AF, 0xfd, CF | AF | SF],
		[das, 0x03, CF, 0xa3, CF | SF | PF],
		[aaa, 0x010b, 0, 0x0201, CF | AF],
		[aaa, 0x01fb, 0, 0x0301, CF | AF],
		[aaa, 0x0105, AF | ZF, 0x020b, CF | AF | ZF],
		[aaa, 0x0134, CF, 0x0104, 0],
		[aas, 0x02ff, 0, 0x0109, CF | AF],
		[aas, 0x0203, AF, 0x000d, CF | AF],
		[[0xd4, 10], 0x004b, 0, 0x0705, PF],
		[[0xd4, 0x10], 0x00f0, CF, 0x0f00, ZF | PF],
		[[0xd5, 10], 0x0705, 0, 0x004b, PF],
		[[0xd5, 0x10], 0x0f0f, OF, 0x00ff, SF | PF],
		[[0xd6], 0x1234, CF, 0x12ff, CF],
		[[0xd6], 0x1234, ZF, 0x1200, ZF],
	] as const)
		t.deepEqual(
			decimal(code, before, flags),
			[after, changed],
			`${code.map((byte) => byte.toString(16))} ${before.toString(16)}`,
		);
	const divides = startLegacy([0xd4, 0, hlt]).run();
	t.like(divides, {vector: 0, errorCode: undefined});
});

test('BOUND and INTO are exceptions where the index is outside, and where OF is set', (t) => {
	// MOV EAX,n; BOUND EAX,[20000h]; HLT.
	for (const [index, isInside] of [
		[-6, false],
		[-5, true],
		[9, true],
		[10, false],
	] as const) {
		const machine = startLegacy([0x62, 0x05, 0, 0, 2, 0, hlt]);
		new Int32Array(machine.ram.buffer, 0x2_0000, 2).set([-5, 9]);
		machine.processor.core.state.general[0] = BigInt(index >>> 0);
		const end = machine.run();
		if (isInside) t.is(end, 'halted');
		else t.like(end, {vector: 5, rip: BigInt(codeAt)});
	}
	// Without a descriptor table for interrupts INTO is a general protection for its gate.
	const machine = startLegacy([0xce, 0xce, hlt]);
	const {state} = machine.processor.core;
	state.idtr.limit = 0;
	t.is(startLegacy([0xce, hlt]).run(), 'halted');
	setFlags(state, OF | 2);
	t.like(machine.run(), {vector: 13, errorCode: 4 * 8 + 2, rip: BigInt(codeAt)});
});

test('a far pointer loads a register and a segment register, or neither', (t) => {
	const data = descriptor(0x3000, 0xfff, 0x93);
	// LDS EAX,[20000h]; HLT, and LGS.
	for (const [code, segment] of [
		[[0xc5, 0x05], 3],
		[[0xc4, 0x05], 0],
		[[0x0f, 0xb2, 0x05], 2],
		[[0x0f, 0xb4, 0x05], 4],
		[[0x0f, 0xb5, 0x05], 5],
	] as const) {
		for (const [selector, end] of [
			[0x18, 'halted'],
			[0x20, {vector: 13, errorCode: 0x20}],
		] as const) {
			const machine = startLegacy([...code, 0, 0, 2, 0, hlt], {descriptors: [data]});
			const {state} = machine.processor.core;
			new Uint32Array(machine.ram.buffer, 0x2_0000, 2).set([0x1234_5678, selector]);
			const stop = machine.run();
			if (end === 'halted')
				t.deepEqual([stop, state.general[0], state.segments[segment]?.base], [end, 0x1234_5678n, 0x3000n]);
			else {
				t.like(stop, end);
				t.deepEqual([state.general[0], state.segments[segment]?.base], [0n, 0n]);
			}
		}
	}
});

test('LAR, LSL, VERR and VERW tell what a program could do with a selector', (t) => {
	const descriptors = [
		descriptor(0, 0xf, 0xf1, 0x8), // 18h: data of privilege 3, read only, 16 pages.
		descriptor(0, 0x1234, 0x99), // 20h: code that cannot be read.
		descriptor(0, 0x67, 0x89), // 28h: a task.
		descriptor(0, 0x67, 0x8e), // 30h: an interrupt gate.
		descriptor(0, 0x42, 0x93), // 38h: data of privilege 0.
	];
	/** ZF, and ECX. */
	const ask = (code: readonly number[], selector: number) => {
		const machine = startLegacy([...code, hlt], {descriptors});
		const {state} = machine.processor.core;
		state.general[0] = BigInt(selector);
		state.general[1] = 0x5555_5555n;
		t.is(machine.run(), 'halted');
		return [(flagsOf(state) & ZF) !== 0, Number(state.general[1])];
	};
	const [lar, lsl, lar16] = [
		[0x0f, 0x02, 0xc8],
		[0x0f, 0x03, 0xc8],
		[0x66, 0x0f, 0x02, 0xc8],
	];
	const nothing = [false, 0x5555_5555];
	t.deepEqual(ask(lar, 0x1b), [true, 0x80_f100]);
	t.deepEqual(ask(lar16, 0x1b), [true, 0x5555_f100]);
	t.deepEqual(ask(lsl, 0x18), [true, 0xffff]);
	t.deepEqual(ask(lsl, 0x20), [true, 0x1234]);
	t.deepEqual(ask(lar, 0x28), [true, 0x8900]);
	t.deepEqual(ask(lsl, 0x28), [true, 0x67]);
	for (const selector of [0, 3, 0x30, 0x3b, 0x40, 0xfff8, 0x1c])
		t.deepEqual(ask(lar, selector), nothing, `${selector}`);
	const verify = (middle: number, selector: number) => ask([0x0f, 0x00, 0xc0 | (middle << 3)], selector)[0];
	t.deepEqual(
		[0x18, 0x20, 0x28, 0x38, 0x3b].map((selector) => [verify(4, selector), verify(5, selector)]),
		[
			[true, false],
			[false, false],
			[false, false],
			[true, true],
			[false, false],
		],
	);
});

test('ARPL raises the privilege that a selector asks for', (t) => {
	for (const [target, from, after, zero] of [
		[0x18, 3, 0x1b, true],
		[0x1a, 1, 0x1a, false],
	] as const) {
		const machine = startLegacy([0x63, 0xc8, hlt]);
		const {state} = machine.processor.core;
		state.general.set([BigInt(target), BigInt(from)]);
		machine.run();
		t.deepEqual([state.general[0], (flagsOf(state) & ZF) !== 0], [BigInt(after), zero]);
	}
});

test('LMSW sets PE and never clears it; SMSW has CR0 with a register', (t) => {
	// LMSW AX; SMSW ECX; HLT.
	const machine = startLegacy([0x0f, 0x01, 0xf0, 0x0f, 0x01, 0xe1, hlt]);
	const {state} = machine.processor.core;
	state.general[0] = 0xfff8n;
	t.is(machine.run(), 'halted');
	t.deepEqual([state.cr0, state.general[1]], [0x19n, 0x19n]);
});

test('instructions of the system go by limit and type of the segment that their operand is in', (t) => {
	const limited = [descriptor(0x2_0000, 5, 0x93), descriptor(0x2_0000, 0xffff, 0x91)];
	const codes: Readonly<Record<string, readonly number[]>> = {
		sgdt: [0x0f, 0x01, 0x03],
		smsw: [0x0f, 0x01, 0x23],
		lgdt: [0x0f, 0x01, 0x13],
		movFromSegment: [0x8c, 0x1b],
		movToSegment: [0x8e, 0x03],
		lds: [0xc5, 0x0b],
		outs: [0x6e],
		ins: [0x26, 0x6c],
		bound: [0x62, 0x0b],
		arpl: [0x63, 0x0b],
		lar: [0x0f, 0x02, 0x0b],
	};
	const bytes: Readonly<Record<string, number>> = {sgdt: 6, lgdt: 6, lds: 6, bound: 8, outs: 1, ins: 1};
	const writes = new Set(['sgdt', 'smsw', 'movFromSegment', 'ins', 'arpl']);
	for (const [name, code] of Object.entries(codes)) {
		const run = (selector: number, offset: number) => {
			// MOV DS,EDX; MOV ES,EDX; the instruction; HLT.
			const machine = startLegacy([0x8e, 0xda, 0x8e, 0xc2, ...code, hlt], {descriptors: limited});
			const {general} = machine.processor.core.state;
			general[2] = BigInt(selector);
			general[3] = general[6] = general[7] = BigInt(offset);
			return machine.run();
		};
		const fault = {vector: 13, errorCode: 0, rip: BigInt(codeAt + 4)};
		const last = 6 - (bytes[name] ?? 2);
		if (last >= 0) t.notDeepEqual(run(0x18, last), fault, `${name} within`);
		t.deepEqual(run(0x18, last + 1), fault, `${name} beyond`);
		if (writes.has(name)) t.deepEqual(run(0x20, 0), fault, `${name} where it cannot write`);
	}
});

test('an interrupt from outside is no exception, also where it has the vector of one', (t) => {
	// The gate of 11, #NP, is there, those of 8 and 13 are not.
	for (const vector of [8, 13]) {
		const {processor, ram} = startLegacy([hlt]);
		const {state} = processor.core;
		const gates = 0x2000;
		Object.assign(state.idtr, {base: BigInt(gates), limit: 0x7f});
		const view = new DataView(ram.buffer);
		view.setUint32(gates + 11 * 8, (8 << 16) | 0x3000, true);
		view.setUint32(gates + 11 * 8 + 4, 0x8e00, true);
		for (const absent of [8, 13]) view.setUint32(gates + absent * 8 + 4, 0x0e00, true);
		ram[0x3000] = hlt;
		Reflect.deleteProperty(processor.interrupts, 'raise');
		t.true(processor.interrupt(vector));
		t.is(processor.run(100), 'halted');
		t.deepEqual([state.rip, view.getUint32(Number(state.general[4]), true)], [0x3001n, vector * 8 + 3]);
	}
});

test('an exception about the handler of an interrupt from outside says so in its error code', (t) => {
	// The gate of 20h leads to code that is absent; INT 20h is the program's own doing.
	for (const isOutside of [true, false]) {
		const {processor, ram} = startLegacy([0xcd, 0x20], {descriptors: [descriptor(0, 0xf_ffff, 0x1b, 0xc)]});
		const {state} = processor.core;
		const table = new BigUint64Array(ram.buffer, 0x2000, 0x21);
		table[0x20] = gate(0x18, 0x3000, 0x8e);
		table[11] = gate(8, 0x3000, 0x8e);
		ram[0x3000] = hlt;
		Object.assign(state.idtr, {base: 0x2000n, limit: 0x107});
		Reflect.deleteProperty(processor.interrupts, 'raise');
		if (isOutside) t.true(processor.interrupt(0x20));
		t.is(processor.run(100), 'halted');
		t.is(new DataView(ram.buffer).getUint32(Number(state.general[4]), true), isOutside ? 0x19 : 0x18);
	}
});
