import {existsSync, lstatSync, mkdirSync, readdirSync, realpathSync, rmSync} from 'node:fs';
import {type FileHandle, open, rename} from 'node:fs/promises';
import {basename, dirname, join, resolve} from 'node:path';
import {untilAborted} from '#support/abort';
import {errnoName, errnoOf, exchangePaths} from '#support/ffi';
import {snapshotError} from './errors.ts';
import {snapshotFiles} from './files.ts';

/** A snapshot being written beside its place, so that what is in its place stays whole until the new one is. */
export interface NewFolder {
	readonly path: string;
	/** Puts the folder in its place, in one step, and removes what was there. @throws the signal's reason, before that step */
	commit(signal?: AbortSignal): Promise<void>;
	/** Removes what has not been put in its place. */
	close(): void;
}

/** Places that this process is writing a snapshot for. */
const underWay = new Set<string>();

/**
 * Makes the folder to write into.
 * @throws VmmError SNAPSHOT_TARGET_TAKEN; NodeJS.ErrnoException
 */
export function makeFolder(directory: string): NewFolder {
	const target = placeOf(resolve(directory));
	const found = underWay.has(target) ? 'being written by another save' : whatIsThere(target);
	if (found !== undefined) throw snapshotError('SNAPSHOT_TARGET_TAKEN', {directory, found});
	const path = join(dirname(target), `.${basename(target)}.${process.pid}.new`);
	const discard = () => rmSync(path, {recursive: true, force: true});
	discard();
	mkdirSync(path, {mode: 0o700});
	underWay.add(target);
	const close = () => {
		underWay.delete(target);
		discard();
	};
	const commit = async (signal?: AbortSignal) => {
		for (const name of Object.values(snapshotFiles)) await flush(join(path, name), signal);
		await flush(path, signal);
		signal?.throwIfAborted();
		if (existsSync(target)) {
			const result = exchangePaths(path, target);
			if (result < 0) throw Object.assign(new Error('exchange'), {code: errnoName(result)});
		} else {
			await rename(path, target);
		}
		await flush(dirname(target));
	};
	return {path, commit, close};
}

/** The same for every path that leads there. */
const placeOf = (path: string): string => join(realpathSync(dirname(path)), basename(path));

/** Names the thing that keeps a snapshot from taking this place; undefined when nothing does. */
function whatIsThere(target: string): string | undefined {
	const stat = lstatSync(target, {throwIfNoEntry: false});
	if (stat === undefined) return undefined;
	if (!stat.isDirectory()) return 'not a folder';
	const names: readonly string[] = readdirSync(target);
	const known: readonly string[] = Object.values(snapshotFiles);
	return names.every((name) => known.includes(name)) ? undefined : 'a folder that holds other things than a snapshot';
}

/** Brings the folder's content to the disk, before its name gets there. */
async function flush(path: string, signal?: AbortSignal): Promise<void> {
	signal?.throwIfAborted();
	// A slow disk takes minutes for it, and nothing ends it: whoever gives up leaves it to itself.
	await untilAborted(syncAndClose(await open(path)), signal);
}

async function syncAndClose(file: FileHandle): Promise<void> {
	try {
		await file.sync();
	} catch (error) {
		// Some file systems cannot sync a folder.
		if (errnoOf(error) !== 'EINVAL') throw error;
	} finally {
		await file.close();
	}
}
