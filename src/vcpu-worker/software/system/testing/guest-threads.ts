import {once} from 'node:events';
import {Worker} from 'node:worker_threads';
import {createSharedParts} from '#vcpu-worker/software/shared';
import {type Doorbell, Gate, type GuestEnd, type GuestThread} from './guest-thread.ts';
import {type LoneMemory, loneMemory} from './lone-memory.ts';

const ramBytes = 32 * 1024 ** 2;
const tables = 0x30_0000;
const source = `
	const {parentPort, workerData: {module}} = require('node:worker_threads');
	import(module).then(({guestOfWorker, runGuest}) => parentPort.postMessage(runGuest(guestOfWorker())));
`;

/** A processor of {@link GuestThreads}: where its code is, and its first registers. */
export interface GuestStart {
	readonly entry: number;
	readonly general?: readonly bigint[];
}

/** Processors on threads of their own that share RAM, whose low 1 GiB is mapped to itself by pages of 2 MiB. */
export class GuestThreads {
	readonly lone: LoneMemory;
	readonly words: Int32Array;
	readonly #gate: Int32Array;
	readonly #ends: Promise<GuestEnd>[] = [];
	readonly #exits: Promise<unknown>[] = [];

	constructor(processors: number, shared = createSharedParts(processors)) {
		this.lone = loneMemory(ramBytes, processors, shared);
		const {ram} = this.lone;
		this.words = new Int32Array(ram.buffer);
		const entries = new BigUint64Array(ram.buffer, tables, 512 * 3);
		entries[0] = BigInt(tables + 0x1000) | 7n;
		entries[512] = BigInt(tables + 0x2000) | 7n;
		for (let index = 0; index < 512; index++) entries[1024 + index] = (BigInt(index) << 21n) | 0x87n;
		this.#gate = new Int32Array(new SharedArrayBuffer((Gate.words + processors) * 4));
		this.#gate[Gate.all] = processors;
	}

	/**
	 * Starts them; they begin when all are ready.
	 * @param doorbell - how they interrupt each other
	 */
	start(starts: readonly GuestStart[], doorbell?: Doorbell): void {
		const {handle, shared} = this.lone;
		const module = new URL('./guest-thread.ts', import.meta.url).href;
		for (const [self, {entry, general = []}] of starts.entries()) {
			const guest: GuestThread = {
				handle,
				shared,
				self,
				entry,
				general,
				pageTables: tables,
				words: this.#gate,
				doorbell,
			};
			const worker = new Worker(source, {eval: true, workerData: {...guest, module}});
			this.#ends.push(once(worker, 'message').then(([end]) => end as GuestEnd));
			this.#exits.push(once(worker, 'exit'));
		}
	}

	/** Ends those that still run. */
	stop(): void {
		Atomics.store(this.#gate, Gate.end, 1);
	}

	/** How they have ended. */
	async ends(): Promise<GuestEnd[]> {
		const ends = await Promise.all(this.#ends);
		await Promise.all(this.#exits);
		return ends;
	}
}
