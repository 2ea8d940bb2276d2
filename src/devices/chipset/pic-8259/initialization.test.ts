import test from 'ava';
import {pic8259} from './index.ts';
import {makePic, master, masterData, powerOn, slaveData} from './testing/make-pic.ts';

test('the ports and the output are those of a PC', (t) => {
	t.deepEqual(
		pic8259.attach.regions({intrInput: 24}).map(({base, length}) => [base, length]),
		[
			[0x20, 2],
			[0xa0, 2],
			[0x4d0, 2],
		],
	);
	t.deepEqual(pic8259.lines?.({intrInput: 24}), {intr: 24});
});

test('an uninitialized pair raises nothing, but keeps the mask by which Linux finds it', (t) => {
	const {dut, intr, raise, lower, initialize, take} = powerOn();
	raise(1, 9);
	t.false(intr());
	dut.out(slaveData, 0xff);
	dut.out(masterData, 0xfb);
	t.deepEqual([dut.in(masterData), dut.in(slaveData)], [0xfb, 0xff]);
	initialize();
	t.deepEqual([dut.in(masterData), dut.in(slaveData)], [0, 0], 'ICW1 clears the mask');
	t.false(intr(), 'ICW1 resets the edge sense');
	lower(1);
	raise(1);
	t.is(take(), 0x31);
});

test('initialized as Linux does, with masks written last', (t) => {
	const {dut, intr, raise, take, initialize} = powerOn();
	dut.out(masterData, 0xff);
	initialize();
	dut.out(masterData, 0xfb);
	dut.out(slaveData, 0xff);
	raise(0, 8);
	t.false(intr());
	dut.out(masterData, 0xfa);
	t.true(intr());
	t.is(take(), 0x30);
	t.false(intr());
});

test('nothing is raised in the middle of an initialization, and a request then is not lost', (t) => {
	const {dut, intr, raise, take} = powerOn();
	for (const [port, word] of [
		[master, 0x11],
		[masterData, 0x30],
		[masterData, 0x04],
	] as const) {
		dut.out(port, word);
		raise(5);
		t.false(intr());
	}
	dut.out(masterData, 0x01);
	t.is(take(), 0x35);
});

test('ICW1 says whether ICW3 and ICW4 follow, and without ICW4 its functions are off', (t) => {
	const {dut, isr, raise, take} = makePic({masterIcw4: 0x03});
	dut.out(master, 0x12);
	dut.out(masterData, 0x47);
	dut.out(masterData, 0xf0);
	t.is(dut.in(masterData), 0xf0, 'the third word is a mask already');
	raise(3);
	t.is(take(), 0x43, 'the low bits of ICW2 do not count');
	t.deepEqual(isr(), [0x08, 0], 'no automatic EOI any more');
	dut.out(master, 0x10);
	dut.out(masterData, 0x50);
	dut.out(masterData, 0x04);
	dut.out(masterData, 0x0f);
	t.is(dut.in(masterData), 0x0f);
});

test('16-bit accesses reach both ports of a chip', (t) => {
	const {dut, raise, take} = powerOn();
	dut.out(master, 0x3013, 2);
	dut.out(masterData, 0x01);
	dut.out(master, 0xfd0a, 2);
	raise(1);
	t.is(dut.in(master, 2), 0xfd02, 'IRR and mask');
	t.is(take(), 0x31);
});

test('a reset is a power-on', (t) => {
	const {dut, intr, raise} = makePic();
	dut.out(0x4d0, 0x20);
	raise(1, 9);
	t.true(intr());
	dut.reset();
	t.false(intr());
	t.true(dut.state.$bytes.every((byte) => byte === 0));
	raise(1, 9);
	t.false(intr());
});
