import {renameSync, rmdirSync, rmSync, statSync} from 'node:fs';
import {constants} from 'node:os';
import {dirname, join} from 'node:path';
import {makeOwnFolder} from '#main/own-folder';
import {canConnect} from './control-client.ts';
import {entryFiles} from './entry-files.ts';
import {type MachineRecord, readRecord, writeRecord} from './machine-record.ts';
import {isAlive} from './process-identity.ts';

const killed = 128 + constants.signals.SIGKILL;

/**
 * Deals with the folder of a machine whose process is gone without having said so: it is removed, or gets an end where it is
 * kept. @returns true when the name is free now
 */
export async function tidyEntry(folder: string): Promise<boolean> {
	const record = readRecord(folder);
	if (record === undefined || record.ended !== undefined || isAlive(record.process)) return false;
	// It may live where its id means nothing here.
	if (await canConnect(join(folder, entryFiles.socket))) return false;
	if (record.keeps) {
		const at = statSync(folder, {throwIfNoEntry: false})?.mtimeMs ?? Date.now();
		try {
			writeRecord(folder, {...record, ended: {at, status: killed}});
		} catch {
			// Somebody removes it meanwhile.
		}
		return false;
	}
	return removeEntry(folder, ({createdAt}) => createdAt === record.createdAt);
}

/** Prefix of a folder that is of no machine yet, or any more. */
export const draftPrefix = '.';

/**
 * Removes a machine's folder, if it is the one that is meant: another may have taken the name since it was looked at.
 * @returns whether it is gone
 */
export function removeEntry(folder: string, isMeant: (record: MachineRecord) => boolean): boolean {
	// Under another name first, where nobody finds it any more, and nobody else takes its place.
	const trash = makeOwnFolder(dirname(folder), draftPrefix);
	const moved = join(trash, 'entry');
	try {
		renameSync(folder, moved);
		const record = readRecord(moved);
		const isIt = record !== undefined && isMeant(record);
		if (isIt) rmSync(moved, {recursive: true, force: true});
		else renameSync(moved, folder);
		return isIt;
	} catch {
		// Somebody else was first.
		return false;
	} finally {
		removeEmpty(trash);
	}
}

function removeEmpty(folder: string): void {
	try {
		rmdirSync(folder);
	} catch {
		// What could not be moved back stays until this process is gone.
	}
}
