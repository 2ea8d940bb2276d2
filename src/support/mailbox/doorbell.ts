import {signalEventfd} from '#support/ffi';
import {i32, sharedStruct} from '#support/shared-memory';

/** The shared words of one sleeper. */
export const DoorbellState = sharedStruct('doorbell', {
	/** 1 while the sleeper may be asleep: a ringer must signal its descriptor. */
	asleep: i32(),
	/** Times a ringer had to signal. */
	signals: i32(),
});

const asleepWord = DoorbellState.word('asleep');
const signalsWord = DoorbellState.word('signals');

/** Where a doorbell lives: plain data that structured clone can copy. */
export interface DoorbellHandle {
	readonly buffer: SharedArrayBuffer;
	/** Eventfd that the sleeper waits for. */
	readonly wakeFd: number;
}

/** What a doorbell's words hold. */
export function inspectDoorbell({buffer}: Pick<DoorbellHandle, 'buffer'>) {
	const {asleep, signals} = DoorbellState.on(buffer);
	return {asleep: asleep === 1, signals: signals >>> 0};
}

/** Wakes a reactor in another thread, with a system call only while that thread may be asleep. */
export class Doorbell {
	readonly #words: Int32Array;
	readonly #wakeFd: number;

	constructor({buffer, wakeFd}: DoorbellHandle) {
		this.#words = DoorbellState.on(buffer).$atomic;
		this.#wakeFd = wakeFd;
	}

	/** To be called after the work is visible in shared memory. */
	ring(): void {
		if (Atomics.exchange(this.#words, asleepWord, 0) !== 1) return;
		Atomics.add(this.#words, signalsWord, 1);
		signalEventfd(this.#wakeFd);
	}

	/** The sleeper's side: announces sleep and waking. Look for work once more after announcing sleep. */
	sleeping(asleep: boolean): void {
		Atomics.store(this.#words, asleepWord, asleep ? 1 : 0);
	}
}
