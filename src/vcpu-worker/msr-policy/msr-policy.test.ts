import test from 'ava';
import {Msr} from '#vcpu-worker/registers';
import {quietMsrs, type ResetMsrContext, resetMsrs, resetMsrTable, unknownMsrs} from './index.ts';

const everything = new Set(resetMsrTable.map(({index}) => index));
const intel: ResetMsrContext = {isAmd: false, listed: everything};
const values = (context: Partial<ResetMsrContext> = {}) =>
	new Map(resetMsrs({...intel, ...context}).map(({index, data}) => [index, data]));

test('every register is set once, with a reason', (t) => {
	t.is(everything.size, resetMsrTable.length);
	t.true(resetMsrTable.every(({name, reason}) => name !== '' && reason !== ''));
});

test('memory types after reset are those of OpenVMM: MTRRs on, default uncached, 640 KiB write-back', (t) => {
	const set = values();
	t.is(set.get(Msr.IA32_MTRR_DEF_TYPE), 0xc00n);
	t.is(set.get(Msr.IA32_MTRR_FIX64K_00000), 0x0606_0606_0606_0606n);
	t.is(set.get(Msr.IA32_MTRR_FIX16K_80000), 0x0606_0606_0606_0606n);
	t.is(set.get(Msr.IA32_MTRR_FIX16K_A0000), 0n);
	t.is(set.get(Msr.IA32_MTRR_FIX4K_C0000 + 7), 0n);
	t.is(set.get(Msr.IA32_MTRR_PHYSBASE0 + 15), 0n);
	t.is(set.get(Msr.IA32_PAT), 0x0007_0406_0007_0406n);
});

test('fast strings are on, and the time stamp counter starts at zero', (t) => {
	t.is(values().get(Msr.IA32_MISC_ENABLE), 0x1801n);
	t.is(values().get(Msr.IA32_TIME_STAMP_COUNTER), 0n);
});

test('FEATURE_CONTROL is locked without VMX on Intel, and does not exist on AMD', (t) => {
	t.is(values().get(Msr.IA32_FEATURE_CONTROL), 1n);
	t.false(values({isAmd: true}).has(Msr.IA32_FEATURE_CONTROL));
});

test('a reset takes the pages back that the previous kernel gave to KVM', (t) => {
	const set = values();
	t.deepEqual(
		[Msr.KVM_SYSTEM_TIME_NEW, Msr.KVM_WALL_CLOCK_NEW, Msr.KVM_STEAL_TIME, Msr.KVM_PV_EOI_EN].map((index) =>
			set.get(index),
		),
		[0n, 0n, 0n, 0n],
	);
	t.is(set.get(Msr.KVM_POLL_CONTROL), 1n);
});

test('what KVM does not list is left alone, except for what every KVM has', (t) => {
	const set = values({listed: new Set()});
	t.false(set.has(Msr.IA32_SPEC_CTRL));
	t.false(set.has(Msr.IA32_STAR));
	t.deepEqual(
		[Msr.IA32_TIME_STAMP_COUNTER, Msr.IA32_PAT, Msr.IA32_MTRR_DEF_TYPE, Msr.IA32_MISC_ENABLE].map((index) =>
			set.has(index),
		),
		[true, true, true, true],
	);
});

test('the registers that old firmware pokes read zero and swallow writes', (t) => {
	for (const msr of [0x88, 0x89, 0x8a, 0x116, 0x118, 0x119, 0x11a, 0x11b, 0x11e]) {
		const value = {low: 1, high: 2};
		t.true(unknownMsrs.write(msr, value));
		t.true(unknownMsrs.read(msr, value));
		t.deepEqual(value, {low: 0, high: 0});
	}
	t.true(quietMsrs.every(({first, last}) => first <= last));
});

test('all others fault, to reads and to writes', (t) => {
	for (const msr of [0, 0x87, 0x8b, 0x115, 0x117, 0x11c, 0x11d, 0x11f, 0x4000_0000, 0xc001_0131, 0xffff_ffff]) {
		t.false(unknownMsrs.read(msr, {low: 0, high: 0}));
		t.false(unknownMsrs.write(msr, {low: 0, high: 0}));
	}
});
