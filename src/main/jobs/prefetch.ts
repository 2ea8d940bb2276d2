import {Advice, advise} from '#support/ffi';

/** Commits pages of guest memory. `address` is a host address of this process. */
export interface PrefetchJob {
	readonly address: number;
	readonly length: number;
}

/** Returns 0 or the negated errno. */
export const prefetch = ({address, length}: PrefetchJob): number =>
	advise(BigInt(address), length, Advice.POPULATE_WRITE);
