import {IoVectors, MappedMemory} from '#devices/guest-memory';
import {plainMemory} from '#devices/guest-memory/testing';
import {addressOf} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';
import type {Disk} from '../disk.ts';
import {type DiskError, DiskOperation, DiskRequest} from '../disk-request.ts';

/** Guest memory from 0 on that direct I/O can take. */
export function diskMemory(length: number): MappedMemory {
	const handle = plainMemory({gpa: 0, length});
	const buffer = allocateSharedPages(length);
	const range = {...(handle.ranges[0] as object), memory: {buffer}, offset: 0, hostAddress: Number(addressOf(buffer))};
	return new MappedMemory({...handle, ranges: [range as never]});
}

/** A request as a promise. */
export class AwaitedRequest extends DiskRequest {
	#resolve: (error: DiskError) => void = () => {};

	constructor() {
		super(new IoVectors(16));
	}

	/** Moves data by these ranges of guest memory. */
	async on(
		disk: Disk,
		memory: MappedMemory,
		values: Partial<DiskRequest>,
		...ranges: readonly (readonly [gpa: number, length: number])[]
	): Promise<DiskError> {
		Object.assign(this, values);
		const direction = this.operation === DiskOperation.READ ? 'write' : 'read';
		for (const [gpa, bytes] of ranges)
			if (!memory.pin(gpa, bytes, direction, this.vectors)) throw new RangeError(`no ${bytes} bytes at ${gpa}`);
		return this.submit(disk);
	}

	/** Moves data by what is in its vectors. */
	submit(disk: Disk): Promise<DiskError> {
		const {promise, resolve} = Promise.withResolvers<DiskError>();
		this.#resolve = resolve;
		disk.submit(this);
		return promise;
	}

	override done(error: DiskError): void {
		this.vectors.release();
		this.#resolve(error);
	}
}
