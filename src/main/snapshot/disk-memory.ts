import {fstatSync} from 'node:fs';
import type {AnyDeviceModel, SavedMemory} from '#devices/device';
import {pageBytes} from '#devices/guest-memory';
import type {PlacedDevice} from '#devices/machine';
import type {BankPages, HostPages} from '#main/jobs';
import {addressOf, close, duplicate, errnoName, Mmap, mapOver} from '#support/ffi';
import {snapshotError} from './errors.ts';
import {snapshotFiles} from './files.ts';
import type {SavedDiskPart} from './manifest.ts';
import type {OpenSnapshot} from './open-snapshot.ts';

/** A device, as far as disks of its have memory. */
export interface DeviceWithDisks {
	readonly model: Pick<AnyDeviceModel, 'savedMemory'>;
	readonly placed: Pick<PlacedDevice, 'name' | 'config' | 'hostMemory'>;
}

/** What disks have in memory, to be saved. */
export interface DiskPages {
	readonly parts: readonly SavedDiskPart[];
	/** Those, one range each. */
	readonly pages: HostPages;
}

/** Part of a device's memory where it lies. */
interface PlacedPart extends SavedMemory {
	readonly device: string;
	readonly memory: {readonly buffer: SharedArrayBuffer};
	readonly hostAddress: number;
}

/** One that a file is mapped to. */
interface MappedPart {
	readonly part: PlacedPart;
	readonly fileOffset: number;
	readonly bytes: number;
}

/** @throws RangeError where a device has them elsewhere than in its memory */
export function savedPartsOf({
	model,
	placed: {name: device, config, hostMemory},
}: DeviceWithDisks): readonly PlacedPart[] {
	const parts = model.savedMemory?.(config) ?? [];
	return parts.map((part): PlacedPart => {
		const {offset, length} = part;
		if (hostMemory === undefined || offset % pageBytes !== 0 || offset < 0 || offset + length > hostMemory.byteLength)
			throw new RangeError(`${device} has no memory for ${part.name}`);
		const hostAddress = Number(addressOf(hostMemory)) + offset;
		return {...part, device, memory: {buffer: hostMemory}, hostAddress};
	});
}

/**
 * What a machine's disks have in memory of the host's. What comes from a snapshot is the file's until it is written to: all machines of the
 * snapshot share it, and none changes it.
 */
export class DiskMemory implements Disposable {
	/** By host address. Each keeps its buffer, and so the address, whatever becomes of the device. */
	readonly #mapped = new Map<number, MappedPart>();
	#source: {readonly fd: number; readonly directory: string; readonly bytes: number} | undefined;

	/**
	 * Gives disks what a snapshot has of them. Before anybody uses them.
	 * @throws VmmError SNAPSHOT_DISK_DIFFERS, SNAPSHOT_UNREADABLE
	 */
	restore(snapshot: RestoredDisks, devices: readonly DeviceWithDisks[]): void {
		const {directory, manifest} = snapshot;
		const parts = new Map(devices.flatMap(savedPartsOf).map((part) => [keyOf(part.device, part.name), part]));
		let fileOffset = 0;
		for (const {device, name, bytes} of manifest.disks.parts) {
			const part = parts.get(keyOf(device, name));
			if (part === undefined || part.length < bytes)
				throw snapshotError('SNAPSHOT_DISK_DIFFERS', {directory, device, disk: name, bytes, room: part?.length});
			parts.delete(keyOf(device, name));
			this.#map(snapshot, part, fileOffset, bytes);
			fileOffset += bytes;
		}
		for (const {device, name: disk, length: room, mayBeNew} of parts.values())
			if (!mayBeNew) throw snapshotError('SNAPSHOT_DISK_DIFFERS', {directory, device, disk, bytes: undefined, room});
	}

	/** All of it, to be saved while nobody changes it. */
	of(devices: readonly DeviceWithDisks[]): DiskPages {
		const placed = devices.flatMap(savedPartsOf);
		const banks = placed.map((part): BankPages => {
			const mapped = this.#mapped.get(part.hostAddress);
			const isCopyOnWrite = mapped !== undefined;
			return {
				ranges: [part],
				fd: isCopyOnWrite ? this.#source?.fd : undefined,
				fdOffset: mapped?.fileOffset ?? 0,
				isCopyOnWrite,
			};
		});
		return {
			parts: placed.map(({device, name, length}) => ({device, name, bytes: length})),
			pages: {ranges: placed, banks},
		};
	}

	/** After it was saved: a file that was cut meanwhile was saved as zeros. @throws VmmError SNAPSHOT_DAMAGED */
	checkWhole(): void {
		if (this.#source === undefined) return;
		const {fd, directory, bytes} = this.#source;
		const {size} = fstatSync(fd);
		const cause = `has been cut to ${size} bytes under a machine`;
		if (size < bytes) throw snapshotError('SNAPSHOT_DAMAGED', {directory, file: snapshotFiles.disks, cause});
	}

	/** Takes the file away from under it, which may stay for as long as a thread has it. When nobody saves it any more. */
	[Symbol.dispose](): void {
		const flags = Mmap.PRIVATE | Mmap.ANONYMOUS | Mmap.NORESERVE;
		for (const [address, {bytes}] of this.#mapped) mapOver(BigInt(address), bytes, {protection, flags, fd: -1});
		this.#mapped.clear();
		if (this.#source !== undefined) close(this.#source.fd);
		this.#source = undefined;
	}

	#map(snapshot: RestoredDisks, part: PlacedPart, fileOffset: number, bytes: number): void {
		if (bytes === 0) return;
		this.#source ??= ownSource(snapshot);
		const {fd} = this.#source;
		const flags = Mmap.PRIVATE | Mmap.NORESERVE;
		const errno = mapOver(BigInt(part.hostAddress), bytes, {protection, flags, fd, offset: fileOffset});
		if (errno < 0) throw unreadable(snapshot.directory, errno);
		this.#mapped.set(part.hostAddress, {part, fileOffset, bytes});
	}
}

type RestoredDisks = Pick<OpenSnapshot, 'directory' | 'manifest' | 'disksFd'>;

/** The snapshot's file, which is looked into when the machine is saved; the snapshot may be closed by then. */
function ownSource({directory, manifest, disksFd}: RestoredDisks) {
	const fd = duplicate(disksFd);
	if (fd < 0) throw unreadable(directory, fd);
	return {fd, directory, bytes: manifest.disks.bytes};
}

const unreadable = (directory: string, errno: number) =>
	snapshotError('SNAPSHOT_UNREADABLE', {directory, file: snapshotFiles.disks, errno: errnoName(errno)});

const protection = Mmap.PROT_READ | Mmap.PROT_WRITE;

const keyOf = (device: string, name: string): string => JSON.stringify([device, name]);
