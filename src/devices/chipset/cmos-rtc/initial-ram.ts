import {Cmos, RegisterA, RegisterB} from './registers.ts';

const KiB = 1024;
const MiB = 1024 * KiB;
const unit = 64 * KiB;
/** Equipment byte: a floating-point unit is there, nothing else. */
const fpuPresent = 0x02;

/**
 * Fills the RAM with what PC firmware would have left: mode registers, equipment, memory sizes, checksum.
 * @param lowMemory - RAM below 4 GiB, in bytes
 * @param highMemory - RAM at and above 4 GiB, in bytes
 */
export function fillInitialRam(ram: Uint8Array, lowMemory: number, highMemory: number): void {
	ram.fill(0);
	ram[Cmos.A] = RegisterA.INITIAL;
	ram[Cmos.B] = RegisterB.INITIAL;
	ram[Cmos.EQUIPMENT] = fpuPresent;
	const extended = Math.min(Math.max(0, Math.floor((lowMemory - MiB) / KiB)), 0xffff);
	putNumber(ram, Cmos.BASE_MEMORY, Math.min(640, Math.floor(lowMemory / KiB)), 2);
	putNumber(ram, Cmos.EXTENDED_MEMORY, extended, 2);
	putNumber(ram, Cmos.EXTENDED_MEMORY_FOUND, extended, 2);
	putNumber(ram, Cmos.MEMORY_ABOVE_16M, Math.min(Math.max(0, Math.floor((lowMemory - 16 * MiB) / unit)), 0xffff), 2);
	putNumber(ram, Cmos.MEMORY_ABOVE_4G, Math.min(Math.floor(highMemory / unit), 0xffffff), 3);
	let sum = 0;
	for (let at = 0x10; at <= 0x2d; at++) sum += ram[at] as number;
	ram[Cmos.CHECKSUM] = sum >> 8;
	ram[Cmos.CHECKSUM + 1] = sum;
}

function putNumber(ram: Uint8Array, at: number, value: number, length: number): void {
	for (let i = 0; i < length; i++) ram[at + i] = value >> (8 * i);
}
