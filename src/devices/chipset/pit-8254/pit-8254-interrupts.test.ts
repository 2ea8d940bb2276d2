import test from 'ava';
import {COMMAND, clockAt, hz250, make, makeRunning, ms, NMI} from './testing/make-pit.ts';
import {maxTicksOwed} from './timer-interrupt.ts';

test('no interrupt comes from a timer that nobody programmed', (t) => {
	const {pit, run} = makeRunning();
	t.is(run(1000 * ms, ms), 0);
	t.deepEqual(pit.edges, []);
	t.is(pit.reactor.timers.size, 0);
});

test('250 periodic interrupts a second, however late each wake-up is', (t) => {
	const {pit, configure, load, run, raised} = makeRunning();
	configure(0, 2);
	load(0, hz250);
	t.is(raised(), 1, 'the control word itself raises the output, as on a PC');
	t.is(run(10_002 * ms, 0.7 * ms), 2500);
	t.is(raised(), 2501);
	t.true(pit.levels.get('timer'));
	t.is(pit.state.ticksDropped, 0);
	configure(0, 3);
	load(0, hz250);
	t.is(run(1002 * ms, 0.7 * ms), 250, 'the square wave too');
	t.is(raised(), 2751, 'each an edge, and none for the second control word');
});

test('a one-shot of mode 0 raises the line once and holds it', (t) => {
	const {pit, configure, load, run} = makeRunning();
	configure(0, 0);
	load(0, 11_932);
	t.is(run(9.9 * ms), 0);
	t.is(run(0.2 * ms), 1);
	t.is(run(1000 * ms, ms), 0);
	t.deepEqual(pit.edges, ['timer up']);
	t.is(pit.reactor.timers.size, 0);
	load(0, 1193);
	t.deepEqual(pit.edges, ['timer up', 'timer down']);
	t.is(run(1.1 * ms), 1);
	t.true(pit.levels.get('timer'));
});

test('one-shots of mode 4 come once for each count', (t) => {
	const {pit, configure, load, run} = makeRunning();
	configure(0, 4);
	t.is(run(100 * ms, ms), 0);
	for (const count of [1193, 0, 50]) {
		load(0, count);
		t.is(run(100 * ms, 0.1 * ms), 1);
	}
	t.deepEqual(pit.edges.slice(0, 3), ['timer up', 'timer again', 'timer again']);
	t.is(pit.reactor.timers.size, 0);
});

test('a one-shot that is over before the thread wakes up is not lost to the next count', (t) => {
	const {pit, configure, load, run} = makeRunning();
	for (const mode of [0, 4]) {
		configure(0, mode);
		const {ticks} = pit.state;
		load(0, 1193);
		pit.nowNs += 2 * ms;
		load(0, 1193);
		t.is(pit.state.ticks - ticks, 1);
		t.is(run(2 * ms), 1);
	}
});

test('a count or a mode written while armed replaces the wake-up', (t) => {
	const {pit, configure, load, run} = makeRunning();
	configure(0, 0);
	load(0, 11_932);
	run(5 * ms);
	load(0, 23_864);
	t.is(run(19 * ms), 0);
	t.is(run(1.1 * ms), 1);
	configure(0, 2);
	load(0, 11_932);
	t.is(run(25 * ms), 2);
	load(0, 1193);
	t.is(run(5.1 * ms), 1, 'the period under way ends first');
	t.is(run(10 * ms), 10);
	configure(0, 2);
	t.is(run(100 * ms), 0, 'a control word alone stops the timer');
	t.is(pit.reactor.timers.size, 0);
});

test('writes that change nothing wake nobody', (t) => {
	const {pit, configure, load} = make();
	configure(0, 2);
	t.is(pit.notifications, 1);
	load(0, 1000);
	t.is(pit.notifications, 2);
	pit.out(COMMAND, 0x00);
	pit.out(COMMAND, 0xc2);
	configure(1, 2);
	load(1, 18);
	load(2, 1);
	t.is(pit.notifications, 2);
});

test('a stopped timer goes on where VM time stood still', async (t) => {
	const {pit, configure, load, run, back} = makeRunning();
	configure(0, 2);
	load(0, 11_932);
	t.is(run(15 * ms), 1);
	await back.stop();
	t.is(pit.reactor.timers.size, 0);
	pit.reactor.turn(1000 * ms);
	load(0, 11_932);
	pit.reactor.turn(1000 * ms);
	t.is(pit.state.ticks, 1);
	back.start();
	t.is(run(4.9 * ms), 0);
	t.is(run(0.2 * ms), 1);
	back.dispose();
	t.is(pit.reactor.timers.size, 0);
});

test('ticks that the thread was late for follow one by one, at most every 100 µs', (t) => {
	const {pit, configure, load, run} = makeRunning();
	configure(0, 2);
	load(0, 1193);
	pit.reactor.turn(0);
	pit.nowNs += 50.5 * ms;
	pit.reactor.turn(50.5 * ms);
	t.is(pit.state.ticks, 1);
	t.is(pit.state.ticksOwed, 49);
	const ticks = run(2 * ms);
	t.true(ticks >= 18 && ticks <= 20, `${ticks}`);
	run(10 * ms);
	t.is(pit.state.ticksOwed, 0);
	t.is(pit.state.ticks, 62);
	t.is(pit.state.ticksDropped, 0);
});

test('ticks beyond the cap are dropped and counted', (t) => {
	const {pit, configure, load, run} = makeRunning();
	configure(0, 2);
	load(0, 1193);
	pit.reactor.turn(0);
	pit.nowNs += 5000.5 * ms;
	pit.reactor.turn(5000.5 * ms);
	const {ticks, ticksOwed, ticksDropped} = pit.state;
	t.is(ticks + ticksOwed + ticksDropped, Math.floor(clockAt(5000.5 * ms) / 1193));
	t.is(ticksOwed, maxTicksOwed - 1);
	run(150 * ms);
	t.is(pit.state.ticksOwed, 0);
	t.is(pit.state.ticksDropped, ticksDropped);
});

test('a count of 1 is served every 100 µs', (t) => {
	for (const mode of [2, 3]) {
		const {pit, configure, load, run} = makeRunning();
		configure(0, mode);
		load(0, 1);
		const ticks = run(100 * ms);
		t.true(ticks > 900 && ticks <= 1000, `${ticks}`);
		t.is(pit.state.ticksOwed, maxTicksOwed - 1, 'the oldest are kept');
		t.is(pit.reactor.timers.size, 1);
		configure(0, 0);
		t.is(pit.state.ticksOwed, 0, 'what is owed ends with the mode');
		t.false(pit.levels.get('timer'));
		t.is(run(10 * ms), 0);
	}
});

test('a reset leaves no count, no interrupt and no gate', async (t) => {
	const {pit, configure, load, run, back, word} = makeRunning();
	const initial = JSON.stringify(make().pit.decode());
	configure(0, 2);
	load(0, 1193);
	configure(2, 3, 1);
	load(2, 77);
	pit.out(NMI, 3);
	run(10 * ms);
	await back.stop();
	pit.reset();
	t.is(JSON.stringify(pit.decode()), initial);
	t.false(pit.levels.get('timer'));
	back.start();
	t.is(run(100 * ms, ms), 0);
	pit.out(COMMAND, 0xee);
	t.deepEqual(
		[0x40, 0x41, 0x42].map((port) => pit.in(port)),
		[0x70, 0x70, 0x70],
	);
	t.is(word(0), 0);
});
