import {type FileHandle, open, rename, rm} from 'node:fs/promises';
import {availableParallelism} from 'node:os';
import {setImmediate as nextTurn} from 'node:timers/promises';
import {createJobPool, maxVmcoreinfoBytes, type RamPages} from '#main/jobs';
import {ramPieces, writeRam} from '#main/memory';
import type {LongOperation} from '#support/abort';
import {errorTable} from '#support/errors';
import {errnoOf} from '#support/ffi';
import {concatBytes} from '#support/wire';
import type {ProcessorRegisters} from '#vcpu-worker/registers';
import {layOutCore} from './core-layout.ts';
import {notesIn} from './find-notes.ts';
import {prstatusNote, qemuNote, vmcoreinfoNote} from './notes.ts';

/** Errors of a core dump. */
const coreDumpError = errorTable({
	CORE_DUMP_FAILED: (c: {path: string; errno: string}) => ({
		message: `The core dump "${c.path}" could not be written: ${c.errno}`,
		remedy:
			c.errno === 'ENOSPC'
				? "Make room on that disk: a dump takes as much as the guest's memory that is not zero"
				: 'Name a file in a directory that exists and may be written to',
	}),
});

/** The machine that a core file shows, which stands still meanwhile. */
export interface CoreContents {
	readonly ram: RamPages;
	/** Registers of each processor, by index. */
	readonly processors: readonly ProcessorRegisters[];
}

/**
 * Writes a core file for gdb and crash. Pages of zeros are holes. The file has its name only when it is whole, and only
 * its owner may read it: it holds everything that the guest had in memory. RAM is read on threads of its own: the guest
 * decides what is in it.
 * @throws CORE_DUMP_FAILED, the signal's reason; nothing is left behind
 */
export async function writeCore(path: string, contents: CoreContents, asked: LongOperation = {}): Promise<void> {
	const temporary = `${path}.${process.getBuiltinModule('node:crypto').randomUUID()}`;
	try {
		const file = await open(temporary, 'wx', 0o600);
		try {
			await writeTo(file, contents, asked);
		} finally {
			await file.close();
		}
		asked.signal?.throwIfAborted();
		await rename(temporary, path);
	} catch (error) {
		await rm(temporary, {force: true}).catch(() => {});
		const errno = errnoOf(error);
		if (errno === undefined || (asked.signal?.aborted && error === asked.signal.reason)) throw error;
		throw coreDumpError('CORE_DUMP_FAILED', {path, errno}, {cause: error});
	}
}

async function writeTo(file: FileHandle, {ram, processors}: CoreContents, asked: LongOperation): Promise<void> {
	const fixed = await processorNotes(processors);
	const layout = layOutCore(ram.ranges, fixed.length + vmcoreinfoNote(new Uint8Array(maxVmcoreinfoBytes)).length);
	await file.truncate(layout.fileBytes);
	const text = await writeRanges(ram, {fd: file.fd, start: layout.ramOffset}, asked);
	const notes = text === undefined ? fixed : concatBytes(fixed, vmcoreinfoNote(text));
	await file.write(concatBytes(layout.header(notes.length), notes), 0, undefined, 0);
}

/** There may be hundreds of processors, and a guest decides when: each takes its turn with whatever else the thread has to do. */
async function processorNotes(processors: readonly ProcessorRegisters[]): Promise<Uint8Array> {
	const [states, forQemu]: [Uint8Array[], Uint8Array[]] = [[], []];
	for (const [vcpu, registers] of processors.entries()) {
		states.push(prstatusNote(vcpu, registers));
		forQemu.push(qemuNote(registers));
		await nextTurn();
	}
	return concatBytes(...states, ...forQemu);
}

/** Returns what a Linux kernel says of itself in its memory. */
async function writeRanges(
	ram: RamPages,
	file: {readonly fd: number; readonly start: number},
	asked: LongOperation,
): Promise<Uint8Array | undefined> {
	const pool = await createJobPool(availableParallelism());
	try {
		const populated = await pool.populatedChunks(ram);
		await writeRam(pool, ram, populated, file, asked);
		return await notesIn(pool, ramPieces(ram.ranges, populated), asked);
	} finally {
		await pool.close();
	}
}
