import {i32, type StructView, sharedStruct, u8, u16, u32} from '#support/shared-memory';

/** States of {@link MailboxSlot}. */
const slotState = {idle: 0, posted: 1, done: 2, abandoned: 3} as const;

/** One caller's request and its reply. The caller owns it while idle or done, the server while posted. */
export const MailboxSlot = sharedStruct('mailbox-slot', {
	state: i32(),
	/** What is addressed: the meaning is the server's. */
	device: u16(),
	region: u16(),
	isWrite: u8(),
	/** Bytes, 1, 2 or 4. */
	size: u8(),
	offset: u32(),
	/** Written value, then the value read. */
	value: u32(),
});

/** The server's side of the wait. */
export const MailboxDoorbell = sharedStruct('mailbox-doorbell', {
	/** 1 while the server may be asleep: the poster must signal its descriptor. */
	asleep: i32(),
	/** Times a poster had to signal. */
	signals: i32(),
});

type Slot = StructView<(typeof MailboxSlot)['fields']>;
type Doorbell = StructView<(typeof MailboxDoorbell)['fields']>;

/** The shared words of one server: its doorbell, then a slot for each caller. */
export interface MailboxSet {
	readonly buffer: SharedArrayBuffer;
	readonly callers: number;
	/** Eventfd that wakes the server. */
	readonly wakeFd: number;
}

/** Bytes needed for `callers` slots and the doorbell. */
export const mailboxBytes = (callers: number): number => MailboxDoorbell.byteLength + callers * MailboxSlot.byteLength;

const slotOffset = (caller: number) => MailboxDoorbell.byteLength + caller * MailboxSlot.byteLength;
const stateWord = MailboxSlot.word('state');
const asleepWord = MailboxDoorbell.word('asleep');
const signalsWord = MailboxDoorbell.word('signals');

/** Atomics.pause where the runtime has it (a hint that lets the sibling hyperthread run). */
const pause: () => void = (Atomics as {pause?: () => void}).pause ?? (() => {});

export interface CallerOptions {
	/** How many looks at the reply before sleeping. */
	readonly spins: number;
	/** Signals an eventfd. */
	readonly signal: (fd: number) => void;
	/** Asked every `patienceMs`: true gives the call up, which then returns all ones. */
	readonly giveUp: () => boolean;
}

const patienceMs = 100;

/** A vCPU's end: posts one request at a time and waits for the reply. */
export class MailboxCaller {
	readonly #slot: Slot;
	readonly #doorbell: Doorbell;
	readonly #wakeFd: number;
	readonly #options: CallerOptions;

	constructor(set: MailboxSet, caller: number, options: CallerOptions) {
		this.#slot = MailboxSlot.on(set.buffer, slotOffset(caller));
		this.#doorbell = MailboxDoorbell.on(set.buffer);
		this.#wakeFd = set.wakeFd;
		this.#options = options;
	}

	/** Serves one access remotely; returns the value read (or the value written). */
	call(device: number, region: number, offset: number, size: 1 | 2 | 4, isWrite: boolean, value: number): number {
		const slot = this.#slot;
		const words = slot.$atomic;
		// A server that was given up on may still own the slot.
		if (Atomics.load(words, stateWord) === slotState.posted) return 0xffffffff >>> (32 - 8 * size);
		slot.device = device;
		slot.region = region;
		slot.offset = offset;
		slot.size = size;
		slot.isWrite = isWrite ? 1 : 0;
		slot.value = value;
		Atomics.store(words, stateWord, slotState.posted);
		if (Atomics.exchange(this.#doorbell.$atomic, asleepWord, 0) === 1) {
			Atomics.add(this.#doorbell.$atomic, signalsWord, 1);
			this.#options.signal(this.#wakeFd);
		}
		return this.#await(size);
	}

	#await(size: 1 | 2 | 4): number {
		const words = this.#slot.$atomic;
		for (let spin = this.#options.spins; spin > 0; spin--) {
			if (Atomics.load(words, stateWord) === slotState.done) return this.#slot.value;
			pause();
		}
		while (Atomics.load(words, stateWord) === slotState.posted) {
			if (Atomics.wait(words, stateWord, slotState.posted, patienceMs) === 'timed-out' && this.#options.giveUp()) {
				return 0xffffffff >>> (32 - 8 * size);
			}
		}
		return this.#slot.value;
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
) => number;

/** A device worker's end: looks at every slot and serves those that are posted. Fits a reactor's `polled`. */
export class MailboxServer {
	readonly #slots: readonly Slot[];
	readonly #doorbell: Doorbell;
	readonly #handle: MailboxHandler;

	constructor(set: Pick<MailboxSet, 'buffer' | 'callers'>, handle: MailboxHandler) {
		this.#slots = Array.from({length: set.callers}, (_, caller) => MailboxSlot.on(set.buffer, slotOffset(caller)));
		this.#doorbell = MailboxDoorbell.on(set.buffer);
		this.#handle = handle;
	}

	poll(): boolean {
		let found = false;
		for (const slot of this.#slots) {
			if (Atomics.load(slot.$atomic, stateWord) !== slotState.posted) continue;
			found = true;
			const size = slot.size as 1 | 2 | 4;
			slot.value = this.#handle(slot.device, slot.region, slot.offset, size, slot.isWrite === 1, slot.value);
			Atomics.store(slot.$atomic, stateWord, slotState.done);
			Atomics.notify(slot.$atomic, stateWord);
		}
		return found;
	}

	sleeping(asleep: boolean): void {
		Atomics.store(this.#doorbell.$atomic, asleepWord, asleep ? 1 : 0);
	}
}
