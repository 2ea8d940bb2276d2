import test from 'ava';
import {ApicMachine, read, send, write} from './testing/index.ts';

const logical = 0x800;
const lowest = 0x100;
const shorthand = {self: 0x4_0000, all: 0x8_0000, others: 0xc_0000};

/** Indexes of processors that have the vector requested. */
const having = (machine: ApicMachine, vector: number) =>
	machine.requested().flatMap((vectors, index) => (vectors.includes(vector) ? [index] : []));

test('shorthands mean oneself, all, and all others, and wake whom they reach', (t) => {
	for (const machine of [new ApicMachine([0, 1, 2]).enabled(), new ApicMachine([0, 1, 0x300]).extended()]) {
		send(machine.apic(1), shorthand.self | 0x40);
		send(machine.apic(1), shorthand.all | 0x41);
		send(machine.apic(1), shorthand.others | 0x42);
		t.deepEqual(machine.requested(), [
			[0x41, 0x42],
			[0x40, 0x41],
			[0x41, 0x42],
		]);
		t.deepEqual(machine.woken, [1, 0, 1, 2, 0, 2]);
	}
});

test('a physical id means its processor, and all ones everyone', (t) => {
	const machine = new ApicMachine([0, 4, 9]).enabled();
	send(machine.apic(0), 0x40, 4);
	send(machine.apic(0), 0x41, 5);
	send(machine.apic(0), 0x42, 0xff);
	t.deepEqual(machine.requested(), [[0x42], [0x40, 0x42], [0x42]]);
});

test('ids above 255 are reached in 32 bits, and are nobody else in 8', (t) => {
	const machine = new ApicMachine([0, 0xff, 0x100, 0x1234_5678]).extended();
	const [boot] = machine.apics;
	if (boot === undefined) return t.fail();
	send(boot, 0x40, 0x100);
	send(boot, 0x41, 0xff);
	send(boot, 0x42, 0x1234_5678);
	send(boot, 0x43, 0xffff_ffff);
	t.deepEqual(machine.requested(), [[0x43], [0x41, 0x43], [0x40, 0x43], [0x42, 0x43]]);
});

test('a processor above 255 is started while it is still in xAPIC mode', (t) => {
	const machine = new ApicMachine([0, 0x101, 1]);
	const boot = machine.apic(0);
	boot.writeMsr(0x1b, boot.base | 0xc00n);
	send(boot, 0x4500, 0x101);
	send(boot, 0x4608, 0x101);
	t.deepEqual(machine.apic(1).takeRequests(), {init: true, startup: 8, nmi: false});
	t.is(machine.apic(2).takeRequests(), undefined, 'its 8 bits are 1');
	t.deepEqual(machine.woken, [1, 1]);
});

test('flat logical ids are a bit each, clusters a number and 4 bits', (t) => {
	const machine = new ApicMachine([0, 1, 2, 3]).enabled();
	machine.apics.forEach((apic, index) => void write(apic, 'ldr', 1 << (24 + index)));
	send(machine.apic(0), logical | 0x40, 0b0110);
	t.deepEqual(having(machine, 0x40), [1, 2]);
	for (const [index, id] of [0x11, 0x12, 0x21, 0x28].entries()) {
		write(machine.apic(index), 'dfr', 0);
		write(machine.apic(index), 'ldr', id << 24);
	}
	t.is(read(machine.apic(0), 'dfr'), 0x0fff_ffff);
	send(machine.apic(0), logical | 0x41, 0x13);
	send(machine.apic(0), logical | 0x42, 0x29);
	send(machine.apic(0), logical | 0x43, 0xf1);
	send(machine.apic(0), logical | 0x44, 0xff);
	send(machine.apic(0), logical | 0x45, 0x30);
	const got = [0x41, 0x42, 0x43, 0x44, 0x45].map((vector) => having(machine, vector));
	t.deepEqual(got, [[0, 1], [2, 3], [0, 2], [0, 1, 2, 3], []]);
});

test('x2APIC clusters are the upper half of the logical id', (t) => {
	const machine = new ApicMachine([0, 1, 0x1f, 0x112]).extended();
	const boot = machine.apic(0);
	send(boot, logical | 0x40, 0b11);
	send(boot, logical | 0x41, 0x1_8000);
	send(boot, logical | 0x42, 0x11_0006);
	send(boot, logical | 0x43, 0x2_ffff);
	send(boot, logical | 0x44, 0xffff_ffff);
	const got = [0x40, 0x41, 0x42, 0x43, 0x44].map((vector) => having(machine, vector));
	t.deepEqual(got, [[0, 1], [2], [3], [], [0, 1, 2, 3]]);
});

test('lowest priority goes to one: the least urgent that software has enabled, else where the vector says', (t) => {
	const machine = new ApicMachine([0, 1, 2, 3]).enabled();
	machine.apics.forEach((apic, index) => void write(apic, 'ldr', 1 << (24 + index)));
	for (const [index, priority] of [0x20, 0x10, 0x30, 0].entries()) write(machine.apic(index), 'tpr', priority);
	write(machine.apic(3), 'svr', 0xff);
	send(machine.apic(0), lowest | logical | 0x50, 0xff);
	t.deepEqual(having(machine, 0x50), [1]);
	t.is(machine.apic(1).accept(), 0x50);
	send(machine.apic(0), lowest | logical | 0x51, 0xff);
	t.deepEqual(having(machine, 0x51), [0], 'the other is busy now');
	send(machine.apic(0), lowest | shorthand.others | 0x52);
	t.deepEqual(having(machine, 0x52), [2]);
	for (const apic of machine.apics) write(apic, 'tpr', 0);
	write(machine.apic(1), 'eoi', 0);
	for (const vector of [0x60, 0x61, 0x62, 0x63]) send(machine.apic(0), lowest | logical | vector, 0x0f);
	t.deepEqual(
		[0x60, 0x61, 0x62, 0x63].map((vector) => having(machine, vector)),
		[[0], [1], [2], [0]],
	);
	send(machine.apic(0), lowest | logical | 0x64, 0x08);
	t.deepEqual(having(machine, 0x64), []);
});

test('messages of devices have an id of 8 bits, 15 or 32, one mode of addressing, and a trigger mode', (t) => {
	const machine = new ApicMachine([0, 1, 0x1ff, 0xabcd12]).extended();
	machine.all.send(0xfee0_1000, 0, 0x40);
	machine.all.send(0xfeef_f000 | (1 << 5), 0, 0x41);
	machine.all.send(0xfee1_2000, 0x00ab_cd00, 0x42);
	machine.all.send(0xfee0_1000, 0x00ab_cd00, 0x43);
	machine.all.send(0xfee0_3004, 0, 0x44);
	machine.all.send(0xfee0_300c, 0, 0x45);
	machine.all.send(0xfee0_1000 | (1 << 5) | (1 << 4), 0, 0x46);
	machine.all.send(0xfee0_0000, 0, 0xc047);
	t.deepEqual(machine.requested(), [[0x44, 0x47], [0x40, 0x44, 0x45, 0x46], [0x41], [0x42]]);
	t.is(machine.apic(0).readMsr(0x81a), 0x80n, 'one of them is level-triggered');
});

test('a message to 255 is for everyone who is in xAPIC mode, and for number 255', (t) => {
	const machine = new ApicMachine([0, 1, 0xff]).enabled();
	machine.apic(2).writeMsr(0x1b, machine.apic(2).base | 0xc00n);
	machine.apic(1).writeMsr(0x1b, machine.apic(1).base | 0xc00n);
	machine.all.send(0xfeef_f000, 0, 0x40);
	t.deepEqual(having(machine, 0x40), [0, 2]);
});

test('NMI, INIT and start-up are asked of the processor, SMI and the PIC of nobody', (t) => {
	const machine = new ApicMachine([0, 1]).enabled();
	const [boot, other] = [machine.apic(0), machine.apic(1)];
	for (const command of [0x200, 0x300, 0x700]) send(boot, command | 0x40, 1);
	send(boot, 0x8500, 1);
	t.is(other.takeRequests(), undefined, 'nor the end of an INIT');
	t.deepEqual(machine.requested(), [[], []]);
	send(boot, 0x4699, 1);
	send(boot, 0x4400, 1);
	send(boot, 0xc500, 1);
	t.deepEqual(other.takeRequests(), {init: true, startup: undefined, nmi: false}, 'INIT ends what came before');
	send(boot, 0x4612, 1);
	send(boot, 0x4634, 1);
	send(boot, 0x4400, 1);
	t.deepEqual(other.takeRequests(), {init: false, startup: 0x12, nmi: true}, 'the second start-up is not seen');
	t.is(other.takeRequests(), undefined);
});

test('an IPI is an edge, whatever the command says of its trigger mode', (t) => {
	const machine = new ApicMachine([0, 1]).enabled();
	send(machine.apic(0), 0xc041, 1);
	machine.apic(1).accept();
	write(machine.apic(1), 'eoi', 0);
	t.deepEqual(machine.ended, []);
});

test('an illegal vector is the sender’s error and goes nowhere', (t) => {
	const machine = new ApicMachine([0, 1]).extended();
	send(machine.apic(0), 0x0f, 1);
	write(machine.apic(0), 'selfIpi', 3);
	for (const apic of machine.apics) write(apic, 'esr', 0);
	t.deepEqual(
		machine.apics.map((apic) => read(apic, 'esr')),
		[0x20, 0],
	);
	write(machine.apic(0), 'selfIpi', 0x33);
	t.deepEqual(machine.requested(), [[0x33], []]);
});

test('nobody reaches a processor that is not there or whose local APIC is off', (t) => {
	const machine = new ApicMachine([0, 1, 2]).enabled();
	const off = machine.apic(2);
	off.writeMsr(0x1b, off.base & ~0x800n);
	send(machine.apic(0), 0x4500, 2);
	send(machine.apic(0), shorthand.all | 0x40);
	machine.all.interrupt(2, 'lint1');
	t.is(off.takeRequests(), undefined);
	t.deepEqual(machine.woken, [0, 1]);
	t.throws(() => machine.all.wordsOf(3), {instanceOf: RangeError});
});
