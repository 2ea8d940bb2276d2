import type {Frame} from '#devices/network/endpoint';
import {flowHash} from '#devices/network/packet';

/** Flows that are told apart, a power of two: those that have a place in common are steered as one. */
const places = 1024;

/**
 * Says by which pair of queues a driver gets a flow: by that which it sent it by last (virtio 1.2, 5.1.6.5.5), so that the processor that works
 * on it gets it. Each flow has one pair, so that its frames keep their order.
 */
export class Steering {
	readonly #pairs: () => number;
	/** By the places of flows: 1 and the pair that was used last, or 0. */
	readonly #used = new Uint8Array(places);

	/** @param pairs - that the driver uses now: 0 and 1 are one */
	constructor(pairs: () => number) {
		this.#pairs = pairs;
	}

	/** The driver has sent a frame. */
	sent(frame: Frame, pair: number): void {
		if (this.#pairs() > 1) this.#used[flowHash(frame) % places] = pair + 1;
	}

	/** The pair that a frame is for. @param asked - by what carries it, which has flows of its own */
	pairFor(frame: Frame, asked?: number): number {
		const pairs = this.#pairs();
		if (pairs <= 1) return 0;
		if (asked !== undefined && asked < pairs) return asked;
		const hash = flowHash(frame);
		const used = this.#used[hash % places] as number;
		return used > 0 && used <= pairs ? used - 1 : hash % pairs;
	}
}
