import {fromBcd, isBcd} from './bcd.ts';
import {alarmAny, Cmos, pmBit, RegisterB} from './registers.ts';

/** The time of day at which the alarm goes off. A field is a number, or {@link any} for one that always matches. */
export interface Alarm {
	hours: number;
	minutes: number;
	seconds: number;
}

const any = -1;
/** A field that no time matches. */
const never = -2;

const daySeconds = 24 * 3600;

/** Finds the alarm in the alarm bytes, in the format of register B; false when no time of day matches it. */
export function decodeAlarm(ram: Uint8Array, registerB: number, alarm: Alarm): boolean {
	alarm.hours = decodeHours(ram[Cmos.HOURS_ALARM] as number, registerB);
	alarm.minutes = decodeField(ram[Cmos.MINUTES_ALARM] as number, registerB, 0, 59);
	alarm.seconds = decodeField(ram[Cmos.SECONDS_ALARM] as number, registerB, 0, 59);
	return alarm.hours !== never && alarm.minutes !== never && alarm.seconds !== never;
}

function decodeHours(raw: number, registerB: number): number {
	if (raw >= alarmAny || (registerB & RegisterB.HOURS_24) !== 0) return decodeField(raw, registerB, 0, 23);
	const half = decodeField(raw & ~pmBit, registerB, 1, 12);
	return half === never ? never : (half % 12) + ((raw & pmBit) !== 0 ? 12 : 0);
}

function decodeField(raw: number, registerB: number, least: number, most: number): number {
	if (raw >= alarmAny) return any;
	const binary = (registerB & RegisterB.BINARY) !== 0;
	if (!binary && !isBcd(raw)) return never;
	const value = binary ? raw : fromBcd(raw);
	return value >= least && value <= most ? value : never;
}

/** Seconds from `second` (since 1970) to the next one after it that matches: 1 to 86400. */
export function secondsToAlarm(alarm: Alarm, second: number): number {
	const start = ((second % daySeconds) + daySeconds) % daySeconds;
	let at = start + 1;
	// Each step goes to the next moment at which its field matches, never past the answer. A carry undoes the fields
	// before it: out of the seconds once, out of the minutes once; the third round starts at a full hour.
	for (let round = 0; round < 3; round++) {
		at = forward(at, alarm.hours, 3600, 24);
		at = forward(at, alarm.minutes, 60, 60);
		at = forward(at, alarm.seconds, 1, 60);
	}
	return at - start;
}

/** The earliest moment from `at` on whose field, counting units of `unit` seconds modulo `modulus`, is `wanted`. */
function forward(at: number, wanted: number, unit: number, modulus: number): number {
	const units = Math.floor(at / unit);
	if (wanted === any || units % modulus === wanted) return at;
	return (units + ((wanted - (units % modulus) + modulus) % modulus)) * unit;
}
