import {Frame, Segmentation} from '#devices/network/endpoint';
import {finishChecksum} from './finish.ts';
import {Segments} from './segments.ts';

/** Gives frames to somebody who takes plain ones alone: cuts those that are to be cut, and makes checksums. */
export class PlainSender {
	readonly #pass: (frame: Frame) => boolean;
	readonly #segments = new Segments();
	/** The frame that is being cut, and the next piece of it that is to be passed on. */
	readonly #whole = new Frame();
	readonly #segment = new Frame();
	#isCutting = false;

	/** @param pass - takes a plain frame; false where it has no room */
	constructor(pass: (frame: Frame) => boolean) {
		this.#pass = pass;
	}

	/** @returns false where there is no room, and the frame is not taken. One that lies about how it is to be cut is taken, and lost. */
	send(frame: Frame): boolean {
		if (!this.flush()) return false;
		if (frame.segmentation === Segmentation.NONE) {
			finishChecksum(frame);
			return this.#pass(frame);
		}
		this.#whole.copy(frame);
		this.#isCutting = this.#segments.begin(this.#whole) && this.#segments.next(this.#segment);
		this.flush();
		return true;
	}

	/** Passes on what is left of the last frame. @returns false where there was no room for all of it */
	flush(): boolean {
		while (this.#isCutting) {
			if (!this.#pass(this.#segment)) return false;
			this.#isCutting = this.#segments.next(this.#segment);
		}
		return true;
	}
}
