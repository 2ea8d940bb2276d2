import type {BackWork} from '#devices/device';
import {type Endpoint, endpointOver, type Frame, type Nic} from '#devices/network/endpoint';
import {f64, type ViewOf, wire} from '#support/wire';
import {CaptureFile, type CaptureFiles} from './capture-file.ts';
import {Direction} from './pcapng.ts';

/** What a capture tells the machine's owner. */
export const CaptureCounters = wire('network-capture', {
	/** Frames in the file. */
	frames: f64,
	/** Frames that are not in the file, which took its time, or any more. */
	lost: f64,
	/** 1 once the host has refused a write. */
	failed: f64,
});

/** What a NIC's capture is made with. */
export interface CaptureHost extends Pick<BackWork, 'track'> {
	/** Of its machine. */
	readonly files: CaptureFiles;
	readonly mac: Uint8Array;
}

/**
 * Writes the frames that pass between a NIC and its endpoint to a file, as they pass: with checksums and segments still to be made where they
 * are left to each other. Nobody waits for the file: frames for which there is no room are lost to it.
 */
export class Capture {
	readonly #file: CaptureFile;
	readonly #track: BackWork['track'];
	readonly #counters: ViewOf<typeof CaptureCounters>;
	/** The interface's number in the file. */
	#number = 0;

	private constructor(file: CaptureFile, track: BackWork['track'], counters: ViewOf<typeof CaptureCounters>) {
		this.#file = file;
		this.#track = track;
		this.#counters = counters;
	}

	/**
	 * Makes the file, or empties it, unless another NIC of the machine has it already.
	 * @throws VmmError NETWORK_CAPTURE_UNUSABLE
	 */
	static async open(
		path: string,
		{track, files, mac}: CaptureHost,
		counters: ViewOf<typeof CaptureCounters>,
	): Promise<Capture> {
		const file = await CaptureFile.open(path, files);
		const capture = new Capture(file, track, counters);
		try {
			capture.#number = await file.add(path, mac, capture);
			return capture;
		} catch (error) {
			await file.close();
			throw error;
		}
	}

	/** See `CaptureTold`. */
	written(frames: number, isThere: boolean): void {
		if (isThere && frames === 0) return;
		if (isThere) this.#counters.frames += frames;
		else {
			this.#counters.lost += frames;
			this.#counters.failed = 1;
		}
	}

	/** The NIC, as the endpoint is to have it. */
	seen(nic: Nic): Nic {
		return {
			mac: nic.mac,
			mtu: nic.mtu,
			pairs: nic.pairs,
			receive: (frame, pair) => this.#passed(frame, Direction.IN, () => nic.receive(frame, pair)),
			room: () => nic.room(),
			carrier: (isUp) => nic.carrier(isUp),
		};
	}

	/** The endpoint, as the NIC is to have it. */
	wrap(endpoint: Endpoint): Endpoint {
		return endpointOver(endpoint, {
			send: (frame, pair) => this.#passed(frame, Direction.OUT, () => endpoint.send(frame, pair)),
			stop: async () => {
				await endpoint.stop();
				await this.#file.written();
			},
			inFlight: () => endpoint.inFlight?.() ?? (this.#file.isWriting ? 'writing a capture' : undefined),
			dispose: async () => {
				await endpoint.dispose();
				await this.close();
			},
		});
	}

	/** Lets go of the file, which has all that it was given. */
	async close(): Promise<void> {
		await this.#file.close();
	}

	/** Those that wait are written once they have been taken; whoever takes one may change it. */
	#passed(frame: Frame, direction: Direction, pass: () => boolean): boolean {
		const file = this.#file;
		const before = file.used;
		const isThere = file.append(frame, direction, this.#number);
		const after = file.used;
		const isTaken = pass();
		// An answer on the spot is behind it, and stays.
		if (!isTaken && file.used === after) file.takeBack(before);
		else if (isThere) file.keep(this.#number);
		else this.#counters.lost++;
		const writing = file.write();
		if (writing !== undefined) this.#track(writing, 'writing a capture');
		return isTaken;
	}
}
