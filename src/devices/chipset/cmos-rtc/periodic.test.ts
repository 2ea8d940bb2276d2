import test from 'ava';
import {Cmos} from './index.ts';
import {periodicHz} from './periodic.ts';
import {AIE, hours24, IRQF, make, PF, PIE, quiet, set, UIE} from './testing/rtc-under-test.ts';

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
