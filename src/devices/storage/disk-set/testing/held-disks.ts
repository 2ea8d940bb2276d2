import type {OpenDisk} from '#devices/storage/backend';
import type {Disk, DiskRequest} from '#devices/storage/disk';
import {openDisk} from '#devices/storage/source';

/** Disks in memory that keep requests while a test wants them to, as those of files do. */
export class HeldDisks {
	holds = true;
	readonly #held: (() => void)[] = [];

	/** Requests that are kept. */
	get count(): number {
		return this.#held.length;
	}

	readonly open: OpenDisk = async (source, isReadOnly, host) => {
		const disk = await openDisk(source, isReadOnly, host);
		return {
			get bytes() {
				return disk.bytes;
			},
			geometry: disk.geometry,
			isReadOnly: disk.isReadOnly,
			mover: disk.mover,
			submit: (request) => this.#submit(disk, request),
			measure: () => disk.measure(),
			settle: () => disk.settle(),
			close: () => disk.close(),
		};
	};

	/** Ends requests that are kept, the last first, and those that come of it. */
	finish(most = Number.POSITIVE_INFINITY): void {
		for (let count = 0; count < most; count++) {
			const last = this.#held.pop();
			if (last === undefined) return;
			last();
		}
	}

	#submit(disk: Disk, request: DiskRequest): void {
		if (this.holds) this.#held.push(() => disk.submit(request));
		else disk.submit(request);
	}
}
