import {monotonicClock, TokenBuckets} from '#devices/limits';
import {type Endpoint, type Frame, type Nic, Segmentation} from '#devices/network/endpoint';
import type {Reactor, Timer} from '#support/reactor';
import {type NicBucketsView, type NicLimitName, type NicLimits, nicLimitTable} from './nic-limits.ts';

/** Longest sleep of a frame that waits for a limit: it may have been changed meanwhile. */
const longestWaitNs = 100e6;

/**
 * Stands between a NIC and what carries its frames, and has each believe that there is no room while a limit says so: the guest's frames wait in its
 * queue, and those for it wherever its endpoint keeps them, or are lost there.
 */
export class RateLimit {
	readonly #share: NicBucketsView;
	readonly #buckets: TokenBuckets<NicLimitName>;
	readonly #reactor: Pick<Reactor, 'after'>;
	/** Who waits for tokens, by direction. */
	#sending: Timer | undefined;
	#receiving: Timer | undefined;

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
			receive: (frame) => {
				if (!this.#buckets.isLimited) return nic.receive(frame);
				if (this.#receiving !== undefined) return false;
				const waitNs = this.#pass(true, frame, () => nic.receive(frame));
				if (waitNs === 0) return true;
				if (waitNs === undefined) return false;
				this.#share.receivedThrottled++;
				this.#receiving = this.#after(waitNs, () => {
					this.#receiving = undefined;
					endpoint()?.room();
				});
				return false;
			},
			room: () => nic.room(),
			carrier: (isUp) => nic.carrier(isUp),
		};
	}

	/** The endpoint, as the NIC is to have it. */
	wrap(endpoint: Endpoint, nic: Nic): Endpoint {
		return {
			takes: endpoint.takes,
			start: () => {
				const isAwaited = this.#receiving !== undefined;
				this.#rest();
				endpoint.start();
				if (isAwaited) endpoint.room();
			},
			send: (frame) => {
				if (!this.#buckets.isLimited) return endpoint.send(frame);
				if (this.#sending !== undefined) return false;
				const waitNs = this.#pass(false, frame, () => endpoint.send(frame));
				if (waitNs === 0) return true;
				if (waitNs === undefined) return false;
				this.#share.sentThrottled++;
				this.#sending = this.#after(waitNs, () => {
					this.#sending = undefined;
					nic.room();
				});
				return false;
			},
			room: () => endpoint.room(),
			...(endpoint.remember && {remember: (most: number) => endpoint.remember?.(most) ?? new Uint8Array()}),
			...(endpoint.recall && {recall: (remembered: Uint8Array) => endpoint.recall?.(remembered)}),
			stop: () => endpoint.stop(),
			...(endpoint.inFlight && {inFlight: () => endpoint.inFlight?.()}),
			dispose: () => {
				this.#rest();
				return endpoint.dispose();
			},
		};
	}

	/** Passes a frame on: 0 where it has gone, undefined where there was no room, else how long it has to wait. */
	#pass(isIn: boolean, frame: Frame, pass: () => boolean): number | undefined {
		const [bytes, packets] = [frame.length, packetsOf(frame)];
		const waitNs = this.#buckets.take(isIn, bytes, packets);
		if (waitNs > 0) return waitNs;
		if (pass()) return 0;
		this.#buckets.giveBack(isIn, bytes, packets);
		return undefined;
	}

	#after(waitNs: number, expired: () => void): Timer {
		return this.#reactor.after(Math.min(waitNs, longestWaitNs), expired);
	}

	#rest(): void {
		this.#sending?.cancel();
		this.#receiving?.cancel();
		this.#sending = this.#receiving = undefined;
	}
}

/** A frame that is still to be cut is as many packets as there will be of it. */
const packetsOf = ({length, checksumStart, segmentation, segmentBytes}: Frame): number =>
	segmentation === Segmentation.NONE ? 1 : Math.max(1, Math.ceil((length - checksumStart) / segmentBytes));
