import type {HardwareBreakpoint} from './debug-plan.ts';

/** Condition of a breakpoint in DR7: instruction execution, data writes, data reads or writes. */
const conditions = {execute: 0b00, write: 0b01, access: 0b11} as const;
/** Length of a breakpoint in DR7. */
const lengths = {1: 0b00, 2: 0b01, 8: 0b10, 4: 0b11} as const;

/** The breakpoint conditions of DR6. */
const breakpointBits = 0xfn;

/** Bit 10 reads as one; LE (bit 8) asks old processors for exact data breakpoints. */
const dr7Base = (1n << 10n) | (1n << 8n);
const dr6Reset = 0xffff_0ff0n;

/** DR0–DR7 for these breakpoints, each in the register of its index (Intel SDM vol. 3, 18.2). */
export function debugRegisters(breakpoints: readonly HardwareBreakpoint[]): bigint[] {
	const registers = [0n, 0n, 0n, 0n, 0n, 0n, dr6Reset, dr7Base];
	for (const [index, {address, kind, length}] of breakpoints.entries()) {
		registers[index] = address;
		const control = BigInt(conditions[kind] | (lengths[length] << 2)) << BigInt(16 + index * 4);
		registers[7] = (registers[7] ?? 0n) | control | (1n << BigInt(index * 2));
	}
	return registers;
}

/** The lowest breakpoint that DR6 reports, if any. */
export function reportedBreakpoint(status: bigint, count: number): number | undefined {
	for (let index = 0; index < count; index++) if ((status & (1n << BigInt(index))) !== 0n) return index;
	return undefined;
}

/** The guest's own DR6 after an exception that reported `status`: breakpoints anew, the other conditions add up. */
export const guestStatus = (before: bigint, status: bigint): bigint => (before & ~breakpointBits) | (status & 0xe00fn);
