import {type Disk, DiskError, type DiskRequest} from '#devices/storage/disk';
import {InterceptedDisk} from '#devices/storage/disk/testing';
import {openDisk} from '#devices/storage/source';
import type {OpenDisk} from '../index.ts';

/** What a disk makes of a request: an error, no answer until {@link FaultyDisks.answer}, or undefined for what it should. */
export type Fault = DiskError | 'hangs' | undefined;

/** Disks whose host fails as a test says. */
export class FaultyDisks {
	/** Asked about each request. */
	fault: (request: DiskRequest) => Fault = () => undefined;
	/** What they say of why. */
	why: string | undefined;
	/** Requests that have reached a disk, in their order. */
	readonly seen: Pick<DiskRequest, 'operation' | 'offset' | 'length' | 'isDurable'>[] = [];
	readonly #hanging: ((error: DiskError) => void)[] = [];

	/** Requests that have no answer. */
	get hanging(): number {
		return this.#hanging.length;
	}

	readonly open: OpenDisk = async (source, isReadOnly, host) => this.over(await openDisk(source, isReadOnly, host));

	/** Such a disk over another. */
	over(below: Disk): Disk {
		return new InterceptedDisk(below, {submit: (request, disk) => this.#submit(request, disk), fault: () => this.why});
	}

	/** Does what hangs, in its order, or has it fail: all of it, or so much. */
	answer(most = this.#hanging.length, error: DiskError = DiskError.NONE): void {
		for (const each of this.#hanging.splice(0, most)) each(error);
	}

	#submit(request: DiskRequest, disk: Disk): void {
		const {operation, offset, length, isDurable} = request;
		this.seen.push({operation, offset, length, isDurable});
		const fault = this.fault(request);
		if (fault === 'hangs')
			this.#hanging.push((error) => (error === DiskError.NONE ? disk.submit(request) : request.done(error)));
		else if (fault === undefined) disk.submit(request);
		else request.done(fault);
	}
}
