import type {AccessSize, DoorbellDeclaration} from '#devices/device';
import {readySlots} from '#support/mailbox';
import {array, i32, u8, u32, wire} from '#support/wire';

/** Place of a doorbell at this moment. */
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

/** Part of a back end that rings doorbells. One that cannot ring any has none: their writes come by the bus. */
export interface DoorbellBackEnd {
	/** False where it does not take this one, whose writes come by the bus then. */
	assign(doorbell: BackEndDoorbell): boolean;
	/** Takes back what {@link assign} took. */
	unassign(doorbell: BackEndDoorbell): void;
}

/** Number of doorbells that a machine may have. */
export const doorbellEntries = 2048;

/** Doorbells that the back end has, shared by all threads of a machine. */
export const DoorbellTableState = wire('doorbell-table', {
	/** The descriptor that is assigned, plus one; 0 for a doorbell that the back end does not have. */
	assigned: array(i32, doorbellEntries),
	/** 1 where it is assigned at a port. */
	isPort: array(i32, doorbellEntries),
	addressLow: array(i32, doorbellEntries),
	addressHigh: array(i32, doorbellEntries),
	/** 0 where it takes every width. */
	size: array(u8, doorbellEntries),
	/** 1 where it takes one value only. */
	matches: array(u8, doorbellEntries),
	match: array(u32, doorbellEntries),
	/** By slot of the ready set: the queue's descriptor, plus one; 0 where its worker has none. */
	fds: array(i32, readySlots),
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
	 * Gives the back end these doorbells and takes back all others. For one thread at a time, as `DecodeChanges` sees to it.
	 * @param wanted - of the whole machine
	 */
	follow(wanted: readonly WantedDoorbell[]): void {
		const backEnd = this.#backEnd;
		if (backEnd === undefined) return;
		const byEntry = new Map(wanted.map((doorbell) => [doorbell.entry, doorbell]));
		// A doorbell that moves may take the place of one that leaves.
		for (let entry = 0; entry < doorbellEntries; entry++)
			if (this.isAssigned(entry)) this.#takeBack(backEnd, entry, byEntry.get(entry));
		for (const doorbell of wanted) this.#give(backEnd, doorbell);
	}

	/** Says which descriptor signals a queue, by its slot; undefined: none any more. Takes effect with the next {@link follow}. */
	setFd(slot: number, fd: number | undefined): void {
		Atomics.store(this.#state.fds, slot, fd === undefined ? 0 : fd + 1);
	}

	/** Gives the descriptor that {@link setFd} has set. */
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

	/** It may be of a device that has left, of which nothing but this is known any more. */
	#takeBack(backEnd: DoorbellBackEnd, entry: number, wanted: WantedDoorbell | undefined): void {
		const has = this.#assigned(entry);
		const place = wanted?.place;
		if (has.fd === wanted?.fd && has.address === place?.address && has.space === place.space) return;
		backEnd.unassign(has);
		this.#state.assigned[entry] = 0;
	}

	/** A back end would lose the value of a doorbell that stores it. */
	#give(backEnd: DoorbellBackEnd, {entry, declaration, place, fd}: WantedDoorbell): void {
		const {assigned, isPort, addressLow, addressHigh, size: sizes, matches, match: values} = this.#state;
		if (assigned[entry] !== 0 || place === undefined || fd === undefined || declaration.stores !== undefined) return;
		const {size, match} = declaration;
		if (!backEnd.assign({...place, size, ...(match !== undefined && {match}), fd})) return;
		assigned[entry] = fd + 1;
		isPort[entry] = place.space === 'pio' ? 1 : 0;
		addressLow[entry] = place.address;
		addressHigh[entry] = Math.floor(place.address / 2 ** 32);
		sizes[entry] = size === 'any' ? 0 : size;
		matches[entry] = match === undefined ? 0 : 1;
		values[entry] = match ?? 0;
	}

	#assigned(entry: number): BackEndDoorbell {
		const {assigned, isPort, addressLow, addressHigh, size, matches, match} = this.#state;
		return {
			space: isPort[entry] === 1 ? 'pio' : 'mmio',
			address: (addressHigh[entry] as number) * 2 ** 32 + ((addressLow[entry] as number) >>> 0),
			size: size[entry] === 0 ? 'any' : (size[entry] as AccessSize),
			...(matches[entry] === 1 && {match: match[entry] as number}),
			fd: (assigned[entry] as number) - 1,
		};
	}
}
