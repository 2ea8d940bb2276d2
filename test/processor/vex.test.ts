import test from 'ava';
import type {GuestProcessor} from './guest-processor.ts';
import {startLegacy} from './legacy-machine.ts';
import {runBytes} from './raw-code.ts';

const [invalidOpcode, deviceNotAvailable, generalProtection, pageFault] = [6, 7, 13, 14];
const virtualMode = 0x2_0000;
/** ANDN EAX,ECX,EDX. */
const andn = [0xc4, 0xe2, 0x70, 0xf2, 0xc2];

test('a VEX prefix needs protected mode, and counts registers as the size of code does', (t) => {
	const {processor, run} = startLegacy([...andn, 0xf4]);
	processor.core.state.general.set([0n, 0xf0n, 0xffn]);
	t.is(run(), 'halted');
	t.is(processor.core.state.general[0], 0x0fn);
	const ended = (change: (machine: ReturnType<typeof startLegacy>) => void) => {
		const machine = startLegacy([...andn, 0xf4], {codeSize: 16});
		change(machine);
		machine.processor.changed();
		const end = machine.run();
		return end === 'halted' ? end : end.vector;
	};
	t.is(
		ended(() => {}),
		'halted',
	);
	const real = ({processor: {core}}: ReturnType<typeof startLegacy>) => {
		core.state.cr0 &= ~1n;
	};
	t.is(ended(real), invalidOpcode);
	const virtual = ({processor: {core}}: ReturnType<typeof startLegacy>) => {
		core.state.controlFlags |= virtualMode;
	};
	t.is(ended(virtual), invalidOpcode);
	// C4 with memory is LES outside of 64-bit code.
	const les = startLegacy([0xc4, 0x05, 0x00, 0x90, 0, 0, 0xf4]);
	les.ram.set([0x78, 0x56, 0x34, 0x12, 0x10, 0], 0x9000);
	t.is(les.run(), 'halted');
	t.is(les.processor.core.state.general[0], 0x1234_5678n);
	// VEX.B, VEX.W and the highest bit of VEX.vvvv say nothing there.
	const wide = startLegacy([0xc4, 0xc2, 0xb0, 0xf2, 0xc2, 0xf4]);
	wide.processor.core.state.general.set([0n, 0xf0n, 0xffn]);
	t.deepEqual([wide.run(), wide.processor.core.state.general[0]], ['halted', 0x0fn]);
});

test('no prefix may come before VEX that it has in itself, and VEX.vvvv names a register or is all ones', (t) => {
	t.is(runBytes(andn).vector, undefined);
	for (const prefix of [0x66, 0xf2, 0xf3, 0xf0, 0x48]) t.is(runBytes([prefix, ...andn]).vector, invalidOpcode);
	for (const prefix of [0x2e, 0x64, 0x67]) t.is(runBytes([prefix, ...andn]).vector, undefined);
	// As a host's processor has it: REX before VEX is undefined, unless VEX's second byte is the sixteenth.
	const behind = (prefixes: number, code: readonly number[]) =>
		runBytes([...Array.from({length: prefixes}, () => 0x2e), 0x48, ...code]).vector;
	for (const code of [andn, vaddps])
		t.deepEqual(
			[12, 13].map((prefixes) => behind(prefixes, code)),
			[invalidOpcode, 13],
		);
	// RORX has no third register; map 0 and map 4 have nothing.
	t.is(runBytes([0xc4, 0xe3, 0x7b, 0xf0, 0xc3, 1]).vector, undefined);
	t.is(runBytes([0xc4, 0xe3, 0x73, 0xf0, 0xc3, 1]).vector, invalidOpcode);
	for (const map of [0xe0, 0xe4]) t.is(runBytes([0xc4, map, 0x70, 0xf2, 0xc2]).vector, invalidOpcode);
});

/** VADDPS YMM0,YMM1,YMM2; VMOVUPS [RDI],YMM0. */
const vaddps = [0xc5, 0xf4, 0x58, 0xc2];
const store = [0xc5, 0xfc, 0x11, 0x07];
/** PAE, OSFXSR, OSXMMEXCPT, OSXSAVE. */
const cr4 = 0x4_0620n;
const osxsave = 0x4_0000n;
const [emulate, switched] = [4n, 8n];

test('instructions on YMM registers need CR4.OSXSAVE and both components in XCR0, and no other bit of SSE', (t) => {
	const ended = (change: object, code: readonly number[] = vaddps) =>
		runBytes(code, {
			prepare: ({processor}: GuestProcessor) => {
				Object.assign(processor.core.state, {cr4, xcr0: 7n}, change);
			},
		}).vector;
	t.is(ended({}), undefined);
	t.is(ended({cr4: cr4 & ~osxsave}), invalidOpcode);
	for (const xcr0 of [1n, 3n]) t.is(ended({xcr0}), invalidOpcode);
	t.is(ended({cr4: osxsave | 0x20n}), undefined);
	const cr0 = 0x8000_0011n;
	t.is(ended({cr0: cr0 | switched}), deviceNotAvailable);
	t.is(ended({cr0: cr0 | emulate}), undefined);
	// A block whose first instruction is of SSE asks anew.
	const addps = [0x0f, 0x58, 0xc1];
	t.is(ended({xcr0: 3n}, [...addps, ...vaddps]), invalidOpcode);
	t.is(ended({cr4: osxsave | 0x20n}, [...vaddps, ...addps]), invalidOpcode);
	// BMI needs none of it.
	t.is(ended({cr4: 0x20n, xcr0: 1n}, andn), undefined);
});

test('XSETBV decides on instructions of the same code', (t) => {
	// XOR ECX,ECX; MOV EAX,3; XOR EDX,EDX; XSETBV.
	const disable = [0x31, 0xc9, 0xb8, 3, 0, 0, 0, 0x31, 0xd2, 0x0f, 0x01, 0xd1];
	const prepare = ({processor}: GuestProcessor) => {
		Object.assign(processor.core.state, {cr4, xcr0: 7n});
	};
	t.is(runBytes([...vaddps, ...disable], {prepare}).vector, undefined);
	t.is(runBytes([...vaddps, ...disable, ...vaddps], {prepare}).vector, invalidOpcode);
});

test('a store of 256 bits does nothing unless both of its pages allow it, and tells the first address that does not', (t) => {
	const border = 0x40_0000;
	const tables = 0x30_0000;
	const run = (from: number, missing: 1 | 2) =>
		runBytes(store, {
			ramBytes: 8 * 1024 ** 2,
			prepare: ({processor, ram}: GuestProcessor) => {
				const {state} = processor.core;
				Object.assign(state, {cr4, xcr0: 7n});
				state.general[7] = BigInt(border - from);
				state.vector256.fill(2n ** 64n - 1n);
				// Two MiB are a page of these tests.
				new BigUint64Array(ram.buffer, tables + 0x2000, 512)[missing] = 0n;
			},
		});
	for (const from of [1, 8, 16, 24, 31]) {
		const {vector, ram, processor} = run(from, 2);
		t.deepEqual([vector, processor.core.state.cr2], [pageFault, BigInt(border)]);
		t.true(ram.subarray(border - from, border + 32).every((byte) => byte === 0));
	}
	const whole = run(32, 2);
	t.is(whole.vector, undefined);
	t.true(whole.ram.subarray(border - 32, border).every((byte) => byte === 0xff));
});

test('code of 32 bits has eight YMM registers, and memory by its segments', (t) => {
	// VMOVUPS YMM1,[ECX]; VADDPD YMM0,YMM1,YMM1; VMOVUPS [EDX],YMM0; VZEROUPPER.
	const code = [0xc5, 0xfc, 0x10, 0x09, 0xc5, 0xf5, 0x58, 0xc1, 0xc5, 0xfc, 0x11, 0x02, 0xc5, 0xf8, 0x77, 0xf4];
	const machine = startLegacy(code);
	const {state} = machine.processor.core;
	Object.assign(state, {cr4: cr4 & ~0x20n, xcr0: 7n});
	state.vector256.fill(7n);
	state.general.set([0n, 0x2_0000n, 0x2_0040n]);
	machine.processor.changed();
	const [from, to] = [0x2_0000, 0x2_0040].map((at) => new Float64Array(machine.ram.buffer, at, 4));
	from?.set([1, -2, 3.5, 1e300]);
	t.is(machine.run(), 'halted');
	t.deepEqual([...(to ?? [])], [2, -4, 7, 2e300]);
	t.deepEqual([state.vector256[7 * 4 + 2], state.vector256[8 * 4 + 2]], [0n, 7n]);
});

test('outside of 64-bit code a gather asks its segment for the elements that it reads alone', (t) => {
	// VPGATHERDD XMM0,[ESI+XMM1*4],XMM2.
	const code = [0xc4, 0xe2, 0x69, 0x90, 0x04, 0x8e, 0xf4];
	const gather = (masks: readonly bigint[], index = 0x4000_0000n) => {
		const machine = startLegacy(code);
		const {state} = machine.processor.core;
		Object.assign(state, {cr4: cr4 & ~0x20n, xcr0: 7n});
		Object.assign(state.segments[3] ?? {}, {limit: 0x2_0fff});
		state.general[6] = 0x2_0ff0n;
		// Numbers of elements: 0, 3, another, -1; by four that one wraps to the first, or is beyond the limit.
		state.vector256.set([3n << 32n, (0xffff_ffffn << 32n) | index, 7n, 7n], 4);
		state.vector256.set([...masks, 5n, 5n], 8);
		new Uint32Array(machine.ram.buffer, 0x2_0fe0, 8).set([0, 0, 0, 4, 1, 0, 0, 2]);
		machine.processor.changed();
		const end = machine.run();
		return {
			end: end === 'halted' ? end : end.vector,
			lanes: [...state.vector256.slice(0, 4)],
			masks: [...state.vector256.slice(8, 12)],
		};
	};
	const on = 0x8000_0000n;
	const all = [(on << 32n) | on, (on << 32n) | on];
	t.deepEqual(gather(all), {
		end: 'halted',
		lanes: [(2n << 32n) | 1n, (4n << 32n) | 1n, 0n, 0n],
		masks: [0n, 0n, 0n, 0n],
	});
	t.deepEqual(gather(all, 4n), {
		end: generalProtection,
		lanes: [(2n << 32n) | 1n, 0n, 0n, 0n],
		masks: [0n, all[1], 5n, 5n],
	});
	t.is(gather([all[0] as bigint, on << 32n], 4n).end, 'halted');
	// Addresses of 16 bits have no vector of indices.
	const narrow = startLegacy([0x67, ...code]);
	Object.assign(narrow.processor.core.state, {cr4: cr4 & ~0x20n, xcr0: 7n});
	narrow.processor.changed();
	t.like(narrow.run(), {vector: invalidOpcode});
});
