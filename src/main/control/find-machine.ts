import {join} from 'node:path';
import {ControlClient} from './control-client.ts';
import {entryDirectory, namesIn} from './entry-directory.ts';
import {entryFiles} from './entry-files.ts';
import {controlError} from './errors.ts';
import {type MachineRecord, readRecord} from './machine-record.ts';
import {isAlive} from './process-identity.ts';
import {tidyEntry} from './stale-entries.ts';

/** Machine that a command is for, by its name or process id, or by the path of its control socket. */
export type MachineChoice = {readonly name: string} | {readonly socket: string};

/** A machine of this user that runs, or has ended and is kept. */
export interface ListedMachine {
	readonly name: string;
	readonly folder: string;
	readonly record: MachineRecord;
}

/** This user's machines, the oldest first. What killed processes have left is dealt with. */
export async function listMachines(directory = entryDirectory()): Promise<ListedMachine[]> {
	const found = await Promise.all(
		namesIn(directory).map(async (name) => {
			const folder = join(directory, name);
			await tidyEntry(folder);
			const record = readRecord(folder);
			return record === undefined ? [] : [{name, folder, record}];
		}),
	);
	return found.flat().sort((a, b) => a.record.createdAt - b.record.createdAt);
}

/**
 * Finds the machine of a name, or the one that runs in a process.
 * @throws VmmError CONTROL_MACHINE_UNKNOWN, CONTROL_MACHINE_AMBIGUOUS
 */
export async function findMachine(wanted: string, directory = entryDirectory()): Promise<ListedMachine> {
	const all = await listMachines(directory);
	const running = all.filter(isRunning);
	const named = all.find(({name}) => name === wanted);
	if (named !== undefined) return named;
	const meant = running.filter(({record}) => String(record.process.pid) === wanted);
	const [first] = meant;
	if (meant.length > 1) throw controlError('CONTROL_MACHINE_AMBIGUOUS', {running: meant.map(written)});
	if (first === undefined) throw controlError('CONTROL_MACHINE_UNKNOWN', {wanted, running: running.map(written)});
	return first;
}

/**
 * Connects to the machine that is meant.
 * @throws VmmError CONTROL_MACHINE_AMBIGUOUS, CONTROL_MACHINE_UNKNOWN, CONTROL_MACHINE_ENDED, CONTROL_UNREACHABLE
 */
export async function connectMachine(choice: MachineChoice, directory = entryDirectory()): Promise<ControlClient> {
	if ('socket' in choice) return ControlClient.connect(choice.socket);
	return connectListed(await findMachine(choice.name, directory));
}

/** Names of machines that run, for a person who has named none. */
export const runningNames = (directory = entryDirectory()): string[] =>
	namesIn(directory).filter((name) => {
		const record = readRecord(join(directory, name));
		return record !== undefined && record.ended === undefined && isAlive(record.process);
	});

/** @throws VmmError CONTROL_MACHINE_ENDED, CONTROL_UNREACHABLE */
export async function connectListed({name, folder, record: {ended}}: ListedMachine): Promise<ControlClient> {
	if (ended !== undefined) throw controlError('CONTROL_MACHINE_ENDED', {name, status: ended.status});
	return ControlClient.connect(join(folder, entryFiles.socket));
}

export const isRunning = ({record}: ListedMachine): boolean => record.ended === undefined;

/** Looks again whether a machine runs, as {@link listMachines} does: true when it has ended, its folder is gone, or another has its name. */
export async function hasEnded({folder, record}: ListedMachine): Promise<boolean> {
	await tidyEntry(folder);
	const now = readRecord(folder);
	return now === undefined || now.createdAt !== record.createdAt || now.ended !== undefined;
}

const written = ({name, record}: ListedMachine): string => `${name} (${record.process.pid})`;
