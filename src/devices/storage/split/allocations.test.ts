import test from 'ava';
import {HostMemory, IoVectors} from '#devices/guest-memory';
import {type Disk, DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {MemdiffDisk, Overlay} from '#devices/storage/memdiff';
import {MemoryDisk} from '#devices/storage/memory';
import {WindowDisk} from '#devices/storage/partition';
import {StripedDisk} from '#devices/storage/striped';

const requests = 5000;
/** The compiler has seen enough long before. */
const maxRounds = 500;
const diskBytes = 2 ** 20;
const limit = 2 ** 20;

class Request extends DiskRequest {
	error: DiskError = DiskError.NONE;

	constructor() {
		super(new IoVectors(2));
		const room = new HostMemory(8192);
		this.vectors.addHost(room, 0, 1536);
		this.vectors.addHost(room, 4096, 2560);
		this.length = 4096;
	}

	override done(error: DiskError): void {
		this.error ||= error;
	}
}

const memory = () => new MemoryDisk(new Uint8Array(diskBytes), false);
const overlay = (disk: Disk) =>
	new MemdiffDisk(disk, new Overlay(new SharedArrayBuffer(Overlay.sharedBytes(limit)), 0, limit), false);
const disks: Readonly<Record<string, Disk>> = {
	'a striped disk': new StripedDisk([memory(), memory(), memory()], 4096),
	'a part of a disk': new WindowDisk(memory(), {start: 512, length: diskBytes / 2}),
	'an overlay': overlay(memory()),
	'an overlay over another': overlay(overlay(memory())),
};

for (const [name, disk] of Object.entries(disks))
	for (const [what, operation] of Object.entries({reads: DiskOperation.READ, writes: DiskOperation.WRITE}))
		test.serial(`nothing is allocated by ${what} of ${name}`, (t) => {
			const request = new Request();
			request.operation = operation;
			let least = Number.POSITIVE_INFINITY;
			for (let round = 0; round < maxRounds && least >= 1; round++) {
				const before = process.memoryUsage().heapUsed;
				for (let index = 0; index < requests; index++) {
					// Half of them go over the ends of pages and chunks.
					request.offset = (index % 100) * 2048;
					disk.submit(request);
				}
				const left = process.memoryUsage().heapUsed - before;
				if (left >= 0) least = Math.min(least, left / requests);
			}
			t.true(least < 1, `${least} bytes for each`);
			t.is(request.error, DiskError.NONE);
		});
