import type {GuestMemory} from '#devices/guest-memory';
import {type PagingRegisters, walk} from './page-walk.ts';

const pageBytes = 0x1000n;
const physicalLimit = 2n ** 52n;

/** Guest memory as a debugger addresses it: by one processor's page tables, or physically. */
export class GuestView {
	readonly #memory: GuestMemory;
	readonly #paging: PagingRegisters | 'physical';

	constructor(memory: GuestMemory, paging: PagingRegisters | 'physical') {
		this.#memory = memory;
		this.#paging = paging;
	}

	/** The guest-physical address; undefined where nothing is mapped. It may lie outside RAM. */
	translate(address: bigint): number | undefined {
		if (this.#paging !== 'physical') return walk(this.#memory, this.#paging, address);
		return address < physicalLimit ? Number(address) : undefined;
	}

	/** As many of the bytes from `address` on as are there. */
	read(address: bigint, length: number): Uint8Array {
		const bytes = new Uint8Array(length);
		let done = 0;
		for (const {physical, start, count} of this.#pages(address, length)) {
			if (physical === undefined || !this.#memory.copyOut(physical, bytes, start, count)) break;
			done += count;
		}
		return bytes.subarray(0, done);
	}

	/** Writes all of the bytes, or none: false when some of them have no memory. */
	write(address: bigint, source: Uint8Array): boolean {
		const pages = [...this.#pages(address, source.length)];
		const isThere = ({physical, count}: PagePart) => physical !== undefined && this.#memory.contains(physical, count);
		if (!pages.every(isThere)) return false;
		for (const {physical, start, count} of pages) {
			this.#memory.copyIn(physical as number, source, start, count);
		}
		return true;
	}

	*#pages(address: bigint, length: number): Generator<PagePart> {
		for (let start = 0; start < length; ) {
			const at = BigInt.asUintN(64, address + BigInt(start));
			const count = Math.min(length - start, Number(pageBytes - (at % pageBytes)));
			yield {physical: this.translate(at), start, count};
			start += count;
		}
	}
}

/** The part of an access that lies in one page. */
interface PagePart {
	readonly physical: number | undefined;
	readonly start: number;
	readonly count: number;
}
