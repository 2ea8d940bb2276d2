import {addressOf} from '#support/ffi';
import {pageBytes} from './page-ledger.ts';

/** Memory of the host's own, for system calls and lists of vectors: it begins with a page, as direct I/O wants it, and stays in place. */
export class HostMemory {
	readonly bytes: Uint8Array;
	readonly hostAddress: number;

	/** @param length - in bytes; zeros at first */
	constructor(length: number) {
		const room = new ArrayBuffer(length + pageBytes);
		const address = Number(addressOf(room));
		const skipped = (pageBytes - (address % pageBytes)) % pageBytes;
		this.bytes = Buffer.from(room, skipped, length);
		this.hostAddress = address + skipped;
	}

	copyOut(at: number, target: Uint8Array, offset: number, length: number): void {
		Buffer.prototype.copy.call(this.bytes, target, offset, at, at + length);
	}

	copyIn(at: number, source: Uint8Array, offset: number, length: number): void {
		Buffer.prototype.copy.call(source, this.bytes, at, offset, offset + length);
	}

	fill(at: number, length: number, value: number): void {
		this.bytes.fill(value, at, at + length);
	}
}
