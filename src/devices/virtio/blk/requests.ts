import type {Chain} from '#devices/virtio/queue';
import {idBytes, RequestHeader, RequestStatus, RequestType, sectorBytes} from './layout.ts';

/**
 * Most bytes that one request moves: a driver may ask for all of the disk at once, and has the thread for so long. The device
 * says so.
 */
export const mostRequestBytes = 4 * 2 ** 20;

/** Serves requests from a disk in memory. */
export class DiskRequests {
	readonly #disk: Uint8Array;
	readonly #id: Uint8Array;
	readonly #readOnly: boolean;
	readonly #header = new Uint8Array(RequestHeader.size);
	readonly #status = new Uint8Array(1);

	constructor(disk: Uint8Array, id: string, readOnly: boolean) {
		this.#disk = disk;
		this.#readOnly = readOnly;
		this.#id = new Uint8Array(idBytes);
		new TextEncoder().encodeInto(id, this.#id);
	}

	/**
	 * Does what a chain asks for.
	 * @param fails - answers with an error instead
	 * @returns how many bytes of the chain were written
	 */
	serve(chain: Chain, fails: boolean): number {
		// Without a byte for the status there is no way to say anything (virtio 1.2, 5.2.6.1).
		const data = chain.writable - 1;
		if (data < 0 || !chain.read(0, this.#header)) return 0;
		const {type, sector} = RequestHeader.read(this.#header);
		let [status, written]: [number, number] = [RequestStatus.IO_ERROR, 0];
		if (!fails) [status, written] = this.#perform(chain, type, sector * sectorBytes, data);
		this.#status[0] = status;
		return chain.write(data, this.#status) ? Math.max(written, 0) + 1 : 0;
	}

	#perform(chain: Chain, type: number, at: number, data: number): [status: number, written: number] {
		switch (type) {
			case RequestType.IN:
				return this.#has(at, data) && chain.write(0, this.#disk, at, data)
					? [RequestStatus.OK, data]
					: [RequestStatus.IO_ERROR, 0];
			case RequestType.OUT: {
				const length = chain.readable - RequestHeader.size;
				const done = !this.#readOnly && this.#has(at, length) && chain.read(RequestHeader.size, this.#disk, at, length);
				return [done ? RequestStatus.OK : RequestStatus.IO_ERROR, 0];
			}
			case RequestType.FLUSH:
				return [RequestStatus.OK, 0];
			case RequestType.GET_ID: {
				const length = Math.min(data, idBytes);
				return chain.write(0, this.#id, 0, length) ? [RequestStatus.OK, length] : [RequestStatus.IO_ERROR, 0];
			}
			default:
				return [RequestStatus.UNSUPPORTED, 0];
		}
	}

	#has(at: number, length: number): boolean {
		return length % sectorBytes === 0 && length <= mostRequestBytes && at + length <= this.#disk.length;
	}
}
