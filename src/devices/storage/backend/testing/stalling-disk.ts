import {existsSync} from 'node:fs';
import {type Disk, DiskLayer, type DiskRequest} from '#devices/storage/disk';
import {openDisk} from '#devices/storage/source';
import type {Reactor} from '#support/reactor';
import type {OpenDisk} from '../index.ts';

const lookNs = 20e6;

/** A disk whose host says nothing while there is a file: what came meanwhile is done when that has gone. */
class StallingDisk extends DiskLayer {
	readonly #mark: string;
	readonly #reactor: Reactor;
	readonly #waiting: DiskRequest[] = [];

	constructor(disk: Disk, mark: string, reactor: Reactor) {
		super(disk);
		this.#mark = mark;
		this.#reactor = reactor;
	}

	override submit(request: DiskRequest): void {
		if (!existsSync(this.#mark)) this.below.submit(request);
		else if (this.#waiting.push(request) === 1) this.#lookLater();
	}

	override close(): Promise<void> {
		this.#waiting.length = 0;
		return super.close();
	}

	#lookLater(): void {
		this.#reactor.after(lookNs, () => {
			if (existsSync(this.#mark)) this.#lookLater();
			else for (const request of this.#waiting.splice(0)) this.below.submit(request);
		});
	}
}

/** The file by which the disk of another file stalls. */
export const stallMark = (path: string): string => `${path}.stalls`;

/** Opens disks, of which those of files stall while there is such a file: see {@link stallMark}. */
export const openStalling: OpenDisk = async (source, isReadOnly, host) => {
	const disk = await openDisk(source, isReadOnly, host);
	return source.kind === 'file' ? new StallingDisk(disk, stallMark(source.path), host.reactor) : disk;
};
