import test from 'ava';
import type {Segment, SpecialRegisters} from '#devices/processor';
import {fromSpecialRegisters, toSpecialRegisters} from './registers.ts';

const segment = (selector: number): Segment => ({
	base: 0xffff_8880_0000_0000n + BigInt(selector),
	limit: 0xffff_ffff,
	selector,
	type: 11,
	present: true,
	dpl: 3,
	db: false,
	s: true,
	l: true,
	g: true,
});

const special: SpecialRegisters = {
	...{cs: segment(8), ds: segment(16), es: segment(24), fs: segment(32), gs: segment(40), ss: segment(48)},
	...{tr: segment(56), ldt: {...segment(0), present: false}},
	gdt: {base: 0x1000n, limit: 0x7f},
	idt: {base: 0x2000n, limit: 0xfff},
	cr0: 0x8005_0033n,
	cr2: 1n,
	cr3: 2n,
	cr4: 3n,
	cr8: 4n,
	efer: 0xd01n,
	apicBase: 0xfee0_0900n,
};

test('special registers come back from KVM’s struct as they went in', (t) => {
	t.deepEqual(toSpecialRegisters(fromSpecialRegisters(special)), special);
});

test('a segment that is not present is unusable, others are not', (t) => {
	const sregs = fromSpecialRegisters(special);
	t.deepEqual([sregs.ldt.unusable, sregs.cs.unusable], [1, 0]);
});
