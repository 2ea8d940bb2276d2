import {CpuState} from '#vcpu-worker/software/state';

type State = ReturnType<typeof CpuState.on>;

/** Status flags: CF, PF, AF, ZF, SF, OF. */
export const Status = {CF: 1, PF: 4, AF: 0x10, ZF: 0x40, SF: 0x80, OF: 0x800} as const;
export const allStatus = 0x8d5;

/** Lower halves of the words that status flags are kept in. */
const Word = {
	...{result: CpuState.offset('result') / 4, zero: CpuState.offset('zero') / 4, carry: CpuState.offset('carry') / 4},
} as const;

/** RFLAGS as a number: bit 1 is always set. */
export function flagsOf(state: State): number {
	const words = state.$atomic;
	const [resultHigh, zero] = [
		words[Word.result + 1] as number,
		(words[Word.zero] as number) | (words[Word.zero + 1] as number),
	];
	const carry = words[Word.carry] as number;
	const top = (words[Word.carry + 1] as number) >>> 30;
	let parity = (words[Word.result] as number) & 0xff;
	parity ^= parity >> 4;
	parity ^= parity >> 2;
	parity ^= parity >> 1;
	return (
		(state.controlFlags & ~allStatus) |
		2 |
		(top & 2 ? Status.CF : 0) |
		(parity & 1 ? 0 : Status.PF) |
		((carry & 8) !== 0 ? Status.AF : 0) |
		(zero === 0 ? Status.ZF : 0) |
		(resultHigh < 0 ? Status.SF : 0) |
		(top === 1 || top === 2 ? Status.OF : 0)
	);
}

/** Sets the status flags, and of the others those of `changeable`. */
export function setFlags(state: State, flags: number, changeable = -1): void {
	const words = state.$atomic;
	const bit = (flag: number) => ((flags & flag) === 0 ? 0 : 1);
	words[Word.result] = bit(Status.PF) ^ 1;
	words[Word.result + 1] = bit(Status.SF) << 31;
	words[Word.zero] = bit(Status.ZF) ^ 1;
	words[Word.zero + 1] = 0;
	words[Word.carry] = bit(Status.AF) << 3;
	words[Word.carry + 1] = (bit(Status.CF) << 31) | ((bit(Status.CF) ^ bit(Status.OF)) << 30);
	const mask = changeable & ~allStatus;
	state.controlFlags = ((state.controlFlags & ~mask) | (flags & mask) | 2) >>> 0;
}
