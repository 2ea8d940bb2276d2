import type {DeviceWorkerPlace, SavedMemory} from '#devices/device';
import {
	type BackendHost,
	backendBytes,
	backendSavedParts,
	DiskBackend,
	type DiskPolicy,
	hostBelow,
	type OpenDisk,
	type ReportedDisk,
} from '#devices/storage/backend';
import type {Disk, DiskRequest} from '#devices/storage/disk';
import {type DiskSource, sharedBytes} from '#devices/storage/source';
import type {Reactor} from '#support/reactor';

/** One disk of a device that has several. */
export interface SetMember {
	readonly disk: DiskSource;
	readonly readOnly: boolean;
	readonly policy?: DiskPolicy;
	/**
	 * Each worker opens it for itself, and may close it and open it again: for media that are changed, which are only read and have
	 * no content of their own. Limits and counts are of all of them, one after the other.
	 */
	readonly isPrivate?: boolean;
}

/** What a worker has for the disks. */
export interface DiskSetHost {
	readonly reactor: Reactor;
	readonly worker: DeviceWorkerPlace;
	/** Memory that the workers share, and where in it the disks have {@link diskSetBytes}, zero at first. */
	readonly memory: SharedArrayBuffer;
	readonly offset: number;
	/** Tells the machine's owner that a disk has an error for it: see `diskReport`. */
	noticed(): void;
}

const memberBytes = ({disk, isPrivate}: SetMember, workers: number): number => backendBytes(disk, workers, isPrivate);

/**
 * Where each disk has what its workers share, by its place among the members.
 * @param offset - of the set in that memory
 */
export function diskSetPlaces(members: readonly SetMember[], workers: number, offset: number): readonly ReportedDisk[] {
	let end = offset;
	return members.map((member, disk) => {
		const own = {disk, offset: end};
		end += memberBytes(member, workers);
		return own;
	});
}

/** Bytes that the workers of a device with these disks have to share. */
export const diskSetBytes = (members: readonly SetMember[], workers: number): number =>
	members.reduce((sum, each) => sum + memberBytes(each, workers), 0);

/**
 * The parts of those that snapshots have; private disks have no content of their own.
 * @param offset - of the set in that memory
 * @param nameOf - a disk, by its place among the members
 */
export const diskSetSavedParts = (
	members: readonly SetMember[],
	workers: number,
	offset: number,
	nameOf: (member: number) => string,
): readonly SavedMemory[] =>
	diskSetPlaces(members, workers, offset).flatMap((place) => {
		const {disk, isPrivate} = members[place.disk] as SetMember;
		return isPrivate === true ? [] : backendSavedParts(disk, workers, place.offset, nameOf(place.disk));
	});

/** The disks of a device, as one of its workers has them. */
export class DiskSet {
	readonly #places: readonly Place[];
	readonly #host: DiskSetHost;
	readonly #open: OpenDisk;
	#isStopping = true;
	#isClosed = false;

	private constructor(places: readonly Place[], host: DiskSetHost, open: OpenDisk) {
		this.#places = places;
		this.#host = host;
		this.#open = open;
	}

	/** @throws what the disks' opening throws, when those that were opened are closed again */
	static async open(members: readonly SetMember[], host: DiskSetHost, open: OpenDisk): Promise<DiskSet> {
		const places = diskSetPlaces(members, host.worker.count, host.offset).map(
			({disk, offset}): Place => ({member: members[disk] as SetMember, offset, disk: undefined}),
		);
		const set = new DiskSet(places, host, open);
		const settled = await Promise.allSettled(places.map((place) => set.#openPlace(place, place.member.policy)));
		const failed = settled.find((each) => each.status === 'rejected');
		if (failed === undefined) return set;
		await set.close();
		throw failed.reason;
	}

	/** The disk of a member; undefined while its medium is out. */
	at(index: number): Disk | undefined {
		return this.#places[index]?.disk;
	}

	/** Has a private member that is a file be another one, when it is opened next. */
	lead(index: number, path: string): void {
		const place = this.#places[index] as Place;
		if (place.member.disk.kind === 'file') place.member = {...place.member, disk: {...place.member.disk, path}};
	}

	/** Opens a private member's disk anew, as what its source leads to now. When it has been let go of. */
	async insert(index: number): Promise<void> {
		const place = this.#places[index] as Place;
		const {disk, policy} = place.member;
		const {memory, offset} = hostBelow(disk, this.#hostOf(place));
		new Uint8Array(memory, offset, sharedBytes(disk)).fill(0);
		// Limits are what they have become.
		const {limits: _, ...others} = policy ?? {};
		await this.#openPlace(place, others);
		if (this.#isClosed) await this.remove(index);
	}

	/** A private member's disk is to go: no limit keeps a request of it any more. */
	release(index: number): void {
		this.#places[index]?.disk?.stop();
	}

	/** Lets go of a private member's disk. When nothing of it is in flight. */
	async remove(index: number): Promise<void> {
		const place = this.#places[index] as Place;
		const {disk} = place;
		place.disk = undefined;
		await disk?.close();
	}

	/** Limits hold from here on. */
	start(): void {
		this.#isStopping = false;
		for (const {disk} of this.#places) disk?.start();
	}

	/** The device comes to rest: no limit keeps a request any more. See `DiskBackend.stop`. */
	stop(isReset = false): void {
		this.#isStopping = true;
		for (const {disk} of this.#places) disk?.stop(isReset);
	}

	/** Ends a request that waits for a limit of one of them: see `DiskBackend.withdraw`. */
	withdraw(request: DiskRequest): boolean {
		return this.#places.some(({disk}) => disk?.withdraw(request));
	}

	/** Has the disks' files hold what was written. When nothing is in flight. What fails is tried again by the next flush, whose error the driver gets. */
	async settle(): Promise<void> {
		await Promise.allSettled(this.#places.map(({disk}) => disk?.settle()));
	}

	/** Looks how long the disks are. One that cannot tell stays as it was. */
	async measure(): Promise<void> {
		await Promise.all(this.#places.map(({disk}) => disk?.measure().catch(() => {})));
	}

	async close(): Promise<void> {
		this.#isClosed = true;
		await Promise.all(this.#places.map((_, index) => this.remove(index)));
	}

	async #openPlace(place: Place, policy: DiskPolicy = {}): Promise<void> {
		const {disk, readOnly} = place.member;
		place.disk = await DiskBackend.open(disk, readOnly, policy, this.#hostOf(place), this.#open);
		if (!this.#isStopping) place.disk.start();
	}

	#hostOf({member: {isPrivate = false}, offset}: Place): BackendHost {
		return {...this.#host, offset, isPrivate};
	}
}

interface Place {
	member: SetMember;
	/** Where its part of the shared memory begins. */
	readonly offset: number;
	disk: DiskBackend | undefined;
}
