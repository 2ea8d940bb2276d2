import {monotonicClock, TokenBuckets} from '#devices/limits';
import {type Endpoint, endpointOver, type Frame, type Nic, Segmentation} from '#devices/network/endpoint';
import type {Reactor, Timer} from '#support/reactor';
import {type NicBucketsView, type NicLimitName, type NicLimits, nicLimitTable} from './nic-limits.ts';

/** Longest sleep of a frame that waits for a limit: it may have been changed meanwhile. */
const longestWaitNs = 100e6;

/** Of a frame, as the guest has it. */
type Direction = 'sent' | 'received';

/**
 * Stands between a NIC and what carries its frames, and has each believe that there is no room while a limit says so: the guest's frames wait in its
 * queue, and those for it wherever its endpoint keeps them, or are lost there.
 */
export class RateLimit {
	readonly #share: NicBucketsView;
	readonly #buckets: TokenBuckets<NicLimitName>;
	readonly #reactor: Pick<Reactor, 'after'>;
	/** Those who wait for tokens. */
	readonly #waiting = new Map<Direction, Timer>();

	/** @param clockNs - the host's monotonic clock */
	constructor(
		limits: NicLimits | undefined,
		share: NicBucketsView,
		reactor: Pick<Reactor, 'after'>,
		clockNs: () => number = monotonicClock(),
	) {
		this.#share = share;
		this.#reactor = reactor;
		this.#buckets = new TokenBuckets(nicLimitTable, share, clockNs);
		if (limits !== undefined) this.#buckets.set(limits);
	}

	/** The NIC, as the endpoint is to have it. @param endpoint - which is there once it has a frame */
	seen(nic: Nic, endpoint: () => Endpoint | undefined): Nic {
		return {
			mac: nic.mac,
			mtu: nic.mtu,
			pairs: nic.pairs,
			receive: (frame, pair) =>
				this.#buckets.isLimited
					? this.#passes('received', frame, {pass: () => nic.receive(frame, pair), again: () => endpoint()?.room()})
					: nic.receive(frame, pair),
			room: () => nic.room(),
			carrier: (isUp) => nic.carrier(isUp),
		};
	}

	/** The endpoint, as the NIC is to have it. */
	wrap(endpoint: Endpoint, nic: Nic): Endpoint {
		return endpointOver(endpoint, {
			start: () => {
				const isAwaited = this.#waiting.has('received');
				this.#rest();
				endpoint.start();
				if (isAwaited) endpoint.room();
			},
			send: (frame, pair) =>
				this.#buckets.isLimited
					? this.#passes('sent', frame, {pass: () => endpoint.send(frame, pair), again: () => nic.room()})
					: endpoint.send(frame, pair),
			dispose: () => {
				this.#rest();
				return endpoint.dispose();
			},
		});
	}

	/** Passes a frame on; false where there was no room, or no token: then who has it is told when it may try again. */
	#passes(direction: Direction, frame: Frame, {pass, again}: {pass: () => boolean; again: () => void}): boolean {
		if (this.#waiting.has(direction)) return false;
		const [isIn, bytes, packets] = [direction === 'received', frame.length, packetsOf(frame)];
		const waitNs = this.#buckets.take(isIn, bytes, packets);
		if (waitNs === 0) {
			if (pass()) return true;
			this.#buckets.giveBack(isIn, bytes, packets);
			return false;
		}
		this.#share[`${direction}Throttled`]++;
		const expired = () => {
			this.#waiting.delete(direction);
			again();
		};
		this.#waiting.set(direction, this.#reactor.after(Math.min(waitNs, longestWaitNs), expired));
		return false;
	}

	#rest(): void {
		for (const timer of this.#waiting.values()) timer.cancel();
		this.#waiting.clear();
	}
}

/** A frame that is still to be cut is as many packets as there will be of it. */
const packetsOf = ({length, checksumStart, segmentation, segmentBytes}: Frame): number =>
	segmentation === Segmentation.NONE ? 1 : Math.max(1, Math.ceil((length - checksumStart) / segmentBytes));
