const countLimit = 2 ** 32;
/** Counts come around: of two, the one that is less than half of them ahead is the later one. */
const isAhead = (count: number, other: number): boolean => count !== other && (count - other) >>> 0 < countLimit / 2;

/** Most that is under way to a guest, whatever it says that it keeps for it. */
const mostUnderWay = 2 ** 30;

/**
 * Bytes that each side of a connection may still send (virtio 1.2, 5.10.6.3). What has been sent and handed on is counted modulo 2^32.
 */
export class Credit {
	/** Bytes kept for what the guest sends. */
	readonly promised: number;
	#received = 0;
	#forwarded = 0;
	/** What the guest has been told of {@link forwarded}. */
	#told = 0;
	#sent = 0;
	#guestBuffer = 0;
	#guestForwarded = 0;

	constructor(promised: number) {
		this.promised = promised;
	}

	/** Bytes of the guest's that the host has taken. */
	get forwarded(): number {
		return this.#forwarded;
	}

	/** Bytes that the guest has room for. */
	get room(): number {
		return Math.max(0, Math.min(this.#guestBuffer, mostUnderWay) - ((this.#sent - this.#guestForwarded) >>> 0));
	}

	/** So much is handed on of which the guest has not been told that it might wait for it. */
	get isUpdateDue(): boolean {
		return (this.#forwarded - this.#told) >>> 0 >= this.promised / 4;
	}

	/**
	 * Notes what a packet of the guest's says. Processors of its own overtake each other, so that it may be older than the one before.
	 * @returns false where it has handed on what nobody has sent
	 */
	heard(bufferBytes: number, forwarded: number): boolean {
		if (isAhead(forwarded, this.#sent)) return false;
		if (isAhead(this.#guestForwarded, forwarded)) return true;
		this.#guestBuffer = bufferBytes;
		this.#guestForwarded = forwarded;
		return true;
	}

	/** Notes bytes of the guest's. @returns false where they are more than it may send */
	received(count: number): boolean {
		if (((this.#received - this.#forwarded) >>> 0) + count > this.promised) return false;
		this.#received = (this.#received + count) >>> 0;
		return true;
	}

	/** The host has taken bytes of the guest's. */
	handedOn(count: number): void {
		this.#forwarded = (this.#forwarded + count) >>> 0;
	}

	/** Bytes go to the guest, no more than there is {@link room}. */
	sent(count: number): void {
		this.#sent = (this.#sent + count) >>> 0;
	}

	/** A packet tells the guest of {@link forwarded}. */
	told(): void {
		this.#told = this.#forwarded;
	}
}
