import test from 'ava';
import {DeviceUnderTest} from '#devices/testing';
import {Cmos, cmosRtc} from './index.ts';

const MiB = 2 ** 20;
const GiB = 2 ** 30;
/** A Thursday afternoon. */
const baseTimeMs = Date.UTC(2026, 10, 26, 15, 59, 58, 250);

function make(rest: {baseTimeMs?: number; lowMemory?: number; highMemory?: number} = {}) {
	const rtc = new DeviceUnderTest(cmosRtc, {baseTimeMs, lowMemory: 3 * GiB, highMemory: 2 * GiB, ...rest});
	const read = (index: number) => {
		rtc.out(0x70, index);
		return rtc.in(0x71);
	};
	const write = (index: number, value: number) => {
		rtc.out(0x70, index);
		rtc.out(0x71, value);
	};
	const timeOrder = [
		Cmos.CENTURY,
		Cmos.YEAR,
		Cmos.MONTH,
		Cmos.DAY_OF_MONTH,
		Cmos.DAY_OF_WEEK,
		Cmos.HOURS,
		Cmos.MINUTES,
		Cmos.SECONDS,
	];
	const time = () => timeOrder.map((index) => read(index).toString(16).padStart(2, '0')).join(' ');
	return {rtc, read, write, time, passMs: (ms: number) => (rtc.nowNs += ms * 1e6)};
}

test('the time of day is the configured one plus VM time, in BCD and 24 hours', (t) => {
	const {time, passMs} = make();
	t.is(time(), '20 26 11 26 05 15 59 58');
	passMs(749);
	t.is(time(), '20 26 11 26 05 15 59 58');
	passMs(1001);
	t.is(time(), '20 26 11 26 05 16 00 00');
});

test('register B chooses binary and the 12-hour clock', (t) => {
	const {time, read, write, passMs} = make();
	write(Cmos.B, 0x06);
	t.is(time(), '14 1a 0b 1a 05 0f 3b 3a');
	write(Cmos.B, 0x00);
	t.is(read(Cmos.HOURS), 0x83, '3 in the afternoon');
	passMs(9 * 3600e3);
	t.is(read(Cmos.HOURS), 0x12, 'midnight is 12 in the morning');
	passMs(12 * 3600e3);
	t.is(read(Cmos.HOURS), 0x92, 'noon is 12 in the afternoon');
});

test('UIP announces each update, and never shows while SET is on', (t) => {
	const {read, write, passMs} = make();
	t.is(read(Cmos.A), 0x26);
	passMs(749);
	t.is(read(Cmos.A), 0xa6);
	write(Cmos.B, 0x82);
	t.is(read(Cmos.A), 0x26);
	write(Cmos.B, 0x02);
	passMs(1);
	t.is(read(Cmos.A), 0x26);
});

test('a guest that sets the clock as Linux does has half a second to the first update', (t) => {
	const {write, time, passMs} = make();
	write(Cmos.B, 0x82);
	write(Cmos.A, 0x76);
	const values: [number, number][] = [
		[Cmos.CENTURY, 0x20],
		[Cmos.YEAR, 0x00],
		[Cmos.MONTH, 0x02],
		[Cmos.DAY_OF_MONTH, 0x28],
		[Cmos.HOURS, 0x23],
		[Cmos.MINUTES, 0x59],
		[Cmos.SECONDS, 0x59],
	];
	for (const [index, value] of values) write(index, value);
	passMs(5000);
	write(Cmos.B, 0x02);
	write(Cmos.A, 0x26);
	t.is(time(), '20 00 02 28 02 23 59 59');
	passMs(499);
	t.is(time(), '20 00 02 28 02 23 59 59');
	passMs(2);
	t.is(time(), '20 00 02 29 03 00 00 00', 'a leap day');
});

test('the clock goes on from a single register written without SET', (t) => {
	const {write, time, passMs} = make();
	write(Cmos.HOURS, 0x08);
	t.is(time(), '20 26 11 26 05 08 59 58');
	passMs(1000);
	t.is(time(), '20 26 11 26 05 08 59 59');
});

test('a date that does not exist leaves the clock as it was', (t) => {
	const {write, time} = make();
	write(Cmos.DAY_OF_MONTH, 0x31);
	write(Cmos.MONTH, 0xff);
	write(Cmos.HOURS, 0x24);
	t.is(time(), '20 26 11 26 05 15 59 58');
});

test('register C shows an ended update once', (t) => {
	const {read, write, passMs} = make();
	write(Cmos.A, 0x20);
	t.is(read(Cmos.C), 0);
	passMs(1000);
	t.is(read(Cmos.C), 0x10);
	t.is(read(Cmos.C), 0);
	write(Cmos.B, 0x12);
	passMs(1000);
	t.is(read(Cmos.C), 0x90);
	t.is(read(Cmos.D), 0x80);
});

test('the memory size bytes are those of PC firmware', (t) => {
	const words = (read: (index: number) => number) =>
		[Cmos.BASE_MEMORY, Cmos.EXTENDED_MEMORY, Cmos.EXTENDED_MEMORY_FOUND, Cmos.MEMORY_ABOVE_16M].map(
			(index) => read(index) + read(index + 1) * 256,
		);
	const {read} = make();
	t.deepEqual(words(read), [640, 0xffff, 0xffff, (3 * GiB - 16 * MiB) / 65536]);
	t.deepEqual([read(0x5b), read(0x5c), read(0x5d)], [0x00, 0x80, 0x00]);
	const small = make({lowMemory: 8 * MiB, highMemory: 0});
	t.deepEqual(words(small.read), [640, 7 * 1024, 7 * 1024, 0]);
	t.deepEqual([small.read(0x5b), small.read(0x5c), small.read(0x5d)], [0, 0, 0]);
	const huge = make({highMemory: 1024 * GiB});
	t.deepEqual([huge.read(0x5b), huge.read(0x5c), huge.read(0x5d)], [0xff, 0xff, 0xff], '1 TiB is one unit too much');
});

test('RAM bytes keep what is written, and the address ignores the NMI bit', (t) => {
	const {rtc, read, write} = make();
	write(Cmos.SHUTDOWN_STATUS, 0x0a);
	t.is(read(0x80 | Cmos.SHUTDOWN_STATUS), 0x0a);
	t.is(rtc.in(0x70), Cmos.SHUTDOWN_STATUS);
	rtc.out(0x70, 0x5540, 2);
	t.is(read(0x40), 0x55, 'a 16-bit write sets address and data');
});

test('the time of day follows real time that VM time has not followed', (t) => {
	const {rtc, time, write} = make();
	rtc.lagMs = 7 * 86_400e3;
	t.is(time(), '20 26 12 03 05 15 59 58');
	write(Cmos.YEAR, 0x30);
	rtc.lagMs += 1000;
	t.is(time(), '20 30 12 03 03 15 59 59', 'and keeps what the guest has set');
});
