import {rootNode} from './call-tree.ts';
import {type GuestProfile, waitingFrame} from './guest-profile.ts';

/** Where processors spent their time, calls left out. */
export interface LeafTimes {
	/** Milliseconds by the address of the instruction. */
	readonly times: ReadonlyMap<bigint, number>;
	/** Those of processors that waited. */
	readonly waitingMs: number;
	/** All of them. */
	readonly ms: number;
}

/** Sums the time at each address up, of all processors. */
export function leafTimes({tree, logs}: GuestProfile): LeafTimes {
	const times = new Map<bigint, number>();
	let [waitingMs, all] = [0, 0];
	for (const log of logs) {
		for (const {node, ms} of log) {
			all += ms;
			const key = node === rootNode ? '' : tree.keyOf(node);
			if (key === waitingFrame) waitingMs += ms;
			else if (typeof key === 'bigint') times.set(key, (times.get(key) ?? 0) + ms);
		}
	}
	return {times, waitingMs, ms: all};
}
