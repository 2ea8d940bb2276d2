import type {Disk} from '#devices/storage/disk';
import type {DiskHost} from './disk-kind.ts';
import type {DiskSource} from './disk-source.ts';
import {kindOf} from './kinds.ts';

const disksOf = (source: DiskSource): readonly DiskSource[] => kindOf(source).disks?.(source) ?? [];

/** Bytes that the workers of such a disk have to share. */
export const sharedBytes = (source: DiskSource): number =>
	disksOf(source).reduce((sum, disk) => sum + sharedBytes(disk), kindOf(source).sharedBytes(source));

/** True where what is written to such a disk is gone with the process: a guest of a snapshot must not take what is there for it. */
export const isVolatile = (source: DiskSource): boolean =>
	kindOf(source).isVolatile === true || disksOf(source).some(isVolatile);

/**
 * Opens a disk for one worker, with those that it lies over.
 * @throws VmmError DISK_, IO_URING_UNAVAILABLE
 */
export async function openDisk(source: DiskSource, isReadOnly: boolean, host: DiskHost): Promise<Disk> {
	const kind = kindOf(source);
	let end = host.offset + kind.sharedBytes(source);
	const opening = disksOf(source).map((disk) => {
		const offset = end;
		end += sharedBytes(disk);
		return openDisk(disk, isReadOnly || kind.readsDisks === true, {...host, offset});
	});
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
