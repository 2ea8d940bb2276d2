import type {Lines} from '#devices/guest-memory';
import {type CodeSize, decodeBlock} from '#vcpu-worker/software/decode';
import type {Core} from '#vcpu-worker/software/interpreter';
import {type CodePages, linesIn, type PhysicalMemory} from '#vcpu-worker/software/mmu';
import type {Rendezvous} from '#vcpu-worker/software/shared';
import type {FirstAt} from '#vcpu-worker/software/translator';

/** Decoded part of one page. */
interface PageCode {
	/** First record of the blocks that are known, by where in the page they begin, for each size of code. */
	readonly blocks: Map<number, number>;
	/** Lines of the page that they were decoded from. */
	readonly lines: Lines;
	/** Physical address. */
	readonly page: number;
}

/** A page whose writers may not all know that it holds code. */
interface Unsure {
	/** Epoch after which all know. */
	readonly epoch: number;
	/** Its bytes, from which blocks are decoded: what is compared is what was decoded, also where a writer takes back what it wrote. */
	readonly bytes: Uint8Array;
}

const pageBytes = 4096;
/** Times that translations of a page are thrown away before it has no more. */
const maxRewritten = 6;

/** Decoded code by physical page: what is known of where, and what a write makes unknown, whoever makes it. */
export class CodeCache implements CodePages {
	readonly #core: Core;
	readonly #memory: PhysicalMemory;
	readonly #others: Rendezvous;
	/** By the page's number in the memory of RAM. */
	readonly #pages = new Map<number, PageCode>();
	readonly #unsure = new Map<number, Unsure>();
	/** How often translated code of a page has been rewritten. */
	readonly #rewritten = new Map<number, number>();
	/** How often a block is executed before {@link Core.run} ends with it; undefined: that is not counted. */
	heat: number | undefined;
	/** Makes stores to a page that has code from now on come to {@link written}. */
	readonly #dropWritable: () => void;

	constructor(core: Core, memory: PhysicalMemory, others: Rendezvous, dropWritable: () => void) {
		this.#core = core;
		this.#memory = memory;
		this.#others = others;
		this.#dropWritable = dropWritable;
	}

	/** Pages that have code. */
	get size(): number {
		return this.#pages.size;
	}

	hasCode(place: number): boolean {
		return this.#memory.watch.isWatched(numberOf(place));
	}

	/**
	 * The block at an offset of a physical page.
	 * @returns address of its first record; undefined where the page is no RAM
	 */
	block(page: number, offset: number, codeSize: CodeSize): number | undefined {
		const key = offset | (codeSize << 12);
		const place = this.#memory.placeOf(page);
		if (place < 0) return undefined;
		const number = numberOf(place);
		const known = this.#pages.get(number)?.blocks.get(key);
		if (known !== undefined) return known;
		const bytes = this.#memory.page(page) as Uint8Array;
		// Before the bytes are read, and so for as many as there may be.
		const lines = linesIn(offset, Math.min(blockBytes, pageBytes - offset));
		let code = this.#pages.get(number);
		if (code === undefined) this.#beginPage(number, bytes, lines);
		else this.#memory.watch.begin(number, lines);
		const steps = decodeBlock(this.#unsure.get(number)?.bytes ?? bytes, offset, {
			codeSize,
			announced: this.#core.announced,
		});
		// A head is one more.
		if (!this.#core.fits(steps.length + 1)) {
			this.forget();
			code = undefined;
		}
		if (code === undefined) {
			code = {blocks: new Map(), lines: {low: 0, high: 0}, page};
			this.#pages.set(number, code);
			this.#core.state.decodedPages++;
		}
		const end = Math.min(Math.max(steps.at(-1)?.next ?? offset, offset + 1), pageBytes);
		const own = linesIn(offset, end - offset);
		code.lines.low |= own.low;
		code.lines.high |= own.high;
		const executions = this.#executionsOf(number);
		const record = this.#core.write(steps, executions === undefined ? undefined : {executions, start: offset});
		code.blocks.set(key, record);
		return record;
	}

	/** Finds the first records of blocks in a physical page that are known; undefined where none is. */
	blocksOf(page: number, codeSize: CodeSize): FirstAt | undefined {
		const place = this.#memory.placeOf(page);
		const blocks = place < 0 ? undefined : this.#pages.get(numberOf(place))?.blocks;
		if (blocks === undefined) return undefined;
		return (offset) => {
			const record = blocks.get(offset | (codeSize << 12));
			return record === undefined ? undefined : this.#core.firstOf(record);
		};
	}

	/** Code that is rewritten again and again is translated later and later, in the end no more. */
	#executionsOf(number: number): number | undefined {
		const times = this.#rewritten.get(number) ?? 0;
		return this.heat === undefined || times > maxRewritten ? undefined : Math.max(this.heat, 1) * 4 ** times;
	}

	written(place: number, length: number, record: number): boolean {
		const number = numberOf(place);
		if (!this.#drop(number, linesIn(place % pageBytes, length))) return false;
		// The block that runs may be one of these: it ends behind the instruction that wrote.
		if (record !== 0) this.#core.endBehind(record);
		return true;
	}

	/** Takes note of what others have written. */
	attend(): void {
		if (!this.#memory.watch.read((number, lines) => void this.#drop(number, lines))) this.forget();
	}

	/**
	 * Looks at pages whose writers may not know yet. Before code goes on that may rely on what another processor has written: behind
	 * each instruction that serializes, and each interrupt.
	 */
	verify(): void {
		if (this.#unsure.size === 0) return;
		for (const [number, {epoch, bytes}] of this.#unsure) {
			// Whether all know is asked before the bytes are compared.
			const isSure = this.#others.haveAll(epoch);
			const code = this.#pages.get(number);
			const now = code && this.#memory.page(code.page);
			if (now !== undefined && Buffer.compare(now, bytes) !== 0) {
				this.#drop(number, everyLine);
				bytes.set(now);
			}
			if (isSure || code === undefined) this.#unsure.delete(number);
		}
	}

	/** Forgets all code. */
	forget(): void {
		this.#pages.clear();
		this.#core.forgetCode();
	}

	/** Begins to watch a page that this processor has no code of. */
	#beginPage(number: number, bytes: Uint8Array, lines: Lines): void {
		this.#dropWritable();
		const epoch = this.#others.begin(() => this.#memory.watch.begin(number, lines));
		if (this.#others.haveAll(epoch)) this.#unsure.delete(number);
		else this.#unsure.set(number, {epoch, bytes: bytes.slice()});
	}

	/** @returns whether there was code */
	#drop(number: number, {low, high}: Lines): boolean {
		const code = this.#pages.get(number);
		if (code === undefined || ((code.lines.low & low) | (code.lines.high & high)) === 0) return false;
		this.#pages.delete(number);
		let wasTranslated = false;
		for (const record of code.blocks.values()) wasTranslated = this.#core.remove(record) || wasTranslated;
		if (wasTranslated) this.#rewritten.set(number, (this.#rewritten.get(number) ?? 0) + 1);
		return true;
	}
}

/** More than the instructions of a block take. */
const blockBytes = 32 * 15;
const everyLine: Lines = {low: -1, high: -1};
const numberOf = (place: number): number => Math.floor(place / pageBytes);
