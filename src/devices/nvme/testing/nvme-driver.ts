import {unchecked} from '#support/trust';
import {Command, CompletionEntry} from '../layout.ts';
import type {NvmeMachine} from './nvme-machine.ts';

/** Values of a command that are not 0. */
export interface CommandValues {
	readonly opcode: number;
	readonly flags?: number;
	/** The next one unless it is given. */
	readonly id?: number;
	readonly nsid?: number;
	readonly prp1?: number | bigint;
	readonly prp2?: number | bigint;
	readonly dword10?: number;
	readonly dword11?: number;
	readonly dword12?: number;
	readonly dword13?: number;
}

/** A completion as the driver finds it. */
export interface Told {
	readonly id: number;
	/** Without Do Not Retry. */
	readonly status: number;
	readonly result: number;
	readonly queue: number;
}

/** Choices for a pair of I/O queues. */
interface PairChoice {
	readonly size?: number;
	readonly vector?: number;
	readonly interrupts?: boolean;
	/** Completion queue of another pair. */
	readonly completions?: number;
}

interface Place {
	readonly submissions: number;
	readonly completions: number;
	readonly size: number;
}

/** Progress of a driver with one pair of queues. */
interface Pair extends Place {
	tail: number;
	head: number;
	phase: number;
}

const queueBytes = 0x2000;
/** Where the driver has a pair of queues; the pages from 0x40000 on are its data. */
const placeOf = (queue: number) => ({
	submissions: 0x1_0000 + queueBytes * queue,
	completions: 0x1_1000 + queueBytes * queue,
});
export const dataPage = 0x4_0000;
/** Shadow doorbells and event indices. */
export const [shadowPage, eventIndexPage] = [0x3_0000, 0x3_1000];

const retryBit = 0x4000;

/** A guest's driver: sets the controller up, submits commands and takes completions. */
export class NvmeDriver {
	readonly machine: NvmeMachine;
	readonly #pairs = new Map<number, Pair>();
	#nextId = 0x100;
	/** Doorbells are in memory. */
	isShadowed = false;

	constructor(machine: NvmeMachine) {
		this.machine = machine;
	}

	/** The steps of NVM Express Base 2.0, 3.5.1 up to the controller being ready. */
	enable(size = 8, configuration = 0x46_0001): void {
		const {machine} = this;
		this.place(0, size);
		const {submissions, completions} = placeOf(0);
		machine.write(0x24, (size - 1) * 0x1_0001);
		machine.write(0x28, submissions);
		machine.write(0x2c, 0);
		machine.write(0x30, completions);
		machine.write(0x34, 0);
		machine.write(0x14, configuration);
	}

	get status(): number {
		return this.machine.read(0x1c);
	}

	/** Gives a pair its memory. */
	place(queue: number, size: number): Pair {
		const place = placeOf(queue);
		this.machine.memory.fill(place.submissions, queueBytes, 0);
		const pair = {...place, size, tail: 0, head: 0, phase: 1};
		this.#pairs.set(queue, pair);
		return pair;
	}

	/** Makes a pair of I/O queues. */
	async create(queue: number, choice: PairChoice = {}): Promise<number[]> {
		const statuses: number[] = [];
		for (const command of this.creation(queue, choice)) statuses.push((await this.admin(command)).status);
		return statuses;
	}

	/** Gives a pair its memory; the commands that make it. */
	creation(
		queue: number,
		{size = 8, vector = queue, interrupts = true, completions = queue}: PairChoice = {},
	): readonly CommandValues[] {
		const place = this.place(queue, size);
		const sizes = queue + (size - 1) * 0x1_0000;
		const own = {
			opcode: 5,
			prp1: place.completions,
			dword10: sizes,
			dword11: 1 + (interrupts ? 2 : 0) + vector * 0x1_0000,
		};
		const submissions = {opcode: 1, prp1: place.submissions, dword10: sizes, dword11: 1 + completions * 0x1_0000};
		return completions === queue ? [own, submissions] : [submissions];
	}

	/** Goes on where the driver of another machine was, of which this one was restored. */
	resume(other: NvmeDriver): void {
		for (const [queue, pair] of other.#pairs) this.#pairs.set(queue, {...pair});
		this.#nextId = other.#nextId;
		this.isShadowed = other.isShadowed;
	}

	/** Writes a command at the tail, and tells of it unless it is to be told later. */
	submit(queue: number, values: CommandValues, rings = true): number {
		const pair = this.pair(queue);
		const id = values.id ?? this.#nextId++ & 0xffff;
		this.machine.memory.copyIn(pair.submissions + 64 * pair.tail, Command.encode({...values, id}));
		pair.tail = (pair.tail + 1) % pair.size;
		if (rings) this.ring(queue);
		return id;
	}

	ring(queue: number, value = this.pair(queue).tail): void {
		this.#ring(2 * queue, queue, value);
	}

	/** Tells how far completions are taken. */
	release(queue: number, value = this.pair(queue).head): void {
		this.#ring(2 * queue + 1, queue, value);
	}

	/** Completions that have come. */
	take(queue: number, releases = true): Told[] {
		const pair = this.pair(queue);
		const entry = new Uint8Array(CompletionEntry.size);
		const found: Told[] = [];
		for (;;) {
			this.machine.memory.copyOut(pair.completions + entry.length * pair.head, entry);
			const {id, status, result, queue: from} = CompletionEntry.read(entry);
			if ((status & 1) !== pair.phase) break;
			found.push({id, status: (status >>> 1) & ~retryBit, result, queue: from});
			pair.head = (pair.head + 1) % pair.size;
			if (pair.head === 0) pair.phase ^= 1;
		}
		if (releases && found.length > 0) this.release(queue);
		return found;
	}

	/** Does one command and gives its completion. */
	async perform(queue: number, values: CommandValues): Promise<Told> {
		const id = this.submit(queue, values);
		let told: readonly Told[] = [];
		// The host may take its time.
		while (told.length === 0) {
			await this.machine.run();
			told = this.take(queue);
		}
		const own = told.find((each) => each.id === id);
		if (own === undefined || told.length !== 1) throw new Error(`command ${id} got ${JSON.stringify(told)}`);
		return own;
	}

	admin(values: CommandValues): Promise<Told> {
		return this.perform(0, values);
	}

	/** Bytes of the driver's memory. */
	bytes(at: number, length: number): Uint8Array {
		const bytes = new Uint8Array(length);
		this.machine.memory.copyOut(at, bytes);
		return bytes;
	}

	/** Has the doorbells in memory from now on. */
	async useShadow(): Promise<number> {
		const {status} = await this.admin({opcode: 0x7c, prp1: shadowPage, prp2: eventIndexPage});
		this.isShadowed = status === 0;
		return status;
	}

	pair(queue: number): Pair {
		const found = this.#pairs.get(queue);
		if (found === undefined) throw new RangeError(`queue ${queue} has no place`);
		return found;
	}

	/** As Linux has it: the register only where the device asks for that. */
	#ring(doorbell: number, queue: number, value: number): void {
		if (this.isShadowed && queue > 0) {
			const {memory} = this.machine;
			const was = unchecked(memory.readU32(shadowPage + 4 * doorbell)) ?? 0;
			memory.writeU32(shadowPage + 4 * doorbell, value);
			const event = unchecked(memory.readU32(eventIndexPage + 4 * doorbell)) ?? 0;
			const isWanted = ((value - event - 1) & 0xffff) < ((value - was) & 0xffff);
			if (!isWanted) return;
		}
		this.rung++;
		this.machine.write(0x1000 + 4 * doorbell, value);
	}

	/** Writes to doorbell registers. */
	rung = 0;
}
