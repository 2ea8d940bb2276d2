import type {DeviceWorkerPlace} from '#devices/device';
import type {ViewOf} from '#support/wire';
import {DeviceHeader} from './device-header.ts';

/**
 * A rest that a guest asks for on one thread, and that all workers of the device come to. Each stops its back and arrives; the last one
 * does what the rest is for, and all start again. One word has what is asked for and, from {@link arrivals} on, a bit for each worker
 * that has arrived, so that one store ends the rest for everybody. What is asked for changes under the device's lock only.
 */
const asks = {rest: 1, reset: 2} as const;
const arrivals = 8;

type Header = ViewOf<typeof DeviceHeader>;
const word = DeviceHeader.word('rest');

/**
 * Asks for a rest, or for one with the state at power-on, until which the device answers no configuration access.
 * @returns true when none was asked for yet: the workers are to be told
 */
export const askForRest = ({$atomic}: Header, ask: keyof typeof asks): boolean =>
	(Atomics.or($atomic, word, asks[ask]) & (asks.rest | asks.reset)) === 0;

/** A worker's back has nothing in flight. True for the last worker, which goes on with {@link restDone}. */
export function arrive({$atomic}: Header, {index, count}: DeviceWorkerPlace): boolean {
	const own = bitOf(index);
	return missingIn(Atomics.or($atomic, word, own) | own, count).length === 0;
}

/** A worker has arrived, and the rest is not over. */
export const hasArrived = ({$atomic}: Header, index: number): boolean =>
	(Atomics.load($atomic, word) & bitOf(index)) !== 0;

/** Workers that have not arrived. */
export const missing = ({$atomic}: Header, count: number): readonly number[] =>
	missingIn(Atomics.load($atomic, word), count);

/** The rest is over. */
export const restDone = ({$atomic}: Header): void => void Atomics.store($atomic, word, 0);

/** True until {@link restDone}. */
export const isRestAsked = ({$atomic}: Header): boolean => Atomics.load($atomic, word) !== 0;

/** The same of a rest with the state at power-on. */
export const isResetting = ({$atomic}: Header): boolean => (Atomics.load($atomic, word) & asks.reset) !== 0;

const bitOf = (index: number): number => 1 << (arrivals + index);

const missingIn = (value: number, count: number): readonly number[] =>
	Array.from({length: count}, (_, index) => index).filter((index) => (value & bitOf(index)) === 0);
