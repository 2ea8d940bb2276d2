import test from 'ava';
import {type Alarm, decodeAlarm, secondsToAlarm} from './alarm.ts';
import {Cmos} from './index.ts';
import {AF, AIE, binary, hours24, IRQF, make, set, UF} from './testing/rtc-under-test.ts';

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
			const alarm = {hours: 0, minutes: 0, seconds: 0};
			const isTime = decodeAlarm(ram, registerB, alarm);
			t.true(!isTime || (range(alarm.hours, 23) && range(alarm.minutes, 59) && range(alarm.seconds, 59)));
		}
	}
});
