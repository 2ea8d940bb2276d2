import {rule} from './answer.ts';
import {limits} from './protocol.ts';

/** Takes what comes apart into frames, and keeps one of them at most. */
export class FrameReader {
	readonly #receive: (channel: number, type: number, flag: number, payload: Buffer) => void;
	#kept: Buffer[] = [];
	#size = 0;
	/** Bytes that are there when the next frame can be looked at. */
	#needed: number = limits.HEADER_SIZE;

	constructor(receive: (channel: number, type: number, flag: number, payload: Buffer) => void) {
		this.#receive = receive;
	}

	/** @throws BrokenRule, and what the receiver throws */
	take(bytes: Buffer): void {
		this.#kept.push(bytes);
		this.#size += bytes.length;
		if (this.#size < this.#needed) return;
		const all = this.#kept.length === 1 ? bytes : Buffer.concat(this.#kept);
		let at = 0;
		for (;;) {
			this.#needed = limits.HEADER_SIZE;
			if (all.length - at < this.#needed) break;
			const length = all.readUInt32LE(at);
			rule(length <= limits.MOST_PAYLOAD, `a frame of ${length} bytes`);
			this.#needed += length;
			if (all.length - at < this.#needed) break;
			const payload = all.subarray(at + limits.HEADER_SIZE, at + this.#needed);
			this.#receive(all.readUInt16LE(at + 4), all.readUInt8(at + 6), all.readUInt8(at + 7), payload);
			at += this.#needed;
		}
		const rest = all.subarray(at);
		this.#kept = rest.length > 0 ? [rest] : [];
		this.#size = rest.length;
	}
}
