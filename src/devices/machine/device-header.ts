import type {DeviceWorkerPlace} from '#devices/device';
import {bytes, f64, i32, type ViewOf, wire} from '#support/wire';

/** Header that precedes every device's struct in shared memory. */
export const DeviceHeader = wire('device-header', {
	/** The device's lock: held during every access and every locked action of its back. */
	lock: i32,
	/** Reason for its workers to come to rest: see `device-rest.ts`. */
	rest: i32,
	/** See `PciSlot.interruptSequence`. */
	interruptSequence: i32,
	/** State of its failure: see `device-failure.ts`. */
	failure: i32,
	/** Accesses served, for inspect. */
	accesses: f64,
	/** Phases of its backs: two bits for each worker, of {@link backPhases}. */
	back: i32,
	/** A bit for each worker whose back does not come to rest though its time is over: what it uses must stay. */
	late: i32,
	/** A bit for each worker whose back has gone for good. */
	gone: i32,
	/** Text of the failure, in UTF-8, zero after it. */
	failureText: bytes(224),
});

/** Phases of a device's back. */
const backPhases = ['stopped', 'running', 'stopping'] as const;
export type BackPhase = (typeof backPhases)[number];

type Header = ViewOf<typeof DeviceHeader>;
const backWord = DeviceHeader.word('back');
const lateWord = DeviceHeader.word('late');
const goneWord = DeviceHeader.word('gone');

/** Says what the back of one worker does. */
export function setBackPhase({$atomic}: Header, {index}: DeviceWorkerPlace, phase: BackPhase): void {
	const shift = 2 * index;
	// Nobody else changes these two bits.
	const before = (Atomics.load($atomic, backWord) >>> shift) & 3;
	Atomics.xor($atomic, backWord, (before ^ backPhases.indexOf(phase)) << shift);
}

/** Tells what the device's backs do, one for each worker. */
export function backWords(header: Header, workers: number): readonly (BackPhase | 'does not stop')[] {
	const {$atomic} = header;
	return Array.from({length: workers}, (_, index) => {
		if (((Atomics.load($atomic, lateWord) >>> index) & 1) !== 0) return 'does not stop';
		return backPhases[(Atomics.load($atomic, backWord) >>> (2 * index)) & 3] ?? 'stopped';
	});
}

/** Says whether the back of one worker does not come to rest though its time is over. */
export function setLate({$atomic}: Header, {index}: DeviceWorkerPlace, isLate: boolean): void {
	if (isLate) Atomics.or($atomic, lateWord, 1 << index);
	else Atomics.and($atomic, lateWord, ~(1 << index));
}

/** The back of one worker has gone for good. True for the last one: nobody uses what they have together. */
export function leaveForGood({$atomic}: Header, {index, count}: DeviceWorkerPlace): boolean {
	const own = 1 << index;
	return (Atomics.or($atomic, goneWord, own) | own) === 2 ** count - 1;
}
