import test from 'ava';
import {Cmos} from './index.ts';
import {AF, AIE, hours24, IRQF, make, PF, PIE, UF, UIE} from './testing/rtc-under-test.ts';

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
