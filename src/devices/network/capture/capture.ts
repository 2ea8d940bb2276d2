import {type FileHandle, open} from 'node:fs/promises';
import type {BackWork} from '#devices/device';
import type {Endpoint, Frame, Nic} from '#devices/network/endpoint';
import {errorTable} from '#support/errors';
import {f64, type ViewOf, wire} from '#support/wire';
import {Direction, fileHeader, packetBytes, writePacket} from './pcapng.ts';

/** What a capture tells the machine's owner. */
export const CaptureCounters = wire('network-capture', {
	/** Frames in the file. */
	frames: f64,
	/** Frames that are not in the file, which took its time, or any more. */
	lost: f64,
	/** 1 once the host has refused a write. */
	failed: f64,
});

const captureError = errorTable({
	NETWORK_CAPTURE_UNUSABLE: (c: {path: string; cause: string}) => ({
		message: `Frames cannot be written to ${c.path}: ${c.cause}`,
		remedy: 'Name a file in an existing directory that you may write to',
	}),
});

/** Frames that wait for the file; one of two such rooms is being written. */
const roomBytes = 2 ** 20;

/**
 * Writes the frames that pass between a NIC and its endpoint to a file, as they pass: with checksums and segments still to be made where they
 * are left to each other. Nobody waits for the file: frames for which there is no room are lost to it.
 */
export class Capture {
	readonly #file: FileHandle;
	readonly #track: BackWork['track'];
	readonly #counters: ViewOf<typeof CaptureCounters>;
	#filling = new DataView(new ArrayBuffer(roomBytes));
	#spare = new DataView(new ArrayBuffer(roomBytes));
	#used = 0;
	/** Frames that wait. */
	#waiting = 0;
	#writing: Promise<void> | undefined;
	#position: number;

	private constructor(
		file: FileHandle,
		position: number,
		track: BackWork['track'],
		counters: ViewOf<typeof CaptureCounters>,
	) {
		this.#file = file;
		this.#position = position;
		this.#track = track;
		this.#counters = counters;
	}

	/**
	 * Makes the file, or empties it.
	 * @throws VmmError NETWORK_CAPTURE_UNUSABLE
	 */
	static async open(
		path: string,
		{track}: Pick<BackWork, 'track'>,
		counters: ViewOf<typeof CaptureCounters>,
	): Promise<Capture> {
		let file: FileHandle | undefined;
		try {
			file = await open(path, 'w');
			const header = fileHeader();
			await file.write(header, 0, header.length, 0);
			return new Capture(file, header.length, track, counters);
		} catch (cause) {
			await file?.close().catch(() => {});
			throw captureError('NETWORK_CAPTURE_UNUSABLE', {path, cause: (cause as Error).message}, {cause});
		}
	}

	/** The NIC, as the endpoint is to have it. */
	seen(nic: Nic): Nic {
		return {
			mac: nic.mac,
			mtu: nic.mtu,
			receive: (frame) => this.#passed(frame, Direction.IN, () => nic.receive(frame)),
			room: () => nic.room(),
			carrier: (isUp) => nic.carrier(isUp),
		};
	}

	/** The endpoint, as the NIC is to have it. */
	wrap(endpoint: Endpoint): Endpoint {
		return {
			takes: endpoint.takes,
			start: () => endpoint.start(),
			send: (frame) => this.#passed(frame, Direction.OUT, () => endpoint.send(frame)),
			room: () => endpoint.room(),
			stop: async () => {
				await endpoint.stop();
				await this.#written();
			},
			inFlight: () => endpoint.inFlight?.() ?? (this.#writing === undefined ? undefined : 'writing a capture'),
			dispose: async () => {
				await endpoint.dispose();
				await this.close();
			},
		};
	}

	/** Lets go of the file, which has all that it was given. */
	async close(): Promise<void> {
		await this.#written();
		await this.#file.close();
	}

	/** Those that wait are written once they have been taken; whoever takes one may change it. */
	#passed(frame: Frame, direction: Direction, pass: () => boolean): boolean {
		const before = this.#used;
		const isThere = this.#append(frame, direction);
		const after = this.#used;
		const isTaken = pass();
		// An answer on the spot is behind it, and stays.
		if (!isTaken && this.#used === after) this.#used = before;
		else if (isThere) this.#waiting++;
		else this.#counters.lost++;
		if (this.#used > 0) this.#write();
		return isTaken;
	}

	#append(frame: Frame, direction: Direction): boolean {
		const bytes = packetBytes(frame.length);
		if (this.#counters.failed !== 0 || this.#used + bytes > roomBytes) return false;
		writePacket(this.#filling, this.#used, frame, direction, Date.now() * 1000);
		this.#used += bytes;
		return true;
	}

	#write(): void {
		if (this.#writing !== undefined) return;
		this.#writing = this.#writeAll();
		this.#track(this.#writing, 'writing a capture');
	}

	async #writeAll(): Promise<void> {
		// What comes in this turn of the thread goes together.
		await Promise.resolve();
		while (this.#used > 0) {
			const [full, length, frames] = [this.#filling, this.#used, this.#waiting];
			[this.#filling, this.#spare, this.#used, this.#waiting] = [this.#spare, full, 0, 0];
			if (await this.#put(full, length)) this.#counters.frames += frames;
			else this.#counters.lost += frames;
		}
		this.#writing = undefined;
	}

	/** False where the file has not all of it, and then nothing of it: a reader finds whole blocks. */
	async #put(blocks: DataView, length: number): Promise<boolean> {
		if (this.#counters.failed !== 0) return false;
		try {
			const {bytesWritten} = await this.#file.write(blocks, 0, length, this.#position);
			if (bytesWritten === length) {
				this.#position += length;
				return true;
			}
		} catch {
			// It is told by the counters.
		}
		this.#counters.failed = 1;
		await this.#file.truncate(this.#position).catch(() => {});
		return false;
	}

	async #written(): Promise<void> {
		await this.#writing;
	}
}
