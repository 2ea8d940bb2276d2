import {fstatSync, statfsSync} from 'node:fs';
import type {VmmError} from '#support/errors';
import {type MemoryWatch, watchMemory} from '#support/memory-watch';
import {memoryError} from './errors.ts';
import type {RamBank} from './ram-bank.ts';

const pageBytes = 4096;

/** Notices that the host has no page to put under guest RAM any more. The process and its other machines go on. */
export class RamWatch implements Disposable {
	/** Resolves soon after that. */
	readonly lost: Promise<VmmError>;
	readonly #banks: readonly RamBank[];
	readonly #watch: MemoryWatch;
	readonly #lose: (error: VmmError) => void;
	#error: VmmError | undefined;

	constructor(banks: readonly RamBank[]) {
		this.#banks = banks;
		const {promise, resolve} = Promise.withResolvers<VmmError>();
		this.lost = promise;
		const memories = banks.flatMap(({ranges, hugepageBytes = pageBytes}) =>
			ranges.map(({hostAddress, length}) => ({hostAddress, length, pageBytes: hugepageBytes})),
		);
		this.#lose = resolve;
		this.#watch = watchMemory(memories, () => this.tell());
	}

	/** The same at once: whoever has seen what follows from it sees it here. */
	get loss(): VmmError | undefined {
		const address = this.#watch.failedAt;
		if (address !== undefined) this.#error ??= describe(address, this.#banks);
		return this.#error;
	}

	/**
	 * Looks, too, whether a file has been cut where nobody of this process has touched it since: who reads what there is of it finds no
	 * more than zeros, and the kernel's own touch, for KVM, gives no signal.
	 */
	look(): VmmError | undefined {
		for (const {fd, fdOffset, ranges} of this.#banks) {
			if (fd === undefined || this.loss !== undefined) continue;
			const address = addressBehind(ranges, sizeOf(fd) - fdOffset);
			if (address !== undefined) this.#error = describe(address, this.#banks);
		}
		return this.loss;
	}

	/** Has {@link lost} resolve where {@link look} has found something, too. */
	tell(): void {
		if (this.loss !== undefined) this.#lose(this.loss);
	}

	[Symbol.dispose](): void {
		// While descriptors are open that tell why.
		void this.loss;
		this.#watch[Symbol.dispose]();
	}
}

/** Of a file that is not there to be asked, as one of a server's can be, nothing is known. */
function sizeOf(fd: number): number {
	try {
		return fstatSync(fd).size;
	} catch {
		return Number.POSITIVE_INFINITY;
	}
}

/** Host address of the first page behind so many bytes of a bank; undefined where that is all of it. */
function addressBehind(ranges: RamBank['ranges'], bytes: number): number | undefined {
	let left = Math.max(bytes, 0);
	for (const {hostAddress, length} of ranges) {
		if (left < length) return hostAddress + left;
		left -= length;
	}
	return undefined;
}

function describe(address: number, banks: readonly RamBank[]): VmmError {
	for (const bank of banks) {
		let fileOffset = bank.fdOffset;
		for (const {hostAddress, length, gpa} of bank.ranges) {
			const offset = address - hostAddress;
			if (offset >= 0 && offset < length) {
				const cause = causeOf(bank, fileOffset + offset);
				return memoryError('MEMORY_LOST', {gpa: gpa + offset, what: bank.backing, cause});
			}
			fileOffset += length;
		}
	}
	throw new RangeError(`0x${address.toString(16)} is no guest RAM`);
}

/** Looks at what lies under a bank, for why there is no page at an offset of it. */
function causeOf({fd, isCopyOnWrite, hugepageBytes}: RamBank, offset: number): string {
	const unknown = 'the host had no page for it, or could not read it';
	if (fd === undefined) return unknown;
	const size = sizeOf(fd);
	if (offset >= size) return `the file has been cut to ${size} bytes`;
	if (hugepageBytes !== undefined) return 'the host has no huge page left';
	try {
		const {bavail, blocks} = statfsSync(`/proc/self/fd/${fd}`);
		return !isCopyOnWrite && blocks > 0 && bavail === 0 ? 'its file system is full' : unknown;
	} catch {
		return unknown;
	}
}
