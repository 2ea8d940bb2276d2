import type {DeviceWorkerPlace} from '#devices/device';
import type {Disk} from '#devices/storage/disk';
import {FileDisk, FileShare} from '#devices/storage/file';
import {MemoryDisk} from '#devices/storage/memory';
import type {Reactor} from '#support/reactor';
import type {DiskSource} from './disk-source.ts';

/** What a device's worker has for its disk. */
export interface DiskHost {
	readonly reactor: Reactor;
	readonly worker: DeviceWorkerPlace;
	/** Memory that the workers share, zero at first, and where in it the disk has {@link sharedBytes} for itself. */
	readonly memory: SharedArrayBuffer;
	readonly offset: number;
}

/** Bytes that the workers of such a disk have to share. */
export const sharedBytes = (source: DiskSource): number =>
	source.kind === 'memory' ? source.bytes : FileShare.byteLength;

/**
 * Opens a disk for one worker.
 * @throws VmmError DISK_, IO_URING_UNAVAILABLE
 */
export async function openDisk(
	source: DiskSource,
	isReadOnly: boolean,
	{reactor, worker, memory, offset}: DiskHost,
): Promise<Disk> {
	if (source.kind === 'memory') return new MemoryDisk(new Uint8Array(memory, offset, source.bytes), isReadOnly);
	const share = FileShare.on(memory, offset);
	return FileDisk.open({config: source, isReadOnly, reactor, worker: worker.index, share});
}
