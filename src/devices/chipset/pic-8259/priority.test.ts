import test from 'ava';
import {eoi, makePic, master, masterData, slave, slaveData} from './testing/make-pic.ts';

test('higher priorities nest, lower ones wait for the end of interrupt', (t) => {
	const {dut, intr, raise, take, irr, isr} = makePic();
	raise(4);
	t.is(take(), 0x34);
	raise(6);
	t.false(intr());
	raise(1);
	t.true(intr());
	t.is(take(), 0x31);
	t.deepEqual(isr(), [0x12, 0]);
	t.deepEqual(irr(), [0x40, 0]);
	dut.out(master, eoi);
	t.deepEqual(isr(), [0x10, 0], 'the highest in service has ended');
	t.false(intr());
	dut.out(master, eoi);
	t.is(take(), 0x36);
	dut.out(master, eoi);
	dut.out(master, eoi);
	t.deepEqual(isr(), [0, 0]);
	t.false(intr());
});

test('of simultaneous requests the highest comes first', (t) => {
	const {dut, raise, take} = makePic();
	raise(7, 3, 14, 0, 8);
	const order = [0, 1, 2, 3, 4].map(() => {
		const vector = take();
		dut.out(slave, eoi);
		dut.out(master, eoi);
		return vector;
	});
	t.deepEqual(order, [0x30, 0x38, 0x3e, 0x33, 0x37]);
});

test('an interrupt of the slave is in service in both chips', (t) => {
	const {dut, intr, raise, take, irr, isr} = makePic();
	raise(12);
	t.deepEqual(irr(), [0x04, 0x10]);
	t.is(take(), 0x3c);
	t.deepEqual(irr(), [0, 0]);
	t.deepEqual(isr(), [0x04, 0x10]);
	raise(9);
	t.false(intr(), 'the master locks out its input 2, whatever the slave wants');
	raise(1);
	t.is(take(), 0x31);
	dut.out(master, eoi);
	dut.out(slave, eoi);
	t.false(intr());
	dut.out(master, eoi);
	t.is(take(), 0x39);
});

test('IRQ 2 is the cascade and no input', (t) => {
	const {intr, raise, irr} = makePic();
	raise(2);
	t.false(intr());
	t.deepEqual(irr(), [0, 0]);
});

test('in special fully nested mode a slave nests, and lower inputs of the master still wait', (t) => {
	const {dut, intr, raise, take} = makePic({masterIcw4: 0x11});
	raise(12);
	t.is(take(), 0x3c);
	raise(14, 3);
	t.false(intr());
	raise(9);
	t.is(take(), 0x39);
	dut.out(slave, eoi);
	t.false(intr(), 'IRQ 12 is still in service');
	dut.out(slave, eoi);
	t.is(take(), 0x3e);
});

test('a specific EOI ends the interrupt that it names', (t) => {
	const {dut, raise, take, isr} = makePic();
	raise(5);
	take();
	raise(3);
	take();
	dut.out(master, 0x65);
	t.deepEqual(isr(), [0x08, 0]);
	dut.out(master, 0x40);
	t.deepEqual(isr(), [0x08, 0], 'OCW2 without operation');
	raise(8);
	take();
	dut.out(slave, 0x60);
	dut.out(master, 0x62);
	t.deepEqual(isr(), [0x08, 0]);
});

test('automatic EOI leaves nothing in service, on both chips', (t) => {
	const {raise, take, pulse, isr, intr} = makePic({masterIcw4: 3, slaveIcw4: 3});
	raise(3);
	t.is(take(), 0x33);
	t.deepEqual(isr(), [0, 0]);
	raise(8, 9);
	t.is(take(), 0x38);
	t.true(intr(), 'the second request of the slave makes an edge of its own');
	t.is(take(), 0x39);
	t.false(intr());
	pulse(3);
	t.is(take(), 0x33);
});

test('rotation on automatic EOI makes the served input the lowest, until it is cleared', (t) => {
	const {dut, raise, pulse, take} = makePic({masterIcw4: 3});
	dut.out(master, 0x80);
	raise(0, 1);
	t.is(take(), 0x30);
	pulse(0);
	t.deepEqual([take(), take()], [0x31, 0x30], 'IRQ 0 has become the lowest');
	dut.out(master, 0x00);
	raise(4);
	t.is(take(), 0x34);
	pulse(4);
	raise(6);
	pulse(0);
	t.deepEqual([take(), take(), take()], [0x34, 0x36, 0x30], 'the order is still that after IRQ 0');
});

test('rotation on EOI, non-specific and specific', (t) => {
	const {dut, raise, take, isr} = makePic();
	raise(4);
	take();
	dut.out(master, 0xa0);
	t.deepEqual(isr(), [0, 0]);
	raise(3, 6);
	t.is(take(), 0x36, 'IRQ 5 is the highest now');
	dut.out(master, 0xe6);
	t.deepEqual(isr(), [0, 0]);
	raise(7, 5);
	t.is(take(), 0x37);
	dut.out(master, 0xe1);
	t.deepEqual(isr(), [0x80, 0], 'IRQ 1 was not in service but becomes the lowest');
	t.is(take(), 0x33, 'the order is 2, 3 … 1');
});

test('the set priority command changes the order and nothing else', (t) => {
	const {dut, raise, take, isr} = makePic();
	dut.out(master, 0xc5);
	raise(0, 5, 6);
	t.is(take(), 0x36);
	t.deepEqual(isr(), [0x40, 0]);
	dut.out(master, eoi);
	t.is(take(), 0x30);
	dut.out(master, eoi);
	t.is(take(), 0x35);
});

test('a masked request waits and INTR follows the mask', (t) => {
	const {dut, intr, raise, irr} = makePic();
	raise(3, 10);
	t.true(intr());
	dut.out(masterData, 0x0c);
	t.false(intr());
	t.deepEqual(irr(), [0x0c, 0x04], 'requests are latched all the same');
	dut.out(masterData, 0x08);
	t.true(intr());
	dut.out(slaveData, 0x04);
	t.false(intr());
	t.deepEqual(irr(), [0x08, 0x04]);
	dut.out(slaveData, 0);
	t.true(intr());
});

test('special mask mode lets lower inputs pass a masked one in service', (t) => {
	const {dut, intr, raise, take, isr} = makePic();
	raise(3);
	take();
	raise(6);
	dut.out(masterData, 0x08);
	t.false(intr(), 'masking alone does not help');
	dut.out(master, 0x68);
	t.true(intr());
	t.is(take(), 0x36);
	dut.out(master, eoi);
	dut.out(master, eoi);
	t.deepEqual(isr(), [0x08, 0], 'a non-specific EOI does not reach what is masked');
	dut.out(master, 0x08);
	raise(7);
	t.true(intr(), 'OCW3 without ESMM changes nothing');
	dut.out(master, 0x48);
	t.false(intr());
	dut.out(master, eoi);
	t.true(intr());
});
