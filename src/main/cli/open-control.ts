import type {ProcessConfig} from '#main/config';
import type {Machine} from '#main/operations';
import {isVmmError} from '#support/errors';
import type {Logger} from './logger.ts';

/** Ways for the user's other programs to reach the machine. */
export interface OpenControl {
	close(): void;
}

/**
 * Lets the user's other programs see and drive the machine.
 * @param quit - called when one asks the machine to end
 * @throws VmmError CONTROL_SOCKET_* for a socket that was asked for. Without the usual one the machine runs all the same.
 */
export async function openControl(
	machine: Machine,
	{controlSocket: path, name}: ProcessConfig,
	log: Logger,
	quit: () => void,
): Promise<OpenControl> {
	if (path === 'none') return {close() {}};
	const {serveControl} = await import('../index.ts');
	try {
		const options = {quit, ...(path !== undefined && {path}), ...(name !== undefined && {name})};
		return await serveControl(machine, options);
	} catch (error) {
		if (path !== undefined || !isVmmError(error)) throw error;
		log.warn({code: error.code}, `${error.message}: the machine runs without one`);
		return {close() {}};
	}
}
