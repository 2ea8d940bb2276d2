import test from 'ava';
import {Cmos, cmosRtc} from './index.ts';
import {AF, AIE, baseTimeMs, hours24, IRQF, make, PF, PIE, quiet, set, UF, UIE} from './testing/rtc-under-test.ts';

test('the line is input 8 unless the configuration says otherwise', (t) => {
	const config = {baseTimeMs, lowMemory: 2 ** 30, highMemory: 0};
	t.deepEqual(cmosRtc.lines?.(config), {interrupt: 8});
	t.deepEqual(cmosRtc.lines?.({...config, irq: 11}), {interrupt: 11});
});

test('flags can be polled while every interrupt is off, and nothing is armed for them', (t) => {
	const {rtc, read, write, passMs, setAlarm, armed} = make();
	setAlarm(0x15, 0x59, 0x59);
	write(Cmos.A, 0x26);
	passMs(1);
	t.is(read(Cmos.C), PF);
	passMs(750);
	t.is(read(Cmos.C), UF | AF | PF);
	t.is(read(Cmos.C), 0);
	passMs(1000);
	t.is(read(Cmos.C), UF | PF);
	t.is(armed(), 0);
	t.is(rtc.notifications, 0);
	t.deepEqual(rtc.edges, []);
});

test('update-ended: the line rises with the second and stays up until register C is read', (t) => {
	const {rtc, read, write, passMs, line, armed} = make();
	write(Cmos.B, hours24 | UIE);
	passMs(749);
	t.false(line());
	passMs(2);
	t.true(line());
	t.is(armed(), 0, 'an interrupt that is pending is not followed by another');
	passMs(5000);
	t.is(read(Cmos.C), IRQF | UF);
	t.false(line());
	t.is(read(Cmos.C), 0);
	passMs(1000);
	t.is(read(Cmos.C), IRQF | UF);
	t.deepEqual(rtc.edges, ['interrupt up', 'interrupt down', 'interrupt up', 'interrupt down']);
});

test('several interrupts at once: one read of register C takes them all, and the earliest comes first', (t) => {
	const {rtc, read, write, passMs, setAlarm, line} = make();
	write(Cmos.A, quiet | 15);
	setAlarm(0xff, 0xff, 0x00);
	write(Cmos.B, hours24 | PIE | AIE | UIE);
	passMs(251);
	t.is(read(Cmos.C), IRQF | PF, 'half a second');
	passMs(500);
	t.is(read(Cmos.C), IRQF | PF | UF, '15:59:59');
	passMs(1000);
	t.is(read(Cmos.C), IRQF | PF | UF | AF, '16:00:00');
	t.is(read(Cmos.C), 0);
	t.false(line());
	t.is(rtc.edges.length, 6);
});

test('an enable shows a flag that is set already, and without its enable a flag lowers the line', (t) => {
	const {read, write, passMs, line} = make();
	passMs(1000);
	write(Cmos.B, hours24 | UIE);
	t.true(line());
	write(Cmos.B, hours24);
	t.false(line());
	t.is(read(Cmos.C), UF);
	passMs(1000);
	write(Cmos.B, hours24 | UIE);
	t.true(line());
	write(Cmos.B, hours24 | set | UIE);
	t.false(line(), 'SET clears the update-ended enable');
	t.is(read(Cmos.B), hours24 | set);
});

test('hwclock waits for the edge of a second by update-ended interrupts', (t) => {
	const {read, write, passMs, line} = make();
	write(Cmos.B, hours24 | UIE);
	read(Cmos.C);
	let waitedMs = 0;
	while (!line() && waitedMs < 2000) {
		passMs(1);
		waitedMs++;
	}
	t.true(waitedMs === 750 || waitedMs === 751);
	t.is(read(Cmos.C), IRQF | UF);
	t.is(read(Cmos.SECONDS), 0x59);
});

test('an interrupt that a guest finds before the timer does is raised once', (t) => {
	const {rtc, write, read} = make();
	write(Cmos.B, hours24 | UIE);
	rtc.reactor.turn(0);
	rtc.nowNs += 800e6;
	t.is(read(Cmos.C), IRQF | UF);
	rtc.reactor.turn(800e6);
	t.deepEqual(rtc.edges, []);
	t.is(rtc.reactor.timers.size, 1, 'the next second');
});

test('a hostile guest: at any registers and times the back arms at most one timer, within a day', (t) => {
	const {rtc, read, write, armed} = make();
	let seed = 7;
	const below = (limit: number) => {
		seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
		return Math.floor((seed / 2 ** 32) * limit);
	};
	const mistakes: string[] = [];
	for (let step = 0; step < 20_000; step++) {
		write(below(4) === 0 ? Cmos.CENTURY : below(12), below(256));
		// Else the clock would hardly ever run.
		if (below(3) === 0) write(Cmos.A, quiet | below(16));
		if (below(3) === 0) write(Cmos.B, below(128));
		if (below(3) === 0) read(Cmos.C);
		rtc.nowNs += below(3e9);
		if (armed() > 1) mistakes.push(`step ${step} armed more than one`);
		const clockNs = [...rtc.reactor.timers].map(({dueNs}) => dueNs);
		if (!clockNs.every((due) => due > 0 && due <= 86_400e9 + 1e6)) mistakes.push(`step ${step} armed ${clockNs}`);
	}
	t.deepEqual(mistakes, []);
});
