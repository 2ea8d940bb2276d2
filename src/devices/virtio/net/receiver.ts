import {Frame, leastFrameBytes, mostFrameBytes, Segmentation} from '#devices/network/endpoint';
import {finishChecksum, Segments, VnetHeader, writeHeader} from '#devices/network/packet';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import type {NetCountersView} from './counters.ts';
import {driverTakes, type NetFeature, type NetServices} from './features.ts';
import {isWanted} from './receive-filter.ts';
import type {NetStateView} from './state.ts';
import type {Steering} from './steering.ts';

/** Receive queue of a pair. */
export const receiveQueue = (pair: number): number => 2 * pair;

/** Buffers that one frame may lie in: as many as the largest queue has. */
const mostBuffers = 256;

/** What the driver does to frames by itself, by how they are to be cut. */
const segmentationFeature: Readonly<Record<number, (isV6: boolean) => NetFeature>> = {
	[Segmentation.TCP4]: () => 'guestTcp4',
	[Segmentation.TCP6]: () => 'guestTcp6',
	[Segmentation.UDP]: (isV6) => (isV6 ? 'guestUdp6' : 'guestUdp4'),
};

/** What a receiver is made of. */
export interface ReceiverParts {
	readonly services: NetServices;
	readonly state: NetStateView;
	readonly counters: NetCountersView;
	readonly steering: Steering;
}

/** Gives a driver frames (virtio 1.2, 5.1.6.3 and 5.1.6.4), and does to them what it does not. */
export class Receiver {
	readonly #services: NetServices;
	readonly #state: NetStateView;
	readonly #counters: NetCountersView;
	readonly #steering: Steering;
	readonly #header = VnetHeader.on(new ArrayBuffer(VnetHeader.byteLength));
	readonly #chains: (Chain | undefined)[] = new Array<undefined>(mostBuffers).fill(undefined);
	readonly #written = new Uint32Array(mostBuffers);
	readonly #segments = new Segments();
	readonly #segment = new Frame();
	/** Queues, by bits, whose driver is to be told at the end of this turn. */
	#untold = 0;
	readonly #tellAtEnd = (): void => this.tell();
	/** A frame has been refused since there was room last. */
	isWaiting = false;

	constructor({services, state, counters, steering}: ReceiverParts) {
		this.#services = services;
		this.#state = state;
		this.#counters = counters;
		this.#steering = steering;
	}

	/** See `Nic.receive`. */
	receive(frame: Frame, asked?: number): boolean {
		const counters = this.#counters;
		if (frame.length < leastFrameBytes || frame.length > mostFrameBytes) counters.receivedWrong++;
		else if (this.#state.isDown !== 0) counters.receivedDropped++;
		else if (!isWanted(frame, this.#services, this.#state)) counters.receivedFiltered++;
		else {
			const pair = this.#steering.pairFor(frame, asked);
			const queue = this.#services.queue(receiveQueue(pair));
			if (queue === undefined) counters.receivedDropped++;
			else if (!this.#give(queue, pair, frame)) {
				counters.receivedRefused++;
				this.isWaiting = true;
				return false;
			}
		}
		return true;
	}

	/** Tells the driver of what it has been given. */
	tell(): void {
		for (let pair = 0; this.#untold !== 0; pair++, this.#untold >>>= 1)
			if ((this.#untold & 1) !== 0) this.#services.queue(receiveQueue(pair))?.tell();
	}

	#takes(feature: NetFeature): boolean {
		return driverTakes(feature, this.#services, this.#state);
	}

	#give(queue: VirtQueue, pair: number, frame: Frame): boolean {
		if (frame.segmentation !== Segmentation.NONE) {
			if (!this.#segments.begin(frame)) {
				this.#counters.receivedWrong++;
				return true;
			}
			const feature = segmentationFeature[frame.segmentation]?.(this.#segments.isV6);
			// The checksum of one that is to be cut is still to be made.
			const isTaken = feature !== undefined && this.#takes(feature) && this.#takes('guestChecksum');
			if (!isTaken) return this.#giveSegments(queue, pair);
		} else if (frame.needsChecksum && !this.#takes('guestChecksum')) {
			finishChecksum(frame);
			this.#counters.receivedFinished++;
		}
		return this.#put(queue, pair, frame);
	}

	/** Those that the driver has no room for are lost, when there was room for the first. */
	#giveSegments(queue: VirtQueue, pair: number): boolean {
		for (let isFirst = true; this.#segments.next(this.#segment); isFirst = false) {
			if (this.#put(queue, pair, this.#segment)) continue;
			if (isFirst) return false;
			this.#counters.receivedRefused++;
			return true;
		}
		this.#counters.receivedFinished++;
		return true;
	}

	/** Writes a frame into as many buffers as it takes. False where the driver has not given that many. */
	#put(queue: VirtQueue, pair: number, frame: Frame): boolean {
		const whole = VnetHeader.size + frame.length;
		const most = this.#services.has('mergeable') ? Math.min(mostBuffers, queue.size) : 1;
		let [count, room] = [0, 0];
		while (room < whole && count < most) {
			const chain = queue.next();
			if (chain === undefined) break;
			this.#chains[count++] = chain;
			room += chain.writable;
		}
		const isShort = count > 0 && (this.#chains[0] as Chain).writable < VnetHeader.size;
		if (room >= whole && !isShort) {
			this.#write(queue, frame, count);
			this.#later(pair);
			return true;
		}
		// No more of them would do.
		const isHopeless = isShort || count === most;
		if (isHopeless) {
			this.#written.fill(0, 0, count);
			queue.completeTogether(this.#chains, this.#written, count);
			this.#later(pair);
			this.#counters.receivedWrong++;
		} else while (count > 0) queue.putBack(this.#chains[--count] as Chain);
		return isHopeless;
	}

	#write(queue: VirtQueue, frame: Frame, count: number): void {
		this.#describe(frame, count);
		let [done, isWritten] = [0, true];
		for (let index = 0; index < count; index++) {
			const chain = this.#chains[index] as Chain;
			const before = index === 0 ? VnetHeader.size : 0;
			const length = Math.min(chain.writable - before, frame.length - done);
			if (index === 0) isWritten &&= chain.write(0, this.#header.$bytes, 0, before);
			isWritten &&= chain.write(before, frame.bytes, done, length);
			this.#written[index] = before + length;
			done += length;
		}
		// Memory that has gone has no frame in it.
		if (!isWritten) this.#written.fill(0, 0, count);
		queue.completeTogether(this.#chains, this.#written, count);
		const counters = this.#counters;
		if (!isWritten) counters.receivedDropped++;
		else {
			counters.receivedFrames++;
			counters.receivedBytes += frame.length;
		}
	}

	/** What the driver is told of a frame: no more than it knows of. */
	#describe(frame: Frame, buffers: number): void {
		const header = this.#header;
		writeHeader(header, frame, this.#segments.headerBytes);
		if (!this.#takes('guestChecksum')) header.flags = 0;
		header.buffers = buffers;
	}

	#later(pair: number): void {
		if (this.#untold === 0) this.#services.reactor.defer(this.#tellAtEnd);
		this.#untold |= 1 << pair;
	}
}
