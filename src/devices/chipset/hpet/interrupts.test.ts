import test from 'ava';
import {maxOwed} from './event-timer.ts';
import {
	cmp,
	conf,
	ENABLED,
	FSB,
	fsb,
	LEVEL,
	MODE_32,
	makeRunning,
	ms,
	PERIODIC,
	route,
	SET,
	us,
} from './testing/make-hpet.ts';

/** Clocks in a millisecond. */
const clocks = 10_000;

/** As Linux programs timer 0. */
function startPeriodic(write: (offset: number, value: number) => void, config: number, first: number, period: number) {
	write(conf(0), ENABLED | PERIODIC | SET | MODE_32 | config);
	write(cmp(0), first);
	write(cmp(0), period);
}

test('an edge-triggered one-shot interrupts once, at its time', (t) => {
	const {write64, write, general, run, edges, status} = makeRunning();
	general(1);
	write(conf(1), ENABLED | route(21));
	write64(cmp(1), BigInt(5 * clocks));
	run(4.98 * ms);
	t.deepEqual(edges(), []);
	run(0.03 * ms);
	t.deepEqual(edges(), ['input-21 up']);
	t.is(status(), 0, 'edges leave no status');
	run(20 * ms);
	t.deepEqual(edges(), []);
	write64(cmp(1), BigInt(26 * clocks));
	run(2 * ms);
	t.deepEqual(edges(), ['input-21 again']);
});

test('a comparator that equals the counter interrupts at once, one behind it waits for a wrap', (t) => {
	const {write64, write, general, run, rises, device, counter} = makeRunning();
	general(1);
	device.nowNs += ms;
	write(conf(2), ENABLED | route(20));
	write64(cmp(2), counter());
	run(0.02 * ms);
	t.is(rises('input-20'), 1);
	write64(cmp(2), counter() - 1n);
	run(20 * ms);
	t.is(rises('input-20'), 0);
	t.is(device.reactor.timers.size, 0);
});

test('a level-triggered one-shot holds its line until its status is cleared', (t) => {
	const {write64, write, general, run, edges, status} = makeRunning();
	general(1);
	write(conf(2), ENABLED | LEVEL | route(23));
	write64(cmp(2), BigInt(clocks));
	t.is(status(), 0);
	run(1.02 * ms);
	t.deepEqual(edges(), ['input-23 up']);
	t.is(status(), 4);
	write(0x20, 3);
	t.is(status(), 4, 'other bits');
	write(0x20, 4);
	t.is(status(), 0);
	t.deepEqual(edges(), ['input-23 down']);
	run(10 * ms);
	t.deepEqual(edges(), []);
});

test('a level periodic sets its status again after each clearing', (t) => {
	const {write, general, run, edges, device} = makeRunning();
	general(1);
	startPeriodic(write, LEVEL | route(20), clocks, clocks);
	run(5.5 * ms);
	t.deepEqual(edges(), ['input-20 up'], 'matches merge');
	t.is(device.reactor.timers.size, 0, 'nothing to wake up for');
	write(0x20, 1);
	t.deepEqual(edges(), ['input-20 down']);
	run(0.4 * ms);
	t.deepEqual(edges(), []);
	run(0.2 * ms);
	t.deepEqual(edges(), ['input-20 up']);
});

test('an edge periodic interrupts in each period, and its accumulator goes on', (t) => {
	const {write, read, general, run, rises} = makeRunning();
	general(1);
	startPeriodic(write, route(22), 3 * clocks, clocks);
	t.is(read(conf(0)) & SET, 0, 'cleared by the first write');
	t.is(read(cmp(0)), 3 * clocks);
	run(2.9 * ms);
	t.is(rises('input-22'), 0);
	run(0.2 * ms);
	t.is(rises('input-22'), 1);
	t.is(read(cmp(0)), 4 * clocks);
	run(100 * ms);
	t.is(rises('input-22'), 100);
	write(cmp(0), 2 * clocks);
	run(101 * ms);
	t.is(rises('input-22'), 51, 'a new period begins after the current one');
});

test('the accumulator takes 64 bits, in one access or in two with the bit set twice', (t) => {
	const {write, write64, read64, general, device} = makeRunning();
	general(1);
	write(conf(0), PERIODIC | SET);
	write64(cmp(0), 0x1_2345_6789n);
	t.is(read64(cmp(0)), 0x1_2345_6789n);
	write64(cmp(0), 0x10_0000_0000n);
	t.is(read64(cmp(0)), 0x1_2345_6789n, 'the period alone');
	device.nowNs += 0x2_0000_0000 * 100;
	t.is(read64(cmp(0)), 0x11_2345_6789n);
	write(conf(0), PERIODIC | SET);
	write(cmp(0), 7);
	write(conf(0), PERIODIC | SET);
	write(cmp(0) + 4, 0x20);
	t.is(read64(cmp(0)), 0x20_0000_0007n);
	write(cmp(0) + 4, 0x30);
	t.is(read64(cmp(0)), 0x20_0000_0007n);
	write(conf(0), PERIODIC | SET);
	write(cmp(0), 8);
	write(conf(0), PERIODIC);
	write(cmp(0) + 4, 0x40);
	t.is(read64(cmp(0)), 0x20_0000_0008n, 'the configuration ends a split write');
});

test('a period of zero interrupts once', (t) => {
	const {write, write64, general, run, rises} = makeRunning();
	general(1);
	write(conf(0), ENABLED | PERIODIC | SET | route(20));
	write64(cmp(0), BigInt(clocks));
	write64(cmp(0), 0n);
	run(20 * ms);
	t.is(rises('input-20'), 1);
});

test('32-bit mode compares across the wrap, again and again', (t) => {
	const {write, write64, read64, general, run, rises, device} = makeRunning();
	write64(0xf0, 0x7_ffff_ff00n);
	general(1);
	write(conf(1), ENABLED | MODE_32 | route(20));
	t.is(read64(cmp(1)), 0xffff_ffffn);
	write64(cmp(1), 0xaaaa_0000_0100n);
	t.is(read64(cmp(1)), 0x100n);
	run(0.04 * ms);
	t.is(rises('input-20'), 0);
	run(0.02 * ms);
	t.is(rises('input-20'), 1);
	const wrapNs = 2 ** 32 * 100;
	run(wrapNs - ms, wrapNs - ms);
	t.is(rises('input-20'), 0);
	run(1.1 * ms);
	t.is(rises('input-20'), 1);
	t.is(device.reactor.timers.size, 1);
});

test('32-bit mode begins with the present, and a periodic accumulator wraps', (t) => {
	const {write, write64, read, general, run, rises, device} = makeRunning();
	general(1);
	write(conf(1), ENABLED | route(21));
	write64(cmp(1), 5n << 32n);
	device.nowNs += ms;
	write(conf(1), ENABLED | MODE_32 | route(21));
	run(ms);
	t.is(rises('input-21'), 0, 'what was passed in 64-bit mode');
	general(0);
	write64(0xf0, 0xffff_f000n);
	general(1);
	startPeriodic(write, route(20), 0xffff_ff00, clocks);
	run(2.5 * ms);
	t.is(rises('input-20'), 3);
	t.is(read(cmp(0)), 3 * clocks - 0x100);
	t.is(read(cmp(0) + 4), 0);
});

test('64-bit comparators far ahead do not wake up early, and near 2^64 are exact', (t) => {
	const {write, write64, general, run, rises, device} = makeRunning();
	general(1);
	write(conf(1), ENABLED | route(20));
	write64(cmp(1), 1n << 52n);
	run(ms);
	t.is(device.reactor.timers.size, 1, 'waited for in parts');
	t.true([...device.reactor.timers].every(({dueNs}) => dueNs < 2 * 3600e9));
	write64(cmp(1), 1n << 63n);
	run(ms);
	t.is(device.reactor.timers.size, 0);
	general(0);
	write64(0xf0, 0xffff_ffff_ffff_0000n);
	write64(cmp(1), 0x1_0000n);
	general(1);
	run(13.1 * ms);
	t.is(rises('input-20'), 0);
	run(0.02 * ms);
	t.is(rises('input-20'), 1);
});

test('legacy replacement takes timers 0 and 1 to the inputs of PIT and RTC', (t) => {
	const {write, general, run, edges} = makeRunning();
	general(3);
	for (const timer of [0, 1, 2]) {
		write(conf(timer), ENABLED | MODE_32 | route(20 + timer));
		write(cmp(timer), (timer + 1) * clocks);
	}
	run(3.1 * ms);
	t.deepEqual(edges(), ['legacy-timer up', 'legacy-rtc up', 'input-22 up']);
	general(1);
	t.deepEqual(edges(), ['legacy-timer down', 'legacy-rtc down', 'input-22 down'], 'the old lines are let go');
	for (const timer of [0, 1]) write(cmp(timer), 4 * clocks);
	run(ms);
	t.deepEqual(edges(), ['input-20 up', 'input-21 up']);
});

test('a timer without a route or without its interrupt enabled drives no line', (t) => {
	const {write, general, run, edges, status, device} = makeRunning();
	general(1);
	write(conf(0), ENABLED | MODE_32);
	write(conf(1), MODE_32 | LEVEL | route(20));
	write(conf(2), MODE_32 | route(21));
	for (const timer of [0, 1, 2]) write(cmp(timer), clocks);
	run(2 * ms);
	t.deepEqual(edges(), []);
	t.is(status(), 2, 'the status of a level timer is set all the same');
	write(conf(1), MODE_32 | LEVEL | ENABLED | route(22));
	t.deepEqual(edges(), ['input-22 up']);
	write(conf(1), MODE_32 | LEVEL | ENABLED | route(23));
	t.deepEqual(edges(), ['input-22 down', 'input-23 up']);
	write(conf(1), MODE_32 | ENABLED | route(23));
	t.deepEqual(edges(), ['input-23 down']);
	t.is(status(), 0);
	t.is(device.state.timers[2]?.dropped, 0);
});

test('timers that share an input are combined', (t) => {
	const {write, general, run, edges} = makeRunning();
	general(1);
	for (const timer of [1, 2]) {
		write(conf(timer), ENABLED | MODE_32 | LEVEL | route(20));
		write(cmp(timer), timer * clocks);
	}
	run(3 * ms);
	write(0x20, 2);
	t.deepEqual(edges(), ['input-20 up']);
	write(0x20, 4);
	t.deepEqual(edges(), ['input-20 down']);
});

test('FSB delivery sends messages, whatever route, legacy replacement and trigger mode say', (t) => {
	const {write, general, run, edges, device, status} = makeRunning();
	general(3);
	write(fsb(0), 0x4031);
	write(fsb(0) + 4, 0xfee0_1000);
	startPeriodic(write, FSB | LEVEL | route(20), clocks, clocks);
	write(fsb(2) + 4, 0xfee0_2000);
	write(fsb(2), 0xffff_ff42);
	write(conf(2), FSB | ENABLED | MODE_32);
	write(cmp(2), clocks / 2);
	run(3.1 * ms);
	t.deepEqual(device.messages, ['0:fee02000 ffffff42', '0:fee01000 4031', '0:fee01000 4031', '0:fee01000 4031']);
	t.deepEqual(edges(), []);
	t.is(status(), 0);
	write(conf(0), FSB | PERIODIC);
	run(3 * ms);
	t.is(device.messages.length, 4);
});

test('a halted counter interrupts nobody, and a set status waits for it', (t) => {
	const {write, general, run, edges, status, device} = makeRunning();
	general(1);
	startPeriodic(write, route(20), clocks, clocks);
	write(conf(1), ENABLED | LEVEL | MODE_32 | route(21));
	write(cmp(1), clocks);
	run(1.1 * ms);
	t.deepEqual(edges(), ['input-20 up', 'input-21 up']);
	general(0);
	t.deepEqual(edges(), ['input-20 down', 'input-21 down']);
	run(10 * ms);
	t.is(device.reactor.timers.size, 0);
	t.is(status(), 2);
	general(1);
	t.deepEqual(edges(), ['input-21 up']);
	run(0.8 * ms);
	t.deepEqual(edges(), []);
	run(0.2 * ms);
	t.deepEqual(edges(), ['input-20 up'], 'the period goes on where it stood');
});

test('what a one-shot reached before it was written is not lost', (t) => {
	const {write, general, run, rises, device} = makeRunning();
	general(1);
	write(conf(1), ENABLED | MODE_32 | route(20));
	write(cmp(1), clocks);
	run(0.5 * ms);
	device.nowNs += ms;
	write(cmp(1), 3 * clocks);
	t.is(rises('input-20'), 1);
	run(2 * ms);
	t.is(rises('input-20'), 1);
});

test('ticks that the thread was late for follow one by one, at most every 100 µs', (t) => {
	const {write, general, run, turn, rises, device} = makeRunning();
	general(1);
	startPeriodic(write, route(20), clocks, clocks);
	run(10 * us);
	turn(50.5 * ms);
	t.is(rises('input-20'), 1);
	t.is(device.state.timers[0]?.owed, 49);
	run(2 * ms);
	const caughtUp = rises('input-20');
	t.true(caughtUp >= 18 && caughtUp <= 20, `${caughtUp}`);
	run(10 * ms);
	t.is(device.state.timers[0]?.owed, 0);
	t.deepEqual([device.state.timers[0]?.ticks, device.state.timers[0]?.dropped], [62, 0]);
});

test('ticks beyond the cap are dropped, and a period of one clock is served every 100 µs', (t) => {
	const {write, general, run, rises, device} = makeRunning();
	general(1);
	startPeriodic(write, route(20), 1, 1);
	run(100 * ms);
	const ticks = rises('input-20');
	t.true(ticks > 900 && ticks <= 1000, `${ticks}`);
	t.is(device.state.timers[0]?.owed, maxOwed - 1);
	const {ticks: raised, owed, dropped} = device.decode().timers[0] ?? {ticks: 0, owed: 0, dropped: 0};
	t.true(Math.abs(raised + owed + dropped - 100 * clocks) <= 1000);
	t.is(device.reactor.timers.size, 1);
	write(conf(0), PERIODIC);
	t.is(device.state.timers[0]?.owed, 0);
	run(ms);
	t.is(rises('input-20'), 0);
});

test('writes that change nothing wake nobody', (t) => {
	const {write, general, device} = makeRunning();
	general(1);
	t.is(device.notifications, 0, 'no timer interrupts yet');
	write(conf(1), ENABLED | MODE_32 | route(20));
	write(cmp(1), clocks);
	t.is(device.notifications, 2);
	write(conf(1), ENABLED | MODE_32 | route(20));
	write(cmp(2), 5);
	write(0x20, 7);
	write(fsb(1), 7);
	write(0xf0, 7);
	t.is(device.notifications, 2);
	general(0);
	t.is(device.notifications, 3);
});

test('a paused timer goes on where VM time stood still', async (t) => {
	const {write, general, run, rises, back, device, counter} = makeRunning();
	general(1);
	startPeriodic(write, route(20), clocks, clocks);
	run(1.5 * ms);
	t.is(rises('input-20'), 1);
	await back.stop();
	t.is(device.reactor.timers.size, 0);
	const before = counter();
	device.reactor.turn(1000 * ms);
	write(conf(1), ENABLED | route(21));
	device.reactor.turn(1000 * ms);
	t.is(rises('input-20'), 0);
	t.is(counter(), before);
	back.start();
	run(0.4 * ms);
	t.is(rises('input-20'), 0);
	run(0.2 * ms);
	t.is(rises('input-20'), 1);
	back.dispose();
	t.is(device.reactor.timers.size, 0);
});

test('a reset leaves no counter, no interrupt and no wake-up', async (t) => {
	const {write, general, run, back, device, counter} = makeRunning();
	const initial = device.decode();
	general(3);
	startPeriodic(write, LEVEL, clocks, clocks);
	write(conf(1), ENABLED | MODE_32);
	write(cmp(1), clocks);
	run(10 * ms);
	t.deepEqual([device.levels.get('legacy-timer'), device.levels.get('legacy-rtc')], [true, true]);
	await back.stop();
	device.reset();
	t.deepEqual(device.decode(), initial);
	t.false([...device.levels.values()].includes(true));
	back.start();
	run(10 * ms, ms);
	t.is(device.reactor.timers.size, 0);
	t.is(counter(), 0n);
});

test('looking often finds what looking once finds', (t) => {
	let seed = 7;
	const below = (limit: number) => {
		seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
		return Math.floor((seed / 2 ** 32) * limit);
	};
	const [seldom, often] = [makeRunning(), makeRunning()];
	for (let step = 0; step < 2000; step++) {
		const [action, timer, value, passed] = [below(6), below(3), below(40), below(60)];
		const bits = below(0x10) * 2 + below(2) * MODE_32 + route(20 + timer);
		for (const hpet of [seldom, often]) {
			if (action === 0) hpet.general(value & 3);
			else if (action === 1) hpet.write(conf(timer), bits | SET);
			else if (action < 4) hpet.write(cmp(timer), value);
			else if (action === 4) hpet.write(0x20, value);
			else hpet.write(0xf0, value);
			for (let looked = 0; hpet === often && looked < passed; looked++) {
				hpet.device.nowNs += 100;
				hpet.read(cmp(looked % 3));
			}
			if (hpet === seldom) hpet.device.nowNs += 100 * passed;
		}
		const [one, other] = [seldom, often].map(({read, counter}) => [counter(), ...[0, 1, 2].map((n) => read(cmp(n)))]);
		t.deepEqual(one, other, `step ${step}`);
	}
});

test('any thread may serve any access', (t) => {
	const {device, general, write, counter, edges} = makeRunning();
	const other = device.otherFront();
	write(conf(1), ENABLED | LEVEL | MODE_32 | route(20));
	general(1);
	other.write(0, cmp(1), 4, clocks);
	device.nowNs += 2 * ms;
	t.is(other.read(0, 0x20, 4), 2);
	t.deepEqual(edges(), ['input-20 up']);
	other.write(0, 0x10, 4, 0);
	t.is(counter(), BigInt(2 * clocks));
});
