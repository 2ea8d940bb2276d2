import {DeviceUnderTest} from '#devices/testing';
import {Cmos, cmosRtc} from '../index.ts';

/** A Thursday afternoon. */
export const baseTimeMs = Date.UTC(2026, 10, 26, 15, 59, 58, 250);

/** Bits of registers B and C (MC146818A, "Registers"). */
export const [UIE, AIE, PIE] = [0x10, 0x20, 0x40] as const;
export const [UF, AF, PF, IRQF] = [0x10, 0x20, 0x40, 0x80] as const;
export const [hours24, binary, set] = [0x02, 0x04, 0x80] as const;
/** Divider on, no periodic interrupt. */
export const quiet = 0x20;

/** The device with its back. Time passes for the VM and for the reactor alike. */
export function make(config: {irq?: number} = {}) {
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
