import test from 'ava';
import {isApicMsr} from './index.ts';
import {ApicMachine, read, send, write} from './testing/index.ts';

/** A message for processor 0, and the vector of one that is level-triggered. */
const message = (machine: ApicMachine, data: number) => machine.all.send(0xfee0_0000, 0, data);
const level = 0x8000;

test('the most urgent vector comes first, and only what is above the class in service interrupts its handler', (t) => {
	const machine = new ApicMachine([0]).enabled();
	const apic = machine.apic(0);
	for (const vector of [0x31, 0x45, 0x52, 0x5f]) message(machine, vector);
	t.is(apic.pending(), 0x5f);
	t.is(apic.accept(), 0x5f);
	t.is(read(apic, 'ppr'), 0x50);
	t.is(apic.pending(), undefined, '0x52 is of the class in service');
	message(machine, 0x61);
	t.is(apic.accept(), 0x61);
	t.is(read(apic, 'ppr'), 0x60);
	write(apic, 'eoi', 0);
	t.is(apic.pending(), undefined);
	write(apic, 'eoi', 0);
	t.deepEqual([apic.accept(), apic.accept()], [0x52, undefined]);
	write(apic, 'eoi', 0);
	t.is(apic.accept(), 0x45);
	write(apic, 'eoi', 0);
	t.is(apic.accept(), 0x31);
	write(apic, 'eoi', 0);
	write(apic, 'eoi', 0);
	t.is(read(apic, 'ppr'), 0);
});

test('the task priority holds back its own class and those below, by TPR and by CR8', (t) => {
	const machine = new ApicMachine([0]).enabled();
	const apic = machine.apic(0);
	message(machine, 0x4f);
	apic.cr8 = 4;
	t.is(read(apic, 'tpr'), 0x40);
	t.is(apic.pending(), undefined);
	t.is(apic.accept(), undefined);
	write(apic, 'tpr', 0x3f);
	t.is(apic.cr8, 3);
	t.is(read(apic, 'ppr'), 0x3f, 'above what is in service the whole of it counts');
	t.is(apic.accept(), 0x4f);
	t.is(read(apic, 'ppr'), 0x40);
	write(apic, 'tpr', 0x42);
	t.is(read(apic, 'ppr'), 0x42, 'of equals the task priority');
});

test('a vector that is in service can be requested once more, and no more than once', (t) => {
	const machine = new ApicMachine([0]).enabled();
	const apic = machine.apic(0);
	message(machine, 0x40);
	apic.accept();
	message(machine, 0x40);
	message(machine, 0x40);
	write(apic, 'eoi', 0);
	t.is(apic.accept(), 0x40);
	write(apic, 'eoi', 0);
	t.is(apic.accept(), undefined);
});

test('the end of a level-triggered interrupt is told, in the order of priority, and that of an edge is not', (t) => {
	const machine = new ApicMachine([0]).enabled();
	const apic = machine.apic(0);
	for (const data of [0x41 | level, 0x51, 0x61 | level]) {
		message(machine, data);
		apic.accept();
	}
	t.deepEqual(
		[0x190, 0x1a0, 0x1b0].map((offset) => apic.readPage(offset, 4)),
		[0, 2, 2],
	);
	for (let i = 0; i < 4; i++) write(apic, 'eoi', 0);
	t.deepEqual(machine.ended, [
		[0, 0x61],
		[0, 0x41],
	]);
	message(machine, 0x41);
	apic.accept();
	write(apic, 'eoi', 0);
	t.is(machine.ended.length, 2, 'the next of that vector was an edge');
});

test('without software enabling it no vector comes in, what came before stays, and entries stay masked', (t) => {
	const machine = new ApicMachine([0, 1]);
	const apic = machine.apic(1);
	send(machine.apic(0), 0x40, 1);
	t.is(apic.pending(), undefined);
	write(apic, 'svr', 0x1ff);
	send(machine.apic(0), 0x41, 1);
	write(apic, 'error', 0xfe);
	write(apic, 'svr', 0xff);
	t.is(apic.pending(), 0x41);
	t.is(read(apic, 'error'), 0x1_00fe);
	write(apic, 'error', 0xfd);
	t.is(read(apic, 'error'), 0x1_00fd);
	send(machine.apic(0), 0x400, 1);
	t.deepEqual(apic.takeRequests(), {init: false, startup: undefined, nmi: true});
});

test('an error is shown by the write of the status, and interrupts once until then', (t) => {
	const machine = new ApicMachine([0]).enabled();
	const apic = machine.apic(0);
	write(apic, 'error', 0xfe);
	send(apic, 0x0f, 0);
	t.is(apic.accept(), 0xfe);
	write(apic, 'eoi', 0);
	message(machine, 0x05);
	t.is(apic.readPage(0x3f0, 4), 0, 'no register of the xAPIC');
	apic.writePage(0x400, 4, 1);
	t.is(apic.pending(), undefined);
	t.is(read(apic, 'esr'), 0);
	write(apic, 'esr', 0);
	t.is(read(apic, 'esr'), 0xe0);
	write(apic, 'esr', 0);
	t.is(read(apic, 'esr'), 0);
	message(machine, 0x05);
	t.is(apic.pending(), 0xfe);
});

test('an error whose own vector is illegal ends there', (t) => {
	const machine = new ApicMachine([0]).enabled();
	write(machine.apic(0), 'error', 0x0f);
	message(machine, 0x05);
	write(machine.apic(0), 'esr', 0);
	t.is(read(machine.apic(0), 'esr'), 0x40);
	t.deepEqual(machine.requested(), [[]]);
});

test('pins do what their entries say: NMI, a vector, or the way for the PIC', (t) => {
	const machine = new ApicMachine([0, 1]);
	const [boot, other] = [machine.apic(0), machine.apic(1)];
	t.deepEqual([boot.acceptsExternal, other.acceptsExternal], [true, false], 'as firmware leaves them');
	machine.enabled();
	write(boot, 'lint1', 0x400);
	machine.all.interrupt(0, 'lint1');
	t.deepEqual(boot.takeRequests(), {init: false, startup: undefined, nmi: true});
	t.is(boot.takeRequests(), undefined);
	machine.all.interrupt(1, 'lint1');
	t.is(other.takeRequests(), undefined, 'masked');
	machine.all.interrupt(0, 'lint0');
	t.deepEqual(machine.requested(), [[], []], 'the PIC says the vector');
	write(boot, 'lint0', 0x1_0700);
	t.false(boot.acceptsExternal);
	write(boot, 'performance', 0x54);
	for (let i = 0; i < 2; i++) {
		machine.all.interrupt(0, 'performance');
		machine.all.interrupt(0, 'thermal');
		t.is(boot.accept(), i === 0 ? 0x54 : undefined, 'a counter that has interrupted is masked');
		write(boot, 'eoi', 0);
	}
	t.is(read(boot, 'performance'), 0x1_0054);
	write(boot, 'lint0', 0x55);
	machine.all.interrupt(0, 'lint0');
	t.is(boot.pending(), 0x55);
	other.writeMsr(0x1b, other.base & ~0x800n);
	t.true(other.acceptsExternal, 'nothing is between');
	t.is(other.pending(), undefined);
});

test('a page is read in parts of a register and written in whole ones', (t) => {
	const apic = new ApicMachine([0xa5]).enabled().apic(0);
	t.is(apic.readPage(0x20, 4), 0xa500_0000);
	t.is(apic.readPage(0x23, 1), 0xa5);
	t.is(apic.readPage(0x22, 2), 0xa500);
	t.is(apic.readPage(0x22, 4), 0);
	t.is(apic.readPage(0x20, 8), 0);
	t.is(apic.readPage(0x30, 4), 0x5_0014);
	for (const [offset, bytes] of [
		[0x80, 1],
		[0x84, 4],
		[0x80, 8],
	] as const)
		apic.writePage(offset, bytes, 0xff);
	t.is(read(apic, 'tpr'), 0);
	apic.writePage(0x20, 4, 0);
	t.is(read(apic, 'id'), 0xa500_0000);
});

test('x2APIC registers fault for reserved bits, for what is not there, and in other modes', (t) => {
	const machine = new ApicMachine([0, 0x123]);
	const apic = machine.apic(1);
	t.is(apic.readMsr(0x802), undefined, 'still in xAPIC mode');
	t.false(apic.writeMsr(0x808, 0n));
	machine.extended();
	t.is(apic.readMsr(0x802), 0x123n);
	t.is(apic.readMsr(0x80d), 0x0012_0008n, 'its logical id follows from it');
	for (const absent of [0x800, 0x80e, 0x80b, 0x831, 0x83f, 0x840, 0x8ff]) t.is(apic.readMsr(absent), undefined);
	const wrong: [number, bigint][] = [
		[0x808, 0x100n],
		[0x808, 1n << 32n],
		[0x802, 0n],
		[0x80b, 1n],
		[0x80d, 0n],
		[0x80e, 0n],
		[0x80f, 1n << 12n],
		[0x828, 1n],
		[0x830, 1n << 20n],
		[0x832, 1n << 19n],
		[0x83e, 4n],
		[0x83f, 0x100n],
		[0x850, 0n],
	];
	for (const [index, value] of wrong) t.false(apic.writeMsr(index, value), index.toString(16));
	t.true(apic.writeMsr(0x830, (7n << 32n) | 0x40n));
	t.is(apic.readMsr(0x830), (7n << 32n) | 0x40n);
	t.true(apic.writeMsr(0x835, 0x5000n), 'bits of status are no reserved ones');
	t.deepEqual([0x1b, 0x6e0, 0x7ff, 0x800, 0x8ff, 0x900].map(isApicMsr), [true, true, false, true, true, false]);
});

test('random accesses of a hostile guest harm nobody', (t) => {
	const machine = new ApicMachine([0, 1, 0x100], 'x2apic-supported').enabled();
	let seed = 1;
	const random = (below: number) => {
		seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
		return Math.floor((seed / 2 ** 32) * below);
	};
	for (let i = 0; i < 20_000; i++) {
		const apic = machine.apic(random(3));
		const value = random(2 ** 32);
		machine.now += BigInt(random(1000));
		const act = random(8);
		if (act === 0) apic.readPage(random(4096), 1 << random(4));
		else if (act === 1) apic.writeMsr(0x800 + random(256), BigInt(value) << BigInt(random(33)));
		else if (act === 2) apic.readMsr(0x800 + random(256));
		else if (act === 3) apic.writeMsr(0x1b, BigInt(value) & 0xfee0_0d00n);
		else if (act === 4) machine.all.send(value, random(2) * random(2 ** 32), random(2 ** 32));
		else if (act === 5) apic.accept();
		else apic.writePage(random(64) * 16, 4, value);
		apic.takeRequests();
		apic.expire();
		const vector = apic.pending();
		t.true(vector === undefined || (vector >= 16 && vector < 256));
	}
});
