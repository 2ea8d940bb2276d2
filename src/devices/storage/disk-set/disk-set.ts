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
	shareBytes,
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
	/** Where in the set's memory it has its part; behind the one before unless given. Those have it of a set that has been changed. */
	readonly at?: number;
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
	let end = 0;
	return members.map((member, disk) => {
		const {at = end} = member;
		end = at + memberBytes(member, workers);
		return {disk, offset: offset + at};
	});
}

/**
 * Bytes that the workers of a device with these disks have to share.
 * @param most - disks that it may come to have
 */
export const diskSetBytes = (members: readonly SetMember[], workers: number, most: number): number =>
	members.reduce((sum, each) => sum + memberBytes(each, workers), 0) + (most - members.length) * spareBytes(workers);

/** Room for one that comes: files and blobs have it, and what is in memory does not. */
const spareBytes = (workers: number): number => aligned(shareBytes(workers) + 4096);
const aligned = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/**
 * Finds a member of a set that is there its part of the set's memory, which is made zero: the others keep theirs.
 * @param memory - of the set
 * @returns all of them; undefined where there is no room for it, or it would have content of its own there
 */
export function withMember<M extends SetMember>(
	members: readonly M[],
	member: M,
	workers: number,
	memory: Uint8Array,
): readonly M[] | undefined {
	const places = diskSetPlaces(members, workers, 0);
	const bytes = memberBytes(member, workers);
	if (diskSetSavedParts([member], workers, 0, String).length > 0) return undefined;
	const taken = places
		.map(({disk, offset}) => ({from: offset, to: offset + memberBytes(members[disk] as M, workers)}))
		.toSorted((one, other) => one.from - other.from);
	let at = 0;
	for (const {from, to} of taken) if (at + bytes > from) at = aligned(Math.max(at, to));
	if (at + bytes > memory.length) return undefined;
	memory.fill(0, at, at + bytes);
	return [...members.map((each, index) => ({...each, at: places[index]?.offset as number})), {...member, at}];
}

/** Members without one, of a set that is there: the others keep their parts of its memory. */
export function withoutMember<M extends SetMember>(members: readonly M[], leaving: M, workers: number): readonly M[] {
	const places = diskSetPlaces(members, workers, 0);
	return members
		.map((each, index) => ({...each, at: places[index]?.offset as number}))
		.filter((_, index) => members[index] !== leaving);
}

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

/** Less than what a change of a machine's devices may take. */
const releaseNs = 5e9;

/** The disks of a device, as one of its workers has them. */
export class DiskSet {
	#places: readonly Place[];
	readonly #host: DiskSetHost;
	readonly #open: OpenDisk;
	#isStopping = true;
	#isClosed = false;
	/** Counts its changes. */
	#changes = 0;

	private constructor(places: readonly Place[], host: DiskSetHost, open: OpenDisk) {
		this.#places = places;
		this.#host = host;
		this.#open = open;
	}

	/** @throws what the disks' opening throws, when those that were opened are closed again */
	static async open(members: readonly SetMember[], host: DiskSetHost, open: OpenDisk): Promise<DiskSet> {
		const set = new DiskSet([], host, open);
		await set.reconfigure(members);
		return set;
	}

	/**
	 * Becomes the set of other members, from `withMember` or `withoutMember`, or of those before. While nothing is in flight. A disk that has come is open
	 * before one that goes is let go of.
	 * @throws what opening one throws, and where another change has come before it was done: nothing has changed then
	 */
	async reconfigure(members: readonly SetMember[]): Promise<void> {
		const change = ++this.#changes;
		const {worker, offset} = this.#host;
		const next = diskSetPlaces(members, worker.count, offset).map((place): Place => {
			const known = this.#places.find((each) => each.offset === place.offset);
			return known ?? {member: members[place.disk] as SetMember, offset: place.offset, disk: undefined};
		});
		const coming = next.filter((place) => !this.#places.includes(place));
		const settled = await Promise.allSettled(coming.map((place) => this.#openPlace(place, place.member.policy)));
		const failed = settled.find((each) => each.status === 'rejected');
		const isOver = this.#isClosed || change !== this.#changes;
		const going = failed === undefined && !isOver ? this.#places.filter((place) => !next.includes(place)) : coming;
		if (going !== coming) this.#places = next;
		await this.#inTime(Promise.all(going.map((place) => letGo(place))));
		if (failed !== undefined) throw failed.reason;
		if (isOver) throw new Error('the disks are others by now');
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
		await letGo(this.#places[index] as Place);
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
		await Promise.all(this.#places.map((place) => letGo(place)));
	}

	/** Waits for the end of disks that go, but not for long: a host that hangs keeps nobody from having its disk taken away. */
	async #inTime(closing: Promise<unknown>): Promise<void> {
		const {promise: isLate, resolve} = Promise.withResolvers<void>();
		const timer = this.#host.reactor.after(releaseNs, resolve);
		await Promise.race([closing, isLate]).finally(() => timer.cancel());
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

async function letGo(place: Place): Promise<void> {
	const {disk} = place;
	place.disk = undefined;
	await disk?.close();
}

interface Place {
	member: SetMember;
	/** Where its part of the shared memory begins. */
	readonly offset: number;
	disk: DiskBackend | undefined;
}
