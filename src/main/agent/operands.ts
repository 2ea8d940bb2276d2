import {agentError} from './errors.ts';
import {limits, magic} from './protocol.ts';

/** Operands of a request, in the order in which they are sent: little-endian numbers, and texts behind their lengths. */
export class Operands {
	readonly #what: string;
	readonly #parts: Buffer[] = [];
	#size = 0;

	/** @param what - is asked for, as errors name it */
	constructor(what: string) {
		this.#what = what;
	}

	u8(value: number): this {
		return this.#number(1, value);
	}

	u16(value: number): this {
		return this.#number(2, value);
	}

	u32(value: number): this {
		return this.#number(4, value);
	}

	u64(value: number): this {
		if (!Number.isSafeInteger(value) || value < 0) throw this.#invalid(`${value} is no offset`);
		const bytes = Buffer.alloc(8);
		bytes.writeBigUInt64LE(BigInt(value));
		return this.bytes(bytes);
	}

	/** Seconds, which may be before 1970, and nanoseconds. @param ms - since 1970 */
	time(ms: number): this {
		if (!Number.isFinite(ms) || Math.abs(ms) > 8.64e15) throw this.#invalid(`${ms} is no time`);
		const seconds = Math.floor(ms / 1000);
		const bytes = Buffer.alloc(12);
		bytes.writeBigInt64LE(BigInt(seconds));
		bytes.writeUInt32LE(Math.min(Math.round((ms - seconds * 1000) * 1e6), 999_999_999), 8);
		return this.bytes(bytes);
	}

	text(value: string, most: number = limits.MOST_PAYLOAD): this {
		const bytes = Buffer.from(value);
		if (bytes.includes(0)) throw this.#invalid(`${JSON.stringify(value)} has a zero byte`);
		if (bytes.length > most) throw this.#invalid(`a text of ${bytes.length} bytes, of ${most} at most`);
		return this.u16(bytes.length).bytes(bytes);
	}

	/** A path from the guest's root. */
	path(value: string): this {
		if (!value.startsWith('/')) throw this.#invalid(`${JSON.stringify(value)} is no absolute path`);
		return this.text(value, limits.MOST_PATH);
	}

	bytes(bytes: Uint8Array): this {
		this.#size += bytes.length;
		if (this.#size > limits.MOST_PAYLOAD) throw this.#invalid(`it is longer than ${limits.MOST_PAYLOAD} bytes`);
		this.#parts.push(Buffer.from(bytes));
		return this;
	}

	/** @throws VmmError AGENT_REQUEST_INVALID */
	finish(): Buffer {
		const payload = Buffer.concat(this.#parts);
		if (payload.includes(magic)) throw this.#invalid('it contains the greeting of the protocol');
		return payload;
	}

	#number(size: number, value: number): this {
		if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size))
			throw this.#invalid(`${value} is not 0 to ${2 ** (8 * size) - 1}`);
		const bytes = Buffer.alloc(size);
		bytes.writeUIntLE(value, 0, size);
		return this.bytes(bytes);
	}

	#invalid(found: string) {
		return agentError('AGENT_REQUEST_INVALID', {what: this.#what, found});
	}
}
