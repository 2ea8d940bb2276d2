import {Chain} from './chain.ts';
import {PackedRing} from './packed-ring.ts';
import type {QueueFault, QueueProgress, Ring, RingParts} from './ring.ts';
import {SplitRing} from './split-ring.ts';

/** Parts of a {@link VirtQueue}. */
export interface QueueParts extends RingParts {
	/** Negotiated: VIRTIO_F_RING_PACKED, VIRTIO_F_IN_ORDER. */
	readonly packed: boolean;
	readonly inOrder: boolean;
	/** The driver uses the queue: it has neither turned it off nor reset the device since. */
	isOn(): boolean;
	/** Tells the driver that buffers have been used. */
	interrupt(): void;
	/** Calls something at the end of this turn. */
	defer(action: () => void): void;
	/** Nothing of a queue that is not used any more is in flight. */
	emptied(): void;
	broken(fault: QueueFault): void;
}

/** Most bytes of one turn of a queue; each chain has the share of its place in a full queue. */
const servedBytes = 4 * 2 ** 20;

/** The device's side of one queue (virtio 1.2, 2.6), whichever format its {@link Ring} has. */
export class VirtQueue {
	readonly #parts: QueueParts;
	readonly #ring: Ring;
	readonly #free: Chain[] = [];
	/** By head: those that the device has. */
	readonly #taken: (Chain | undefined)[];
	#count = 0;
	/** The same in the order in which they were taken: ends of a list. */
	#oldest: Chain | undefined;
	#newest: Chain | undefined;
	#isBroken = false;
	/** Bytes of chains that may still be taken in this turn. */
	#budget = Number.POSITIVE_INFINITY;
	#isServing = false;
	/** The driver is to see what was used, and to be told of it, at the end of this turn. */
	#isTellPlanned = false;
	readonly #tellPlanned = (): void => {
		if (this.#isTellPlanned && this.#map()) this.#tell();
	};

	constructor(parts: QueueParts) {
		this.#parts = parts;
		this.#taken = new Array<undefined>(parts.place.size).fill(undefined);
		this.#ring = parts.packed ? new PackedRing(parts) : new SplitRing(parts);
	}

	/** Most chains that the driver can have made available at once. */
	get size(): number {
		return this.#parts.place.size;
	}

	/** Chains that the device has taken and not completed. */
	get inFlight(): number {
		return this.#count;
	}

	/** Progress of the queue. */
	get progress(): QueueProgress {
		return this.#ring.progress;
	}

	/**
	 * Lets `handle` take chains, no more than the queue has room for and, but for the last, of {@link servedBytes} together: neither
	 * a driver that fills the queue as fast as it is emptied nor one with large buffers keeps the thread. The driver is told once
	 * of all that is completed meanwhile.
	 * @returns true when there may be more to take
	 */
	serve(handle: () => void): boolean {
		this.#budget = servedBytes;
		this.#isServing = true;
		try {
			handle();
			return this.#budget <= 0;
		} finally {
			this.#budget = Number.POSITIVE_INFINITY;
			this.#isServing = false;
			if (this.#map()) this.#tell();
		}
	}

	/** Takes the next chain that the driver has made available. */
	next(): Chain | undefined {
		if (this.#budget <= 0 || !this.#map()) return undefined;
		const chain = this.#free.pop() ?? new Chain(this.#parts.memory);
		const taken = this.#ring.take(chain);
		if (taken === 'nothing') {
			this.#free.push(chain);
			return undefined;
		}
		return this.#take(chain, taken);
	}

	/** What a chain asks for is as much work as moving so many bytes more than it has: the turn is shorter by them. */
	spend(bytes: number): void {
		this.#budget -= bytes;
	}

	/**
	 * Gives a chain back to the driver, of which the device has written the first `written` bytes to write. The driver sees it at
	 * once where nothing else is in flight, within {@link serve}, or in order; else all that are completed in one turn together, at its end. It is told
	 * of them once. Each look of a driver's that spins takes the memory from this thread that it is about to write again.
	 */
	complete(chain: Chain, written: number): void {
		this.#done(chain, written);
		if (!this.#map()) {
			this.#forget();
			return;
		}
		if (this.#parts.inOrder) this.#useInOrder();
		else this.#use(chain, this.#isServing);
		if (this.#isServing) return;
		if (this.#count === 0) this.#tell();
		else if (!this.#isTellPlanned) {
			this.#isTellPlanned = true;
			this.#parts.defer(this.#tellPlanned);
		}
	}

	/**
	 * Gives several chains back, in the order of the list, which the driver sees together: one thing lies in all of them. It is told of
	 * them by {@link tell}.
	 * @param count - of the chains, from the first on, and of the bytes that the device has written to each
	 */
	completeTogether(chains: readonly (Chain | undefined)[], written: Uint32Array, count: number): void {
		for (let index = 0; index < count; index++) this.#done(chains[index] as Chain, written[index] as number);
		if (!this.#map()) {
			this.#forget();
			return;
		}
		if (this.#parts.inOrder) this.#useInOrder();
		else for (let index = 0; index < count; index++) this.#use(chains[index] as Chain, index === count - 1);
	}

	/** Tells the driver of what {@link completeTogether} has given back, where it wants to hear of it. */
	tell(): void {
		if (!this.#isServing && this.#map()) this.#tell();
	}

	/**
	 * Gives back the chain that was taken last, as if it had not been: there is nothing to do with it yet. Several are given back in
	 * the reverse of the order in which they were taken, and {@link next} takes them again. The driver is told nothing.
	 */
	putBack(chain: Chain): void {
		if (this.#taken[chain.head] !== chain || chain.isDone || !this.#ring.putBack(chain))
			throw new TypeError('of the chains of a queue that are not completed, the one that was taken last is put back');
		this.#drop(chain);
		if (!this.#map()) this.#forget();
	}

	/** Stops using the driver's memory for good. */
	close(): void {
		this.#tellPlanned();
		this.#isBroken = true;
	}

	/** Chains may be left for later: see {@link leave}. */
	get mayLeave(): boolean {
		return this.#ring.retake !== undefined && !this.#parts.inOrder;
	}

	/**
	 * Has nothing of a chain any more, which stays the driver's request. The device takes it again by its head, when the queue has been
	 * started anew; see {@link retake}.
	 */
	leave(chain: Chain): void {
		if (!this.mayLeave || this.#taken[chain.head] !== chain || chain.isDone)
			throw new TypeError('a chain of a split queue that is not completed is left');
		this.#drop(chain);
	}

	/** Takes a chain again that was left. Whatever the driver has made of it meanwhile is checked as at first. */
	retake(head: number): Chain | undefined {
		if (!this.#map()) return undefined;
		const chain = this.#free.pop() ?? new Chain(this.#parts.memory);
		return this.#take(chain, this.#ring.retake?.(chain, head) ?? 'head');
	}

	/** The device has a chain, if the ring gave it. */
	#take(chain: Chain, taken: 'taken' | QueueFault): Chain | undefined {
		if (taken !== 'taken') return this.#break(taken);
		const {head} = chain;
		// Ids of a packed queue are any of 16 bits.
		while (this.#taken.length <= head) this.#taken.push(undefined);
		if (this.#taken[head] !== undefined) {
			// Those before it may still be put back.
			this.#ring.putBack(chain);
			return this.#break('head');
		}
		this.#taken[head] = chain;
		this.#count++;
		chain.before = this.#newest;
		chain.after = undefined;
		if (this.#newest === undefined) this.#oldest = chain;
		else this.#newest.after = chain;
		this.#newest = chain;
		this.#budget -= Math.max(chain.readable + chain.writable, servedBytes / this.#parts.place.size);
		return chain;
	}

	#done(chain: Chain, written: number): void {
		if (this.#taken[chain.head] !== chain || chain.isDone)
			throw new TypeError('a chain is completed once, by the queue it is of');
		chain.done(Math.min(written, chain.writable) % 2 ** 32);
	}

	/** Gives back what is done up to the first that is not. */
	#useInOrder(): void {
		for (let chain = this.#oldest; chain?.isDone === true; chain = this.#oldest)
			this.#use(chain, chain.after?.isDone !== true);
	}

	#use(chain: Chain, isShown: boolean): void {
		this.#ring.use(chain, isShown);
		this.#drop(chain);
	}

	/** The driver does not use the queue any more, and gets nothing of it. */
	#forget(): void {
		for (let chain = this.#oldest; chain !== undefined; ) {
			const {after} = chain;
			if (chain.isDone) this.#drop(chain);
			chain = after;
		}
		if (this.#count === 0) this.#parts.emptied();
	}

	#drop(chain: Chain): void {
		const {head, before, after} = chain;
		this.#taken[head] = undefined;
		this.#count--;
		if (before === undefined) this.#oldest = after;
		else before.after = after;
		if (after === undefined) this.#newest = before;
		else after.before = before;
		this.#free.push(chain);
	}

	#tell(): void {
		this.#isTellPlanned = false;
		this.#ring.show();
		if (this.#ring.wantsInterrupt()) this.#parts.interrupt();
	}

	/** True when the driver's memory can be accessed. */
	#map(): boolean {
		if (this.#isBroken || !this.#parts.isOn()) return false;
		if (this.#ring.map()) return true;
		this.#break('place');
		return false;
	}

	#break(fault: QueueFault): undefined {
		if (!this.#isBroken) this.#parts.broken(fault);
		this.#isBroken = true;
		return undefined;
	}
}
