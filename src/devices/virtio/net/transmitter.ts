import {
	type Endpoint,
	Frame,
	leastFrameBytes,
	mostFrameBytes,
	type Offloads,
	Segmentation,
} from '#devices/network/endpoint';
import {finishChecksum, readHeader, Segments, VnetHeader} from '#devices/network/packet';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import type {NetCountersView} from './counters.ts';
import type {NetFeature, NetServices} from './features.ts';
import type {NetStateView} from './state.ts';
import type {Steering} from './steering.ts';

/** Transmit queue of a pair. */
export const transmitQueue = (pair: number): number => 2 * pair + 1;

/** What a driver has to have agreed on to have its frames cut, and what an endpoint has to do for it. */
const segmentations = new Map<number, readonly [NetFeature, keyof Offloads]>([
	[Segmentation.TCP4, ['hostTcp4', 'tcp4']],
	[Segmentation.TCP6, ['hostTcp6', 'tcp6']],
	[Segmentation.UDP, ['hostUdp', 'udp']],
]);

/** What a transmitter is made of. */
export interface TransmitterParts {
	readonly services: NetServices;
	readonly state: NetStateView;
	readonly counters: NetCountersView;
	readonly steering: Steering;
	endpoint(): Endpoint;
}

/** Gives an endpoint the frames of a driver (virtio 1.2, 5.1.6.2), and does to them what it does not. */
export class Transmitter {
	readonly #services: NetServices;
	readonly #state: NetStateView;
	readonly #counters: NetCountersView;
	readonly #steering: Steering;
	readonly #endpoint: () => Endpoint;
	readonly #header = VnetHeader.on(new ArrayBuffer(VnetHeader.byteLength));
	readonly #frame = new Frame();
	readonly #segment = new Frame();
	readonly #segments = new Segments();
	/** The pair by which the driver's last frame has come. */
	#pair = 0;
	/** Of the driver's last frame the endpoint has had no room for this: the frame, or a segment with those behind it. */
	#waiting: 'nothing' | 'frame' | 'segments' = 'nothing';

	constructor({services, state, counters, steering, endpoint}: TransmitterParts) {
		this.#services = services;
		this.#steering = steering;
		this.#state = state;
		this.#counters = counters;
		this.#endpoint = endpoint;
	}

	/** Takes frames of the driver's until the endpoint has no room. Called again when it has. */
	serve(queue: VirtQueue, pair: number): void {
		while (this.#passWaiting()) {
			const chain = queue.next();
			if (chain === undefined) return;
			this.#pair = pair;
			const isFrame = this.#read(chain);
			queue.complete(chain, 0);
			if (!isFrame) this.#counters.sentWrong++;
			else if (this.#state.isDown !== 0) this.#counters.sentDropped++;
			else {
				this.#steering.sent(this.#frame, pair);
				queue.spend(this.#send());
			}
		}
	}

	/** Reads a frame and what is said of it, all of which may be a lie. */
	#read(chain: Chain): boolean {
		const length = chain.readable - VnetHeader.size;
		if (length < leastFrameBytes || length > mostFrameBytes) return false;
		const [header, frame] = [this.#header, this.#frame];
		if (!chain.read(0, header.$bytes, 0, VnetHeader.size) || !chain.read(VnetHeader.size, frame.bytes, 0, length))
			return false;
		frame.become(length);
		if (!readHeader(header, frame)) return false;
		// A driver may say so only of what it gets.
		frame.isChecked = false;
		if (frame.needsChecksum && !this.#services.has('hostChecksum')) return false;
		return frame.segmentation === Segmentation.NONE || this.#checkSegmentation();
	}

	#checkSegmentation(): boolean {
		const frame = this.#frame;
		const [feature] = segmentations.get(frame.segmentation) ?? [];
		if (feature === undefined || !this.#services.has(feature)) return false;
		if (!this.#segments.begin(frame)) return false;
		// It is short enough as it is.
		if (this.#segments.count === 1) [frame.segmentation, frame.segmentBytes] = [Segmentation.NONE, 0];
		return true;
	}

	/** True where nothing waits any more. */
	#passWaiting(): boolean {
		const waiting = this.#waiting;
		if (waiting === 'nothing') return true;
		this.#waiting = 'nothing';
		if (this.#state.isDown !== 0) {
			this.#counters.sentDropped++;
			return true;
		}
		if (waiting === 'frame') return this.#pass(this.#frame, waiting);
		if (this.#pass(this.#segment, waiting)) this.#passSegments();
		return this.#waiting === 'nothing';
	}

	/** Returns how many bytes more than the driver gave had to be made. */
	#send(): number {
		const frame = this.#frame;
		const {takes} = this.#endpoint();
		const [, offload] = segmentations.get(frame.segmentation) ?? [];
		if (offload !== undefined && !(takes[offload] && takes.checksum)) {
			this.#counters.sentFinished++;
			const headers = this.#segments.count * this.#segments.headerBytes;
			this.#passSegments();
			return headers;
		}
		if (frame.needsChecksum && !takes.checksum) {
			finishChecksum(frame);
			this.#counters.sentFinished++;
		}
		this.#pass(frame, 'frame');
		return 0;
	}

	#passSegments(): void {
		while (this.#segments.next(this.#segment)) if (!this.#pass(this.#segment, 'segments')) return;
	}

	#pass(frame: Frame, what: 'frame' | 'segments'): boolean {
		const {length} = frame;
		if (!this.#endpoint().send(frame, this.#pair)) {
			this.#counters.sentWaited++;
			this.#waiting = what;
			return false;
		}
		this.#counters.sentFrames++;
		this.#counters.sentBytes += length;
		return true;
	}
}
