import type {ProcessConfig} from '#main/config';
import type {EntryOptions, MachineEntry} from '#main/control';
import type {Machine, Operation} from '#main/operations';
import {isVmmError, type VmmError} from '#support/errors';
import type {Logger} from './logger.ts';

/** Ways for the user's other programs to reach the machine. */
export interface OpenControl {
	close(): void;
}

/**
 * Takes the machine's name and folder, where the user's other programs find it.
 * @param options - `isNeeded`: the machine is of no use without them
 * @returns undefined for a machine that is to have another socket or none, or that cannot have a folder: it runs all the same
 * @throws VmmError CONTROL_NAME_TAKEN, CONTROL_NAME_INVALID
 */
export async function openEntry(
	{controlSocket, name}: ProcessConfig,
	log: Logger,
	{isNeeded = false, ...options}: EntryOptions & {readonly isNeeded?: boolean} = {},
): Promise<MachineEntry | undefined> {
	if (controlSocket !== undefined) return undefined;
	const {claimEntry} = await import('#main/control');
	try {
		return await claimEntry({...options, ...(name !== undefined && {name})});
	} catch (error) {
		// A name that was asked for is not forgotten.
		const isWrong = isVmmError(error, 'CONTROL_NAME_TAKEN') || isVmmError(error, 'CONTROL_NAME_INVALID');
		if (isNeeded || isWrong || !isVmmError(error)) throw error;
		goOnWithout(error, log);
		return undefined;
	}
}

/**
 * Lets the user's other programs see and drive the machine.
 * @param entry - where a machine is found that is to have no other socket
 * @param quit - called when one asks the machine to end
 * @throws VmmError CONTROL_SOCKET_* for a socket that was asked for. Without the usual one the machine runs all the same.
 */
export async function openControl(
	machine: Machine,
	{controlSocket: path, name}: ProcessConfig,
	entry: MachineEntry | undefined,
	log: Logger,
	quit: () => void,
	operations?: readonly Operation[],
): Promise<OpenControl> {
	if (path === 'none' || (path === undefined && entry === undefined)) return {close() {}};
	const {serveControl} = await import('../index.ts');
	try {
		const options = {
			quit,
			...(path !== undefined && {path}),
			...(name !== undefined && {name}),
			...(entry !== undefined && {entry}),
		};
		return await serveControl(machine, options, operations);
	} catch (error) {
		if (path !== undefined || !isVmmError(error)) throw error;
		goOnWithout(error, log);
		return {close() {}};
	}
}

const goOnWithout = (error: VmmError, log: Logger): void =>
	log.warn({code: error.code}, `${error.message}: the machine runs without one`);
