import {HostMemory} from '#devices/guest-memory';
import {type Disk, DiskError, DiskLayer, DiskOperation, type DiskRequest, requestError} from '#devices/storage/disk';
import {type Part, type Split, Splits, type Splitter} from '#devices/storage/split';
import {unitBytes, Xts} from './xts.ts';

/** What is encrypted at once: some 100 µs of the reactor's thread. */
const partBytes = 2 ** 16;
/** Parts under way at once, each with memory of the host's: 2 MiB, whatever a guest asks for. */
const mostParts = 32;
/** Zeros are encrypted and written as all else is, and drivers ask for several ranges at once. */
const mostClearedBytes = 2 ** 18;

/**
 * A disk whose content is encrypted on the one below. Data go by memory of the host's: that of the guest is not to change, and is not
 * written with what is still encrypted. Nothing is discarded: what is free would show below, and read as garbage.
 */
export class CryptDisk extends DiskLayer implements Splitter {
	readonly #xts: Xts;
	readonly #splits = new Splits(this, mostParts);

	/** @param key - can be wiped afterwards */
	constructor(below: Disk, key: Uint8Array) {
		super(below, {...below.geometry, discardBytes: 0, mostClearedBytes});
		this.#xts = new Xts(key, partBytes);
	}

	override submit(request: DiskRequest): void {
		const error = requestError(this, request);
		if (error !== DiskError.NONE || request.operation === DiskOperation.DISCARD) request.done(error);
		else if (request.operation === DiskOperation.FLUSH) this.below.submit(request);
		else this.#splits.begin(request);
	}

	step(split: Split): DiskError {
		const {request, position} = split;
		const offset = request.offset + position;
		const length = Math.min(partBytes, request.length - position);
		const part = split.part(offset, length);
		part.room ??= new HostMemory(partBytes);
		part.vectors.addHost(part.room, 0, length);
		if (request.operation !== DiskOperation.READ) {
			const {bytes} = this.#xts;
			if (request.operation === DiskOperation.WRITE) request.vectors.copyOut(position, bytes, 0, length);
			else bytes.fill(0, 0, length);
			this.#xts.encrypt(offset / unitBytes, length);
			part.room.copyIn(0, bytes, 0, length);
			part.operation = DiskOperation.WRITE;
		}
		split.position += length;
		part.submit(this.below);
		return DiskError.NONE;
	}

	ended({operation, room, offset, length, position, split}: Part): void {
		if (operation !== DiskOperation.READ || room === undefined) return;
		const {bytes} = this.#xts;
		room.copyOut(0, bytes, 0, length);
		this.#xts.decrypt(offset / unitBytes, length);
		split.request.vectors.copyIn(position, bytes, 0, length);
	}
}
