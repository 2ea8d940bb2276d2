import type {DeviceWorkerPlace} from '#devices/device';
import type {OpenDisk} from '#devices/storage/backend';
import type {Disk} from '#devices/storage/disk';
import {type DiskSource, sharedBytes} from '#devices/storage/source';
import type {Reactor} from '#support/reactor';
import {i32, reserved, wire} from '#support/wire';

/** One disk of a device that has several. */
export interface SetMember {
	readonly disk: DiskSource;
	readonly readOnly: boolean;
	/**
	 * Each worker opens it for itself, and may close it and open it again: for media that are changed, which are only read and have
	 * no content of their own.
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
}

/** Memory that the workers share before the disks' own. */
const Share = wire('disk-set', {
	/** A number that the first of them draws. */
	drawn: i32,
	padding: reserved(4),
});

const memberBytes = ({disk, isPrivate}: SetMember, workers: number): number =>
	sharedBytes(disk) * (isPrivate === true ? workers : 1);

/** Bytes that the workers of a device with these disks have to share. */
export const diskSetBytes = (members: readonly SetMember[], workers: number): number =>
	members.reduce((sum, each) => sum + memberBytes(each, workers), Share.byteLength);

/** The disks of a device, as one of its workers has them. */
export class DiskSet {
	readonly #places: readonly Place[];
	readonly #host: DiskSetHost;
	readonly #open: OpenDisk;

	private constructor(places: readonly Place[], host: DiskSetHost, open: OpenDisk) {
		this.#places = places;
		this.#host = host;
		this.#open = open;
	}

	/** @throws what the disks' opening throws, when those that were opened are closed again */
	static async open(members: readonly SetMember[], host: DiskSetHost, open: OpenDisk): Promise<DiskSet> {
		let end = host.offset + Share.byteLength;
		const {index, count} = host.worker;
		const places = members.map((member): Place => {
			const offset = end + (member.isPrivate === true ? index * sharedBytes(member.disk) : 0);
			end += memberBytes(member, count);
			return {member, offset, disk: undefined};
		});
		const set = new DiskSet(places, host, open);
		const settled = await Promise.allSettled(places.map((place) => set.#openPlace(place)));
		const failed = settled.find((each) => each.status === 'rejected');
		if (failed === undefined) return set;
		await set.close();
		throw failed.reason;
	}

	/** The disk of a member; undefined while its medium is out. */
	at(index: number): Disk | undefined {
		return this.#places[index]?.disk;
	}

	/** Tells RAM of this process from any other: the same for all workers. */
	get drawn(): number {
		const own = process.getBuiltinModule('node:crypto').randomInt(1, 2 ** 31);
		const words = Share.on(this.#host.memory, this.#host.offset).$atomic;
		return Atomics.compareExchange(words, Share.word('drawn'), 0, own) || own;
	}

	/** Opens a private member's disk anew, as what its source leads to now. When it has been let go of. */
	async insert(index: number): Promise<void> {
		const place = this.#places[index] as Place;
		new Uint8Array(this.#host.memory, place.offset, sharedBytes(place.member.disk)).fill(0);
		await this.#openPlace(place);
	}

	/** Lets go of a private member's disk. When nothing of it is in flight. */
	async remove(index: number): Promise<void> {
		const place = this.#places[index] as Place;
		const {disk} = place;
		place.disk = undefined;
		await disk?.close();
	}

	/** Looks how long the disks are. One that cannot tell stays as it was. */
	async measure(): Promise<void> {
		await Promise.all(this.#places.map(({disk}) => disk?.measure().catch(() => {})));
	}

	async close(): Promise<void> {
		await Promise.all(this.#places.map((_, index) => this.remove(index)));
	}

	async #openPlace(place: Place): Promise<void> {
		const {disk, readOnly, isPrivate} = place.member;
		const {reactor, memory, worker} = this.#host;
		const own = isPrivate === true ? {index: 0, count: 1} : worker;
		place.disk = await this.#open(disk, readOnly, {reactor, memory, worker: own, offset: place.offset});
	}
}

interface Place {
	readonly member: SetMember;
	/** Of its part of the shared memory. */
	readonly offset: number;
	disk: Disk | undefined;
}
