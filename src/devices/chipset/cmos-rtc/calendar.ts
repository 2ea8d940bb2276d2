import {fromBcd, toBcd} from './bcd.ts';
import {Cmos, pmBit, RegisterB} from './registers.ts';

/** The bytes that hold the time, and nothing else. */
export const timeBytes: readonly number[] = [
	Cmos.SECONDS,
	Cmos.MINUTES,
	Cmos.HOURS,
	Cmos.DAY_OF_WEEK,
	Cmos.DAY_OF_MONTH,
	Cmos.MONTH,
	Cmos.YEAR,
	Cmos.CENTURY,
];

/** Writes a wall-clock time into the time bytes, in the format that register B asks for (tables 3 and 4). */
export function encodeTime(ram: Uint8Array, timeMs: number, registerB: number): void {
	const date = new Date(timeMs);
	const encode = (value: number) => ((registerB & RegisterB.BINARY) !== 0 ? value : toBcd(value));
	const hours = date.getUTCHours();
	const year = date.getUTCFullYear();
	ram[Cmos.SECONDS] = encode(date.getUTCSeconds());
	ram[Cmos.MINUTES] = encode(date.getUTCMinutes());
	if ((registerB & RegisterB.HOURS_24) !== 0) ram[Cmos.HOURS] = encode(hours);
	else ram[Cmos.HOURS] = encode(hours % 12 || 12) | (hours >= 12 ? pmBit : 0);
	ram[Cmos.DAY_OF_WEEK] = encode(date.getUTCDay() + 1);
	ram[Cmos.DAY_OF_MONTH] = encode(date.getUTCDate());
	ram[Cmos.MONTH] = encode(date.getUTCMonth() + 1);
	ram[Cmos.YEAR] = encode(year % 100);
	ram[Cmos.CENTURY] = encode(Math.floor(year / 100) % 100);
}

/** The wall-clock time in the time bytes, in milliseconds since 1970; undefined when they name no time. */
export function decodeTime(ram: Uint8Array, registerB: number): number | undefined {
	const decode = (raw: number) => ((registerB & RegisterB.BINARY) !== 0 ? raw : fromBcd(raw));
	const field = (at: number) => decode(ram[at] as number);
	const rawHours = ram[Cmos.HOURS] as number;
	const half = decode(rawHours & ~pmBit) % 12;
	const hours24 = (registerB & RegisterB.HOURS_24) !== 0;
	const hours = hours24 ? decode(rawHours) : half + ((rawHours & pmBit) !== 0 ? 12 : 0);
	const [seconds, minutes, day, month] = [
		field(Cmos.SECONDS),
		field(Cmos.MINUTES),
		field(Cmos.DAY_OF_MONTH),
		field(Cmos.MONTH),
	];
	if (seconds > 59 || minutes > 59 || hours > 23 || month < 1 || month > 12) return undefined;
	const date = new Date(0);
	// Not Date.UTC, which takes the years 0 to 99 for the twentieth century.
	date.setUTCFullYear(field(Cmos.CENTURY) * 100 + field(Cmos.YEAR), month - 1, day);
	if (date.getUTCDate() !== day) return undefined;
	return date.setUTCHours(hours, minutes, seconds);
}
