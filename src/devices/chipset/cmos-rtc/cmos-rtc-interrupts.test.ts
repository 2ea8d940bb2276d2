import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {type Alarm, decodeAlarm, secondsToAlarm} from './alarm.ts';
import {Cmos, cmosRtc} from './index.ts';
import {periodicHz} from './periodic.ts';

/** A Thursday afternoon. */
const baseTimeMs = Date.UTC(2026, 10, 26, 15, 59, 58, 250);

const [UIE, AIE, PIE] = [0x10, 0x20, 0x40] as const;
const [UF, AF, PF, IRQF] = [0x10, 0x20, 0x40, 0x80] as const;
const hours24 = 0x02;
const binary = 0x04;
const set = 0x80;
/** Divider on, no periodic interrupt. */
const quiet = 0x20;

/** The device with its back. Unless said otherwise, time passes for the VM and for the reactor alike. */
function make(config: {irq?: number} = {}) {
	const rtc = new DeviceUnderTest(cmosRtc, {baseTimeMs, lowMemory: 2 ** 30, highMemory: 0, ...config});
	const back = rtc.startBack();
	const read = (index: number) => {
		rtc.out(0x70, index);
		return rtc.in(0x71);
	};
	const write = (index: number, value: number) => {
		rtc.out(0x70, index);
		rtc.out(0x71, value);
	};
	/** Lets the back see what the front told it, and then time pass. */
	const passMs = (ms: number) => {
		rtc.reactor.turn(0);
		rtc.nowNs += ms * 1e6;
		rtc.reactor.turn(ms * 1e6);
	};
	const setAlarm = (hours: number, minutes: number, seconds: number) => {
		write(Cmos.HOURS_ALARM, hours);
		write(Cmos.MINUTES_ALARM, minutes);
		write(Cmos.SECONDS_ALARM, seconds);
	};
	/** Armed timers, after the back has seen everything. */
	const armed = () => {
		rtc.reactor.turn(0);
		return rtc.reactor.timers.size;
	};
	const line = () => rtc.levels.get('interrupt') ?? false;
	write(Cmos.A, quiet);
	return {rtc, back, read, write, passMs, setAlarm, armed, line};
}

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

test('alarm: the line rises at the second that matches, and again a day later', (t) => {
	const {read, write, passMs, setAlarm, line, armed} = make();
	setAlarm(0x16, 0x00, 0x01);
	write(Cmos.B, hours24 | AIE);
	passMs(2749);
	t.false(line());
	passMs(2);
	t.true(line());
	t.is(read(Cmos.C), IRQF | AF | UF);
	t.is(armed(), 1);
	passMs(24 * 3600e3 - 5);
	t.false(line());
	passMs(5);
	t.true(line());
});

test('an alarm for the second that has begun waits until tomorrow', (t) => {
	const {read, write, passMs, setAlarm, line} = make();
	setAlarm(0x15, 0x59, 0x58);
	write(Cmos.B, hours24 | AIE);
	passMs(5000);
	t.is(read(Cmos.C), UF);
	t.false(line());
});

test('periodic: every rate of register A', (t) => {
	const rates = Array.from({length: 16}, (_, rate) => periodicHz(rate));
	t.deepEqual(rates, [0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2]);
	for (const [rate, hz] of rates.entries()) {
		const {read, write, passMs} = make();
		write(Cmos.A, quiet | rate);
		let ticks = 0;
		for (let step = 0; step < 16384; step++) {
			passMs(1000 / 16384);
			if ((read(Cmos.C) & PF) !== 0) ticks++;
		}
		t.is(ticks, hz, `rate ${rate}`);
	}
});

test('periodic interrupts at 64 Hz, one for each period when the guest answers', (t) => {
	const {read, write, passMs, line, armed} = make();
	write(Cmos.A, quiet | 10);
	write(Cmos.B, hours24 | PIE);
	let interrupts = 0;
	for (let ms = 0; ms < 1001; ms++) {
		passMs(1);
		if (!line()) continue;
		interrupts++;
		t.is(read(Cmos.C) & (IRQF | PF), IRQF | PF);
	}
	t.is(interrupts, 64);
	write(Cmos.B, hours24);
	t.is(armed(), 0);
});

test('a guest that answers the fastest rate late, or never, costs one timer for each answer', (t) => {
	const {rtc, read, write, passMs, line, armed} = make();
	write(Cmos.A, quiet | 3);
	write(Cmos.B, hours24 | PIE);
	t.is(armed(), 1);
	passMs(1);
	t.true(line());
	t.is(armed(), 0);
	for (let i = 0; i < 100; i++) passMs(1);
	t.is(rtc.edges.length, 1);
	read(Cmos.C);
	t.is(armed(), 1);
	const {notifications} = rtc;
	for (let i = 0; i < 100; i++) read(Cmos.C);
	t.is(rtc.notifications, notifications, 'the timer is armed already');
	t.is(armed(), 1);
});

test('the periodic interrupt goes on while SET holds the time of day, and stops with the divider', (t) => {
	const {read, write, passMs, line, armed} = make();
	write(Cmos.A, quiet | 10);
	write(Cmos.B, hours24 | set | PIE | UIE | AIE);
	write(Cmos.HOURS_ALARM, 0xff);
	write(Cmos.MINUTES_ALARM, 0xff);
	write(Cmos.SECONDS_ALARM, 0xff);
	passMs(3000);
	t.true(line());
	t.is(read(Cmos.C), IRQF | PF, 'neither an update nor an alarm');
	write(Cmos.A, 0x70 | 10);
	t.is(armed(), 0);
	passMs(3000);
	t.is(read(Cmos.C), 0);
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

test('Linux wakes up by alarm: set the alarm with its enable off, and turn it off in the handler', (t) => {
	const {rtc, read, write, passMs, setAlarm, line, armed} = make();
	write(Cmos.B, hours24);
	read(Cmos.C);
	setAlarm(0x16, 0x30, 0x00);
	t.is(armed(), 0);
	write(Cmos.B, hours24 | AIE);
	read(Cmos.C);
	t.is(armed(), 1);
	passMs(1801_749);
	t.false(line());
	passMs(2);
	t.true(line());
	t.is(read(Cmos.C) & (IRQF | AF), IRQF | AF);
	write(Cmos.B, read(Cmos.B) & ~AIE);
	read(Cmos.C);
	t.is(armed(), 0);
	t.deepEqual(rtc.edges, ['interrupt up', 'interrupt down']);
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

test('a 12-hour alarm in BCD tells noon from midnight', (t) => {
	const {write, read, passMs, setAlarm, line} = make();
	write(Cmos.B, AIE);
	setAlarm(0x12, 0x00, 0x00);
	passMs(8 * 3600e3);
	t.false(line(), 'eight hours on, just before midnight');
	passMs(2000);
	t.true(line());
	t.is(read(Cmos.HOURS), 0x12);
	read(Cmos.C);
	setAlarm(0x92, 0x00, 0x00);
	passMs(12 * 3600e3 - 2000);
	t.false(line());
	passMs(2000);
	t.true(line());
	t.is(read(Cmos.HOURS), 0x92);
});

test('don’t-care fields: every minute, and every second', (t) => {
	const {write, read, passMs, setAlarm, line} = make();
	setAlarm(0xc0, 0xff, 0x30);
	write(Cmos.B, hours24 | AIE);
	passMs(31_000);
	t.false(line());
	for (let minute = 0; minute < 3; minute++) {
		passMs(1000);
		t.true(line());
		t.is(read(Cmos.SECONDS), 0x30);
		read(Cmos.C);
		passMs(59_000);
		t.false(line());
	}
	write(Cmos.SECONDS_ALARM, 0xd5);
	for (let second = 0; second < 3; second++) {
		passMs(1000);
		t.is(read(Cmos.C), IRQF | AF | UF);
	}
});

test('setting the time moves the alarm, and jumping over it does not raise it', (t) => {
	const {rtc, write, read, passMs, setAlarm, line} = make();
	setAlarm(0x18, 0x00, 0x00);
	write(Cmos.B, hours24 | AIE);
	write(Cmos.HOURS, 0x17);
	passMs(1749);
	t.false(line());
	passMs(2);
	t.true(line(), 'an hour earlier by the wall');
	read(Cmos.C);
	write(Cmos.HOURS, 0x19);
	passMs(5000);
	t.false(line());
	write(Cmos.B, hours24 | AIE | set);
	write(Cmos.HOURS, 0x17);
	write(Cmos.MINUTES, 0x59);
	write(Cmos.SECONDS, 0x00);
	t.is(rtc.reactor.timers.size, 1);
	passMs(90_000);
	t.is(rtc.reactor.timers.size, 0, 'a stopped clock has no alarm');
	write(Cmos.B, hours24 | AIE);
	passMs(59_000);
	t.false(line());
	passMs(1000);
	t.true(line());
});

test('while the machine is paused nothing is armed; on resume the rest of the time is waited', async (t) => {
	const {rtc, back, write, read, passMs, line} = make();
	write(Cmos.B, hours24 | UIE);
	passMs(700);
	await back.stop();
	t.is(rtc.reactor.timers.size, 0);
	back.notified();
	t.is(rtc.reactor.timers.size, 0, 'a late notification');
	rtc.reactor.turn(60e9);
	t.false(line());
	back.start();
	passMs(49);
	t.false(line());
	passMs(2);
	t.true(line());
	await back.stop();
	back.start();
	t.true(line());
	t.is(rtc.reactor.timers.size, 0);
	t.is(read(Cmos.C), IRQF | UF);
	passMs(0);
	t.is(rtc.reactor.timers.size, 1);
	back.dispose();
	t.is(rtc.reactor.timers.size, 0);
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

test('reset turns every interrupt off, clears the flags and lowers the line', async (t) => {
	const {rtc, back, write, read, passMs, setAlarm, line} = make();
	setAlarm(0xff, 0xff, 0xff);
	write(Cmos.B, hours24 | UIE | AIE);
	passMs(1000);
	t.true(line());
	await back.stop();
	rtc.reset();
	back.start();
	t.false(line());
	t.is(rtc.reactor.timers.size, 0);
	t.is(read(Cmos.B), hours24);
	t.is(read(Cmos.C), 0);
});

test('an alarm byte that is no number of its kind never matches', (t) => {
	const never: [registerB: number, hours: number, minutes: number, seconds: number][] = [
		[hours24, 0x24, 0xff, 0xff],
		[hours24, 0x1a, 0xff, 0xff],
		[hours24, 0x92, 0xff, 0xff],
		[hours24, 0xff, 0x60, 0xff],
		[hours24, 0xff, 0xff, 0x5a],
		[hours24, 0xff, 0xff, 0xa0],
		[hours24 | binary, 24, 0xff, 0xff],
		[hours24 | binary, 0xff, 60, 0xff],
		[hours24 | binary, 0xff, 0xff, 0xbf],
		[0, 0x00, 0xff, 0xff],
		[0, 0x80, 0xff, 0xff],
		[0, 0x13, 0xff, 0xff],
		[binary, 0x8d, 0xff, 0xff],
	];
	for (const [registerB, ...alarm] of never) {
		const {write, read, passMs, setAlarm, armed} = make();
		setAlarm(...alarm);
		write(Cmos.B, registerB | AIE);
		t.is(armed(), 0);
		passMs(48 * 3600e3);
		t.is(read(Cmos.C), UF);
	}
});

test('the next alarm is the one that a search second by second finds', (t) => {
	const fields = (second: number) => [Math.floor(second / 3600) % 24, Math.floor(second / 60) % 60, second % 60];
	const search = ({hours, minutes, seconds}: Alarm, second: number) => {
		for (let passed = 1; ; passed++) {
			const now = fields(second + passed);
			if ([hours, minutes, seconds].every((wanted, at) => wanted === -1 || wanted === now[at])) return passed;
		}
	};
	const wrong: unknown[] = [];
	for (const hours of [-1, 0, 11, 23]) {
		for (const minutes of [-1, 0, 30, 59]) {
			for (const seconds of [-1, 0, 29, 59]) {
				for (const second of [0, 1, 59, 60, 1799, 1800, 3599, 39599, 41399, 43199, 82799, 84599, 86369, 86398, 86399]) {
					const alarm = {hours, minutes, seconds};
					const found = secondsToAlarm(alarm, second);
					if (found !== search(alarm, second)) wrong.push({...alarm, second, found});
				}
			}
		}
	}
	t.deepEqual(wrong, []);
	t.is(secondsToAlarm({hours: 0, minutes: 0, seconds: 0}, -1), 1, 'before 1970');
});

test('every value of the alarm bytes is decoded to a time of day or to none', (t) => {
	const ram = new Uint8Array(128);
	const range = (value: number, most: number) => value >= -1 && value <= most;
	for (const registerB of [0, binary, hours24, hours24 | binary]) {
		for (let value = 0; value < 256; value++) {
			ram.fill(value, 0, Cmos.HOURS_ALARM + 1);
			const alarm = decodeAlarm(ram, registerB) ?? {hours: 0, minutes: 0, seconds: 0};
			t.true(range(alarm.hours, 23) && range(alarm.minutes, 59) && range(alarm.seconds, 59));
		}
	}
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

test('a week that was jumped over is one interrupt, and a host clock that was set back ends none', (t) => {
	const {rtc, read, write, passMs} = make();
	write(Cmos.A, 0x26);
	write(Cmos.B, hours24 | PIE | UIE);
	passMs(751);
	t.is(read(Cmos.C), IRQF | PF | UF);
	const before = rtc.edges.length;
	rtc.lagMs = 7 * 86_400e3;
	passMs(1);
	t.deepEqual(rtc.edges.slice(before), ['interrupt up']);
	t.is(read(Cmos.C), IRQF | PF | AF | UF, 'midnight was among it');
	rtc.lagMs = -86_400e3;
	passMs(1000);
	read(Cmos.C);
	passMs(1000);
	t.is(read(Cmos.C), IRQF | PF | UF);
});
