import test from 'ava';
import {eoi, makePic, master, masterData, poll, readIrr, readIsr, slave, slaveData} from './testing/make-pic.ts';

test('OCW3 chooses between IRR and ISR until it is told otherwise', (t) => {
	const {dut, raise, take} = makePic();
	raise(1);
	t.is(dut.in(master), 0x02, 'IRR after initialization');
	take();
	raise(4);
	dut.out(master, readIsr);
	t.deepEqual([dut.in(master), dut.in(master)], [0x02, 0x02]);
	dut.out(master, 0x08);
	t.is(dut.in(master), 0x02);
	dut.out(master, readIrr);
	t.is(dut.in(master), 0x10);
});

test('a poll takes the place of INTA, once', (t) => {
	const {dut, intr, raise, isr} = makePic();
	raise(3, 11);
	dut.out(master, poll);
	t.is(dut.in(master), 0x82);
	t.false(intr());
	dut.out(slave, poll);
	t.is(dut.in(slave), 0x83);
	t.deepEqual(isr(), [0x04, 0x08]);
	dut.out(slave, eoi);
	dut.out(master, eoi);
	dut.out(master, poll);
	t.is(dut.in(masterData), 0x83, 'at either port');
	t.is(dut.in(masterData), 0, 'the mask again');
	dut.out(master, poll);
	t.is(dut.in(master), 0, 'no request');
});

test('polling the slave takes its request from the master', (t) => {
	const {dut, intr, raise, irr} = makePic({slaveIcw4: 3});
	raise(9);
	dut.out(slave, poll);
	t.is(dut.in(slave), 0x81);
	t.false(intr());
	t.deepEqual(irr(), [0, 0]);
});

test('an edge requests once, and not again before the input has fallen', (t) => {
	const {dut, intr, raise, take, pulse} = makePic();
	raise(4);
	t.is(take(), 0x34);
	dut.out(master, eoi);
	raise(4);
	t.false(intr());
	pulse(4);
	t.is(take(), 0x34);
	pulse(4);
	t.false(intr());
	dut.out(master, eoi);
	t.is(take(), 0x34, 'an edge while in service is kept');
});

test('an input that falls and rises in one step keeps its request, and requests when it has none', (t) => {
	for (const irq of [0, 8]) {
		const {dut, raise, pair, take, isr} = makePic();
		raise(irq);
		pair.raiseAgain(irq);
		t.deepEqual(dut.edges, ['intr up'], 'nobody sees INTR fall');
		t.is(take(), 0x30 + irq);
		dut.out(slave, eoi);
		dut.out(master, eoi);
		pair.raiseAgain(irq);
		t.is(take(), 0x30 + irq);
		t.deepEqual(isr(), irq === 0 ? [1, 0] : [4, 1]);
	}
});

test('a level-triggered input requests as long as it is high', (t) => {
	const {dut, intr, raise, lower, take, irr} = makePic();
	dut.out(0x4d1, 0x0c);
	raise(10);
	for (let i = 0; i < 3; i++) {
		t.is(take(), 0x3a);
		t.deepEqual(irr(), [0, 0x04]);
		t.false(intr());
		dut.out(slave, eoi);
		dut.out(master, eoi);
	}
	t.true(intr());
	t.is(take(), 0x3a);
	lower(10);
	dut.out(slave, eoi);
	dut.out(master, eoi);
	t.false(intr());
	raise(11);
	dut.out(slave, 0x11);
	for (const word of [0x38, 0x02, 0x01]) dut.out(slaveData, word);
	t.is(take(), 0x3b, 'a level outlasts initialization');
});

test('ICW1 can make all inputs level-triggered', (t) => {
	const {dut, raise, lower, take, intr} = makePic({icw1: 0x19});
	raise(1);
	t.is(take(), 0x31);
	dut.out(master, eoi);
	t.is(take(), 0x31);
	lower(1);
	dut.out(master, eoi);
	t.false(intr());
	raise(8);
	t.is(take(), 0x38);
	dut.out(slave, eoi);
	dut.out(master, eoi);
	t.is(take(), 0x38);
	lower(8);
	dut.out(slave, eoi);
	dut.out(master, eoi);
	t.false(intr());
});

test('the ELCR keeps what can be level-triggered, in 8 and 16 bits, and outlasts initialization', (t) => {
	const {dut, initialize, raise, take, intr} = makePic();
	t.deepEqual([dut.in(0x4d0), dut.in(0x4d1)], [0, 0]);
	dut.out(0x4d0, 0xff);
	dut.out(0x4d1, 0xff);
	t.deepEqual([dut.in(0x4d0), dut.in(0x4d1)], [0xf8, 0xde]);
	dut.out(0x4d0, 0x0c20, 2);
	t.is(dut.in(0x4d0, 2), 0x0c20);
	initialize();
	t.is(dut.in(0x4d0, 2), 0x0c20);
	raise(6);
	take();
	dut.out(master, eoi);
	t.false(intr());
	dut.out(0x4d0, 0x40);
	t.is(take(), 0x36, 'a high input that becomes level-triggered requests');
});

test('a request that is gone before INTA gives the spurious vector of the master', (t) => {
	const {intr, raise, lower, pair, isr, irr} = makePic();
	raise(3);
	t.true(intr());
	lower(3);
	t.false(intr());
	t.deepEqual(irr(), [0, 0]);
	t.is(pair.acknowledge(), 0x37);
	t.deepEqual(isr(), [0, 0], 'nothing is in service');
	raise(7);
	t.is(pair.acknowledge(), 0x37);
	t.deepEqual(isr(), [0x80, 0], 'unlike a true IRQ 7');
});

test("a slave's request that is gone before INTA gives the spurious vector of the slave", (t) => {
	const {dut, intr, raise, lower, take, isr} = makePic();
	raise(10);
	lower(10);
	t.true(intr(), "the slave's INT waits for INTA");
	t.is(take(), 0x3f);
	t.deepEqual(isr(), [0x04, 0], 'the master has its input 2 in service');
	t.false(intr());
	dut.out(master, eoi);
	t.false(intr());
	raise(10);
	t.is(take(), 0x3a);
});
