import type {AccessSize} from '#devices/device';
import type {ConfigLayout} from './config-layout.ts';

/**
 * A function's configuration space over its shared bytes. Read-only bits come from the layout, whatever the bytes hold:
 * a senseless saved state cannot change what a device is.
 */
export class ConfigSpace {
	readonly layout: ConfigLayout;
	readonly #bytes: Uint8Array;

	/** @param bytes - shared state, as many as the layout has */
	constructor(layout: ConfigLayout, bytes: Uint8Array) {
		this.layout = layout;
		this.#bytes = bytes;
	}

	/** Reads for the guest; every offset may be given, also odd ones and those past the end. */
	read(offset: number, size: AccessSize): number {
		let value = 0;
		for (let i = 0; i < size; i++) value += this.#byte(offset + i) * 2 ** (8 * i);
		return value;
	}

	/** A write of the guest; true when it changed a bit. */
	write(offset: number, size: AccessSize, value: number): boolean {
		const {writable, clearable} = this.layout;
		let changed = false;
		for (let i = 0; i < size; i++) {
			const at = offset + i;
			if (at >= writable.length) break;
			const before = this.#bytes[at] as number;
			const byte = (value >>> (8 * i)) & 0xff;
			const w = writable[at] as number;
			const after = ((before & ~w) | (byte & w)) & ~(byte & (clearable[at] as number));
			// A byte that does not change may be one whose bits another thread sets.
			if (after === before) continue;
			this.#bytes[at] = after;
			changed = true;
		}
		return changed;
	}

	/** The device sets bits of its own: those of `mask` get the value of `bits`. */
	set(offset: number, size: AccessSize, mask: number, bits: number): void {
		for (let i = 0; i < size; i++) {
			const m = (mask >>> (8 * i)) & (this.layout.mutable[offset + i] as number);
			this.#bytes[offset + i] = ((this.#bytes[offset + i] as number) & ~m) | ((bits >>> (8 * i)) & m);
		}
	}

	/**
	 * Sets or clears one bit while other threads do so with its neighbours.
	 * @returns true when it was changed
	 */
	setBit(offset: number, bit: number, isSet: boolean): boolean {
		const [at, mask] = [offset + (bit >>> 3), (1 << (bit & 7)) & (this.layout.mutable[offset + (bit >>> 3)] as number)];
		if (mask === 0) return false;
		const before = isSet ? Atomics.or(this.#bytes, at, mask) : Atomics.and(this.#bytes, at, ~mask);
		return ((before & mask) !== 0) !== isSet;
	}

	/** Every bit as it is at reset. */
	reset(): void {
		this.#bytes.set(this.layout.initial);
	}

	#byte(at: number): number {
		const {mutable: bits} = this.layout;
		if (at >= bits.length) return 0;
		const mutable = bits[at] as number;
		return ((this.layout.initial[at] as number) & ~mutable) | ((this.#bytes[at] as number) & mutable);
	}
}
