import {type FileHandle, open, rename, rm} from 'node:fs/promises';
import {basename} from 'node:path';
import {setTimeout as sleep} from 'node:timers/promises';
import type {ProfileRequest} from '#main/config';
import {readSymbolFiles} from '#main/symbols';
import {abortable, type LongOperation} from '#support/abort';
import {errnoOf} from '#support/ffi';
import {profileError} from './errors.ts';
import {type ProfiledVm, Profiling} from './profiling.ts';
import {speedscopeFile} from './speedscope.ts';

/** A profile that is being made. */
export interface ProfileInFile {
	/** Ends it and writes the file. @returns how many samples it has. @throws VmmError PROFILE_FAILED, OPERATION_ABORTED */
	finish(asked?: LongOperation): Promise<number>;
	/** Ends it without a file. */
	abandon(): Promise<void>;
}

/**
 * Begins to sample a machine for a file. What is wrong with the files shows now, and the file has its name only when it is whole.
 * @throws VmmError PROFILE_…, SYMBOLS_…, VM_STOPPED
 */
export async function startProfile(vm: ProfiledVm, {path, hz, symbols = []}: ProfileRequest): Promise<ProfileInFile> {
	const given = readSymbolFiles(symbols);
	const temporary = `${path}.${process.getBuiltinModule('node:crypto').randomUUID()}`;
	const file = await orFail(path, open(temporary, 'wx', 0o600));
	const giveUp = async () => {
		await file.close().catch(() => {});
		await rm(temporary, {force: true});
	};
	try {
		const profiling = new Profiling(vm, {symbols: given, ...(hz !== undefined && {hz})});
		return {
			async finish(asked) {
				try {
					const table = await profiling.finish(asked);
					await orFail(path, write(file, speedscopeFile(profiling.profile, table, basename(path))));
					await orFail(path, rename(temporary, path));
				} catch (error) {
					await giveUp();
					throw error;
				}
				return profiling.profile.sampleCount;
			},
			async abandon() {
				profiling.abandon();
				await giveUp();
			},
		};
	} catch (error) {
		await giveUp();
		throw error;
	}
}

/**
 * Makes a profile of the next seconds of a machine, or until it ends.
 * @returns how many samples it has
 * @throws VmmError PROFILE_…, SYMBOLS_…, VM_STOPPED, OPERATION_ABORTED; nothing is left behind
 */
export async function profileFor(
	vm: ProfiledVm,
	seconds: number,
	request: ProfileRequest,
	asked: LongOperation = {},
): Promise<number> {
	const {signal} = asked;
	const profile = await startProfile(vm, request);
	const waiting = new AbortController();
	try {
		const ended = vm.ended.then(() => {});
		const either = signal === undefined ? waiting.signal : AbortSignal.any([waiting.signal, signal]);
		await abortable('profile', signal, () =>
			Promise.race([sleep(seconds * 1000, undefined, {signal: either}).catch(() => signal?.throwIfAborted()), ended]),
		);
	} catch (error) {
		await profile.abandon();
		throw error;
	} finally {
		waiting.abort();
	}
	return profile.finish(asked);
}

async function write(file: FileHandle, pieces: Iterable<string>): Promise<void> {
	for (const piece of pieces) await file.write(piece);
	await file.close();
}

async function orFail<T>(path: string, work: Promise<T>): Promise<T> {
	try {
		return await work;
	} catch (cause) {
		const errno = errnoOf(cause);
		if (errno === undefined) throw cause;
		throw profileError('PROFILE_FAILED', {path, errno}, {cause});
	}
}
