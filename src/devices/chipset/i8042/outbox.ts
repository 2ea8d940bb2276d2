import type {ByteRing} from '#support/shared-memory';

/** What a PS/2 device has to send: first the answer to a command, then what it reports by itself. */
export class Outbox {
	readonly #replies: ByteRing<string>;
	readonly #reports: ByteRing<string>;

	constructor(replies: ByteRing<string>, reports: ByteRing<string>) {
		this.#replies = replies;
		this.#reports = reports;
	}

	/** Answers a command. What is left of an earlier answer is given up, so there is always room. */
	reply(bytes: Iterable<number>): void {
		this.#replies.clear();
		for (const byte of bytes) this.#replies.push(byte);
	}

	/** Queues a report as a whole; false when it does not fit. */
	report(bytes: readonly number[]): boolean {
		if (this.#reports.space < bytes.length) return false;
		for (const byte of bytes) this.#reports.push(byte);
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
