import {addressOf} from '#support/ffi';
import type {Fields, InputFields, Wire} from '#support/wire';

/** Memory for ioctl arguments: bytes that do not move, and their host address. */
export class ArgumentBuffer {
	/** Host address, below 2^47. */
	readonly address: number;
	readonly view: DataView;
	readonly bytes: Uint8Array;

	/** @param byteLength - size, zero-filled; a page serves every argument of fixed size except XSAVE */
	constructor(byteLength = 4096) {
		// A buffer of its own, never a small typed array: V8 keeps those inside its moving heap.
		const buffer = new ArrayBuffer(byteLength);
		this.view = new DataView(buffer);
		this.bytes = new Uint8Array(buffer);
		this.address = Number(addressOf(buffer));
	}

	/** Writes the struct at the start. */
	with<F extends Fields>(layout: Wire<F>, values: InputFields<F>): this {
		layout.write(this.view, 0, values);
		return this;
	}
}
