import type {CpuState} from '#vcpu-worker/software/state';

type State = ReturnType<typeof CpuState.on>;

/** Status flags: CF, PF, AF, ZF, SF, OF. */
export const Status = {CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, OF: 0x800} as const;
export const allStatus = 0x8d5;

/** RFLAGS as a number: bit 1 is always set. */
export function flagsOf(state: State): number {
	const {result, zero, carry, controlFlags} = state;
	const top = Number(BigInt.asUintN(64, carry) >> 62n);
	let parity = Number(BigInt.asUintN(8, result));
	parity ^= parity >> 4;
	parity ^= parity >> 2;
	parity ^= parity >> 1;
	return (
		(controlFlags & ~allStatus) |
		2 |
		(top & 2 ? Status.CF : 0) |
		(parity & 1 ? 0 : Status.PF) |
		((carry & 8n) !== 0n ? Status.AF : 0) |
		(zero === 0n ? Status.ZF : 0) |
		(result < 0n ? Status.SF : 0) |
		(top === 1 || top === 2 ? Status.OF : 0)
	);
}

/** Sets the status flags, and of the others those of `changeable`. */
export function setFlags(state: State, flags: number, changeable = -1): void {
	const bit = (flag: number) => ((flags & flag) === 0 ? 0n : 1n);
	state.result = BigInt.asIntN(64, (bit(Status.SF) << 63n) | (bit(Status.PF) ^ 1n));
	state.zero = bit(Status.ZF) ^ 1n;
	const belowTop = bit(Status.CF) ^ bit(Status.OF);
	state.carry = BigInt.asIntN(64, (bit(Status.CF) << 63n) | (belowTop << 62n) | (bit(Status.AF) << 3n));
	const mask = changeable & ~allStatus;
	state.controlFlags = ((state.controlFlags & ~mask) | (flags & mask) | 2) >>> 0;
}
