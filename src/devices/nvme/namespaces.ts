import type {SavedMemory} from '#devices/device';
import type {OpenDisk, ReportedDisk} from '#devices/storage/backend';
import {type Disk, type DiskRequest, diskMovers} from '#devices/storage/disk';
import {DiskSet, type DiskSetHost, diskSetBytes, diskSetPlaces, diskSetSavedParts} from '#devices/storage/disk-set';
import {errorTable} from '#support/errors';
import type {NamespaceConfig, NvmeConfig} from './handle.ts';
import type {ControllerState, NamespaceTold} from './state.ts';

const namespaceError = errorTable({
	NVME_NAMESPACE_DIFFERS: (c: {nsid: number; bytes: number; block: number; told: string}) => ({
		message: `Namespace ${c.nsid} has ${c.bytes} bytes in blocks of ${c.block}, and the guest goes on with namespace ${c.told}`,
		remedy: 'Restore with the disks that the machine had when its snapshot was made',
	}),
});

/** Bytes of the host's that the workers share. */
export const hostBytes = ({namespaces, workers}: NvmeConfig): number => diskSetBytes(namespaces, workers);

/** Where in that memory each disk has its own, by the number of its namespace. */
export const diskPlaces = ({namespaces, workers}: NvmeConfig): readonly ReportedDisk[] =>
	diskSetPlaces(namespaces, workers, 0).map(({disk, offset}) => ({
		disk: (namespaces[disk] as NamespaceConfig).nsid,
		offset,
	}));

/** The parts of it that snapshots have. */
export const savedMemory = ({namespaces, workers}: NvmeConfig): readonly SavedMemory[] =>
	diskSetSavedParts(namespaces, workers, 0, (index) => `namespace-${namespaces[index]?.nsid}`);

/** A disk as one worker has it, behind the number that the driver knows it by. */
export interface Namespace {
	readonly nsid: number;
	/** Place in the configuration. */
	readonly index: number;
	readonly disk: Disk;
	/** log2 of the bytes of a block. */
	readonly blockShift: number;
}

/** The namespaces of a controller as one worker has them. */
export class Namespaces {
	/** By their number, ascending. */
	readonly all: readonly OpenNamespace[];
	readonly #state: ControllerState;
	readonly #byId: ReadonlyMap<number, Namespace>;
	readonly #disks: DiskSet;

	private constructor({namespaces}: NvmeConfig, state: ControllerState, disks: DiskSet) {
		const all = namespaces.map((each, index) => new OpenNamespace(each, index, disks.at(index) as Disk));
		this.all = all.toSorted((one, other) => one.nsid - other.nsid);
		this.#byId = new Map(all.map((each) => [each.nsid, each]));
		this.#state = state;
		this.#disks = disks;
	}

	/** @throws what the disks' opening throws, when those that were opened are closed again */
	static async open(
		config: NvmeConfig,
		state: ControllerState,
		host: DiskSetHost,
		open: OpenDisk,
	): Promise<Namespaces> {
		return new Namespaces(config, state, await DiskSet.open(config.namespaces, host, open));
	}

	/** Before anything is served. */
	start(): void {
		this.#disks.start();
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

	/** See {@link DiskSet}, of these and of what follows. */
	measure(): Promise<void> {
		return this.#disks.measure();
	}

	settle(): Promise<void> {
		return this.#disks.settle();
	}

	withdraw(request: DiskRequest): boolean {
		return this.#disks.withdraw(request);
	}

	stop(isReset: boolean): void {
		this.#disks.stop(isReset);
	}

	close(): Promise<void> {
		return this.#disks.close();
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
}

/** A namespace whose disk is open. */
class OpenNamespace implements Namespace {
	readonly nsid: number;
	readonly index: number;
	readonly disk: Disk;
	readonly blockShift: number;

	constructor({nsid}: NamespaceConfig, index: number, disk: Disk) {
		this.nsid = nsid;
		this.index = index;
		this.disk = disk;
		this.blockShift = Math.log2(disk.geometry.sectorBytes);
	}
}
