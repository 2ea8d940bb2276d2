import type {Cell} from '#support/wire';
import {fromBcd, toBcd} from './bcd.ts';
import {dayMs, daysIn, daysUntil, monthOf, weekday, yearOf} from './gregorian.ts';
import {Cmos, pmBit, RegisterB} from './registers.ts';
import type {WallTime} from './wall-time.ts';

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

const daySeconds = dayMs / 1000;

const encode = (value: number, registerB: number) => ((registerB & RegisterB.BINARY) !== 0 ? value : toBcd(value));
const decode = (raw: number, registerB: number) => ((registerB & RegisterB.BINARY) !== 0 ? raw : fromBcd(raw));

/** Writes a wall-clock time into the time bytes, in the format that register B asks for (tables 3 and 4). */
export function encodeTime(ram: Uint8Array, wall: WallTime, registerB: number): void {
	const second = wall.second[0];
	// Of 32 bits, so that functions pass them to each other without an object.
	const days = Math.floor(second / daySeconds) | 0;
	const inDay = (second - days * daySeconds) | 0;
	const hours = Math.floor(inDay / 3600);
	ram[Cmos.SECONDS] = encode(inDay % 60, registerB);
	ram[Cmos.MINUTES] = encode(Math.floor(inDay / 60) % 60, registerB);
	if ((registerB & RegisterB.HOURS_24) !== 0) ram[Cmos.HOURS] = encode(hours, registerB);
	else ram[Cmos.HOURS] = encode(hours % 12 || 12, registerB) | (hours >= 12 ? pmBit : 0);
	const year = yearOf(days);
	const month = monthOf(days, year);
	ram[Cmos.DAY_OF_WEEK] = encode(weekday(days) + 1, registerB);
	ram[Cmos.DAY_OF_MONTH] = encode(days - daysUntil(year, month, 1) + 1, registerB);
	ram[Cmos.MONTH] = encode(month, registerB);
	ram[Cmos.YEAR] = encode(year % 100, registerB);
	ram[Cmos.CENTURY] = encode(Math.floor(year / 100) % 100, registerB);
}

/** Finds the wall-clock time in the time bytes, in milliseconds since 1970; false when they name no time. */
export function decodeTime(ram: Uint8Array, registerB: number, wallMs: Cell): boolean {
	const seconds = decode(ram[Cmos.SECONDS] as number, registerB);
	const minutes = decode(ram[Cmos.MINUTES] as number, registerB);
	const hours = decodeHours(ram[Cmos.HOURS] as number, registerB);
	const day = decode(ram[Cmos.DAY_OF_MONTH] as number, registerB);
	const month = decode(ram[Cmos.MONTH] as number, registerB);
	if (seconds > 59 || minutes > 59 || hours > 23 || month < 1 || month > 12) return false;
	const year = decode(ram[Cmos.CENTURY] as number, registerB) * 100 + decode(ram[Cmos.YEAR] as number, registerB);
	if (day < 1 || day > daysIn(year, month)) return false;
	wallMs[0] = daysUntil(year, month, day) * dayMs + ((hours * 60 + minutes) * 60 + seconds) * 1000;
	return true;
}

function decodeHours(raw: number, registerB: number): number {
	if ((registerB & RegisterB.HOURS_24) !== 0) return decode(raw, registerB);
	return (decode(raw & ~pmBit, registerB) % 12) + ((raw & pmBit) !== 0 ? 12 : 0);
}
