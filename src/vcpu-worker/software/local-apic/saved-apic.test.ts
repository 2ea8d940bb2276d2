import test from 'ava';
import type {SavedLocalApic} from './index.ts';
import {ApicMachine, read, send, write} from './testing/index.ts';

/** A machine in which processor 1 has a state in all its parts. */
function make(extended: boolean) {
	const machine = new ApicMachine([0, 0x45]);
	if (extended) machine.extended();
	else machine.enabled();
	const apic = machine.apic(1);
	write(apic, 'error', 0xfe);
	for (const data of [0x8061, 0x31, 0x8041, 0xf2]) machine.all.send(0xfee4_5000, 0, data);
	apic.accept();
	write(apic, 'tpr', 0x24);
	send(apic, 0x4_0035, 0x77);
	write(apic, 'timer', 0x2_0050);
	write(apic, 'divide', 0b1011);
	write(apic, 'initialCount', 100);
	machine.now += 130n;
	return {machine, apic};
}

for (const mode of ['xAPIC', 'x2APIC']) {
	test(`a local APIC in ${mode} mode goes on elsewhere`, (t) => {
		const {apic} = make(mode === 'x2APIC');
		send(apic, 0x02);
		const saved = apic.save();
		const other = new ApicMachine([0, 0x45]);
		other.now = 5_000_000n;
		const copy = other.apic(1);
		copy.restore(saved);
		t.deepEqual(copy.save(), saved);
		t.is(read(copy, 'currentCount'), 70);
		t.is(copy.nextEvent, other.now + 70n);
		t.is(copy.pending(), undefined, '0xf2 is in service');
		write(copy, 'eoi', 0);
		t.is(copy.accept(), 0xfe, 'the error');
		write(copy, 'eoi', 0);
		t.deepEqual([copy.accept(), copy.accept()], [0x61, undefined]);
		write(copy, 'eoi', 0);
		t.deepEqual(other.ended, [[1, 0x61]]);
		write(copy, 'esr', 0);
		t.is(read(copy, 'esr'), 0x20);
		other.now += 70n;
		copy.expire();
		t.is(copy.pending(), 0x50);
	});
}

test('a deadline and a timer that has stopped stay so', (t) => {
	const machine = new ApicMachine([0]).enabled();
	const apic = machine.apic(0);
	write(apic, 'timer', 0x50);
	write(apic, 'initialCount', 10);
	machine.now += 1000n;
	const [stopped, copy] = [apic.save(), new ApicMachine([0]).apic(0)];
	copy.restore(stopped);
	t.is(copy.nextEvent, undefined);
	write(apic, 'timer', 0x4_0050);
	apic.writeMsr(0x6e0, 4000n);
	copy.restore(apic.save());
	t.is(copy.readMsr(0x6e0), 4000n);
	t.is(copy.nextEvent, 8000n);
});

test('a count is no longer than its period, and a period without one begins anew', (t) => {
	const {machine, apic} = make(false);
	const saved = apic.save();
	for (const [count, left] of [
		[0, 100n],
		[1000, 100n],
		[30, 30n],
	] as const) {
		new DataView(saved.page.buffer).setUint32(0x390, count, true);
		apic.restore(saved);
		t.is(apic.nextEvent, machine.now + left);
	}
});

test('registers lie in the page where hypervisors have them', (t) => {
	const {apic} = make(true);
	const {page} = apic.save();
	const view = new DataView(page.buffer);
	t.is(view.getUint32(0x20, true), 0x45);
	t.is(view.getUint32(0xd0, true), 0x4_0020);
	t.is(view.getUint32(0x80, true), 0x24);
	t.is(view.getUint32(0xa0, true), 0xf0);
	t.deepEqual([view.getUint32(0x300, true), view.getUint32(0x310, true)], [0x4_0035, 0x77]);
	t.is(view.getUint32(0x170, true), 1 << 18);
	t.is(view.getUint32(0x390, true), 70);
	t.is(make(false).apic.save().page[0x23], 0x45);
});

test('what no local APIC can have is refused or does not come in', (t) => {
	const {apic} = make(true);
	const saved = apic.save();
	const refused: [Partial<SavedLocalApic>, string][] = [
		[{page: new Uint8Array(1023)}, 'apic'],
		[{page: new Uint8Array(1024)}, 'apic'],
		[{base: 0xfee0_0400n}, 'special.apicBase'],
		[{base: 0xfee0_0801n}, 'special.apicBase'],
		[{base: 1n << 40n}, 'special.apicBase'],
	];
	for (const [change, field] of refused) {
		const error = t.throws(() => apic.restore({...saved, ...change}), {code: 'STATE_FIELD_WRONG'});
		t.true(error?.message.includes(field), error?.message);
	}
	const page = new Uint8Array(1024).fill(0xff);
	apic.restore({page, base: 0xfee0_0800n, deadline: 2n ** 64n - 1n, errors: -1});
	t.is(read(apic, 'id'), 0x4500_0000);
	t.is(read(apic, 'irr'), 0xffff_0000);
	t.is(read(apic, 'svr'), 0x3ff);
	t.is(read(apic, 'divide'), 0xb);
	t.is(read(apic, 'timer'), 0x7_00ff);
	t.is(apic.nextEvent, undefined, 'masked');
});
