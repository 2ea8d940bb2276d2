import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {PicPair, pic8259} from './index.ts';

const [master, masterData, slave, slaveData] = [0x20, 0x21, 0xa0, 0xa1];
const eoi = 0x20;
const [readIrr, readIsr, poll] = [0x0a, 0x0b, 0x0c];

interface Options {
	readonly icw1?: number;
	readonly masterIcw4?: number;
	readonly slaveIcw4?: number;
}

/** A pair with all inputs unmasked, initialized as Linux does unless told otherwise. */
function make(options?: Options) {
	const device = powerOn();
	device.initialize(options);
	return device;
}

/** A pair after power-on. */
function powerOn() {
	const dut = new DeviceUnderTest(pic8259, {intrInput: 24});
	// As another thread has it: everything is in the state.
	const pair = new PicPair(dut.state, {setLevel: (asserted) => void dut.levels.set('intr', asserted)});
	return {
		dut,
		pair,
		intr: () => dut.levels.get('intr') ?? false,
		raise: (...irqs: number[]) => {
			for (const irq of irqs) pair.setInput(irq, true);
		},
		lower: (...irqs: number[]) => {
			for (const irq of irqs) pair.setInput(irq, false);
		},
		pulse: (irq: number) => {
			pair.setInput(irq, false);
			pair.setInput(irq, true);
		},
		/** The vector of an INTA cycle if INTR asks for one. */
		take: () => (dut.levels.get('intr') ? pair.acknowledge() : undefined),
		irr: () => ask(dut, readIrr),
		isr: () => ask(dut, readIsr),
		initialize: ({icw1 = 0x11, masterIcw4 = 1, slaveIcw4 = 1}: Options = {}) => {
			for (const [port, ...words] of [
				[master, icw1, 0x30, 0x04, masterIcw4],
				[slave, icw1, 0x38, 0x02, slaveIcw4],
			] as const) {
				dut.out(port, words[0]);
				for (const word of words.slice(1)) dut.out(port + 1, word);
			}
		},
	};
}

/** Master and slave register that OCW3 selects. */
function ask(dut: ReturnType<typeof powerOn>['dut'], ocw3: number): [master: number, slave: number] {
	dut.out(master, ocw3);
	dut.out(slave, ocw3);
	return [dut.in(master), dut.in(slave)];
}

test('the ports and the output are those of a PC', (t) => {
	t.deepEqual(
		pic8259.regions({intrInput: 24}).map(({base, length}) => [base, length]),
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
	const {dut, isr, raise, take} = make({masterIcw4: 0x03});
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

test('higher priorities nest, lower ones wait for the end of interrupt', (t) => {
	const {dut, intr, raise, take, irr, isr} = make();
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
	const {dut, raise, take} = make();
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
	const {dut, intr, raise, take, irr, isr} = make();
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
	const {intr, raise, irr} = make();
	raise(2);
	t.false(intr());
	t.deepEqual(irr(), [0, 0]);
});

test('in special fully nested mode a slave nests, and lower inputs of the master still wait', (t) => {
	const {dut, intr, raise, take} = make({masterIcw4: 0x11});
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
	const {dut, raise, take, isr} = make();
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
	const {raise, take, pulse, isr, intr} = make({masterIcw4: 3, slaveIcw4: 3});
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
	const {dut, raise, pulse, take} = make({masterIcw4: 3});
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
	const {dut, raise, take, isr} = make();
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
	const {dut, raise, take, isr} = make();
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
	const {dut, intr, raise, irr} = make();
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
	const {dut, intr, raise, take, isr} = make();
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

test('OCW3 chooses between IRR and ISR until it is told otherwise', (t) => {
	const {dut, raise, take} = make();
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
	const {dut, intr, raise, isr} = make();
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
	const {dut, intr, raise, irr} = make({slaveIcw4: 3});
	raise(9);
	dut.out(slave, poll);
	t.is(dut.in(slave), 0x81);
	t.false(intr());
	t.deepEqual(irr(), [0, 0]);
});

test('an edge requests once, and not again before the input has fallen', (t) => {
	const {dut, intr, raise, take, pulse} = make();
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

test('a level-triggered input requests as long as it is high', (t) => {
	const {dut, intr, raise, lower, take, irr} = make();
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
	const {dut, raise, lower, take, intr} = make({icw1: 0x19});
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
	const {dut, initialize, raise, take, intr} = make();
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
	const {intr, raise, lower, pair, isr, irr} = make();
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
	const {dut, intr, raise, lower, take, isr} = make();
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

test('a reset is a power-on', (t) => {
	const {dut, intr, raise} = make();
	dut.out(0x4d0, 0x20);
	raise(1, 9);
	t.true(intr());
	dut.reset();
	t.false(intr());
	t.true(
		Object.values(dut.decode())
			.flat()
			.every((value) => value === 0),
	);
	raise(1, 9);
	t.false(intr());
});
