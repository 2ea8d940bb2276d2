import {signalEventfd} from '#support/ffi';
import {i32, wire} from '#support/wire';

/** The shared words of one sleeper. */
export const WakerState = wire('waker', {
	/** 1 while the sleeper may be asleep: a ringer must signal its descriptor. */
	asleep: i32,
	/** Times a ringer had to signal. */
	signals: i32,
});

const asleepWord = WakerState.word('asleep');
const signalsWord = WakerState.word('signals');

/** Handle of a waker: plain data that structured clone can copy. */
export interface WakerHandle {
	readonly buffer: SharedArrayBuffer;
	/** Eventfd that the sleeper waits for. */
	readonly wakeFd: number;
}

/** Shows what a waker's words hold. */
export function inspectWaker({buffer}: Pick<WakerHandle, 'buffer'>) {
	const {asleep, signals} = WakerState.on(buffer);
	return {asleep: asleep === 1, signals: signals >>> 0};
}

/** Wakes a reactor in another thread, with a system call only while that thread may be asleep. */
export class Waker {
	readonly #words: Int32Array;
	readonly #wakeFd: number;

	constructor({buffer, wakeFd}: WakerHandle) {
		this.#words = WakerState.on(buffer).$atomic;
		this.#wakeFd = wakeFd;
	}

	/** To be called after the work is visible in shared memory. */
	wake(): void {
		if (Atomics.exchange(this.#words, asleepWord, 0) !== 1) return;
		Atomics.add(this.#words, signalsWord, 1);
		signalEventfd(this.#wakeFd);
	}

	/** The sleeper's side: announces sleep and waking. Look for work once more after announcing sleep. */
	sleeping(asleep: boolean): void {
		Atomics.store(this.#words, asleepWord, asleep ? 1 : 0);
	}
}
