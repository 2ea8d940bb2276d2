import type {Chain} from './chain.ts';
import type {VirtQueue} from './virt-queue.ts';

/** What a worker of a device has for its queues. */
export interface LeftHost {
	readonly worker: {readonly index: number; readonly count: number};
	/** Runs `action` under the lock of the device's state. */
	locked<R>(action: () => R): R;
	/** A queue that is used. */
	queue(index: number): VirtQueue | undefined;
}

/** Bytes of state that say which chains are left of so many queues of a size. */
export const leftBytes = (queues: number, queueSize: number): number => (queues * queueSize) / 8;

/**
 * The chains that a device has left to its driver's queues when it stopped, to be taken again when it goes on: by queue, a bit of its
 * saved state for each chain's head. A snapshot may say anything.
 */
export class LeftChains {
	readonly #words: Uint32Array;
	readonly #queueWords: number;
	readonly #host: LeftHost;

	/** @param words - {@link leftBytes} of the device's state */
	constructor(words: Uint32Array, queueSize: number, host: LeftHost) {
		this.#words = words;
		this.#queueWords = queueSize / 32;
		this.#host = host;
	}

	/** Leaves a chain; see {@link VirtQueue.leave}. */
	leave(queue: VirtQueue, index: number, chain: Chain): void {
		const word = index * this.#queueWords + (chain.head >>> 5);
		this.#host.locked(() => {
			this.#words[word] = (this.#words[word] as number) | (1 << (chain.head & 31));
		});
		queue.leave(chain);
	}

	/** Takes those again that are this worker's, and has each served. */
	retake(serve: (queue: VirtQueue, index: number, chain: Chain) => void): void {
		const {worker, locked} = this.#host;
		const queues = this.#words.length / this.#queueWords;
		for (let index = worker.index; index < queues; index += worker.count) {
			const words = this.#words.subarray(index * this.#queueWords, (index + 1) * this.#queueWords);
			if (!words.some((word) => word !== 0)) continue;
			const left = locked(() => {
				const copy = words.slice();
				words.fill(0);
				return copy;
			});
			const queue = this.#host.queue(index);
			if (queue?.mayLeave !== true) continue;
			for (let head = 0; head < 32 * left.length; head++) {
				if ((((left[head >>> 5] as number) >>> (head & 31)) & 1) === 0) continue;
				const chain = queue.retake(head);
				if (chain !== undefined) serve(queue, index, chain);
			}
		}
	}

	/** They are the last driver's. Under the lock. */
	clear(): void {
		this.#words.fill(0);
	}
}
