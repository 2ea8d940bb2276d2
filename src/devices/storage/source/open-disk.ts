import type {SavedMemory} from '#devices/device';
import type {Disk} from '#devices/storage/disk';
import type {DiskHost} from './disk-kind.ts';
import type {DiskSource} from './disk-source.ts';
import {kindOf} from './kinds.ts';

const disksOf = (source: DiskSource): readonly DiskSource[] => kindOf(source).disks?.(source) ?? [];

/** Bytes that the workers of such a disk have to share. */
export const sharedBytes = (source: DiskSource): number =>
	disksOf(source).reduce((sum, disk) => sum + sharedBytes(disk), kindOf(source).sharedBytes(source));

/** The disks that one lies over, each with the place of its shared bytes: one behind the other, behind its own. */
function placedDisks(source: DiskSource, offset: number): {readonly disk: DiskSource; readonly offset: number}[] {
	let end = offset + kindOf(source).sharedBytes(source);
	return disksOf(source).map((disk) => {
		const placed = {disk, offset: end};
		end += sharedBytes(disk);
		return placed;
	});
}

/**
 * The parts of its shared bytes that snapshots have.
 * @param offset - of the shared bytes
 * @param name - of the disk among its device's
 */
export function savedParts(source: DiskSource, offset: number, name: string): readonly SavedMemory[] {
	const {prefix, savedPart} = kindOf(source);
	const own = savedPart?.(source, offset);
	const below = placedDisks(source, offset);
	return [
		...(own === undefined ? [] : [{name: `${name}/${prefix}`, ...own}]),
		...below.flatMap((placed, index) =>
			savedParts(placed.disk, placed.offset, `${name}/${prefix}${below.length > 1 ? index + 1 : ''}`),
		),
	];
}

/**
 * Opens a disk for one worker, with those that it lies over.
 * @throws VmmError DISK_, IO_URING_UNAVAILABLE
 */
export async function openDisk(source: DiskSource, isReadOnly: boolean, host: DiskHost): Promise<Disk> {
	const kind = kindOf(source);
	const opening = placedDisks(source, host.offset).map(({disk, offset}) =>
		openDisk(disk, isReadOnly || kind.readsDisks === true, {...host, offset}),
	);
	const settled = await Promise.allSettled(opening);
	const disks = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
	try {
		const failed = settled.find((each) => each.status === 'rejected');
		if (failed !== undefined) throw failed.reason;
		return await kind.open(source, {...host, isReadOnly, disks});
	} catch (cause) {
		await Promise.all(disks.map((disk) => disk.close()));
		throw cause;
	}
}
