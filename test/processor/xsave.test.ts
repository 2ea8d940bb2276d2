import test from 'ava';
import {Feature} from '#vcpu-worker/software/decode';
import {announcing} from '#vcpu-worker/software/system/testing';
import type {GuestProcessor} from './guest-processor.ts';
import {type Before, type Outcome, runBytes} from './raw-code.ts';

const [invalidOpcode, deviceNotAvailable, generalProtection, pageFault] = [6, 7, 13, 14];
const area = 0x28_0000;
const areaBytes = 832;
/** Places of XSTATE_BV and XCOMP_BV. */
const [stateAt, formAt] = [512, 520];
const compacted = 1n << 63n;
/** PAE, OSFXSR, OSXMMEXCPT, OSXSAVE. */
const cr4 = 0x4_0620n;
/** What RDI points to. */
const operand = 0x07;
const saving = {
	xsave: [0x48, 0x0f, 0xae, 0x20 | operand],
	xsaveopt: [0x48, 0x0f, 0xae, 0x30 | operand],
	xsavec: [0x48, 0x0f, 0xc7, 0x20 | operand],
	xsaves: [0x48, 0x0f, 0xc7, 0x28 | operand],
} as const;
const restoring = {xrstor: [0x48, 0x0f, 0xae, 0x28 | operand], xrstors: [0x48, 0x0f, 0xc7, 0x18 | operand]} as const;
const xgetbv = [0x0f, 0x01, 0xd0];
const xsetbv = [0x0f, 0x01, 0xd1];
/** FLD1; PCMPEQB XMM15,XMM15. */
const useBoth = [0xd9, 0xe8, 0x66, 0x45, 0x0f, 0x74, 0xff];
const ones = 2n ** 64n - 1n;
const one = {significand: 1n << 63n, signExponent: 0x3fff};

interface State extends Before {
	readonly xcr0?: bigint;
	/** EDX:EAX. */
	readonly mask?: bigint;
	readonly counter?: bigint;
	readonly at?: bigint;
	/** XSTATE_BV, XCOMP_BV and what else the header has. */
	readonly header?: readonly bigint[];
	/** What the area holds before. */
	readonly filler?: number;
	readonly mxcsr?: number;
	readonly cr4?: bigint;
}

const view = ({ram}: Pick<GuestProcessor, 'ram'>) => new DataView(ram.buffer, area, areaBytes);

/** Runs code on an area, with a mask. */
function run(code: readonly number[], state: State = {}): Outcome {
	const {xcr0 = 3n, mask = 3n, counter = 0n, at = BigInt(area), header = [], filler = 0, mxcsr = 0x1f80} = state;
	return runBytes(code, {
		...state,
		prepare: (guest) => {
			const {state: registers} = guest.processor.core;
			Object.assign(registers, {cr4: state.cr4 ?? cr4, xcr0, mxcsr});
			registers.general.set([mask & 0xffff_ffffn, counter, mask >> 32n]);
			registers.general[7] = at;
			guest.ram.fill(filler, area, area + areaBytes);
			for (const [index, word] of header.entries()) view(guest).setBigUint64(stateAt + index * 8, word, true);
			state.prepare?.(guest);
		},
	});
}

/** Ranges of the area that are not as they were. */
function changed({ram}: Outcome, filler: number): readonly (readonly [number, number])[] {
	const bytes = ram.subarray(area, area + areaBytes);
	const ranges: [number, number][] = [];
	for (const [at, byte] of bytes.entries()) {
		if (byte === filler) continue;
		const last = ranges.at(-1);
		if (last !== undefined && last[1] === at) last[1]++;
		else ranges.push([at, at + 1]);
	}
	return ranges;
}

const headerOf = (outcome: Outcome) => [stateAt, formAt].map((place) => view(outcome).getBigUint64(place, true));

test('XSAVE saves what is asked for and enabled, and of the header XSTATE_BV alone', (t) => {
	const filler = 0x58;
	const untouched = 0x5858_5858_5858_5858n;
	const both = run([...useBoth, ...saving.xsave], {filler, mask: ones});
	t.is(both.vector, undefined);
	t.deepEqual(changed(both, filler), [
		[0, 416],
		[stateAt, stateAt + 1],
	]);
	t.deepEqual(headerOf(both), [(untouched & ~3n) | 3n, untouched]);
	t.is(view(both).getBigUint64(160 + 15 * 16, true), ones);
	t.deepEqual([view(both).getBigUint64(32, true), view(both).getUint16(40, true)], [1n << 63n, 0x3fff]);
	t.deepEqual([view(both).getUint32(24, true), view(both).getUint32(28, true)], [0x1f80, 0xffff]);
	t.deepEqual(changed(run([...useBoth, ...saving.xsave], {filler, mask: 1n}), filler), [
		[0, 24],
		[32, 160],
		[512, 513],
	]);
	t.deepEqual(changed(run([...useBoth, ...saving.xsave], {filler, mask: 2n}), filler), [
		[24, 32],
		[160, 416],
		[512, 513],
	]);
	t.deepEqual(changed(run([...useBoth, ...saving.xsave], {filler, xcr0: 1n}), filler), [
		[0, 24],
		[32, 160],
		[512, 513],
	]);
	t.deepEqual(changed(run([...useBoth, ...saving.xsave], {filler, mask: 4n}), filler), []);
});

test('components in their initial state are left out but by XSAVE, and XSTATE_BV says so', (t) => {
	const filler = 0x5b;
	const ranges = (code: readonly number[], state: State = {}) => changed(run(code, {filler, ...state}), filler);
	t.deepEqual(ranges(saving.xsave), [
		[0, 416],
		[512, 513],
	]);
	t.deepEqual(headerOf(run(saving.xsave)), [0n, 0n]);
	t.deepEqual(headerOf(run([...useBoth.slice(2), ...saving.xsave])), [2n, 0n]);
	// MXCSR is no part of what is in use, and always saved by XSAVEOPT.
	t.deepEqual(ranges(saving.xsaveopt, {mxcsr: 0x1fa0}), [
		[24, 32],
		[512, 513],
	]);
	t.deepEqual(headerOf(run(saving.xsaveopt, {mxcsr: 0x1fa0, header: [7n]})), [4n, 0n]);
	t.deepEqual(ranges([...useBoth.slice(0, 2), ...saving.xsaveopt]), [
		[0, 160],
		[512, 513],
	]);
	for (const code of [saving.xsavec, saving.xsaves]) {
		t.deepEqual(headerOf(run(code, {header: [7n, 7n]})), [0n, compacted | 3n]);
		t.deepEqual(ranges(code), [[512, 528]]);
		t.deepEqual(headerOf(run(code, {mask: 1n})), [0n, compacted | 1n]);
		// To them MXCSR is a register of SSE's.
		t.deepEqual(headerOf(run(code, {mxcsr: 0x1fa0})), [2n, compacted | 3n]);
		t.deepEqual(ranges(code, {mxcsr: 0x1fa0}), [
			[24, 32],
			[160, 416],
			[512, 528],
		]);
		t.deepEqual(headerOf(run([...useBoth, ...code])), [3n, compacted | 3n]);
	}
});

/** FNINIT's opposite: what the area is restored over. */
const used = [...useBoth, 0xd9, 0xeb];

for (const [name, code, form] of [
	['XRSTOR', restoring.xrstor, 0n],
	['XRSTOR of the compacted form', restoring.xrstor, compacted | 3n],
	['XRSTORS', restoring.xrstors, compacted | 3n],
] as const)
	test(`${name} takes what the area holds, and gives the rest its initial state`, (t) => {
		const fill = (guest: GuestProcessor) => {
			const bytes = view(guest);
			bytes.setUint16(0, 0x27f, true);
			bytes.setUint16(2, 0x3800, true);
			bytes.setUint8(4, 0x80);
			bytes.setBigUint64(8, 0x1234n, true);
			bytes.setUint32(24, 0x1fa0, true);
			bytes.setBigUint64(32, 1n << 63n, true);
			bytes.setUint16(40, 0x3fff, true);
			bytes.setBigUint64(160 + 8, 0x77n, true);
		};
		const restored = (state: bigint, more: State = {}) => {
			const {processor, vector} = run([...used, ...code], {header: [state, form], prepare: fill, ...more});
			t.is(vector, undefined);
			const {state: registers, x87} = processor.core;
			const {control, tags} = x87.registers;
			const {mxcsr, vector256, x87InstructionPointer} = registers;
			return {
				control,
				tags,
				first: x87.registers.get(0),
				pointer: x87InstructionPointer,
				mxcsr,
				xmm: [vector256[1], vector256[60]],
			};
		};
		const zero = {significand: 0n, signExponent: 0};
		const initial = {control: 0x37f, tags: 0, first: zero, pointer: 0n};
		const held = {control: 0x27f, tags: 0x80, first: one, pointer: 0x1234n};
		t.deepEqual(restored(3n), {...held, mxcsr: 0x1fa0, xmm: [0x77n, 0n]});
		// The standard form has MXCSR always.
		t.deepEqual(restored(0n), {...initial, mxcsr: form === 0n ? 0x1fa0 : 0x1f80, xmm: [0n, 0n]});
		t.deepEqual(restored(1n), {...held, mxcsr: form === 0n ? 0x1fa0 : 0x1f80, xmm: [0n, 0n]});
		t.deepEqual(restored(2n), {...initial, mxcsr: 0x1fa0, xmm: [0x77n, 0n]});
		const {mxcsr, xmm} = restored(3n, {mask: 1n});
		t.deepEqual([mxcsr, xmm], [0x1f80, [0n, ones]]);
		t.is(restored(3n, {mask: 2n}).first.signExponent, 0x4000);
	});

test('outside of 64-bit code XMM8 to XMM15 are left alone, and pointers have 32 bits', (t) => {
	const prepare = ({processor}: GuestProcessor) => {
		Object.assign(processor.core.state.segments[1] ?? {}, {attributes: 0xc09b});
		processor.core.state.vector256.fill(ones);
		processor.core.state.x87DataPointer = ones;
	};
	const filler = 0x58;
	const saved = run(saving.xsave.slice(1), {prepare, filler});
	t.deepEqual(changed(saved, filler), [
		[0, 288],
		[512, 513],
	]);
	t.is(view(saved).getBigUint64(16, true), 0xffff_ffffn);
	const {vector256} = run(restoring.xrstor.slice(1), {prepare}).processor.core.state;
	t.deepEqual([vector256[7 * 4], vector256[8 * 4]], [0n, ones]);
});

test('a header that no instruction has written is refused, and nothing is loaded', (t) => {
	const refused: readonly (readonly [code: readonly number[], header: readonly bigint[], more?: State])[] = [
		[restoring.xrstor, [4n]],
		[restoring.xrstor, [2n], {xcr0: 1n}],
		[restoring.xrstor, [0n, 3n]],
		[restoring.xrstor, [0n, 0n, 1n]],
		[restoring.xrstor, [3n, compacted | 7n]],
		[restoring.xrstor, [3n, compacted | 1n]],
		[restoring.xrstor, [3n, compacted | 3n, 0n, 0n, 0n, 0n, 0n, 1n]],
		[restoring.xrstors, [3n, 3n]],
		[restoring.xrstors, [3n]],
		[restoring.xrstors, [3n, compacted | 3n, 1n]],
	];
	for (const [code, header, more] of refused) {
		const {vector, processor} = run([...used, ...code], {header, ...more});
		t.is(vector, generalProtection, `${code} ${header}`);
		t.is(processor.core.state.vector256[60], ones);
	}
	// Bytes of the standard form that are not looked at, and a reserved bit of MXCSR, which counts where it is loaded.
	t.is(run(restoring.xrstor, {header: [3n, 0n, 0n, 1n]}).vector, undefined);
	const spoilt = ({ram}: GuestProcessor) => view({ram}).setUint32(24, 0x1_0000, true);
	t.is(run(restoring.xrstor, {prepare: spoilt}).vector, generalProtection);
	t.is(run(restoring.xrstor, {prepare: spoilt, mask: 1n}).vector, undefined);
	t.is(run(restoring.xrstors, {prepare: spoilt, header: [1n, compacted | 3n]}).vector, undefined);
	t.is(run(restoring.xrstors, {prepare: spoilt, header: [3n, compacted | 3n]}).vector, generalProtection);
});

test('exceptions come before all that is done', (t) => {
	const withoutCr4 = {cr4: cr4 & ~0x4_0000n};
	const switched = ({processor}: GuestProcessor) => {
		processor.core.state.cr0 |= 8n;
	};
	for (const [name, code] of Object.entries({...saving, ...restoring})) {
		const header = [3n, compacted | 3n];
		const ends = (state: State, bytes: readonly number[] = code) => run(bytes, {header, ...state}).vector;
		t.is(ends({}), undefined, name);
		t.is(ends(withoutCr4), invalidOpcode, name);
		t.is(ends({}, [0xf0, ...code]), invalidOpcode, name);
		t.is(ends({prepare: switched}), deviceNotAvailable, name);
		t.is(ends({at: BigInt(area + 32)}), generalProtection, name);
		const isSupervisor = name.endsWith('s');
		t.is(ends({isUser: true}), isSupervisor ? generalProtection : undefined, name);
	}
});

test('an area whose second page is not there is left alone', (t) => {
	// Two MiB are a page of these tests.
	const at = 0x40_0000 - 256;
	const tables = 0x30_0000;
	const prepare = ({ram}: GuestProcessor) => {
		new BigUint64Array(ram.buffer, tables + 0x2000, 512)[2] = 0n;
	};
	for (const code of Object.values(saving)) {
		const {vector, ram, processor} = run([...useBoth, ...code], {at: BigInt(at), prepare, ramBytes: 8 * 1024 ** 2});
		t.deepEqual([vector, processor.core.state.cr2], [pageFault, BigInt(at + stateAt)]);
		t.true(ram.subarray(at, 0x40_0000).every((byte) => byte === 0));
	}
});

test('XCR0 is read and written, with the x87 always in it', (t) => {
	t.deepEqual(run(xgetbv).general.slice(0, 3), BigUint64Array.of(3n, 0n, 0n));
	for (const value of [1n, 3n, 7n]) t.is(run(xsetbv, {mask: value, xcr0: 1n}).processor.core.state.xcr0, value);
	const refused = (mask: bigint, state: State = {}) => {
		const {vector, processor} = run(xsetbv, {mask, ...state});
		t.deepEqual([vector, processor.core.state.xcr0], [generalProtection, 3n]);
	};
	for (const mask of [0n, 2n, 5n, 8n, (1n << 32n) | 3n]) refused(mask);
	refused(7n, {cpuid: announcing(Feature.avx)});
	t.is(run(xsetbv, {counter: 1n}).vector, generalProtection);
	t.is(run(xsetbv, {isUser: true}).vector, generalProtection);
	t.is(run(xgetbv, {isUser: true}).vector, undefined);
	t.is(run(xgetbv, {counter: 2n}).vector, generalProtection);
	for (const code of [xgetbv, xsetbv]) t.is(run(code, {cr4: cr4 & ~0x4_0000n}).vector, invalidOpcode);
	// What is in use; MXCSR counts here.
	const inUse = (code: readonly number[], state: State = {}) =>
		run([...code, ...xgetbv], {counter: 1n, ...state}).general[0];
	t.deepEqual([inUse([]), inUse(useBoth), inUse([], {mxcsr: 0x1fa0})], [0n, 3n, 2n]);
	t.is(inUse(useBoth, {xcr0: 1n}), 1n);
});

test('CPUID tells whether the system has set CR4.OSXSAVE, which it can only where XSAVE is announced', (t) => {
	// MOV EAX,1; CPUID.
	const ask = [0xb8, 1, 0, 0, 0, 0x0f, 0xa2];
	const osxsave = 1n << 27n;
	t.is((run(ask).general[1] as bigint) & osxsave, osxsave);
	t.is((run(ask, {cr4: cr4 & ~0x4_0000n}).general[1] as bigint) & osxsave, 0n);
	// MOV CR4,RAX.
	const set = (state: State) => run([0x0f, 0x22, 0xe0], {mask: cr4, cr4: 0x620n, ...state}).vector;
	t.deepEqual([set({}), set({cpuid: announcing(Feature.xsave)})], [undefined, generalProtection]);
});

/** Where the upper halves of YMM registers lie, in either format. */
const upperAt = 576;
const fillUpper = ({processor}: GuestProcessor) => {
	for (let register = 0; register < 16; register++)
		processor.core.state.vector256.set([BigInt(register + 1), ones], register * 4 + 2);
};

test('upper halves of YMM registers are a component of their own, behind the header', (t) => {
	const filler = 0x58;
	const all = {xcr0: 7n, mask: 7n, filler, prepare: fillUpper};
	const saved = run(saving.xsave, all);
	t.deepEqual(changed(saved, filler), [
		[0, 416],
		[stateAt, stateAt + 1],
		[upperAt, areaBytes],
	]);
	t.is((headerOf(saved)[0] as bigint) & 7n, 4n);
	t.deepEqual(
		[0, 8, 240, 248].map((at) => view(saved).getBigUint64(upperAt + at, true)),
		[1n, ones, 16n, ones],
	);
	// Alone they bring MXCSR along, but where that is one of SSE's registers.
	t.deepEqual(changed(run(saving.xsave, {...all, mask: 4n}), filler), [
		[24, 32],
		[stateAt, stateAt + 1],
		[upperAt, areaBytes],
	]);
	for (const code of [saving.xsavec, saving.xsaves]) {
		t.deepEqual(changed(run(code, {...all, mask: 4n}), filler), [
			[stateAt, stateAt + 16],
			[upperAt, areaBytes],
		]);
		t.deepEqual(headerOf(run(code, all)), [4n, compacted | 7n]);
	}
	for (const code of [saving.xsaveopt, saving.xsavec])
		t.false(changed(run(code, {...all, prepare: () => {}}), filler).some(([from]) => from === upperAt));
	// Not enabled they are left alone.
	t.false(changed(run(saving.xsave, {...all, xcr0: 3n}), filler).some(([from]) => from === upperAt));
	const legacy = (guest: GuestProcessor) => {
		fillUpper(guest);
		Object.assign(guest.processor.core.state.segments[1] ?? {}, {attributes: 0xc09b});
	};
	t.deepEqual(changed(run(saving.xsave.slice(1), {...all, mask: 4n, prepare: legacy}), filler).at(-1), [
		upperAt,
		upperAt + 128,
	]);
	t.is(run([...xgetbv], {xcr0: 7n, counter: 1n, prepare: fillUpper}).general[0], 4n);
});

test('upper halves of YMM registers are restored, or get their initial state', (t) => {
	const prepare = (guest: GuestProcessor) => {
		fillUpper(guest);
		view(guest).setBigUint64(upperAt + 16, 0x77n, true);
		view(guest).setUint32(24, 0x1fa0, true);
	};
	for (const [code, form] of [
		[restoring.xrstor, 0n],
		[restoring.xrstor, compacted | 7n],
		[restoring.xrstors, compacted | 7n],
	] as const) {
		const restored = (held: bigint, more: State = {}) => {
			const {vector, processor} = run(code, {xcr0: 7n, mask: 4n, header: [held, form], prepare, ...more});
			t.is(vector, undefined);
			const {vector256, mxcsr} = processor.core.state;
			return [vector256[2], vector256[6], mxcsr];
		};
		const control = form === 0n ? 0x1fa0 : 0x1f80;
		t.deepEqual(restored(4n), [0n, 0x77n, control]);
		t.deepEqual(restored(0n), [0n, 0n, control]);
		t.deepEqual(restored(4n, {mask: 1n}), [1n, 2n, 0x1f80]);
	}
	for (const header of [
		[4n, 0n],
		[0n, compacted | 4n],
	])
		t.is(run(restoring.xrstor, {xcr0: 3n, header}).vector, generalProtection);
});

test('CPUID tells the size of an area with what is enabled', (t) => {
	// MOV EAX,0DH; CPUID.
	const ask = [0xb8, 0xd, 0, 0, 0, 0x0f, 0xa2];
	const cpuid = () => [7, 576, 832, 0] as const;
	for (const [xcr0, bytes] of [
		[1n, 576n],
		[3n, 576n],
		[7n, 832n],
	])
		t.is(run(ask, {xcr0: xcr0 as bigint, cpuid}).general[3], bytes);
});
