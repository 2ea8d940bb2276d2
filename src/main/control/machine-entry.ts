import {renameSync, rmSync} from 'node:fs';
import {join} from 'node:path';
import {makeOwnFolder, removeLeftFolders} from '#main/own-folder';
import {entryDirectory, makeEntryDirectory, namesIn} from './entry-directory.ts';
import {controlError} from './errors.ts';
import {isMachineName, madeUpName, nameExpected} from './machine-name.ts';
import {type MachineDescription, type MachineRecord, readRecord, recordVersion, writeRecord} from './machine-record.ts';
import {ownIdentity} from './process-identity.ts';
import {draftPrefix, tidyEntry} from './stale-entries.ts';

/** Ended machines that are kept at most; beyond them the oldest go. */
export const maxKept = 32;

/** A machine's folder, which has its name: who has the folder has the name. */
export interface MachineEntry {
	readonly name: string;
	readonly folder: string;
	/** Says more of the machine. */
	describe(more: MachineDescription): void;
	/** Removes the folder, or says in it how the machine ended where it is to be kept. Idempotent. @param status - exit status */
	end(status: number): void;
}

/** What a new entry is to be. */
export interface EntryOptions {
	/** Without it one is made up. */
	readonly name?: string;
	readonly about?: MachineDescription;
	/** The folder stays after the machine's end. */
	readonly keeps?: boolean;
}

/**
 * Takes a name, with its folder, for a machine of this process.
 * @throws VmmError CONTROL_NAME_TAKEN, CONTROL_NAME_INVALID, CONTROL_DIRECTORY_UNSAFE, CONTROL_SOCKET_FAILED
 */
export async function claimEntry(options: EntryOptions = {}, directory = entryDirectory()): Promise<MachineEntry> {
	const {name: wanted, about = {}, keeps = false} = options;
	if (wanted !== undefined && !isMachineName(wanted))
		throw controlError('CONTROL_NAME_INVALID', {name: wanted, expected: nameExpected});
	makeEntryDirectory(directory);
	removeLeftFolders(directory, draftPrefix);
	if (keeps) dropOldest(directory);
	const record = {version: recordVersion, process: ownIdentity(), createdAt: Date.now(), about, keeps} as const;
	const draft = writeDraft(directory, record);
	try {
		for (let attempt = 0; ; attempt++) {
			const name = wanted ?? madeUpName(attempt);
			const folder = join(directory, name);
			if (tryRename(draft, folder)) return entry(name, folder, record);
			// Once more where what has the name has ended by force.
			if ((await tidyEntry(folder)) && tryRename(draft, folder)) return entry(name, folder, record);
			if (wanted !== undefined) throw controlError('CONTROL_NAME_TAKEN', {name, isRunning: !hasEnded(folder)});
		}
	} finally {
		rmSync(draft, {recursive: true, force: true});
	}
}

/** Writes the folder under a name where nobody looks: it comes with its record. @throws VmmError CONTROL_SOCKET_FAILED */
function writeDraft(directory: string, record: MachineRecord): string {
	try {
		const draft = makeOwnFolder(directory, draftPrefix);
		writeRecord(draft, record);
		return draft;
	} catch (error) {
		const {code: errno = ''} = error as NodeJS.ErrnoException;
		throw controlError('CONTROL_SOCKET_FAILED', {path: directory, errno}, {cause: error});
	}
}

/** Renames onto a folder only where there is none, or an empty one (rename(2)). */
function tryRename(from: string, to: string): boolean {
	try {
		renameSync(from, to);
		return true;
	} catch (error) {
		const {code: errno = ''} = error as NodeJS.ErrnoException;
		if (errno === 'ENOTEMPTY' || errno === 'EEXIST') return false;
		throw controlError('CONTROL_SOCKET_FAILED', {path: to, errno}, {cause: error});
	}
}

const hasEnded = (folder: string): boolean => readRecord(folder)?.ended !== undefined;

function entry(name: string, folder: string, first: MachineRecord): MachineEntry {
	let isOpen = true;
	let record = first;
	return {
		name,
		folder,
		describe(more) {
			record = {...record, about: {...record.about, ...more}};
			if (isOpen) writeRecord(folder, record);
		},
		end(status) {
			if (!isOpen) return;
			isOpen = false;
			try {
				if (record.keeps) writeRecord(folder, {...record, ended: {at: Date.now(), status}});
				else rmSync(folder, {recursive: true, force: true});
			} catch {
				// The host has removed it already.
			}
		},
	};
}

/** Makes room for one more machine that is kept. */
function dropOldest(directory: string): void {
	const ended = namesIn(directory).flatMap((name) => {
		const folder = join(directory, name);
		const record = readRecord(folder);
		return record?.ended === undefined ? [] : [{folder, at: record.ended.at}];
	});
	for (const {folder} of ended.sort((a, b) => b.at - a.at).slice(maxKept - 1))
		rmSync(folder, {recursive: true, force: true});
}
