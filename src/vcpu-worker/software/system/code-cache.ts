import {type CodeSize, decodeBlock} from '#vcpu-worker/software/decode';
import type {Core} from '#vcpu-worker/software/interpreter';
import type {CodePages, PhysicalMemory} from '#vcpu-worker/software/mmu';

/** Decoded part of one page. */
interface PageCode {
	/** First record of the blocks that are known, by where in the page they begin, for each size of code. */
	readonly blocks: Map<number, number>;
	/** Bytes from here to there are decoded. */
	first: number;
	end: number;
}

/** Decoded code by physical page: what is known of where, and what a write makes unknown. */
export class CodeCache implements CodePages {
	readonly #core: Core;
	readonly #memory: PhysicalMemory;
	readonly #pages = new Map<number, PageCode>();
	/** Makes stores to a page that has code from now on come to {@link written}. */
	readonly #watch: () => void;

	constructor(core: Core, memory: PhysicalMemory, watch: () => void) {
		this.#core = core;
		this.#memory = memory;
		this.#watch = watch;
	}

	/** Pages that have code. */
	get size(): number {
		return this.#pages.size;
	}

	hasCode(page: number): boolean {
		return this.#pages.has(page);
	}

	/**
	 * The block at an offset of a physical page.
	 * @returns address of its first record; undefined where the page is no RAM
	 */
	block(page: number, offset: number, codeSize: CodeSize): number | undefined {
		const key = offset | (codeSize << 12);
		const known = this.#pages.get(page)?.blocks.get(key);
		if (known !== undefined) return known;
		const bytes = this.#memory.page(page);
		if (bytes === undefined) return undefined;
		const steps = decodeBlock(bytes, offset, {codeSize});
		if (!this.#core.fits(steps.length)) this.forget();
		let code = this.#pages.get(page);
		if (code === undefined) {
			code = {blocks: new Map(), first: offset, end: offset};
			this.#pages.set(page, code);
			this.#core.state.decodedPages++;
			this.#watch();
		}
		const record = this.#core.write(steps);
		code.blocks.set(key, record);
		code.first = Math.min(code.first, offset);
		code.end = Math.max(code.end, steps.at(-1)?.next ?? offset);
		return record;
	}

	written(page: number, offset: number, length: number, record: number): void {
		const code = this.#pages.get(page);
		if (code === undefined || offset >= code.end || offset + length <= code.first) return;
		this.#pages.delete(page);
		this.#core.forgetJumps();
		// The block that runs may be one of these: it ends behind the instruction that wrote.
		if (record !== 0) this.#core.endBehind(record);
	}

	/** Forgets all code. */
	forget(): void {
		this.#pages.clear();
		this.#core.forgetCode();
	}
}
