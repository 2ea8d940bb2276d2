import type {MachineEvent} from '#devices/device';
import {oneOf, orNone, record, wholeNumber} from '#support/saved-state';
import {i32, wire} from '#support/wire';

/** The machine's shared words that are no device's: what the guest asked for. */
export const MachineState = wire('machine', {
	/** 0, or one plus the index into {@link kinds}. The first request wins until the owner takes it. */
	event: i32,
	/** Status of an `exit` event. */
	status: i32,
	/** Counts devices whose code has failed. */
	failures: i32,
	/** Counts what devices have for the machine's owner: see `DeviceType.report`. */
	notices: i32,
});

const kinds = ['reset', 'power-off', 'hibernate', 'exit', 'crash', 'watchdog'] as const;
const savedEvent = orNone(record({kind: oneOf(kinds), status: wholeNumber(255)}));
const eventWord = MachineState.word('event');
const statusWord = MachineState.word('status');
const failuresWord = MachineState.word('failures');
const noticesWord = MachineState.word('notices');

/** One thread's view of the machine's pending event. */
export class MachineEvents {
	readonly #words: Int32Array;

	constructor(buffer: SharedArrayBuffer) {
		this.#words = MachineState.on(buffer).$atomic;
	}

	/** Requests an event; ignored while another one is pending. */
	request(event: MachineEvent): void {
		const status = event.kind === 'exit' ? event.status + 1 : 0;
		// The status is published with the event: a loser of the race must not overwrite the winner's.
		if (status !== 0 && Atomics.compareExchange(this.#words, statusWord, 0, status) !== 0) return;
		Atomics.compareExchange(this.#words, eventWord, 0, kinds.indexOf(event.kind) + 1);
	}

	/** True while an event waits for the owner. Cheap: asked after every exit. */
	get pending(): boolean {
		return Atomics.load(this.#words, eventWord) !== 0;
	}

	/** The pending event, which stays pending. */
	get event(): MachineEvent | undefined {
		const kind = kinds[Atomics.load(this.#words, eventWord) - 1];
		if (kind === undefined) return undefined;
		return kind === 'exit' ? {kind, status: Atomics.load(this.#words, statusWord) - 1} : {kind};
	}

	/** Says that one more device has failed. */
	deviceFailed(): void {
		Atomics.add(this.#words, failuresWord, 1);
		Atomics.notify(this.#words, failuresWord);
	}

	/** Number of devices that have failed. */
	get failures(): number {
		return Atomics.load(this.#words, failuresWord);
	}

	/** Says that a device has something for the machine's owner. */
	noticed(): void {
		Atomics.add(this.#words, noticesWord, 1);
		Atomics.notify(this.#words, noticesWord);
	}

	/** Number of times that a device has had something. */
	get notices(): number {
		return Atomics.load(this.#words, noticesWord);
	}

	/** Ends every wait for {@link moreFailures} and {@link moreNotices}. */
	stopWaiting(): void {
		Atomics.notify(this.#words, failuresWord);
		Atomics.notify(this.#words, noticesWord);
	}

	/** Resolves when that is another number. */
	async moreFailures(known: number): Promise<void> {
		await Atomics.waitAsync(this.#words, failuresWord, known).value;
	}

	/** Resolves when {@link notices} is another number. */
	async moreNotices(known: number): Promise<void> {
		await Atomics.waitAsync(this.#words, noticesWord, known).value;
	}

	/** The pending event, as data that survives JSON: a guest that goes on elsewhere has asked for it too. For the owner. */
	save(): unknown {
		const {event} = this;
		return savedEvent.save(event && {status: 0, ...event});
	}

	/** Has the event pending that {@link save} gave. For the owner, while no vCPU runs. @throws VmmError STATE_FIELD_WRONG */
	restore(saved: unknown): void {
		const event = savedEvent.parse(saved, 'events');
		this.clear();
		if (event !== undefined) this.request(event);
	}

	/** Forgets the pending event. For the owner, while no vCPU runs. */
	clear(): void {
		Atomics.store(this.#words, statusWord, 0);
		Atomics.store(this.#words, eventWord, 0);
	}
}
