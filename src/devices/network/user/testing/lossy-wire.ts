import {type Endpoint, Frame, type Nic} from '#devices/network/endpoint';
import {PlainSender} from '#devices/network/packet';
import type {Reactor} from '#support/reactor';

/** How long a frame that is to be behind the next one waits for one, in nanoseconds. */
const swapNs = 2e6;

/** What becomes of packets on a wire, and by which numbers. */
export interface Losses {
	readonly thousandthsLost: number;
	readonly thousandthsSwapped: number;
	readonly below: (limit: number) => number;
}

/** One direction of a wire: takes frames as they are, cuts them to packets, and passes those on, but for some, and not all in their order. */
export class LossyWire {
	readonly #to: () => Endpoint | Nic;
	readonly #reactor: Reactor;
	readonly #losses: Losses;
	readonly #plain = new PlainSender((frame) => this.#pass(frame));
	readonly #held = new Frame();
	#isHolding = false;
	lost = 0;
	swapped = 0;
	/** Segments of TCP that say that their sender has no room. */
	closed = 0;

	constructor(to: () => Endpoint | Nic, reactor: Reactor, losses: Losses) {
		this.#to = to;
		this.#reactor = reactor;
		this.#losses = losses;
	}

	/** A NIC whose guest is at the other end of this wire. */
	get nic(): Nic {
		return {
			mac: Uint8Array.of(2, 0, 0, 0, 0, 1),
			mtu: 1500,
			pairs: 1,
			receive: (frame) => this.#plain.send(frame),
			room() {},
			carrier() {},
		};
	}

	#pass(frame: Frame): true {
		const {below, thousandthsLost, thousandthsSwapped} = this.#losses;
		if (isClosedWindow(frame)) this.closed++;
		if (below(1000) < thousandthsLost) this.lost++;
		else if (!this.#isHolding && below(1000) < thousandthsSwapped) {
			this.#held.copy(frame);
			this.#isHolding = true;
			this.swapped++;
			this.#reactor.after(swapNs, () => this.#release());
		} else {
			this.#give(frame);
			this.#release();
		}
		return true;
	}

	#release(): void {
		if (this.#isHolding) this.#give(this.#held);
		this.#isHolding = false;
	}

	/** Whoever has no room loses it. */
	#give(frame: Frame): void {
		const to = this.#to();
		if ('send' in to) to.send(frame);
		else to.receive(frame);
	}
}

/** RFC 9293, 3.1: the window of a segment that acknowledges, and is no reset. */
function isClosedWindow({view, length}: Frame): boolean {
	const isV6 = view.getUint16(12) === 0x86dd;
	if (!isV6 && view.getUint16(12) !== 0x0800) return false;
	const tcp = isV6 ? 54 : 14 + (view.getUint8(14) & 0xf) * 4;
	if (view.getUint8(isV6 ? 20 : 23) !== 6 || length < tcp + 20) return false;
	return (view.getUint8(tcp + 13) & 0x16) === 0x10 && view.getUint16(tcp + 14) === 0;
}
