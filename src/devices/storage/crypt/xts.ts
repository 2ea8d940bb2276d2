import {type Cipheriv, createCipheriv, createDecipheriv, type Decipheriv} from 'node:crypto';

/** Bytes of a data unit, which has a tweak of its own, however long the sectors are. */
export const unitBytes = 512;
/** Bytes of both keys: that of the data, then that of the tweaks. */
export const keyBytes = 64;
const blockBytes = 16;
const blockWords = blockBytes / 4;
const unitWords = unitBytes / 4;

/**
 * XTS-AES-256 (IEEE 1619-2007) of units of 512 bytes, of which each has its number, little-endian, for a tweak ("plain64" of dm-crypt). AES is
 * Node's, by ciphers that live as long as this: Node's own XTS takes a new one for each unit, which costs more than twenty times as much.
 */
export class Xts {
	/** What is encrypted and decrypted in place. */
	readonly bytes: Buffer;
	readonly #words: Int32Array;
	readonly #tweaks: Int32Array;
	readonly #tweakBytes: Buffer;
	/** Numbers of units as blocks. */
	readonly #numbers: Uint32Array;
	readonly #numberBytes: Buffer;
	readonly #encipher: Cipheriv;
	readonly #decipher: Decipheriv;
	readonly #encipherTweak: Cipheriv;

	/**
	 * @param key - {@link keyBytes} of it, which can be wiped afterwards
	 * @param mostBytes - as much as {@link bytes} holds, whole units
	 */
	constructor(key: Uint8Array, mostBytes: number) {
		const [dataKey, tweakKey] = [key.subarray(0, keyBytes / 2), key.subarray(keyBytes / 2)];
		this.#words = new Int32Array(mostBytes / 4);
		this.bytes = Buffer.from(this.#words.buffer);
		this.#tweaks = new Int32Array(mostBytes / 4);
		this.#tweakBytes = Buffer.from(this.#tweaks.buffer);
		this.#numbers = new Uint32Array((mostBytes / unitBytes) * blockWords);
		this.#numberBytes = Buffer.from(this.#numbers.buffer);
		this.#encipher = createCipheriv('aes-256-ecb', dataKey, null).setAutoPadding(false);
		this.#decipher = createDecipheriv('aes-256-ecb', dataKey, null).setAutoPadding(false);
		this.#encipherTweak = createCipheriv('aes-256-ecb', tweakKey, null).setAutoPadding(false);
	}

	/** Encrypts the first `length` of {@link bytes}, whole units of which the first has this number. */
	encrypt(unit: number, length: number): void {
		this.#apply(this.#encipher, unit, length);
	}

	decrypt(unit: number, length: number): void {
		this.#apply(this.#decipher, unit, length);
	}

	#apply(cipher: Cipheriv | Decipheriv, unit: number, length: number): void {
		this.#findTweaks(unit, length / unitBytes);
		this.#addTweaks(length / 4);
		cipher.update(this.bytes.subarray(0, length)).copy(this.bytes);
		this.#addTweaks(length / 4);
	}

	#addTweaks(count: number): void {
		const [words, tweaks] = [this.#words, this.#tweaks];
		for (let index = 0; index < count; index++) words[index] = (words[index] as number) ^ (tweaks[index] as number);
	}

	/** The tweak of each block: that of a unit's first is its number, encrypted, and of the next the one before times x in GF(2^128). */
	#findTweaks(first: number, count: number): void {
		const [numbers, tweaks] = [this.#numbers, this.#tweaks];
		for (let index = 0; index < count; index++) {
			const unit = first + index;
			numbers[index * blockWords] = unit;
			numbers[index * blockWords + 1] = unit / 2 ** 32;
		}
		const encrypted = this.#encipherTweak.update(this.#numberBytes.subarray(0, count * blockBytes));
		for (let index = 0; index < count; index++)
			encrypted.copy(this.#tweakBytes, index * unitBytes, index * blockBytes, (index + 1) * blockBytes);
		for (let start = 0; start < count * unitWords; start += unitWords) {
			let a = tweaks[start] as number;
			let b = tweaks[start + 1] as number;
			let c = tweaks[start + 2] as number;
			let d = tweaks[start + 3] as number;
			for (let at = start + blockWords; at < start + unitWords; at += blockWords) {
				const carry = (d >> 31) & 0x87;
				d = (d << 1) | (c >>> 31);
				c = (c << 1) | (b >>> 31);
				b = (b << 1) | (a >>> 31);
				a = (a << 1) ^ carry;
				tweaks[at] = a;
				tweaks[at + 1] = b;
				tweaks[at + 2] = c;
				tweaks[at + 3] = d;
			}
		}
	}
}
