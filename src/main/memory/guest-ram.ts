import {
	type DiscardWay,
	type LedgerPlace,
	ledgerBytes,
	type MappedRange,
	type MemoryHandle,
	type MemoryRange,
	PinCount,
	pageClockBytes,
} from '#devices/guest-memory';
import {hugepageBytesOf, type MemoryConfig} from '#main/config';
import {Advice, addressOf, advise, bindMemory, close, Mmap, mapOver} from '#support/ffi';
import {allocateSharedMemory, maxSharedPages, type SharedMemory} from '#support/shared-memory';
import {copyBacking, openBacking, type RamContents} from './backing.ts';
import {memoryError} from './errors.ts';
import type {RamBank} from './ram-bank.ts';
import {RamWatch} from './ram-watch.ts';

/** Memory that is to be reserved in one way: all of a machine's, or a NUMA node's. */
export interface BankRequest {
	readonly memory: MemoryConfig;
	readonly ranges: readonly MemoryRange[];
	/** The host's NUMA node that all pages come from. */
	readonly hostNode?: number;
}

/** Guest RAM as the owner has it. */
export interface GuestRam {
	/** Handle that every thread attaches to. */
	readonly memory: MemoryHandle;
	/** All ranges of {@link memory}. */
	readonly ranges: readonly MappedRange[];
	/** The same, by what lies under it. */
	readonly banks: readonly RamBank[];
	/** Tells when the host has no page for it any more. */
	readonly watch: Pick<RamWatch, 'lost' | 'loss' | 'look' | 'tell'>;
	/**
	 * Gives the memory back to the host, once nothing uses it by its host address any more: from now on nothing new can, and what
	 * does so (a system call of a device's, a process that shares the memory) is waited for without a limit. A caller that cannot
	 * wait so long, as a machine's end cannot, leaves the promise alone: until it resolves the memory stays where it is.
	 */
	dispose(): Promise<void>;
}

/**
 * Reserves guest RAM, filled with zeros or, page by page as they are touched, with `contents`. Pages are committed when
 * touched, unless `prefetch` asks for them: see `prefetchRam`.
 * @throws VmmError when the host cannot give it
 */
export function allocateRam(requests: readonly BankRequest[], contents?: RamContents): GuestRam {
	const ledger = new Ledger(requests);
	const places = new Places(requests);
	const banks: RamBank[] = [];
	const closeBackings = () => {
		for (const {fd} of banks) if (fd !== undefined) close(fd);
	};
	try {
		let done = 0;
		for (const request of requests) {
			// Nodes without memory have nothing under them.
			if (request.memory.sizeBytes === 0) continue;
			banks.push(allocateBank(request, places, ledger, contents && {...contents, offset: done}));
			done += request.memory.sizeBytes;
		}
		const ranges = banks.flatMap((bank) => bank.ranges);
		const watch = new RamWatch(banks);
		return {
			memory: {ranges, clock: ledger.clock},
			ranges,
			banks,
			watch,
			async dispose() {
				await Promise.all(ranges.map(giveBack));
				watch[Symbol.dispose]();
				closeBackings();
			},
		};
	} catch (error) {
		closeBackings();
		throw error;
	}
}

/**
 * Keeps RAM and what lies under it where it is for whoever reads it on other threads, past its machine's end where need be.
 * @returns undefined when it is on its way out
 */
export function holdRam({ranges}: {readonly ranges: readonly MappedRange[]}): Disposable | undefined {
	const pins = ranges.map(({ledger}) => new PinCount(ledger));
	const taken = pins.filter((pin) => pin.take());
	const release = () => {
		for (const pin of taken) pin.release();
	};
	if (taken.length === pins.length) return {[Symbol.dispose]: release};
	release();
	return undefined;
}

/** Takes a range's pages away from under its buffer, which may live as long as a thread references it. */
async function giveBack({ledger, hostAddress, length}: MappedRange): Promise<void> {
	await new PinCount(ledger).close();
	const flags = Mmap.PRIVATE | Mmap.ANONYMOUS | Mmap.NORESERVE;
	const protection = Mmap.PROT_READ | Mmap.PROT_WRITE;
	mapOver(BigInt(hostAddress), length, {protection, flags, fd: -1});
}

/** Pages of the host's that can be larger than others are aligned so: a huge page is not cut by the end of a range. */
const rangeAlignment = 2 ** 21;

/**
 * Places for all ranges of a machine: in one memory where it can be as large, so that code compiled to WebAssembly reaches all of
 * RAM; else in several.
 */
class Places {
	/** Bytes of each memory, in order. */
	readonly #sizes: number[] = [0];
	/** Size of the largest huge page; 1 where there is none. */
	readonly #pageBytes: number;
	#memory: SharedMemory | undefined;
	#used = 0;

	constructor(requests: readonly BankRequest[]) {
		this.#pageBytes = Math.max(1, ...requests.map(({memory}) => hugepageBytesOf(memory) ?? 1));
		for (const {length} of requests.flatMap(({ranges}) => ranges.flatMap(splitRange))) {
			const last = this.#sizes.length - 1;
			const size = (this.#sizes[last] ?? 0) + this.#aligned(length);
			if (size + this.#slack > maxSharedPages) this.#sizes.push(this.#aligned(length));
			else this.#sizes[last] = size;
		}
	}

	/** The next range's place. */
	take(length: number): {readonly memory: SharedMemory; readonly offset: number} {
		if (this.#memory !== undefined && this.#used + this.#aligned(length) > this.#memory.buffer.byteLength)
			this.#memory = undefined;
		if (this.#memory === undefined) {
			this.#memory = reserve((this.#sizes.shift() ?? 0) + this.#slack);
			this.#used = Number(BigInt.asUintN(64, -addressOf(this.#memory.buffer)) % BigInt(this.#pageBytes));
		}
		const offset = this.#used;
		this.#used += this.#aligned(length);
		return {memory: this.#memory, offset};
	}

	/** V8 chooses the address of a memory, which need not be where a huge page can be. */
	get #slack(): number {
		return this.#pageBytes - 1;
	}

	#aligned(length: number): number {
		const unit = Math.max(rangeAlignment, this.#pageBytes);
		return Math.ceil(length / unit) * unit;
	}
}

/** The shared words about all pages of a machine, in one piece of memory. */
class Ledger {
	readonly #memory: SharedMemory;
	#used = pageClockBytes;

	constructor(requests: readonly BankRequest[]) {
		const lengths = requests.flatMap(({ranges}) => ranges.flatMap(splitRange)).map(({length}) => ledgerBytes(length));
		this.#memory = reserve(lengths.reduce((sum, length) => sum + length, pageClockBytes));
	}

	get clock(): SharedArrayBuffer {
		return this.#memory.buffer;
	}

	/** Room for the words about a range of such a length. */
	place(length: number): LedgerPlace {
		const offset = this.#used;
		this.#used += ledgerBytes(length);
		return {memory: this.#memory, offset};
	}
}

/** @param contents - of the machine; those of this bank begin at `offset` */
function allocateBank(
	{memory, ranges: layout, hostNode}: BankRequest,
	places: Places,
	ledger: Ledger,
	contents: (RamContents & {readonly offset: number}) | undefined,
): RamBank {
	const isCopyOnWrite = contents !== undefined;
	const backing = contents === undefined ? openBacking(memory) : copyBacking(contents, memory.sizeBytes);
	const fdOffset = contents?.offset ?? 0;
	let fileOffset = fdOffset;
	try {
		const ranges = layout.flatMap(splitRange).map((range): MappedRange => {
			const {memory: pages, offset} = places.take(range.length);
			const hostAddress = addressOf(pages.buffer) + BigInt(offset);
			if (backing !== undefined) {
				const sharing = isCopyOnWrite ? Mmap.PRIVATE : Mmap.SHARED;
				const flags = sharing | (memory.hugepages ? 0 : Mmap.NORESERVE);
				const protection = Mmap.PROT_READ | Mmap.PROT_WRITE;
				const where = {protection, flags, fd: backing.fd, offset: fileOffset};
				checkMapped(mapOver(hostAddress, range.length, where), memory, backing.what);
			}
			if (hostNode !== undefined) bind(hostAddress, range.length, hostNode);
			if (!memory.hugepages) advise(hostAddress, range.length, memory.thp ? Advice.HUGEPAGE : Advice.NOHUGEPAGE);
			// A core dump of this process is not a dump of its guests.
			advise(hostAddress, range.length, Advice.DONTDUMP);
			fileOffset += range.length;
			const place = {memory: pages, offset, hostAddress: Number(hostAddress)};
			const discards = discardWay(memory, backing !== undefined, isCopyOnWrite);
			return {...range, ...place, ...(discards && {discards}), ledger: ledger.place(range.length)};
		});
		const {prefetch} = memory;
		const hugepageBytes = hugepageBytesOf(memory);
		const under = {backing: backing?.what ?? 'private pages', fd: backing?.fd, fdOffset, isCopyOnWrite, hugepageBytes};
		return {ranges, ...under, prefetch};
	} catch (error) {
		if (backing !== undefined) close(backing.fd);
		throw error;
	}
}

/** Huge pages go back whole or not at all, and no guest gives whole ones. */
function discardWay(memory: MemoryConfig, hasBacking: boolean, isCopyOnWrite: boolean): DiscardWay | undefined {
	if (hugepageBytesOf(memory) !== undefined) return undefined;
	if (isCopyOnWrite) return 'contents';
	return hasBacking ? 'hole' : 'zeros';
}

/** Before the first page is there, so that none comes from elsewhere. */
function bind(address: bigint, length: number, node: number): void {
	const errno = bindMemory(address, length, node);
	if (errno < 0) throw memoryError('MEMORY_NODE_UNAVAILABLE', {node, sizeBytes: length, errno});
}

/** Views of it, one for each range, are arrays of bytes: V8 makes none larger. */
const maxRange = 8 * 1024 ** 3;

function splitRange({gpa, length}: MemoryRange): MemoryRange[] {
	const pieces: MemoryRange[] = [];
	for (let done = 0; done < length; done += maxRange) {
		pieces.push({gpa: gpa + done, length: Math.min(maxRange, length - done)});
	}
	return pieces;
}

function reserve(sizeBytes: number): SharedMemory {
	try {
		return allocateSharedMemory(sizeBytes);
	} catch (cause) {
		throw memoryError('MEMORY_ADDRESS_SPACE_EXHAUSTED', {sizeBytes}, {cause});
	}
}

function checkMapped(result: number, memory: MemoryConfig, what: string) {
	if (result === 0) return;
	const {sizeBytes} = memory;
	const pageBytes = hugepageBytesOf(memory);
	if (pageBytes !== undefined) throw memoryError('MEMORY_HUGEPAGES_UNAVAILABLE', {sizeBytes, pageBytes, errno: result});
	throw memoryError('MEMORY_BACKING_FAILED', {what, sizeBytes, errno: result});
}
