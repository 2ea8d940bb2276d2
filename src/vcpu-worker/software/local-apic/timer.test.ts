import test from 'ava';
import {ApicMachine, read, write} from './testing/index.ts';

const periodic = 0x2_0000;
const deadline = 0x4_0000;
const masked = 0x1_0000;

/** A machine of one processor whose timer has this entry, and lets time pass. */
function make(entry: number) {
	const machine = new ApicMachine([0]).enabled();
	const apic = machine.apic(0);
	write(apic, 'timer', entry);
	/** Tells whether the timer has interrupted after so many nanoseconds. */
	const after = (ns: bigint) => {
		machine.now += ns;
		apic.expire();
		const vector = apic.accept();
		if (vector !== undefined) write(apic, 'eoi', 0);
		return vector === 0x41;
	};
	return {machine, apic, after};
}

test('a count goes down to zero once, and says when', (t) => {
	const {machine, apic, after} = make(0x41);
	t.is(apic.nextEvent, undefined);
	write(apic, 'divide', 0b1011);
	write(apic, 'initialCount', 100);
	t.is(apic.nextEvent, machine.now + 100n);
	t.false(after(40n));
	t.is(read(apic, 'currentCount'), 60);
	t.false(after(59n));
	t.is(read(apic, 'currentCount'), 1);
	t.true(after(1n));
	t.is(read(apic, 'currentCount'), 0);
	t.false(after(1000n));
	t.is(apic.nextEvent, undefined);
});

test('the divide configuration has eight steps, and a new one goes on from the count', (t) => {
	const {machine, apic} = make(0x41);
	for (const [code, steps] of [2, 4, 8, 16, 32, 64, 128, 1].entries()) {
		write(apic, 'divide', (code & 3) | ((code & 4) << 1));
		write(apic, 'initialCount', 10);
		t.is(apic.nextEvent, machine.now + 10n * BigInt(steps));
	}
	machine.now += 4n;
	write(apic, 'divide', 0);
	t.is(read(apic, 'currentCount'), 6);
	t.is(apic.nextEvent, machine.now + 12n);
	write(apic, 'initialCount', 0xffff_ffff);
	t.is(read(apic, 'currentCount'), 0xffff_ffff);
	write(apic, 'initialCount', 0);
	t.is(apic.nextEvent, undefined);
});

test('a period comes again without drift, and once for all that were missed', (t) => {
	const {machine, apic, after} = make(periodic | 0x41);
	write(apic, 'divide', 0b1011);
	write(apic, 'initialCount', 100);
	const start = machine.now;
	t.true(after(130n));
	t.is(apic.nextEvent, start + 200n);
	t.is(read(apic, 'currentCount'), 70);
	t.true(after(1_000_000_000_040n));
	t.is(apic.nextEvent, start + 1_000_000_000_200n);
	t.false(after(1n));
	write(apic, 'timer', 0x41);
	t.true(after(29n));
	t.is(apic.nextEvent, undefined, 'one-shot from then on');
});

test('a masked timer goes on and does not interrupt', (t) => {
	const {apic, after} = make(masked | periodic | 0x41);
	write(apic, 'divide', 0b1011);
	write(apic, 'initialCount', 100);
	t.is(apic.nextEvent, undefined);
	t.false(after(150n));
	write(apic, 'timer', periodic | 0x41);
	t.is(read(apic, 'currentCount'), 50);
	t.true(after(50n));
});

test('what was due before the guest changes the timer still comes', (t) => {
	const {machine, apic} = make(0x41);
	write(apic, 'initialCount', 5);
	machine.now += 100n;
	write(apic, 'timer', 0x52);
	t.is(apic.pending(), 0x41);
});

test('a deadline is a value of the counter, and is gone when it has come', (t) => {
	const {machine, apic, after} = make(deadline | 0x41);
	const counter = machine.now / 2n;
	t.true(apic.writeMsr(0x6e0, counter + 50n));
	t.is(apic.readMsr(0x6e0), counter + 50n);
	t.is(apic.nextEvent, machine.now + 100n);
	t.false(after(99n));
	t.true(after(1n));
	t.is(apic.readMsr(0x6e0), 0n);
	t.is(apic.nextEvent, undefined);
	t.true(apic.writeMsr(0x6e0, 1n));
	t.true(after(0n), 'it is past already');
	apic.writeMsr(0x6e0, machine.now / 2n + 1n);
	machine.now += 2n;
	apic.writeMsr(0x6e0, 2n ** 64n - 1n);
	t.true(after(0n), 'the one before was due');
	t.false(after(10n ** 15n));
	apic.writeMsr(0x6e0, 0n);
	t.is(apic.nextEvent, undefined);
});

test('deadline and count do not outlive the change to the other mode', (t) => {
	const {machine, apic, after} = make(0x41);
	t.true(apic.writeMsr(0x6e0, 1n));
	t.is(apic.readMsr(0x6e0), 0n, 'written in vain');
	write(apic, 'initialCount', 100);
	write(apic, 'timer', deadline | 0x41);
	t.is(apic.nextEvent, undefined);
	write(apic, 'initialCount', 100);
	t.deepEqual([read(apic, 'currentCount'), read(apic, 'initialCount'), apic.nextEvent], [0, 0, undefined]);
	apic.writeMsr(0x6e0, machine.now);
	write(apic, 'timer', 0x41);
	t.false(after(10_000n));
});

test('a timer without deadlines has neither the mode nor the register', (t) => {
	const apic = new ApicMachine([0], 'x2apic-supported', false).extended().apic(0);
	t.false(apic.writeMsr(0x832, BigInt(deadline | 0x41)));
	t.false(apic.writeMsr(0x6e0, 1n));
	t.is(apic.readMsr(0x6e0), undefined);
	t.true(apic.writeMsr(0x832, BigInt(periodic | 0x41)));
});
