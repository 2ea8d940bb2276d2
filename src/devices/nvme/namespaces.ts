import type {DeviceWorkerPlace} from '#devices/device';
import {backendBytes, DiskBackend, type OpenDisk, type ReportedDisk} from '#devices/storage/backend';
import {diskMovers} from '#devices/storage/disk';
import {isVolatile} from '#devices/storage/source';
import {errorTable} from '#support/errors';
import type {Reactor} from '#support/reactor';
import {i32, reserved, wire} from '#support/wire';
import type {NamespaceConfig, NvmeConfig} from './handle.ts';
import type {ControllerState, NamespaceTold} from './state.ts';

const namespaceError = errorTable({
	NVME_NAMESPACE_DIFFERS: (c: {nsid: number; bytes: number; block: number; told: string}) => ({
		message: `Namespace ${c.nsid} has ${c.bytes} bytes in blocks of ${c.block}, and the guest goes on with namespace ${c.told}`,
		remedy: 'Restore with the disks that the machine had when its snapshot was made',
	}),
});

/** Memory that the backs share before the disks' own. */
const HostMemory = wire('nvme-memory', {
	/** A number that the first of them draws. */
	disk: i32,
	padding: reserved(4),
});

/** Bytes of the host's that the workers share. */
export const hostBytes = ({namespaces, workers}: NvmeConfig): number =>
	namespaces.reduce((sum, {disk}) => sum + backendBytes(disk, workers), HostMemory.byteLength);

/** Where in that memory each disk has its own, by the number of its namespace. */
export function diskPlaces({namespaces, workers}: NvmeConfig): readonly ReportedDisk[] {
	let end = HostMemory.byteLength;
	return namespaces.map(({nsid, disk}) => {
		const offset = end;
		end += backendBytes(disk, workers);
		return {disk: nsid, offset};
	});
}

/** A disk as one worker has it, behind the number that the driver knows it by. */
export interface Namespace {
	readonly nsid: number;
	/** Place in the configuration. */
	readonly index: number;
	readonly disk: DiskBackend;
	/** log2 of the bytes of a block. */
	readonly blockShift: number;
	/** The guest is from a snapshot, and the data are in RAM that is no more: it must not take zeros for them. */
	readonly isLost: boolean;
}

/** What a worker has for the disks. */
export interface NamespaceHost {
	readonly reactor: Reactor;
	readonly worker: DeviceWorkerPlace;
	readonly memory: SharedArrayBuffer;
	noticed(): void;
}

/** The namespaces of a controller as one worker has them. */
export class Namespaces {
	/** By their number, ascending. */
	readonly all: readonly OpenNamespace[];
	readonly #state: ControllerState;
	readonly #byId: ReadonlyMap<number, Namespace>;
	readonly #memory: SharedArrayBuffer;

	private constructor(all: readonly OpenNamespace[], state: ControllerState, memory: SharedArrayBuffer) {
		this.all = all.toSorted((one, other) => one.nsid - other.nsid);
		this.#byId = new Map(all.map((each) => [each.nsid, each]));
		this.#state = state;
		this.#memory = memory;
	}

	/** @throws what the disks' opening throws, when those that were opened are closed again */
	static async open(
		config: NvmeConfig,
		state: ControllerState,
		host: NamespaceHost,
		open: OpenDisk,
	): Promise<Namespaces> {
		const places = diskPlaces(config);
		const opening = config.namespaces.map(async (namespace, index) => {
			const {disk, readOnly, policy = {}} = namespace;
			const own = {...host, offset: places[index]?.offset as number};
			return new OpenNamespace(namespace, index, await DiskBackend.open(disk, readOnly, policy, own, open));
		});
		const settled = await Promise.allSettled(opening);
		const opened = settled.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
		const failed = settled.find((each) => each.status === 'rejected');
		if (failed === undefined) return new Namespaces(opened, state, host.memory);
		await Promise.all(opened.map(({disk}) => disk.close()));
		throw failed.reason;
	}

	/** Before anything is served. Under the device's lock. */
	start(): void {
		const own = this.#draw();
		if (this.#state.disk === 0) this.#state.disk = own;
		for (const each of this.all) {
			each.isLost = each.isVolatile && this.#state.disk !== own;
			each.disk.start();
		}
	}

	/**
	 * Notes what the disks are, for the driver; true where one has another length than it knows. Under the device's lock.
	 * @throws VmmError NVME_NAMESPACE_DIFFERS for one that the guest of a snapshot cannot go on with
	 */
	startTelling(): boolean {
		for (const {nsid, index, disk} of this.all) {
			const told = this.#state.namespaces[index] as NamespaceTold;
			const {bytes, geometry} = disk;
			const isOther = told.nsid !== nsid || bytes < told.bytes || geometry.sectorBytes !== told.blockBytes;
			if (told.nsid !== 0 && isOther)
				throw namespaceError('NVME_NAMESPACE_DIFFERS', {
					nsid,
					bytes,
					block: geometry.sectorBytes,
					told: `${told.nsid} of ${told.bytes} bytes in blocks of ${told.blockBytes}`,
				});
		}
		return this.tell();
	}

	/** Looks how long the disks are. One that cannot tell stays as it was. */
	async measure(): Promise<void> {
		await Promise.all(this.all.map(({disk}) => disk.measure().catch(() => {})));
	}

	/** Has the disks' files hold what was written. When nothing is in flight. What fails is tried again by the next flush, whose error the driver gets. */
	async settle(): Promise<void> {
		await Promise.allSettled(this.all.map(({disk}) => disk.settle()));
	}

	/** Notes what the disks are now; true where one has another length than the driver knows. Under the device's lock. */
	tell(): boolean {
		return this.all.map((each) => this.#tell(each)).includes(true);
	}

	/** Those that the driver sees. */
	get attached(): readonly Namespace[] {
		return this.all.filter((each) => this.#isAttached(each));
	}

	/** The namespace of a number, if the driver sees it. */
	find(nsid: number): Namespace | undefined {
		const found = this.#byId.get(nsid);
		return found !== undefined && this.#isAttached(found) ? found : undefined;
	}

	/** No limit keeps a request any more. */
	stop(): void {
		for (const {disk} of this.all) disk.stop();
	}

	async close(): Promise<void> {
		await Promise.all(this.all.map(({disk}) => disk.close()));
	}

	#isAttached({index}: Namespace): boolean {
		return (this.#state.detachedNamespaces & (1 << index)) === 0;
	}

	#tell({nsid, index, disk}: Namespace): boolean {
		const told = this.#state.namespaces[index] as NamespaceTold;
		const hasChanged = told.nsid === nsid && told.bytes !== disk.bytes;
		told.nsid = nsid;
		told.bytes = disk.bytes;
		told.blockBytes = disk.geometry.sectorBytes;
		told.mover = diskMovers.indexOf(disk.mover) + 1;
		if (hasChanged) this.#state.changedNamespaces |= 1 << index;
		return hasChanged;
	}

	/** Tells RAM of this process from any other. */
	#draw(): number {
		const drawn = process.getBuiltinModule('node:crypto').randomInt(1, 2 ** 31);
		const words = HostMemory.on(this.#memory).$atomic;
		return Atomics.compareExchange(words, HostMemory.word('disk'), 0, drawn) || drawn;
	}
}

/** A namespace whose disk is open. */
class OpenNamespace implements Namespace {
	readonly nsid: number;
	readonly index: number;
	readonly disk: DiskBackend;
	readonly blockShift: number;
	readonly isVolatile: boolean;
	isLost = false;

	constructor({nsid, disk: source}: NamespaceConfig, index: number, disk: DiskBackend) {
		this.nsid = nsid;
		this.index = index;
		this.disk = disk;
		this.blockShift = Math.log2(disk.geometry.sectorBytes);
		this.isVolatile = isVolatile(source);
	}
}
