import type {ByteRing} from '#support/shared-memory';

/** Bytes that a PS/2 device has to send: first the answer to a command, then what it reports by itself. */
export class Outbox {
	readonly #replies: ByteRing<string>;
	readonly #reports: ByteRing<string>;

	constructor(replies: ByteRing<string>, reports: ByteRing<string>) {
		this.#replies = replies;
		this.#reports = reports;
	}

	/** Begins the answer to a command. What is left of an earlier answer is given up, so there is always room. */
	beginReply(): void {
		this.#replies.clear();
	}

	/** Goes on with the answer. */
	reply(byte: number): void {
		this.#replies.push(byte);
	}

	/** Queues the first `length` bytes as one report; false when they do not fit. */
	report(bytes: Readonly<ArrayLike<number>>, length = bytes.length): boolean {
		if (this.#reports.space < length) return false;
		for (let at = 0; at < length; at++) this.#reports.push(bytes[at] as number);
		return true;
	}

	/** Drops the reports that were not sent; false when there were none. */
	dropReports(): boolean {
		if (this.#reports.length === 0) return false;
		this.#reports.clear();
		return true;
	}

	/** The next byte to send; -1 for none. */
	shift(): number {
		const byte = this.#replies.shift();
		return byte >= 0 ? byte : this.#reports.shift();
	}
}
