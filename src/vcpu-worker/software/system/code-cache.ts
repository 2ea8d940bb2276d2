import type {Lines} from '#devices/guest-memory';
import type {CodeSize} from '#vcpu-worker/software/decode';
import type {Core} from '#vcpu-worker/software/interpreter';
import {type CodePages, linesIn, type PhysicalMemory} from '#vcpu-worker/software/mmu';
import type {Rendezvous} from '#vcpu-worker/software/shared';
import {MicroOp} from '#vcpu-worker/software/state';
import type {KnownCode} from '#vcpu-worker/software/translator';
import {Rewrites} from './rewrites.ts';

/** A block: its first record, its last one, and the lines that it was decoded from. */
interface Block extends Readonly<Lines> {
	readonly record: number;
	readonly last: number;
}

/** Decoded part of one page. */
interface PageCode {
	/** The blocks that are known, by where in the page they begin, for each size of code. */
	readonly blocks: Map<number, Block>;
	/** Lines of them all. */
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
const lineBytes = 64;
/** Executions of a block after which it is worth a look whether it has been translated for somebody else. */
const earlyExecutions = 100;

/** Decoded code by physical page: what is known of where, and what a write makes unknown, whoever makes it. */
export class CodeCache implements CodePages {
	readonly #core: Core;
	readonly #memory: PhysicalMemory;
	readonly #others: Rendezvous;
	/** By the page's number in the memory of RAM. */
	readonly #pages = new Map<number, PageCode>();
	readonly #unsure = new Map<number, Unsure>();
	readonly #rewrites = new Rewrites();
	/** How often a block is executed before {@link Core.run} ends with it; undefined: that is not counted. */
	heat: number | undefined;
	/** Makes stores to a page that has code from now on come to {@link written}. */
	readonly #dropWritable: () => void;

	constructor(core: Core, memory: PhysicalMemory, others: Rendezvous, dropWritable: () => void) {
		this.#core = core;
		this.#memory = memory;
		this.#others = others;
		this.#dropWritable = dropWritable;
		core.state.maxSteps = core.maxSteps;
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
		let code = this.#pages.get(number);
		const known = code?.blocks.get(key);
		if (known !== undefined) return known.record;
		const bytes = this.#memory.page(page) as Uint8Array;
		if (!this.#core.hasRoom) {
			this.forget();
			code = undefined;
		}
		// Before the bytes are read, and so for as many as there may be.
		this.#watch(number, bytes, linesIn(offset, Math.min(blockBytes, pageBytes - offset)), code === undefined);
		const source = this.#unsure.get(number)?.bytes ?? bytes;
		const decoded = this.#core.decode(source, offset, {codeSize}, this.heat !== undefined);
		if (code === undefined) {
			code = {blocks: new Map(), lines: {low: 0, high: 0}, page};
			this.#pages.set(number, code);
			this.#core.state.decodedPages++;
		}
		const own = linesTo(offset, decoded.end);
		add(code.lines, own);
		const executions = this.#executionsOf(this.#rewrites.times(number, own, this.#now));
		const first = Math.min(executions ?? 0, earlyExecutions);
		const head = executions === undefined ? undefined : {executions: first, rest: executions - first, start: offset};
		const record = this.#core.write(decoded, head);
		this.#core.state.steps = this.#core.steps;
		const count = decoded.count + (head === undefined ? 0 : 1);
		code.blocks.set(key, {record, last: record + (count - 1) * MicroOp.size, low: own.low, high: own.high});
		return record;
	}

	/** Finds the code of a physical page that is known; undefined where none is. */
	codeOf(page: number, codeSize: CodeSize): KnownCode | undefined {
		const place = this.#memory.placeOf(page);
		const number = numberOf(place);
		const blocks = place < 0 ? undefined : this.#pages.get(number)?.blocks;
		if (blocks === undefined) return undefined;
		const at = (offset: number) => blocks.get(offset | (codeSize << 12));
		const firstOf = (record: number | undefined) => (record === undefined ? undefined : this.#core.firstOf(record));
		return {
			bytes: this.#unsure.get(number)?.bytes ?? (this.#memory.page(page) as Uint8Array),
			executions: (offset) => {
				const block = at(offset);
				return block && this.#executionsOf(this.#rewrites.times(number, block, this.#now));
			},
			first: (offset) => firstOf(at(offset)?.record),
			decoded: (offset) => firstOf(this.block(page, offset, codeSize)),
		};
	}

	/** Code that has been rewritten is translated later, each time. */
	#executionsOf(times: number): number | undefined {
		return this.heat === undefined ? undefined : Math.max(this.heat, 1) * 4 ** times;
	}

	/** The processor's own time, in instructions. */
	get #now(): number {
		return Number(this.#core.state.instructions);
	}

	written(place: number, length: number, record: number): boolean {
		const isOwn = this.#drop(numberOf(place), linesIn(place % pageBytes, length), record);
		if (isOwn) this.#core.endBehind(record);
		return isOwn;
	}

	/** Takes note of what others have written. */
	attend(): void {
		if (!this.#memory.watch.read((number, lines) => void this.#drop(number, lines))) this.forget();
	}

	/** All writers know of all pages: {@link verify} has nothing to compare. */
	get isSure(): boolean {
		return this.#unsure.size === 0;
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
			if (now !== undefined && Buffer.compare(now, bytes) !== 0) this.#drop(number, unlike(now, bytes));
			if (isSure || code === undefined) this.#unsure.delete(number);
		}
	}

	/** Forgets all code. */
	forget(): void {
		this.#pages.clear();
		this.#core.forgetCode();
		this.#core.state.steps = 0;
	}

	/**
	 * Watches lines of a page. Also where it has been watched: writes may have ended that, of which this processor has not heard yet.
	 * @param isNew - this processor has no code of it
	 */
	#watch(number: number, bytes: Uint8Array, lines: Lines, isNew: boolean): void {
		const others = this.#others;
		const epoch = others.begin(() => this.#memory.watch.begin(number, lines));
		if (!others.has(epoch)) others.drop(this.#dropWritable);
		const before = isNew ? undefined : this.#unsure.get(number);
		if (!others.haveAll(epoch)) this.#unsure.set(number, {epoch, bytes: before?.bytes ?? bytes.slice()});
		else if (before === undefined) this.#unsure.delete(number);
	}

	/**
	 * Throws away blocks that have bytes of these lines, and what was translated with them.
	 * @param record - of the step that writes; 0 where that is none of this processor's
	 * @returns whether its block is one of them
	 */
	#drop(number: number, lines: Lines, record = 0): boolean {
		const code = this.#pages.get(number);
		if (code === undefined) return false;
		const isCode = meet(code.lines, lines);
		const dropped: number[] = [];
		let isOwn = false;
		if (isCode) {
			code.lines.low = 0;
			code.lines.high = 0;
			for (const [key, block] of code.blocks) {
				if (meet(block, lines)) {
					code.blocks.delete(key);
					dropped.push(block.record);
					isOwn ||= record >= block.record && record <= block.last;
				} else add(code.lines, block);
			}
			if (code.blocks.size === 0) this.#pages.delete(number);
			const now = this.#now;
			const times = this.#rewrites.times(number, lines, now, 1);
			if (this.#core.remove(dropped, this.#executionsOf(times) ?? 0)) this.#rewrites.note(number, lines, now);
		}
		// No block is of these any more: further ones are of what is there now.
		const unsure = this.#unsure.get(number);
		const bytes = unsure && this.#memory.page(code.page);
		if (bytes !== undefined) copyLines(bytes, unsure?.bytes as Uint8Array, lines);
		return isOwn;
	}
}

/** More than the instructions of a block take. */
const blockBytes = 32 * 15;
const numberOf = (place: number): number => Math.floor(place / pageBytes);
const meet = (one: Lines, other: Lines): boolean => ((one.low & other.low) | (one.high & other.high)) !== 0;

function add(lines: Lines, {low, high}: Lines): void {
	lines.low |= low;
	lines.high |= high;
}

/** Lines of a block from an offset of its page to another, which is beyond the page where its last instruction is. */
const linesTo = (offset: number, end: number): Lines =>
	linesIn(offset, Math.min(Math.max(end, offset + 1), pageBytes) - offset);

/** Lines that two pages have not alike. */
function unlike(page: Uint8Array, other: Uint8Array): Lines {
	const lines: Lines = {low: 0, high: 0};
	for (let at = 0; at < pageBytes; at += lineBytes)
		if (Buffer.compare(page.subarray(at, at + lineBytes), other.subarray(at, at + lineBytes)) !== 0)
			add(lines, linesIn(at, lineBytes));
	return lines;
}

function copyLines(from: Uint8Array, to: Uint8Array, lines: Lines): void {
	for (let at = 0; at < pageBytes; at += lineBytes)
		if (meet(lines, linesIn(at, lineBytes))) to.set(from.subarray(at, at + lineBytes), at);
}
