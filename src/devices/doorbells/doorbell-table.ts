import type {DoorbellDeclaration} from '#devices/device';
import {errorTable} from '#support/errors';
import {readySlots} from '#support/mailbox';
import {lock, unlock} from '#support/shared-memory';
import {array, i32, wire} from '#support/wire';

/** Where a doorbell is at this moment. */
export interface DoorbellPlace {
	readonly space: 'pio' | 'mmio';
	/** Port, or guest-physical address. */
	readonly address: number;
}

/** A doorbell that a back end rings: a write of the guest signals a descriptor, without any help of the vCPU's thread. */
export interface BackEndDoorbell extends DoorbellPlace, Pick<DoorbellDeclaration, 'size' | 'match'> {
	/** Eventfd of the queue. */
	readonly fd: number;
}

/** What a back end does with doorbells. One that cannot ring any has none: their writes come by the bus. */
export interface DoorbellBackEnd {
	/** False where it does not take this one, whose writes come by the bus then. */
	assign(doorbell: BackEndDoorbell): boolean;
	/** Takes back what {@link assign} took. */
	unassign(doorbell: BackEndDoorbell): void;
}

/** How many doorbells a machine may have. */
export const doorbellEntries = 2048;

/** Which doorbells the back end has, shared by all threads of a machine. */
export const DoorbellTableState = wire('doorbell-table', {
	lock: i32,
	/** The descriptor that is assigned, plus one; 0 for a doorbell that the back end does not have. */
	assigned: array(i32, doorbellEntries),
	/** 1 where it is assigned at a port. */
	isPort: array(i32, doorbellEntries),
	addressLow: array(i32, doorbellEntries),
	addressHigh: array(i32, doorbellEntries),
	/** By slot of the ready set: the queue's descriptor, plus one; 0 where its worker has none. */
	fds: array(i32, readySlots),
});

const lockWord = DoorbellTableState.word('lock');

const tableError = errorTable({
	DOORBELL_TABLE_HANGS: () => ({
		message: 'Another thread does not come back from moving doorbells',
		remedy: 'This is a bug in openvmm or in the kernel: please report it with what the guest did',
	}),
});

/** A doorbell as it should be. */
export interface WantedDoorbell {
	/** Its number in the table. */
	readonly entry: number;
	readonly declaration: DoorbellDeclaration;
	/** Undefined where nobody answers, or somebody else does. */
	readonly place: DoorbellPlace | undefined;
	/** The queue's descriptor; undefined where its worker has none, yet or any more. */
	readonly fd: number | undefined;
}

/** One thread's view of the doorbells that the back end has. */
export class DoorbellTable {
	readonly #state;
	readonly #backEnd: DoorbellBackEnd | undefined;

	constructor(buffer: SharedArrayBuffer, backEnd: DoorbellBackEnd | undefined) {
		this.#state = DoorbellTableState.on(buffer);
		this.#backEnd = backEnd;
	}

	/**
	 * Gives the back end the doorbells that it should have, and takes back the others. Whoever changes where devices answer calls
	 * this afterwards, so that the last one leaves what is right.
	 * @param wanted - asked for under the table's lock
	 */
	refresh(wanted: () => Iterable<WantedDoorbell>): void {
		const [backEnd, {$atomic: atomic}] = [this.#backEnd, this.#state];
		if (backEnd === undefined) return;
		if (!lock(atomic, lockWord)) throw tableError('DOORBELL_TABLE_HANGS', {});
		try {
			const all = [...wanted()];
			// What moves may take the place of what leaves.
			for (const doorbell of all) this.#takeBack(backEnd, doorbell);
			for (const doorbell of all) this.#give(backEnd, doorbell);
		} finally {
			unlock(atomic, lockWord);
		}
	}

	/** Says which descriptor signals a queue, by its slot; undefined: none any more. Takes effect with the next {@link refresh}. */
	setFd(slot: number, fd: number | undefined): void {
		Atomics.store(this.#state.fds, slot, fd === undefined ? 0 : fd + 1);
	}

	/** What {@link setFd} has said. */
	fdOf(slot: number): number | undefined {
		const word = Atomics.load(this.#state.fds, slot);
		return word === 0 ? undefined : word - 1;
	}

	/** A back end can ring doorbells. */
	get isUsed(): boolean {
		return this.#backEnd !== undefined;
	}

	/** The back end rings it, or else the bus does. */
	isAssigned(entry: number): boolean {
		return this.#state.assigned[entry] !== 0;
	}

	#takeBack(backEnd: DoorbellBackEnd, {entry, declaration, place, fd}: WantedDoorbell): void {
		const hasFd = (this.#state.assigned[entry] as number) - 1;
		if (hasFd < 0) return;
		const has = this.#placeOf(entry);
		if (hasFd === fd && has.address === place?.address && has.space === place.space) return;
		backEnd.unassign(toBackEnd(declaration, has, hasFd));
		this.#state.assigned[entry] = 0;
	}

	/** A back end would lose the value of a doorbell that stores it. */
	#give(backEnd: DoorbellBackEnd, {entry, declaration, place, fd}: WantedDoorbell): void {
		const {assigned, isPort, addressLow, addressHigh} = this.#state;
		if (assigned[entry] !== 0 || place === undefined || fd === undefined || declaration.stores !== undefined) return;
		if (!backEnd.assign(toBackEnd(declaration, place, fd))) return;
		assigned[entry] = fd + 1;
		isPort[entry] = place.space === 'pio' ? 1 : 0;
		addressLow[entry] = place.address;
		addressHigh[entry] = Math.floor(place.address / 2 ** 32);
	}

	#placeOf(entry: number): DoorbellPlace {
		const {isPort, addressLow, addressHigh} = this.#state;
		const address = (addressHigh[entry] as number) * 2 ** 32 + ((addressLow[entry] as number) >>> 0);
		return {space: isPort[entry] === 1 ? 'pio' : 'mmio', address};
	}
}

const toBackEnd = ({size, match}: DoorbellDeclaration, place: DoorbellPlace, fd: number): BackEndDoorbell => {
	return {...place, size, ...(match !== undefined && {match}), fd};
};
