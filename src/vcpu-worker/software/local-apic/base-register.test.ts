import test from 'ava';
import {ApicMachine, read, write} from './testing/index.ts';

const bits = {disabled: 0n, invalid: 0x400n, xapic: 0x800n, x2apic: 0xc00n};
type Mode = keyof typeof bits;
const page = 0xfee0_0000n;

/** Modes that lead to one from xAPIC mode, after reset. */
const ways: Readonly<Record<Exclude<Mode, 'invalid'>, readonly Mode[]>> = {
	xapic: [],
	x2apic: ['x2apic'],
	disabled: ['disabled'],
};
const allowed: Readonly<Record<string, readonly Mode[]>> = {
	xapic: ['disabled', 'xapic', 'x2apic'],
	x2apic: ['disabled', 'x2apic'],
	disabled: ['disabled', 'xapic'],
};
for (const [from, way] of Object.entries(ways)) {
	test(`from ${from} mode only the manual's ways lead on`, (t) => {
		for (const to of Object.keys(bits) as Mode[]) {
			const apic = new ApicMachine([1]).apic(0);
			for (const step of way) t.true(apic.writeMsr(0x1b, page | bits[step]));
			const before = apic.base;
			const isAllowed = allowed[from]?.includes(to) ?? false;
			t.is(apic.writeMsr(0x1b, page | bits[to]), isAllowed, to);
			t.is(apic.base, isAllowed ? page | bits[to] : before);
		}
	});
}

test('the page moves, up to the width of addresses, and is gone in other modes', (t) => {
	const apic = new ApicMachine([0]).apic(0);
	t.is(apic.page, 0xfee0_0000);
	t.true(apic.isBoot);
	t.true(apic.writeMsr(0x1b, 0xff_1234_5800n));
	t.is(apic.page, 0xff_1234_5000);
	t.false(apic.isBoot);
	t.false(apic.writeMsr(0x1b, 0x100_0000_0800n));
	for (const reserved of [1n, 0x80n, 0x200n]) t.false(apic.writeMsr(0x1b, page | 0x800n | reserved));
	t.is(apic.readMsr(0x1b), 0xff_1234_5800n);
	t.true(apic.writeMsr(0x1b, page | bits.x2apic));
	t.is(apic.page, undefined);
});

test('a processor without x2APIC does not go there, one with it on starts there', (t) => {
	t.false(new ApicMachine([0], 'xapic').apic(0).writeMsr(0x1b, page | bits.x2apic));
	const apic = new ApicMachine([0x105], 'x2apic-enabled').apic(0);
	t.is(apic.base, page | bits.x2apic | 0x100n);
	t.is(apic.readMsr(0x80d), 0x10_0020n);
});

test('registers outlive the step to x2APIC mode, and not the one to none', (t) => {
	const machine = new ApicMachine([3]).enabled();
	const apic = machine.apic(0);
	machine.all.send(0xfee0_3000, 0, 0x40);
	write(apic, 'tpr', 0x20);
	write(apic, 'icrHigh', 0x0900_0000);
	apic.writeMsr(0x1b, page | bits.x2apic);
	t.deepEqual([read(apic, 'tpr'), read(apic, 'svr'), read(apic, 'id'), apic.readMsr(0x830)], [0x20, 0x1ff, 3, 0n]);
	t.is(apic.pending(), 0x40);
	write(apic, 'timer', 0x41);
	write(apic, 'initialCount', 1000);
	apic.writeMsr(0x1b, page);
	t.is(apic.pending(), undefined);
	apic.writeMsr(0x1b, page | bits.xapic);
	t.deepEqual([read(apic, 'tpr'), read(apic, 'svr'), read(apic, 'ldr'), apic.pending()], [0, 0xff, 0, undefined]);
	t.deepEqual([read(apic, 'timer'), read(apic, 'lint0'), apic.nextEvent], [0x1_0000, 0x1_0000, undefined]);
	write(apic, 'svr', 0x1ff);
	write(apic, 'timer', 0x41);
	t.is(apic.nextEvent, undefined);
});

test('INIT resets the registers and leaves the mode, the page, and what has been asked since', (t) => {
	const machine = new ApicMachine([0, 0x123]).extended();
	const apic = machine.apic(1);
	write(apic, 'tpr', 0x20);
	write(apic, 'timer', 0x41);
	write(apic, 'initialCount', 1000);
	machine.all.send(0xfee2_3000, 0x100, 0x40);
	write(machine.apic(0), 'icr', 0x4607, 0x123);
	apic.init();
	t.deepEqual([read(apic, 'tpr'), read(apic, 'svr'), read(apic, 'irr')], [0, 0xff, 0]);
	t.is(apic.readMsr(0x80d), 0x12_0008n);
	t.deepEqual([apic.base, apic.nextEvent, apic.acceptsExternal], [page | bits.x2apic, undefined, false]);
	t.is(apic.takeRequests()?.startup, 7);
	apic.reset();
	t.is(apic.base, page | bits.xapic);
	machine.apic(0).init();
	t.true(machine.apic(0).acceptsExternal, 'the boot processor’s firmware lets the PIC in');
});
