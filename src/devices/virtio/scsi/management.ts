import {mostWorkers} from '#devices/device';
import type {Chain, VirtQueue} from '#devices/virtio/queue';
import {array, u32, type ViewOf, wire} from '#support/wire';
import {Management, Response} from './layout.ts';

/** Memory that the workers share for task management functions, one of which is under way at a time. Under the device's lock. */
export const ManagementShare = wire('virtio-scsi-management', {
	/** Counts the functions that were begun. */
	count: u32,
	/** What it is, of which unit, and of which of the driver's commands. */
	function: u32,
	lun: u32,
	idLow: u32,
	idHigh: u32,
	/** One of the workers has such a command. */
	isFound: u32,
	/** By worker: the last function of which it has nothing under way any more. */
	done: array(u32, mostWorkers),
});
type Share = ViewOf<typeof ManagementShare>;

/** A function of a driver's, and where its answer goes. */
export interface AskedFunction {
	readonly queue: VirtQueue;
	readonly chain: Chain;
	readonly function: number;
	readonly lun: number;
	readonly id: bigint;
}

/** Functions that there are, and the answer of a command that one takes back; none where it is only looked for. */
const withdrawals: Readonly<Record<number, number | undefined>> = {
	[Management.ABORT_TASK]: Response.ABORTED,
	[Management.ABORT_TASK_SET]: Response.ABORTED,
	[Management.CLEAR_TASK_SET]: Response.ABORTED,
	[Management.NEXUS_RESET]: Response.RESET,
	[Management.UNIT_RESET]: Response.RESET,
	[Management.QUERY_TASK]: undefined,
	[Management.QUERY_TASK_SET]: undefined,
};
const noUnit = 2 ** 32 - 1;
const ofOneTask: readonly number[] = [Management.ABORT_TASK, Management.QUERY_TASK];

export const isFunction = (value: number): boolean => value in withdrawals;

/** A function as each worker looks at it. */
export interface CurrentFunction {
	readonly count: number;
	/** Answer of commands that it takes back; undefined where it only looks for them. */
	readonly withdrawal: number | undefined;
	matches(lun: number | undefined, hasId: (id: bigint) => boolean): boolean;
}

/** One worker's view of what is asked for. */
export class ManagementView {
	readonly #share: Share;
	readonly #worker: number;
	readonly #workers: number;

	constructor(memory: SharedArrayBuffer, worker: number, workers: number) {
		this.#share = ManagementShare.on(memory);
		this.#worker = worker;
		this.#workers = workers;
	}

	/** Functions that were begun. */
	get count(): number {
		return this.#share.count;
	}

	/** Has all workers look. Under the lock. */
	begin({function: wanted, lun, id}: AskedFunction): void {
		const share = this.#share;
		share.count = (share.count + 1) >>> 0;
		share.function = wanted;
		share.lun = lun;
		share.idLow = Number(id & 0xffff_ffffn);
		share.idHigh = Number(id >> 32n);
		share.isFound = 0;
	}

	/** Who has not looked yet finds nothing: the commands of then may be another driver's. Under the lock. */
	cancel(): void {
		this.#share.function = Management.QUERY_TASK_SET;
		this.#share.lun = noUnit;
	}

	/** The function that is under way. Under the lock. */
	current(): CurrentFunction {
		const {count, function: wanted, lun, idLow, idHigh} = this.#share;
		const id = BigInt(idHigh) * 2n ** 32n + BigInt(idLow);
		return {
			count,
			withdrawal: withdrawals[wanted],
			matches: (own, hasId) =>
				wanted === Management.NEXUS_RESET || (own === lun && (!ofOneTask.includes(wanted) || hasId(id))),
		};
	}

	/** There is such a command. Under the lock. */
	found(): void {
		this.#share.isFound = 1;
	}

	/** This worker has nothing under way of the function of this count. Under the lock. */
	done(count: number): void {
		this.#share.done[this.#worker] = count;
	}

	/** No worker has anything under way of the last function. Under the lock. */
	get isDone(): boolean {
		const {done, count} = this.#share;
		return done.subarray(0, this.#workers).every((each) => each === count);
	}

	/** A worker had such a command. Under the lock. */
	get isFound(): boolean {
		return this.#share.isFound !== 0;
	}

	/** The answer to the last function. Under the lock. */
	get answer(): number {
		return this.isFound && withdrawals[this.#share.function] === undefined ? Response.FUNCTION_SUCCEEDED : Response.OK;
	}
}
