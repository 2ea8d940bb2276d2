import {bucketFields} from '#devices/limits';
import {array, f64, i32, reserved, u8, u32, type ViewOf, wire} from '#support/wire';
import {bucketCount} from './latency.ts';
import {limitTable} from './limits.ts';

/** Kinds of requests that are counted, in the order of `DiskOperation`. */
export const countedOperations = ['read', 'write', 'flush', 'discard', 'zeroes'] as const;
export type CountedOperation = (typeof countedOperations)[number];

/** What all workers of a disk have in common with its machine's owner: its limits, and what is left of them. */
export const DiskShare = wire('disk', {
	...bucketFields(limitTable),
	/** Requests that may still change the disk, though they were given up: see `DeadlineDisk`. */
	overdue: i32,
	/** Requests that the host has said nothing of for long: see `HangWatch`. */
	hung: i32,
	/** 1 where what was to make data durable has failed when it was given up: the next flush has to tell of it. */
	unheard: i32,
	padding: reserved(4),
	/** Counts the times when that became one, and those when the host had answered all. */
	hangs: u32,
	answers: u32,
	/** Which one was the first, how it is moved (an index into `diskMovers`), and how long the last one took. */
	hungOperation: u32,
	hungMover: u32,
	hungOffset: f64,
	hungLength: f64,
	hungNs: f64,
	/** How long the disk is, as its first worker has it; 0 while there is none. */
	bytes: f64,
	/** What its owner wants it to be, when it is measured the next time; 0 for as it is. */
	wantedBytes: f64,
	/** Counts refusals of that, and why the last one was, in UTF-8. */
	resizeFailures: u32,
	resizeReasonBytes: u32,
	resizeReason: array(u8, 256),
});
export type DiskShareView = ViewOf<typeof DiskShare>;

/** What one worker tells of its requests: nobody else writes it. */
export const WorkerShare = wire('disk-worker', {
	/** By operation: those that are done, their bytes, those of them that were refused or failed, and their nanoseconds. */
	requests: array(f64, countedOperations.length),
	bytes: array(f64, countedOperations.length),
	errors: array(f64, countedOperations.length),
	totalNs: array(f64, countedOperations.length),
	/** Requests that had to wait for a limit, and for how long together. */
	throttled: f64,
	throttledNs: f64,
	/** Requests that are under way, and those of them that wait for a limit. */
	underWay: array(u32, 2),
	/** Counts errors of the host. What follows is of the last one. */
	failures: u32,
	failedOperation: u32,
	failedError: u32,
	failedAction: u32,
	failedOffset: f64,
	failedLength: f64,
	/** Why, in UTF-8, where the disk says it. */
	failedReasonBytes: u32,
	failedReason: array(u8, 252),
	/** By operation: how many took how long. */
	latencies: array(u32, countedOperations.length * bucketCount),
});
/** Indices into {@link WorkerShare}'s `underWay`. */
export const UnderWay = {ALL: 0, WAITING: 1} as const;
export type WorkerShareView = ViewOf<typeof WorkerShare>;

/** Bytes that a disk with so many workers has for all that. */
export const shareBytes = (workers: number): number => DiskShare.byteLength + workers * WorkerShare.byteLength;

export const diskShare = (memory: SharedArrayBuffer, offset: number): DiskShareView => DiskShare.on(memory, offset);

export const workerShare = (memory: SharedArrayBuffer, offset: number, worker: number): WorkerShareView =>
	WorkerShare.on(memory, offset + DiskShare.byteLength + worker * WorkerShare.byteLength);
