import type {SavedMemory} from '#devices/device';
import {HostMemory} from '#devices/guest-memory';
import {type Disk, DiskError, DiskOperation, type DiskRequest} from '#devices/storage/disk';
import {AwaitedRequest} from '#devices/storage/disk/testing';
import {EpollReactor} from '#support/reactor';
import {allocateSharedPages} from '#support/shared-memory';
import {type DiskSource, diskOption, openDisk, savedParts, sharedBytes} from '../index.ts';

/** A disk that is open, and what is done with it. */
export interface Stack {
	readonly disk: Disk;
	/** What its workers share; another one is opened with it. */
	readonly memory: SharedArrayBuffer;
	/** Parts of it that snapshots have. */
	readonly saved: readonly SavedMemory[];
	readonly reactor: EpollReactor;
	/** Opens the same disk as another of its workers has it. */
	another(): Promise<Disk>;
	/** Runs a request without data. */
	run(values: Partial<DiskRequest>, on?: Disk): Promise<DiskError>;
	write(offset: number, bytes: Uint8Array, on?: Disk): Promise<DiskError>;
	/** @returns what was read, or the error */
	read(offset: number, length: number, on?: Disk): Promise<Buffer | DiskError>;
}

/** Of disks that are open within each other's time: they have one thread, on which a reactor that sleeps lets nobody else begin or end. */
const reactors = new Set<EpollReactor>();

function turnOthers(own: EpollReactor): void {
	for (const other of reactors) if (other !== own) other.turnNode();
}

/** Opens a disk, given as text or data, for the time of `body`. @param prepare - its memory, before it is opened */
export async function diskStack<T>(
	given: string | DiskSource,
	body: (stack: Stack) => Promise<T>,
	isReadOnly = false,
	prepare: (memory: SharedArrayBuffer, saved: readonly SavedMemory[]) => void = () => {},
): Promise<T> {
	const source = typeof given === 'string' ? diskOption.parse(given, '--disk') : given;
	const memory = allocateSharedPages(sharedBytes(source));
	const saved = savedParts(source, 0, 'disk');
	prepare(memory, saved);
	const reactor = new EpollReactor();
	const running = reactor.run();
	reactors.add(reactor);
	turnOthers(reactor);
	const opened: Disk[] = [];
	const open = async () => {
		const worker = {index: opened.length} as never;
		const disk = await openDisk(source, isReadOnly, {reactor, worker, memory, offset: 0});
		opened.push(disk);
		return disk;
	};
	try {
		const disk = await open();
		const move = async (operation: 0 | 1, offset: number, bytes: Uint8Array, on: Disk) => {
			const room = new HostMemory(bytes.length + 4096);
			// Two vectors, of which the second begins within a sector of the request.
			const cut = bytes.length > 700 ? 700 : 0;
			room.bytes.set(bytes.subarray(0, cut), 0);
			room.bytes.set(bytes.subarray(cut), 2048);
			const request = new AwaitedRequest();
			Object.assign(request, {operation, offset, length: bytes.length});
			if (cut > 0) request.vectors.addHost(room, 0, cut);
			request.vectors.addHost(room, 2048, bytes.length - cut);
			const error = await request.submit(on);
			return {
				error,
				data: Buffer.concat([room.bytes.subarray(0, cut), room.bytes.subarray(2048, 2048 + bytes.length - cut)]),
			};
		};
		return await body({
			disk,
			memory,
			saved,
			reactor,
			another: open,
			run: (values, on = disk) => Object.assign(new AwaitedRequest(), values).submit(on),
			write: async (offset, bytes, on = disk) => (await move(DiskOperation.WRITE, offset, bytes, on)).error,
			async read(offset, length, on = disk) {
				const {error, data} = await move(DiskOperation.READ, offset, new Uint8Array(length), on);
				return error === DiskError.NONE ? data : error;
			},
		});
	} finally {
		for (const disk of opened) await disk.close();
		reactor.close();
		turnOthers(reactor);
		await running;
		reactors.delete(reactor);
	}
}
