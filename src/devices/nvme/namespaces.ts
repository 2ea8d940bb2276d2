import type {SavedMemory} from '#devices/device';
import type {OpenDisk, ReportedDisk} from '#devices/storage/backend';
import {type Disk, type DiskRequest, diskMovers} from '#devices/storage/disk';
import {
	changeMembers,
	type DiskChange,
	DiskSet,
	type DiskSetHost,
	diskSetBytes,
	diskSetPlaces,
	diskSetSavedParts,
} from '#devices/storage/disk-set';
import {errorTable} from '#support/errors';
import {mostNamespaceId, mostNamespaces, type NamespaceConfig, type NvmeConfig} from './handle.ts';
import {leaveSlot, slotOf, takeSlot} from './namespace-slots.ts';
import type {ControllerState} from './state.ts';

const namespaceError = errorTable({
	NVME_NAMESPACE_DIFFERS: (c: {nsid: number; bytes: number; block: number; told: string}) => ({
		message: `Namespace ${c.nsid} has ${c.bytes} bytes in blocks of ${c.block}, and the guest goes on with namespace ${c.told}`,
		remedy: 'Restore with the disks that the machine had when its snapshot was made',
	}),
});

/** Bytes of the host's that the workers share. */
export const hostBytes = ({namespaces, workers}: NvmeConfig): number =>
	diskSetBytes(namespaces, workers, mostNamespaces);

/** Where in that memory each disk has its own, by the number of its namespace. */
export const diskPlaces = ({namespaces, workers}: NvmeConfig): readonly ReportedDisk[] =>
	diskSetPlaces(namespaces, workers, 0).map(({disk, offset}) => ({
		disk: (namespaces[disk] as NamespaceConfig).nsid,
		offset,
	}));

/** The parts of it that snapshots have. */
export const savedMemory = ({namespaces, workers}: NvmeConfig): readonly SavedMemory[] =>
	diskSetSavedParts(namespaces, workers, 0, (index) => `namespace-${namespaces[index]?.nsid}`);

/** A controller that has got a namespace while its machine runs, or lost one. @throws VmmError with a `DISK_` code */
export function changeNamespaces(config: NvmeConfig, change: DiskChange, memory: SharedArrayBuffer) {
	const {members, number} = changeMembers(change, {
		members: config.namespaces,
		workers: config.workers,
		most: mostNamespaces,
		least: 1,
		largest: mostNamespaceId,
		memory: new Uint8Array(memory),
		numberOf: ({nsid}) => nsid,
		make: (nsid, own): NamespaceConfig => ({nsid, ...own}),
	});
	return {config: {...config, namespaces: members}, number};
}

/** A disk as one worker has it, behind the number that the driver knows it by. */
export interface Namespace {
	readonly nsid: number;
	readonly disk: Disk;
	/** log2 of the bytes of a block. */
	readonly blockShift: number;
}

/** The namespaces of a controller as one worker has them. */
export class Namespaces {
	readonly #state: ControllerState;
	readonly #disks: DiskSet;
	#configs: readonly NamespaceConfig[] = [];
	#all: readonly OpenNamespace[] = [];
	#byId: ReadonlyMap<number, OpenNamespace> = new Map();
	/** Those that the configuration has no more since the driver was told the last time. */
	readonly #gone = new Set<number>();

	private constructor(state: ControllerState, disks: DiskSet) {
		this.#state = state;
		this.#disks = disks;
	}

	/** @throws what the disks' opening throws, when those that were opened are closed again */
	static async open(
		{namespaces}: NvmeConfig,
		state: ControllerState,
		host: DiskSetHost,
		open: OpenDisk,
	): Promise<Namespaces> {
		const made = new Namespaces(state, await DiskSet.open(namespaces, host, open));
		made.#become(namespaces);
		return made;
	}

	/** By their number, ascending. */
	get all(): readonly Namespace[] {
		return this.#all;
	}

	/** Follows another configuration. While nothing is in flight. @throws what opening a disk throws, when nothing has changed */
	async reconfigure({namespaces}: NvmeConfig): Promise<void> {
		await this.#disks.reconfigure(namespaces);
		for (const {nsid} of this.#all) if (!namespaces.some((each) => each.nsid === nsid)) this.#gone.add(nsid);
		this.#become(namespaces);
	}

	/** Before anything is served. */
	start(): void {
		this.#disks.start();
		for (const each of this.#all) each.slot = -1;
	}

	/**
	 * Notes what the disks are, for the driver; true where that is not what it knows. Under the device's lock.
	 * @throws VmmError NVME_NAMESPACE_DIFFERS for one that the guest of a snapshot cannot go on with
	 */
	startTelling(): boolean {
		const state = this.#state;
		let hasChanged = false;
		const changed = (slot: number) => {
			state.changedNamespaces |= 1 << slot;
			hasChanged = true;
		};
		for (const nsid of this.#gone) {
			const slot = slotOf(state, nsid);
			if (slot < 0) continue;
			leaveSlot(state, slot);
			changed(slot);
		}
		this.#gone.clear();
		for (const [slot, {nsid, bytes, blockBytes}] of state.namespaces.entries()) {
			const disk = this.#byId.get(nsid)?.disk;
			const {bytes: is = 0, geometry: {sectorBytes: block} = {sectorBytes: 0}} = disk ?? {};
			if (blockBytes !== 0 && (is < bytes || block !== blockBytes))
				throw namespaceError('NVME_NAMESPACE_DIFFERS', {
					nsid,
					bytes: is,
					block,
					told: `${nsid} of ${bytes} bytes in blocks of ${blockBytes}`,
				});
			// The driver has not been told of it, so that it may be another one's.
			if (nsid !== 0 && disk === undefined) leaveSlot(state, slot);
		}
		for (const config of this.#configs) {
			if (slotOf(state, config.nsid) >= 0) continue;
			const slot = takeSlot(state, config);
			if (config.detached !== true) changed(slot);
		}
		return this.tell() || hasChanged;
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
		return this.#all.map((each) => this.#tell(each)).includes(true);
	}

	/** Those that the driver sees. */
	get attached(): readonly Namespace[] {
		return this.#all.filter((each) => this.#isAttached(each));
	}

	/** The namespace of a number, if the driver sees it. */
	find(nsid: number): Namespace | undefined {
		const found = this.#byId.get(nsid);
		return found !== undefined && this.#isAttached(found) ? found : undefined;
	}

	#become(configs: readonly NamespaceConfig[]): void {
		const all = configs.map(({nsid}, index) => new OpenNamespace(nsid, this.#disks.at(index) as Disk));
		this.#configs = configs;
		this.#all = all.toSorted((one, other) => one.nsid - other.nsid);
		this.#byId = new Map(all.map((each) => [each.nsid, each]));
	}

	/** One that has just come is not, until it has been told of. */
	#isAttached(namespace: OpenNamespace): boolean {
		const slot = this.#slotOf(namespace);
		return slot >= 0 && (this.#state.detachedNamespaces & (1 << slot)) === 0;
	}

	#slotOf(namespace: OpenNamespace): number {
		if (namespace.slot < 0) namespace.slot = slotOf(this.#state, namespace.nsid);
		return namespace.slot;
	}

	#tell(namespace: OpenNamespace): boolean {
		const {disk} = namespace;
		const slot = this.#slotOf(namespace);
		const told = this.#state.namespaces[slot];
		if (told === undefined) return false;
		const hasChanged = told.blockBytes !== 0 && told.bytes !== disk.bytes;
		told.bytes = disk.bytes;
		told.blockBytes = disk.geometry.sectorBytes;
		told.mover = diskMovers.indexOf(disk.mover) + 1;
		if (hasChanged) this.#state.changedNamespaces |= 1 << slot;
		return hasChanged;
	}
}

/** A namespace whose disk is open. */
class OpenNamespace implements Namespace {
	readonly nsid: number;
	readonly disk: Disk;
	readonly blockShift: number;
	/** See {@link slotOf}; -1 before somebody has looked. */
	slot = -1;

	constructor(nsid: number, disk: Disk) {
		this.nsid = nsid;
		this.disk = disk;
		this.blockShift = Math.log2(disk.geometry.sectorBytes);
	}
}
