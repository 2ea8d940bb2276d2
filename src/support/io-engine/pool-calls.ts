import {processCount} from '#support/shared-memory';

/** Calls that engines of the process have in the pool. */
const sharedCount = () => processCount('calls in the pool');

/** Threads that libuv gives Node's pool, once and for all when the first is wanted. */
function poolSize(): number {
	const wanted = Number.parseInt(process.env['UV_THREADPOOL_SIZE'] ?? '4', 10) || 1;
	return Math.min(Math.max(1, wanted), 1024);
}

/** Has the threads that this one starts from now on count with it. */
export const sharePoolCalls = (): void => void sharedCount();

/**
 * What one engine may have of the pool's threads, which are the whole process's. Files that hang keep theirs, so that an engine has one call,
 * and further ones while a quarter of the pool is not in use. An eighth is never an engine's: opens, closes and starts wait for no disk.
 */
export class PoolCalls {
	readonly #all = sharedCount();
	readonly #most: number;
	readonly #mostShared: number;
	#own = 0;

	constructor() {
		const size = poolSize();
		this.#most = Math.max(1, size - Math.ceil(size / 8));
		this.#mostShared = Math.floor(size / 4);
	}

	/** Calls of this engine. */
	get own(): number {
		return this.#own;
	}

	/** Takes room for a call, where there is some. */
	take(): boolean {
		const most = this.#own === 0 ? this.#most : this.#mostShared;
		for (let known = Atomics.load(this.#all, 0); known < most; ) {
			const found = Atomics.compareExchange(this.#all, 0, known, known + 1);
			if (found === known) {
				this.#own++;
				return true;
			}
			known = found;
		}
		return false;
	}

	/** A call has returned. */
	giveBack(): void {
		this.#own--;
		Atomics.sub(this.#all, 0, 1);
		Atomics.notify(this.#all, 0);
	}

	/** Resolves when an engine that has none may try to {@link take} one. */
	async room(): Promise<void> {
		for (;;) {
			const known = Atomics.load(this.#all, 0);
			if (known < this.#most) return;
			await Atomics.waitAsync(this.#all, 0, known).value;
		}
	}
}
