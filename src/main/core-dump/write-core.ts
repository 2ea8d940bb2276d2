import {randomUUID} from 'node:crypto';
import {type FileHandle, open, rename, rm} from 'node:fs/promises';
import type {GuestMemory} from '#devices/guest-memory';
import {concatBytes} from '#main/acpi/packed-record';
import type {ProcessorRegisters} from '#vcpu-worker/registers';
import {type CoreLayout, layOutCore, type PlacedRange} from './core-layout.ts';
import {coreDumpError} from './errors.ts';
import {prstatusNote, qemuNote, vmcoreinfoNote} from './notes.ts';
import {findVmcoreinfo, maxVmcoreinfoBytes} from './vmcoreinfo.ts';

/** Called with the bytes of RAM that have been looked at. */
export type DumpProgress = (doneBytes: number, totalBytes: number) => void;

/** What a core file shows. Nothing of it changes meanwhile. */
export interface CoreContents {
	readonly memory: GuestMemory;
	/** By index. */
	readonly processors: readonly ProcessorRegisters[];
}

const pageBytes = 4096;
const stepBytes = 2 ** 20;
const zeroPage = Buffer.alloc(pageBytes);

/**
 * Writes a core file for gdb and crash. Pages of zeros are holes. The file has its name only when it is whole, and only
 * its owner may read it: it holds everything that the guest had in memory.
 * @throws CORE_DUMP_FAILED; nothing is left behind
 */
export async function writeCore(
	path: string,
	contents: CoreContents,
	progress: DumpProgress = () => {},
): Promise<void> {
	const temporary = `${path}.${randomUUID()}`;
	try {
		const file = await open(temporary, 'wx', 0o600);
		try {
			await writeTo(file, contents, progress);
		} finally {
			await file.close();
		}
		await rename(temporary, path);
	} catch (error) {
		await rm(temporary, {force: true}).catch(() => {});
		throw coreDumpError('CORE_DUMP_FAILED', {path, errno: (error as NodeJS.ErrnoException).code ?? ''}, {cause: error});
	}
}

async function writeTo(file: FileHandle, {memory, processors}: CoreContents, progress: DumpProgress): Promise<void> {
	const processorNotes = [
		...processors.map((registers, vcpu) => prstatusNote(vcpu, registers)),
		...processors.map(qemuNote),
	];
	const fixed = concatBytes(...processorNotes);
	const layout = layOutCore(memory.ranges, fixed.length + vmcoreinfoNote(new Uint8Array(maxVmcoreinfoBytes)).length);
	await file.truncate(layout.fileBytes);
	const text = await writeRam(file, memory, layout, progress);
	const notes = text === undefined ? fixed : concatBytes(fixed, vmcoreinfoNote(text));
	await file.write(concatBytes(layout.header(notes.length), notes), 0, undefined, 0);
}

/** Returns what a Linux kernel says of itself in its memory. */
async function writeRam(
	file: FileHandle,
	memory: GuestMemory,
	{ranges}: CoreLayout,
	progress: DumpProgress,
): Promise<Uint8Array | undefined> {
	const total = ranges.reduce((sum, {length}) => sum + length, 0);
	const buffer = Buffer.alloc(stepBytes);
	let text: Uint8Array | undefined;
	let done = 0;
	for (const range of ranges) {
		for (let at = 0; at < range.length; at += stepBytes) {
			const bytes = buffer.subarray(0, Math.min(stepBytes, range.length - at));
			memory.read(range.gpa + at, bytes);
			text ??= pagesOf(bytes)
				.map(findVmcoreinfo)
				.find((found) => found !== undefined);
			await writeFilled(file, range, at, bytes);
			done += bytes.length;
			progress(done, total);
		}
	}
	return text;
}

const pagesOf = (bytes: Buffer): Buffer[] =>
	Array.from({length: bytes.length / pageBytes}, (_, index) =>
		bytes.subarray(index * pageBytes, (index + 1) * pageBytes),
	);

/** Writes the runs of pages that are not all zeros. */
async function writeFilled(file: FileHandle, range: PlacedRange, at: number, bytes: Buffer): Promise<void> {
	let start: number | undefined;
	for (let page = 0; page <= bytes.length; page += pageBytes) {
		const isZero = page === bytes.length || zeroPage.compare(bytes, page, page + pageBytes) === 0;
		if (!isZero) start ??= page;
		else if (start !== undefined) {
			await writeAll(file, bytes.subarray(start, page), range.offset + at + start);
			start = undefined;
		}
	}
}

/** One write may take only a part. */
async function writeAll(file: FileHandle, bytes: Buffer, position: number): Promise<void> {
	for (let done = 0; done < bytes.length; ) {
		done += (await file.write(bytes, done, bytes.length - done, position + done)).bytesWritten;
	}
}
