import {setFlagsFromString} from 'node:v8';
import {runInNewContext} from 'node:vm';

type Collect = (options: {readonly type: 'minor'}) => void;

/** A machine that comes sooner is not kept waiting. */
const idleMs = 100;

/**
 * The part of this thread's heap where all begins. When it is full V8 looks there for what is still in use, on several threads and for most of
 * a millisecond. Each processor that is made fills a quarter: so V8 looks while the thread waits for a machine.
 */
export class YoungHeap {
	#collect: Collect | undefined;
	#waiting: NodeJS.Timeout | undefined;

	/** The thread has work. */
	isBusy(): void {
		clearTimeout(this.#waiting);
	}

	/** The thread waits for a machine, and V8's flags are what they come to be. */
	isIdle(): void {
		this.isBusy();
		this.#waiting = setTimeout(() => this.#tidy(), idleMs).unref();
	}

	#tidy(): void {
		this.#collect ??= collector();
		this.#collect?.({type: 'minor'});
	}
}

/**
 * V8's own, which it gives to contexts that are made under a flag. That goes again: the code that is kept of programs is by flags. A process that
 * was started with the flag keeps it.
 * @returns undefined where another thread has taken the flag away meanwhile
 */
function collector(): Collect | undefined {
	if (globalThis.gc !== undefined) return globalThis.gc;
	setFlagsFromString('--expose-gc');
	const collect = runInNewContext('globalThis.gc') as Collect | undefined;
	setFlagsFromString('--no-expose-gc');
	return collect;
}
