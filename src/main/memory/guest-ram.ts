import type {MappedRange, MemoryRange} from '#devices/guest-memory';
import type {MemoryConfig} from '#main/config';
import {Advice, addressOf, advise, close, Mmap, mapOver} from '#support/ffi';
import {allocateSharedPages, maxSharedPages} from '#support/shared-memory';
import {copyBacking, openBacking, type RamContents} from './backing.ts';
import {memoryError} from './errors.ts';

/** Guest RAM as the owner has it. */
export interface GuestRam {
	/** What every thread attaches to; no piece is larger than one shared buffer can be. */
	readonly ranges: readonly MappedRange[];
	/** What lies under it, for inspect. */
	readonly backing: string;
	/** Descriptor of the backing, for parties that map it themselves; of what lies under private copies, if these are. */
	readonly fd: number | undefined;
	/** Writes go to private pages over the backing. */
	readonly isCopyOnWrite: boolean;
	/** Closes the backing's descriptor. The pages live as long as a thread references their buffers. */
	dispose(): void;
}

/**
 * Reserves guest RAM for the ranges of a machine, filled with zeros or, page by page as they are touched, with `contents`. Pages are committed when touched, unless `prefetch` asks for them:
 * see `prefetchRam`.
 * @throws VmmError when the host cannot give it
 */
export function allocateRam(config: MemoryConfig, layout: readonly MemoryRange[], contents?: RamContents): GuestRam {
	const isCopyOnWrite = contents !== undefined;
	const backing = contents === undefined ? openBacking(config) : copyBacking(contents, config.sizeBytes);
	let fileOffset = 0;
	try {
		const ranges = layout.flatMap(splitRange).map((range): MappedRange => {
			const buffer = reserve(range.length);
			const hostAddress = addressOf(buffer);
			if (backing !== undefined) {
				const sharing = isCopyOnWrite ? Mmap.PRIVATE : Mmap.SHARED;
				const flags = sharing | (config.hugepages ? 0 : Mmap.NORESERVE);
				const protection = Mmap.PROT_READ | Mmap.PROT_WRITE;
				const where = {protection, flags, fd: backing.fd, offset: fileOffset};
				checkMapped(mapOver(hostAddress, range.length, where), config, backing.what);
			}
			if (!config.hugepages) advise(hostAddress, range.length, config.thp ? Advice.HUGEPAGE : Advice.NOHUGEPAGE);
			// A core dump of this process is not a dump of its guests.
			advise(hostAddress, range.length, Advice.DONTDUMP);
			fileOffset += range.length;
			return {...range, buffer, bufferOffset: 0, hostAddress};
		});
		const dispose = () => void (backing !== undefined && close(backing.fd));
		return {ranges, backing: backing?.what ?? 'private pages', fd: backing?.fd, isCopyOnWrite, dispose};
	} catch (error) {
		if (backing !== undefined) close(backing.fd);
		throw error;
	}
}

function splitRange({gpa, length}: MemoryRange): MemoryRange[] {
	const pieces: MemoryRange[] = [];
	for (let done = 0; done < length; done += maxSharedPages) {
		pieces.push({gpa: gpa + done, length: Math.min(maxSharedPages, length - done)});
	}
	return pieces;
}

function reserve(sizeBytes: number): SharedArrayBuffer {
	try {
		return allocateSharedPages(sizeBytes);
	} catch (cause) {
		throw memoryError('MEMORY_ADDRESS_SPACE_EXHAUSTED', {sizeBytes}, {cause});
	}
}

function checkMapped(result: number, {sizeBytes, hugepages, hugepageSizeBytes = 2 ** 21}: MemoryConfig, what: string) {
	if (result === 0) return;
	if (hugepages) {
		throw memoryError('MEMORY_HUGEPAGES_UNAVAILABLE', {sizeBytes, pageBytes: hugepageSizeBytes, errno: result});
	}
	throw memoryError('MEMORY_BACKING_FAILED', {what, sizeBytes, errno: result});
}
