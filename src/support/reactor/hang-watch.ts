import {readFileSync} from 'node:fs';
import type {ReactorStateView} from './reactor-state.ts';

/** Time between two looks at the thread, and the looks at one and the same turn after which it hangs: 5 seconds. */
const [lookMs, looks] = [250, 20];

/** A watch over a reactor's thread, from another thread. */
export interface HangWatch {
	close(): void;
}

/**
 * Calls `hung` once when a reactor's thread has been in one turn for all of some seconds, neither waiting for events nor for
 * a disk. Looks are counted, not time: a process that was stopped as a whole has not hung.
 * @param hung - gets the thread's id, and for how many seconds it was watched
 */
export function watchForHang(state: ReactorStateView, hung: (tid: number, seconds: number) => void): HangWatch {
	let [turn, seen] = [-1, 0];
	const look = () => {
		const isBusy = state.waiting === 0 && ['R', 'S'].includes(threadState(state.tid));
		seen = isBusy && state.turns === turn ? seen + 1 : 0;
		turn = state.turns;
		if (seen < looks) return;
		clearInterval(timer);
		hung(state.tid, (looks * lookMs) / 1000);
	};
	const timer = setInterval(look, lookMs);
	return {close: () => clearInterval(timer)};
}

/** Reads the state of a thread from the kernel (proc(5), stat): R runs, S sleeps, D waits for a disk; nothing once it is gone. */
function threadState(tid: number): string {
	try {
		const stat = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
		return stat.charAt(stat.lastIndexOf(')') + 2);
	} catch {
		return '';
	}
}
