import {HostMemory, IoVectors} from '#devices/guest-memory';
import {type Disk, DiskError, DiskOperation, DiskRequest} from '#devices/storage/disk';
import {partitionError} from './errors.ts';

class ReadRequest extends DiskRequest {
	readonly ended = Promise.withResolvers<DiskError>();

	constructor() {
		super(new IoVectors(1));
		this.operation = DiskOperation.READ;
	}

	override done(error: DiskError): void {
		this.ended.resolve(error);
	}
}

/**
 * Reads a part of a disk, whatever its sectors are.
 * @throws VmmError DISK_PARTITION_TABLE
 */
export async function readDisk(disk: Disk, offset: number, length: number): Promise<Buffer> {
	const {sectorBytes} = disk.geometry;
	const start = Math.floor(offset / sectorBytes) * sectorBytes;
	const end = Math.ceil((offset + length) / sectorBytes) * sectorBytes;
	const room = new HostMemory(end - start);
	const request = new ReadRequest();
	request.offset = start;
	request.length = end - start;
	request.vectors.addHost(room, 0, end - start);
	disk.submit(request);
	if ((await request.ended.promise) !== DiskError.NONE)
		throw partitionError('DISK_PARTITION_TABLE', {cause: `${end - start} bytes at ${start} cannot be read`});
	return Buffer.from(room.bytes.buffer, room.bytes.byteOffset + offset - start, length);
}
