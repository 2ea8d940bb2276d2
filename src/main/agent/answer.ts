/** A rule of the protocol that what the agent sent does not keep. It ends the connection. */
export class BrokenRule extends Error {}

/** @throws BrokenRule */
export function rule(isKept: boolean, what: string): asserts isKept {
	if (!isKept) throw new BrokenRule(what);
}

const decoder = new TextDecoder('utf-8', {fatal: true});

/** Reads what the agent sent from front to back: what is too short, too long or no UTF-8 breaks a rule. */
export class Answer {
	readonly #bytes: Buffer;
	#at = 0;

	constructor(bytes: Buffer) {
		this.#bytes = bytes;
	}

	get left(): number {
		return this.#bytes.length - this.#at;
	}

	bytes(size: number): Buffer {
		rule(size <= this.left, 'an answer is too short');
		const bytes = this.#bytes.subarray(this.#at, this.#at + size);
		this.#at += size;
		return bytes;
	}

	u8(): number {
		return this.bytes(1).readUInt8();
	}

	u16(): number {
		return this.bytes(2).readUInt16LE();
	}

	u32(): number {
		return this.bytes(4).readUInt32LE();
	}

	u64(): bigint {
		return this.bytes(8).readBigUInt64LE();
	}

	/** Milliseconds since 1970, of seconds and nanoseconds. */
	time(): number {
		const seconds = Number(this.bytes(8).readBigInt64LE());
		return seconds * 1000 + Math.floor(this.u32() / 1e6);
	}

	/** A name of the guest's, which may be any bytes: those that are no UTF-8 become U+FFFD. */
	name(size: number): string {
		return this.bytes(size).toString('utf8');
	}

	text(size: number): string {
		const bytes = this.bytes(size);
		try {
			return decoder.decode(bytes);
		} catch {
			throw new BrokenRule('a text is no UTF-8');
		}
	}

	/** @throws BrokenRule where something is left */
	end(): void {
		rule(this.left === 0, 'an answer is too long');
	}
}
