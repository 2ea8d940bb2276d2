import type {ViewOf} from '#support/wire';
import {DeviceHeader} from './device-header.ts';

/**
 * The reset of a device with a back, which a guest asks for on one thread and the device worker does. While it is not done
 * the device answers nothing, so that asking again changes nothing.
 */
const phases = {none: 0, asked: 1, underWay: 2} as const;

type Header = ViewOf<typeof DeviceHeader>;
const word = DeviceHeader.word('reset');

/** Asks for a reset; true when none was asked for yet. */
export const askForReset = ({$atomic}: Header): boolean =>
	Atomics.compareExchange($atomic, word, phases.none, phases.asked) === phases.none;

/** Takes what was asked for; false when it was nothing new. For the device worker. */
export const takeReset = ({$atomic}: Header): boolean =>
	Atomics.compareExchange($atomic, word, phases.asked, phases.underWay) === phases.asked;

/** The device has its state at power-on. */
export const resetDone = ({$atomic}: Header): void => void Atomics.store($atomic, word, phases.none);

/** True until {@link resetDone}. */
export const isResetting = ({$atomic}: Header): boolean => Atomics.load($atomic, word) !== phases.none;
