import test from 'ava';
import {pit8254, pitFrequencyHz} from './index.ts';
import {COMMAND, clockAt, make, ms, NMI, OUTPUT_2} from './testing/make-pit.ts';

test('the regions and the line are those of a PC', (t) => {
	t.deepEqual(pit8254.attach.regions({irq: 0}), [
		{space: 'pio', name: 'counters', base: 0x40, length: 4},
		{space: 'pio', name: 'control', base: 0x61, length: 1},
	]);
	t.deepEqual(pit8254.lines?.({irq: 2}), {timer: 2});
});

test('mode 0 rises after the count and one clock, and a count or its first byte lowers it', (t) => {
	const {pit, configure, load, gate, wave, output} = make();
	gate(true);
	configure(2, 0);
	t.is(wave(3), 'LLL', 'no count yet');
	load(2, 4);
	t.is(wave(8), 'LLLLLHHH');
	load(2, 2);
	t.is(wave(5), 'LLLHH');
	pit.out(0x42, 3);
	t.false(output());
	t.is(wave(10), 'LLLLLLLLLL', 'the first byte stops the counting');
	pit.out(0x42, 0);
	t.is(wave(6), 'LLLLHH');
});

test('mode 0 counts only while the gate is high, and goes on below zero', (t) => {
	const {configure, load, gate, wave, counts} = make();
	configure(2, 0);
	load(2, 3);
	t.deepEqual(counts(3), [3, 3, 3], 'loaded, held');
	gate(true);
	t.deepEqual(counts(2), [3, 2]);
	gate(false);
	t.deepEqual(counts(3), [1, 1, 1]);
	gate(true);
	t.is(wave(3), 'LHH');
	t.deepEqual(counts(2), [0xfffe, 0xfffd]);
	gate(false);
	t.is(wave(2), 'HH', 'the output stays');
});

test('mode 1 is low for the count after each rising edge of the gate', (t) => {
	const {configure, load, gate, wave, pass} = make();
	configure(2, 1);
	load(2, 3);
	t.is(wave(5), 'HHHHH');
	gate(true);
	t.is(wave(6), 'LLLLHH');
	gate(false);
	gate(true);
	pass(2);
	gate(false);
	t.is(wave(1), 'L', 'the gate going low does not matter');
	gate(true);
	t.is(wave(6), 'LLLLHH', 'triggered again');
	load(2, 1);
	t.is(wave(3), 'HHH', 'a count waits for a trigger');
	gate(false);
	gate(true);
	t.is(wave(4), 'LLHH');
});

test('mode 2 is low for one clock of each period', (t) => {
	const {configure, load, gate, wave, counts} = make();
	gate(true);
	configure(2, 2);
	load(2, 3);
	t.is(wave(9), 'HHHLHHLHH');
	t.deepEqual(counts(6), [1, 3, 2, 1, 3, 2]);
	t.is(wave(1), 'L');
	load(2, 4);
	t.is(wave(11), 'HHLHHHLHHHL', 'a new count waits for the end of the period');
	gate(false);
	t.is(wave(4), 'HHHH');
	gate(true);
	t.is(wave(9), 'HHHHLHHHL', 'the gate begins a period');
});

test('mode 3 is a square wave whose odd clock is high', (t) => {
	const {configure, load, gate, wave, counts, pass} = make();
	gate(true);
	configure(2, 3);
	load(2, 4);
	pass(1);
	t.is(wave(8), 'HHLLHHLL');
	t.deepEqual(counts(4), [4, 2, 4, 2]);
	load(2, 5);
	t.is(wave(12), 'HHLLHHHLLHHH', 'a new count begins with the next half');
	t.is(wave(2), 'LL');
	t.deepEqual(counts(5), [4, 2, 0, 4, 2]);
	gate(false);
	t.is(wave(3), 'HHH');
	gate(true);
	pass(1);
	t.is(wave(5), 'HHHLL');
});

test('mode 3 takes a count written in its low half at the end of it', (t) => {
	const {configure, load, gate, wave, pass} = make();
	gate(true);
	configure(2, 3);
	load(2, 6);
	pass(5);
	load(2, 2);
	t.is(wave(6), 'LLHLHL');
});

test('mode 4 strobes once for one clock after the count', (t) => {
	const {configure, load, gate, wave, pass} = make();
	gate(true);
	configure(2, 4);
	load(2, 3);
	t.is(wave(8), 'HHHHLHHH');
	pass(70_000);
	t.is(wave(2), 'HH');
	load(2, 3);
	pass(2);
	load(2, 2);
	t.is(wave(5), 'HHHLH', 'a new count is taken at once');
	load(2, 2);
	pass(1);
	gate(false);
	t.is(wave(5), 'HHHHH');
	gate(true);
	t.is(wave(4), 'HHLH');
});

test('mode 5 strobes after each rising edge of the gate', (t) => {
	const {configure, load, gate, wave} = make();
	configure(2, 5);
	load(2, 2);
	t.is(wave(4), 'HHHH');
	gate(true);
	t.is(wave(5), 'HHHLH');
	gate(false);
	gate(true);
	gate(false);
	t.is(wave(5), 'HHHLH');
});

test('counters do not drift', (t) => {
	const {pit, configure, load, word} = make();
	configure(0, 2);
	load(0, 0);
	const before = word(0);
	pit.nowNs += 86_400e9 * 90;
	const expected = (((before - pitFrequencyHz * 86_400 * 90) % 65536) + 65536) % 65536;
	t.true(Math.abs(word(0) - expected) <= 1);
});

test('access modes choose the bytes that are read and written', (t) => {
	const {pit, word} = make();
	pit.out(NMI, 0);
	pit.out(COMMAND, 0x90);
	pit.out(0x42, 0x34);
	t.deepEqual([pit.in(0x42), pit.in(0x42)], [0x34, 0x34]);
	pit.out(COMMAND, 0xa0);
	pit.out(0x42, 0x12);
	t.deepEqual([pit.in(0x42), pit.in(0x42)], [0x12, 0x12]);
	pit.out(COMMAND, 0xb0);
	pit.out(0x42, 0x34);
	pit.out(0x42, 0x12);
	t.is(word(2), 0x1234);
	pit.in(0x42);
	pit.out(COMMAND, 0xb0);
	pit.out(0x42, 0x78);
	pit.out(0x42, 0x56);
	t.is(word(2), 0x5678, 'a control word resets the order');
	t.is(pit.in(COMMAND), 0xff);
});

test('a latched count stays until it is read', (t) => {
	const {pit, configure, load, word, pass} = make();
	configure(0, 2);
	load(0, 0x1234);
	pass(1);
	pit.out(COMMAND, 0x00);
	pass(0x20);
	pit.out(COMMAND, 0x00);
	t.is(word(0), 0x1234, 'the second latch is ignored');
	t.is(word(0), 0x1214);
	pit.out(COMMAND, 0x00);
	configure(0, 2);
	load(0, 0x100);
	t.is(word(0), 0x100, 'a control word drops it');
});

test('read-back latches count and status of the counters it names', (t) => {
	const {pit, configure, load, word, pass} = make();
	configure(0, 2);
	configure(1, 3, 1);
	load(0, 0x300);
	pit.out(COMMAND, 0xc2 | 0x04);
	t.is(pit.in(0x40), 0xf4, 'high, not loaded yet');
	t.is(word(0), 0x300);
	t.is(pit.in(0x41), 0xf7, 'never loaded');
	t.is(word(1), 0);
	pass(2);
	pit.out(COMMAND, 0xe2);
	pass(0x300);
	pit.out(COMMAND, 0xe2);
	t.is(pit.in(0x40), 0xb4, 'loaded');
	pit.out(COMMAND, 0xd2);
	pass(3);
	t.is(word(0), 0x2ff);
	t.is(word(0), 0x2fc);
	load(0, 0x400);
	pit.out(COMMAND, 0xe2);
	t.is(pit.in(0x40), 0xf4, 'a new count waits');
	pass(0x300);
	pit.out(COMMAND, 0xe2);
	t.is(pit.in(0x40), 0xb4);
	configure(0, 7);
	pit.out(COMMAND, 0xe2);
	t.is(pit.in(0x40), 0xfe, 'the mode as written');
});

test('BCD counts in decimal', (t) => {
	const {configure, load, gate, counts, wave, word} = make();
	gate(true);
	configure(2, 0, 1);
	load(2, 0x1000);
	t.deepEqual(counts(3), [0x1000, 0x1000, 0x0999]);
	load(2, 0x0001);
	t.deepEqual(counts(4), [1, 1, 0, 0x9999]);
	load(2, 0);
	t.deepEqual(counts(3), [0, 0, 0x9999]);
	configure(2, 2, 1);
	load(2, 0x10);
	t.is(wave(12), 'HHHHHHHHHHLH');
	load(2, 0xffff);
	gate(false);
	gate(true);
	t.is(word(2), 0x6665, 'digits beyond 9 count for what they say');
});

test('the extreme counts of every mode are safe', (t) => {
	for (const mode of [0, 1, 2, 3, 4, 5, 6, 7]) {
		for (const bcd of [0, 1]) {
			for (const count of [0, 1, 2, 3, 0xaaaa, 0xffff]) {
				const {pit, configure, load, gate, pass, word} = make();
				configure(2, mode, bcd);
				load(2, count);
				for (const clocks of [0, 1, 2, 5, 70_000, 1e12]) {
					gate(true);
					pass(clocks);
					t.true(word(2) <= 0xffff);
					t.true(pit.in(NMI) <= 0x3f);
					gate(false);
				}
			}
		}
	}
});

test('calibration as Linux does it: mode 0 on counter 2, wait for bit 5', (t) => {
	const {pit} = make();
	pit.out(NMI, (pit.in(NMI) & ~0x02) | 0x01);
	const latch = Math.floor(pitFrequencyHz / 20);
	pit.out(COMMAND, 0xb0);
	pit.out(0x42, latch & 0xff);
	pit.out(0x42, latch >> 8);
	const begin = pit.nowNs;
	while ((pit.in(NMI) & OUTPUT_2) === 0) pit.nowNs += 1000;
	t.true(Math.abs(pit.nowNs - begin - 50 * ms) < 3000);
});

test('calibration by the most significant byte, and by a gate raised after the count', (t) => {
	const {pit, configure, load, gate, output, pass} = make();
	gate(true);
	configure(2, 0);
	load(2, 0xffff);
	const begin = pit.nowNs;
	const msb = () => {
		pit.in(0x42);
		return pit.in(0x42);
	};
	while (msb() !== 0xf0) pit.nowNs += 1000;
	t.true(Math.abs(clockAt(pit.nowNs) - clockAt(begin) - 0xeff) < 4);
	gate(false);
	configure(2, 0);
	load(2, 1000);
	pass(1e6);
	t.false(output());
	gate(true);
	pass(999);
	t.false(output());
	pass(1);
	t.true(output());
});

test('port 0x61 keeps its low bits and toggles with each refresh', (t) => {
	const {pit} = make();
	pit.nowNs = 0;
	pit.out(NMI, 0xff);
	t.is(pit.in(NMI), 0x0f);
	pit.nowNs = 15_084;
	t.is(pit.in(NMI), 0x0f);
	pit.nowNs = 15_085;
	t.is(pit.in(NMI), 0x1f);
	pit.nowNs = 30_170;
	t.is(pit.in(NMI), 0x0f);
	pit.out(NMI, 0x0c);
	t.is(pit.in(NMI), 0x0c);
});

test('looking at every clock finds what looking once finds', (t) => {
	let seed = 1;
	const below = (limit: number) => {
		seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
		return Math.floor((seed / 2 ** 32) * limit);
	};
	const [seldom, often] = [make(), make()];
	for (let step = 0; step < 3000; step++) {
		const counter = below(2) * 2;
		const [action, mode, count, level, clocks] = [below(8), below(6), below(12), below(2) === 1, below(30)];
		for (const {pit, configure, load, gate, pass} of [seldom, often]) {
			if (action === 0) configure(counter, mode);
			else if (action < 4) load(counter, count);
			else if (action < 6) gate(level);
			for (let passed = 0; pit === often.pit && passed < clocks; passed++) {
				pass(1);
				pit.out(COMMAND, 0xea);
				pit.in(0x40);
				pit.in(0x42);
			}
			if (pit === seldom.pit) pass(clocks);
			pit.out(COMMAND, 0xca);
		}
		const [one, other] = [seldom, often].map(({pit, word}) => {
			const {ticks, ticksOwed, ticksDropped} = pit.state;
			return [pit.in(0x40), pit.in(0x42), word(0), word(2), ticks, ticksOwed, ticksDropped];
		});
		if (JSON.stringify(one) !== JSON.stringify(other)) return t.deepEqual(one, other, `step ${step}`);
	}
	return t.pass();
});

test('any thread may serve any access', (t) => {
	const {pit, configure, load, pass} = make();
	const other = pit.otherFront();
	pit.out(NMI, 1);
	configure(2, 2);
	load(2, 0x1234);
	pass(0x35);
	other.write(0, 3, 1, 0x80);
	t.is(pit.in(0x42), 0x00);
	t.is(other.read(0, 2, 1), 0x12);
});

test('what a saved state has too much of is gone before the guest reads it', (t) => {
	const {pit, word, pass} = make();
	for (const [bcd, modulus] of [0x1_0000, 10_000].entries()) {
		for (const counter of pit.state.counters) {
			counter.control = 0xf4 | bcd;
			counter.count = 2 ** 32 - 1;
			counter.reload = 2 ** 31;
			counter.pending = 0xfe;
			counter.origin = 0;
			counter.held = 0;
			counter.expired = 0;
			counter.readsMsb = 0;
		}
		pit.front.restored?.();
		for (const {control, count, reload, pending} of pit.state.counters)
			t.deepEqual([control, count, reload, pending], [0x34 | bcd, modulus, modulus, 2]);
		pass(1);
		t.true(word(2) <= (bcd === 1 ? 0x9999 : 0xffff));
	}
});
