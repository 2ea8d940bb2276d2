import type {OpenDisk} from '#devices/storage/backend';
import type {Disk, DiskRequest} from '#devices/storage/disk';
import {InterceptedDisk} from '#devices/storage/disk/testing';
import {openDisk} from '#devices/storage/source';

/** Disks in memory that keep requests while a test wants them to, as those of files do. */
export class HeldDisks {
	holds = true;
	readonly #held: (() => void)[] = [];

	/** Requests that are kept. */
	get count(): number {
		return this.#held.length;
	}

	readonly open: OpenDisk = async (source, isReadOnly, host) =>
		new InterceptedDisk(await openDisk(source, isReadOnly, host), {
			submit: (request, disk) => this.#submit(request, disk),
		});

	/** Ends requests that are kept, the last first, and those that come of it. */
	finish(most = Number.POSITIVE_INFINITY): void {
		for (let count = 0; count < most; count++) {
			const last = this.#held.pop();
			if (last === undefined) return;
			last();
		}
	}

	#submit(request: DiskRequest, disk: Disk): void {
		if (this.holds) this.#held.push(() => disk.submit(request));
		else disk.submit(request);
	}
}
