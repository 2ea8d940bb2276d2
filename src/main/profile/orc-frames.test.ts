import test from 'ava';
import {OrcTables} from '#main/symbols';
import {GuestProfile} from './guest-profile.ts';
import {KernelStacks} from './kernel-stacks.ts';
import {orcFrames} from './orc-frames.ts';

const stext = 0xffff_ffff_8100_0000n;
const stackAt = 0xffff_c900_0000_1000n;

interface Row {
	/** Distance of its code from `stext`. */
	readonly at: number;
	readonly kind: 'call' | 'registers' | 'interrupt' | 'end';
	readonly sp?: readonly [base: number, offset: number];
	readonly bp?: readonly [base: number, offset: number];
}

/** Numbers of registers and kinds as the kernel's header has them: 6.12's, and 6.1's. */
const base = {frame: 1, bp: 4, sp: 5, r10: 6, bpIndirect: 8, spIndirect: 9} as const;
const kinds = {
	new: {end: 1, call: 2, registers: 3, interrupt: 4},
	old: {end: 0, call: 0, registers: 1, interrupt: 2},
} as const;

/** A kernel's tables, in the format of one of its versions. */
function tables(rows: readonly Row[], version: 'new' | 'old'): OrcTables {
	const entries = Buffer.alloc((rows.length + 1) * 6);
	for (const [index, {kind, sp = [0, 0], bp = [0, 0]}] of rows.entries()) {
		entries.writeInt16LE(sp[1], index * 6);
		entries.writeInt16LE(bp[1], index * 6 + 2);
		entries.writeUInt16LE(sp[0] | (bp[0] << 4) | (kinds[version][kind] << 8), index * 6 + 4);
	}
	return new OrcTables(stext, Int32Array.from([...rows.map(({at}) => at), 0x10_0000]), entries);
}

/** Functions of a kernel: one that called the next, and so on; each has its code at a multiple of 0x1000. */
const rows: readonly Row[] = [
	{at: 0, kind: 'end'},
	{at: 0x1000, kind: 'call', sp: [base.sp, 16]},
	{at: 0x2000, kind: 'call', sp: [base.bp, 16], bp: [base.frame, -16]},
	{at: 0x3000, kind: 'registers', sp: [base.sp, 8]},
	{at: 0x4000, kind: 'interrupt', sp: [base.sp, 0]},
	{at: 0x5000, kind: 'call', sp: [base.spIndirect, 8]},
	{at: 0x6000, kind: 'call', sp: [base.r10, 0]},
	{at: 0x7000, kind: 'call', sp: [base.bpIndirect, -8]},
	{at: 0x8000, kind: 'call', sp: [base.sp, 8]},
	{at: 0x9000, kind: 'call', sp: [base.sp, 8]},
];

const code = (distance: number) => stext + BigInt(distance);
/** What a frame shows of a call before this address. */
const call = (distance: number) => code(distance) - 1n;

interface Scene {
	/** Distance of the next instruction, and of the one that was executed where that is another. */
	readonly next: number;
	readonly at?: number;
	readonly hasReturned?: boolean;
	/** Words of the stack by their place from RSP. */
	readonly words: Readonly<Record<number, bigint>>;
	/** Place that RBP points to. */
	readonly bp?: number;
	readonly version?: 'new' | 'old';
	readonly length?: number;
}

function framesOf({next, at = next, hasReturned = false, words, bp = 0, version = 'new', length = 1024}: Scene) {
	const whole = Buffer.alloc(2048);
	for (const [place, word] of Object.entries(words)) whole.writeBigUInt64LE(word, Number(place));
	const bytes = whole.subarray(0, length);
	const stack = {next: code(next), pointer: stackAt, frame: stackAt + BigInt(bp), bytes, hasReturned};
	return orcFrames({frames: [code(at)], stack}, tables(rows, version));
}

for (const version of ['new', 'old'] as const) {
	test(`calls are followed through tables of ${version} kernels, by RSP and by RBP`, (t) => {
		const words = {8: code(0x2005), 32: 0n, 40: code(0x8007), 48: code(0x0010)};
		t.deepEqual(framesOf({next: 0x1004, bp: 32, words, version}), [
			code(0x1004),
			call(0x2005),
			call(0x8007),
			call(0x10),
		]);
	});

	test(`an interrupt of the kernel is followed to what it has interrupted, in ${version} kernels, one of a program is not`, (t) => {
		const registers = {
			[8 + 32]: stackAt + 0x200n,
			[8 + 128]: code(0x2005),
			[8 + 136]: 0x10n,
			[8 + 152]: stackAt + 0x180n,
		};
		const outer = {[0x200 + 8]: code(0x8001)};
		const words = {...registers, ...outer, [0x210]: code(0x10)};
		t.deepEqual(framesOf({next: 0x3004, words, version}), [code(0x3004), code(0x2005), call(0x8001), call(0x10)]);
		t.is(framesOf({next: 0x3004, words: {...words, [8 + 136]: 0x33n}, version}), undefined);
		const small = {0: code(0x8001), 8: 0x10n, 24: stackAt + 0x80n, [0x80]: code(0x10)};
		t.deepEqual(framesOf({next: 0x4004, words: small, version}), [code(0x4004), code(0x8001), call(0x10)]);
	});
}

test('a stack that a frame has kept is followed where the sample has it', (t) => {
	t.deepEqual(framesOf({next: 0x5004, words: {0: stackAt + 0x40n, 64: code(0x10)}}), [code(0x5004), call(0x10)]);
	t.is(framesOf({next: 0x5004, words: {0: stackAt - 0x40n}}), undefined);
	t.is(framesOf({next: 0x5004, words: {0: 0x7fffn}}), undefined);
	t.deepEqual(framesOf({next: 0x7004, bp: 0x28, words: {32: stackAt + 0x48n, 64: code(0x10)}}), [
		code(0x7004),
		call(0x10),
	]);
	t.is(framesOf({next: 0x6004, words: {0: code(0x10)}}), undefined, 'a register that nobody knows');
});

test('the instruction at which a block ended is the innermost, in the function that it was in', (t) => {
	const behind = {0: code(0x8007), 8: code(0x10)};
	t.deepEqual(framesOf({at: 0x9020, next: 0x8004, words: {0: code(0x10)}, hasReturned: true}), [
		code(0x9020),
		code(0x8004),
		call(0x10),
	]);
	t.deepEqual(framesOf({at: 0x8002, next: 0x9000, words: behind}), [code(0x8002), call(0x10)], 'it has called');
	t.deepEqual(
		framesOf({at: 0x9020, next: 0x9004, words: behind}),
		[code(0x9020), call(0x8007), call(0x10)],
		'it has jumped',
	);
});

test('tables and stacks that mislead end', (t) => {
	const endless = Object.fromEntries(Array.from({length: 128}, (_, index) => [index * 8, code(0x8001)]));
	t.is(framesOf({next: 0x8004, words: endless})?.length, 64);
	t.deepEqual(framesOf({next: 0x8004, words: endless, length: 24})?.length, 4, 'the stack of the sample ends');
	t.is(framesOf({next: 0x8004, words: {0: 0x40_1000n}}), undefined, 'an address of a program');
	t.is(
		framesOf({next: 0x3004, words: {[8 + 128]: code(0x8001), [8 + 136]: 0x10n, [8 + 152]: stackAt}}),
		undefined,
		'a stack that stays',
	);
	t.is(framesOf({next: 0x20_0000, words: endless}), undefined, 'code that is not in the tables');
	t.is(orcFrames({frames: [code(0x1004)]}, tables(rows, 'new')), undefined);
});

test('samples wait for tables in their order, and no more of them than there is room for', (t) => {
	const words = Buffer.alloc(64);
	words.writeBigUInt64LE(code(0x8007));
	const stack = {next: code(0x9004), pointer: stackAt, frame: stackAt, bytes: words, hasReturned: false};
	const plain = {vcpu: 0, ms: 1, isWaiting: false, isUser: false, space: 0n, frames: [code(0x9004)]};
	const sample = {...plain, stack};
	const depths = (profile: GuestProfile) =>
		[...(profile.logs[0] ?? [])].map(({node, ms}) => [
			profile.tree.parentOf(profile.tree.parentOf(node)) === 0 ? 1 : 2,
			ms,
		]);

	const profile = new GuestProfile(1);
	const stacks = new KernelStacks(profile);
	stacks.add(sample);
	stacks.add({...plain, isUser: true, frames: [7n], ms: 3});
	t.is(profile.sampleCount, 0);
	stacks.settle(tables(rows, 'new'));
	stacks.add({...sample, ms: 5});
	t.deepEqual(depths(profile), [
		[2, 1],
		[1, 3],
		[2, 5],
	]);

	const full = new GuestProfile(1);
	const waiting = new KernelStacks(full);
	for (let index = 0; index < 20_000; index++) waiting.add(sample);
	t.is(full.sampleCount, 20_000);
	waiting.settle(tables(rows, 'new'));
	waiting.add(sample);
	t.deepEqual(depths(full), [
		[1, 20_000],
		[2, 1],
	]);
});
