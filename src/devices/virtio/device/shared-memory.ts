import type {PciBar} from '#devices/device';
import {errorTable} from '#support/errors';

/** Memory of the device's that the driver maps (virtio 1.2, 2.10). */
export interface SharedRegion {
	/** Names it to the driver: 0 to 255. */
	readonly id: number;
	/** Whole pages of 4096 bytes; up to 4 GiB in all regions. */
	readonly length: number;
}

/** The memory that a device shares with its driver. It is zero at first, and the device's to clear at a reset. */
export interface SharedMemory<C> {
	/** Snapshots have what is in it (`saved`, up to 16 MiB), it is zero after a restore (`unsaved`), or the back maps it (`mapped`). */
	readonly pages: NonNullable<PciBar['pages']>;
	regions(config: C): readonly SharedRegion[];
	/** Offset in configuration space of 64 bits that read as the address of the first region now, for drivers that look there. */
	readonly placeAt?: number;
}

/** A region and where it lies in the BAR of them all. */
export interface PlacedRegion extends SharedRegion {
	readonly offset: number;
}

const sharedMemoryError = errorTable({
	VIRTIO_SHARED_MEMORY_IMPOSSIBLE: (c: {device: string; cause: string}) => ({
		message: `The virtio device ${c.device} cannot have its shared memory: ${c.cause}`,
	}),
});

const pageBytes = 4096;
const mostBytes = 2 ** 32;
/** Host and guest map as much by one entry of their page tables, where a region begins at a multiple of it. */
const alignment = 2 ** 21;
const mostId = 0xff;

/**
 * Places the regions of a device one behind the other.
 * @throws VmmError VIRTIO_SHARED_MEMORY_IMPOSSIBLE
 */
export function placeRegions<C>(
	{kind, sharedMemory}: {readonly kind: string; readonly sharedMemory?: SharedMemory<C>},
	config: C,
): readonly PlacedRegion[] {
	const impossible = (cause: string) => sharedMemoryError('VIRTIO_SHARED_MEMORY_IMPOSSIBLE', {device: kind, cause});
	const placed: PlacedRegion[] = [];
	let end = 0;
	for (const {id, length} of sharedMemory?.regions(config) ?? []) {
		if (!(Number.isInteger(id) && id >= 0 && id <= mostId)) throw impossible(`there is no id ${id}`);
		if (placed.some((other) => other.id === id)) throw impossible(`two regions have the id ${id}`);
		if (!(length > 0 && length % pageBytes === 0))
			throw impossible(`region ${id} has ${length} bytes, not whole pages`);
		const offset = Math.ceil(end / alignment) * alignment;
		end = offset + length;
		if (end > mostBytes) throw impossible(`it ends at ${end}, beyond ${mostBytes} bytes`);
		placed.push({id, length, offset});
	}
	return placed;
}

/** Bytes of the BAR that has the regions, and perhaps a rest that is nobody's. */
export function sharedBytes(regions: readonly PlacedRegion[]): number {
	const end = Math.max(...regions.map(({offset, length}) => offset + length));
	return 2 ** Math.ceil(Math.log2(end));
}
