import {f64, i32, u8, u16, u32, type ViewOf, wire} from '#support/wire';
import {Waker, type WakerHandle} from './waker.ts';

/** States of {@link MailboxSlot}. */
const slotState = {idle: 0, posted: 1, done: 2} as const;

/** One caller's request and its reply. The caller owns it while idle or done, the server while posted. */
export const MailboxSlot = wire('mailbox-slot', {
	state: i32,
	/** Address of the access: its meaning is the server's. */
	device: u16,
	region: u16,
	isWrite: u8,
	/** Bytes, 1, 2 or 4. */
	size: u8,
	offset: u32,
	/** Written value, then the value read. */
	value: u32,
	/** Requests posted, and those whose caller did not wait for the reply any longer. */
	calls: f64,
	givenUp: f64,
});

type Slot = ViewOf<typeof MailboxSlot>;

/** The slots of one server, one for each caller: plain data that structured clone can copy. */
export interface MailboxSet {
	readonly buffer: SharedArrayBuffer;
	readonly callers: number;
	readonly waker: WakerHandle;
}

/** Bytes needed for `callers` slots. */
export const mailboxBytes = (callers: number): number => callers * MailboxSlot.byteLength;

const slotOffset = (caller: number) => caller * MailboxSlot.byteLength;
const stateWord = MailboxSlot.word('state');

/** Content of one caller's slot. */
export interface MailboxInspection {
	readonly state: keyof typeof slotState;
	readonly device: number;
	readonly region: number;
	readonly offset: number;
	readonly size: number;
	readonly isWrite: boolean;
	readonly value: number;
	readonly calls: number;
	readonly givenUp: number;
}

/** Every slot as it is at this moment, by caller. */
export function inspectMailboxes({buffer, callers}: Pick<MailboxSet, 'buffer' | 'callers'>): MailboxInspection[] {
	return Array.from({length: callers}, (_, caller) => {
		const {state, device, region, offset, size, isWrite, value, calls, givenUp} = MailboxSlot.on(
			buffer,
			slotOffset(caller),
		);
		const name = state === slotState.idle ? 'idle' : state === slotState.posted ? 'posted' : 'done';
		return {state: name, device, region, offset, size, isWrite: isWrite === 1, value, calls, givenUp};
	});
}

/** Atomics.pause where the runtime has it (a hint that lets the sibling hyperthread run). */
const pause: () => void = (Atomics as {pause?: () => void}).pause ?? (() => {});

export interface CallerOptions {
	/** Number of looks at the reply before sleeping. */
	readonly spins: number;
	/** Time that a call may take before it is given up. */
	readonly patienceMs: number;
	/**
	 * Called now and then while the caller waits: its thread may have something to answer. True when others wait for the caller, and
	 * a tenth of the patience has to do.
	 */
	readonly waiting?: () => boolean;
}

const longestNapMs = 100;
const hurry = 10;

/** A server that the calling thread has itself: it is asked at once, since nobody else would answer. */
const servers = new WeakMap<SharedArrayBuffer, MailboxServer>();

/** A vCPU's end: posts one request at a time and waits for the reply. */
export class MailboxCaller {
	readonly #set: MailboxSet;
	readonly #slot: Slot;
	readonly #waker: Waker;
	readonly #options: CallerOptions;

	constructor(set: MailboxSet, caller: number, options: CallerOptions) {
		this.#set = set;
		this.#slot = MailboxSlot.on(set.buffer, slotOffset(caller));
		this.#waker = new Waker(set.waker);
		this.#options = options;
	}

	/** Time that a call may take. */
	get patienceMs(): number {
		return this.#options.patienceMs;
	}

	/** Has one access served; returns the value read (or the value written), or undefined when there is no reply in time. */
	call(
		device: number,
		region: number,
		offset: number,
		size: 1 | 2 | 4,
		isWrite: boolean,
		value: number,
	): number | undefined {
		const slot = this.#slot;
		const words = slot.$atomic;
		// A server that was given up on may still own the slot.
		if (Atomics.load(words, stateWord) === slotState.posted && !this.#isServed()) return undefined;
		slot.device = device;
		slot.region = region;
		slot.offset = offset;
		slot.size = size;
		slot.isWrite = isWrite ? 1 : 0;
		slot.value = value;
		slot.calls++;
		Atomics.store(words, stateWord, slotState.posted);
		this.#waker.wake();
		return this.#isServed() ? slot.value : undefined;
	}

	/** False when the patience is over. */
	#isServed(): boolean {
		const {spins, patienceMs, waiting} = this.#options;
		const words = this.#slot.$atomic;
		servers.get(this.#set.buffer)?.poll();
		for (let spin = spins; spin > 0; spin--) {
			if (Atomics.load(words, stateWord) === slotState.done) return true;
			pause();
		}
		// In short waits: while the whole process is stopped, only the one that was under way runs out.
		for (let leftMs = patienceMs; Atomics.load(words, stateWord) === slotState.posted; ) {
			if (leftMs <= 0) {
				this.#slot.givenUp++;
				return false;
			}
			const napMs = Math.min(longestNapMs, leftMs);
			const isOver = Atomics.wait(words, stateWord, slotState.posted, napMs) === 'timed-out';
			const isHurried = waiting?.() === true;
			if (isOver) leftMs -= napMs * (isHurried ? hurry : 1);
		}
		return true;
	}
}

/** Serves one access; returns the value read. */
export type MailboxHandler = (
	device: number,
	region: number,
	offset: number,
	size: 1 | 2 | 4,
	isWrite: boolean,
	value: number,
	caller: number,
) => number;

/** A device worker's end: looks at every slot and serves those that are posted. */
export class MailboxServer {
	readonly #slots: readonly Slot[];
	readonly #handle: MailboxHandler;
	/** The caller that is looked at first. */
	#first = 0;

	constructor(set: Pick<MailboxSet, 'buffer' | 'callers'>, handle: MailboxHandler) {
		servers.set(set.buffer, this);
		this.#slots = Array.from({length: set.callers}, (_, caller) => MailboxSlot.on(set.buffer, slotOffset(caller)));
		this.#handle = handle;
	}

	/**
	 * Serves every posted request; true when there was one.
	 * @param isOver - asked after each: true leaves the others to the next call, which begins with them
	 */
	poll(isOver = (): boolean => false): boolean {
		let found = false;
		const first = this.#first;
		for (let step = 0; step < this.#slots.length; step++) {
			const caller = (first + step) % this.#slots.length;
			const slot = this.#slots[caller] as Slot;
			if (Atomics.load(slot.$atomic, stateWord) !== slotState.posted) continue;
			found = true;
			const size = slot.size as 1 | 2 | 4;
			const isWrite = slot.isWrite === 1;
			slot.value = this.#handle(slot.device, slot.region, slot.offset, size, isWrite, slot.value, caller);
			Atomics.store(slot.$atomic, stateWord, slotState.done);
			Atomics.notify(slot.$atomic, stateWord);
			this.#first = (caller + 1) % this.#slots.length;
			if (isOver()) break;
		}
		return found;
	}
}
