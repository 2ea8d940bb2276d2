import type {PrefixTable} from '#vcpu-worker/software/shared';
import {MicroOp} from '#vcpu-worker/software/state';
import type {Announced} from './features.ts';
import {Check, Forms} from './form.ts';
import type {Form, Varying} from './form-words.ts';
import type {CodeSize, Instruction} from './instruction.ts';
import {avxCheck, mmxCheck, nextStep, RecordWord, systemStep, vectorCheck, vexCheck, wordsOf} from './step.ts';

/** Most instructions of a block: what may run between two looks at the budget. */
export const maxBlockInstructions = 32;
const pageBytes = 4096;

/** Instructions for TypeScript behind which code goes on in the same mode, if they do not fault. */
const straight = new Set(
	(
		'rdtsc rdtscp rdpid rdrand rdseed cpuid rdmsr in out cli sti clac stac swapgs readFsBase readGsBase writeFsBase writeGsBase ' +
		'movFromControl movFromDebug movFromSegment pushSegment sgdt sidt sldt str smsw xgetbv fxsave fxrstor xsave xsaveopt ' +
		'xsavec xsaves xrstor xrstors fnstenv fnsave fldenv frstor wbinvd verr verw'
	).split(' '),
);

/** Tells whether a block goes on behind an instruction for TypeScript. */
export const goesStraight = ({name}: Instruction): boolean => straight.has(name);

/** A decoded block: holds until the next one is decoded. */
export interface DecodedBlock {
	/** Records of its steps. A place in a step's own record is {@link ownImmediate}. */
	readonly words: Int32Array;
	/** How many there are. */
	readonly count: number;
	/** Offset in the page behind its last instruction: beyond it where that is in the next page too. */
	readonly end: number;
	/** Instructions of steps that leave them to TypeScript, by the number of the step. */
	readonly instructions: readonly (readonly [step: number, instruction: Instruction])[];
}

/** How much is decoded, and as what. */
export interface BlockOptions {
	readonly codeSize?: CodeSize;
	/** Most instructions. */
	readonly limit?: number;
	/** Where no instruction begins any more. */
	readonly end?: number;
}

/** What leads the first instruction of a block that asks for it: a bit each. */
const checks = [vexCheck, avxCheck, vectorCheck, mmxCheck].map((step, bit) => ({
	bit: 1 << bit,
	words: Int32Array.from(wordsOf(step)),
}));
const systemWords = Int32Array.from(wordsOf(systemStep));
const nextWords = Int32Array.from(wordsOf(nextStep(0)));
const ordinalShift = (MicroOp.offset('ordinal') - MicroOp.offset('kind')) * 8;
const nextShift = (MicroOp.offset('next') - MicroOp.offset('start')) * 8;
const {words: recordWords, start: startWord, immediate: immediateWord} = RecordWord;

/** Decodes blocks: instructions that follow each other in memory, up to one that always goes elsewhere or the page's end. */
export class BlockDecoder {
	readonly #forms: Forms;
	/** Records of the block that is decoded. */
	#words = new Int32Array(recordWords * 8 * maxBlockInstructions);
	#length = 0;

	/**
	 * @param announced - see `decode`
	 * @param shared - where other processors find the forms that this one has met, and this one theirs
	 */
	constructor(announced?: Announced, shared?: PrefixTable) {
		this.#forms = new Forms(announced, shared);
	}

	/**
	 * Decodes a block.
	 * @param page - the bytes of the page
	 * @param pageOffset - where the block begins
	 */
	decode(
		page: Uint8Array,
		pageOffset: number,
		{codeSize = 64, limit = maxBlockInstructions, end = pageBytes}: BlockOptions = {},
	): DecodedBlock {
		const instructions: [number, Instruction][] = [];
		this.#length = 0;
		let at = pageOffset;
		let start = pageOffset;
		let ordinal = 0;
		let checked = 0;
		while (ordinal < limit && at < end) {
			ordinal++;
			start = at;
			const form = this.#forms.at(page, start, codeSize);
			if (form === undefined) {
				// TypeScript finds out what is wrong with it, or what the next page adds.
				this.#add(systemWords, ordinal, start, start);
				return this.#block(start, instructions);
			}
			const {instruction, words} = form;
			at += form.length;
			if (instruction !== undefined && words === undefined) {
				instructions.push([this.#length / recordWords, instruction]);
				this.#add(systemWords, ordinal, start, at);
				if (!goesStraight(instruction)) return this.#block(at, instructions);
				continue;
			}
			const wanted = form.checks & ~checked;
			if (wanted !== 0) {
				for (const {bit, words: check} of checks) if ((wanted & bit) !== 0) this.#add(check, ordinal, start, at);
				checked |= wanted;
			}
			const step = this.#length / recordWords;
			this.#addForm(form, page, ordinal, start, at);
			if (instruction !== undefined)
				for (let number = step; number < this.#length / recordWords; number++) instructions.push([number, instruction]);
			// It may leave an exception, for which an instruction on MMX registers waits.
			if (form.isX87) checked &= ~Check.mmx;
			if (form.endsBlock) return this.#block(at, instructions);
		}
		this.#add(nextWords, ordinal, start, at);
		this.#setImmediate(this.#length / recordWords - 1, at);
		return this.#block(at, instructions);
	}

	#block(end: number, instructions: DecodedBlock['instructions']): DecodedBlock {
		return {words: this.#words, count: this.#length / recordWords, end, instructions};
	}

	/** Adds records for an instruction. */
	#add(words: Int32Array, ordinal: number, start: number, next: number): void {
		const first = this.#length;
		this.#length += words.length;
		if (this.#length > this.#words.length) {
			const longer = new Int32Array(this.#length * 2);
			longer.set(this.#words);
			this.#words = longer;
		}
		const target = this.#words;
		for (let index = 0; index < words.length; index++) target[first + index] = words[index] as number;
		for (let at = first; at < this.#length; at += recordWords) {
			target[at] = (target[at] as number) | (ordinal << ordinalShift);
			target[at + startWord] = start | (next << nextShift);
		}
	}

	#addForm({words, varying}: Form, page: Uint8Array, ordinal: number, start: number, next: number): void {
		const first = this.#length / recordWords;
		this.#add(words as Int32Array, ordinal, start, next);
		for (const each of varying) {
			const {field} = each;
			if (field?.bytes === 8) {
				const at = (first + each.step) * recordWords + immediateWord;
				this.#words[at] = valueAt(page, start + field.at, 4, true);
				this.#words[at + 1] = valueAt(page, start + field.at + 4, 4, true);
			} else this.#setImmediate(first + each.step, varied(each, page, start));
		}
	}

	/** @param value - a safe integer */
	#setImmediate(step: number, value: number): void {
		const at = step * recordWords + immediateWord;
		this.#words[at] = value | 0;
		this.#words[at + 1] = Math.floor(value / 2 ** 32);
	}
}

/** The constant of a step for an instruction of its form. */
function varied({base, field, isSigned, isRelative}: Varying, page: Uint8Array, start: number): number {
	const value = field === undefined ? 0 : valueAt(page, start + field.at, field.bytes, isSigned);
	return base + value + (isRelative ? start : 0);
}

/** A value of up to 4 bytes. */
function valueAt(page: Uint8Array, at: number, bytes: number, isSigned: boolean): number {
	let value = 0;
	for (let index = 0; index < bytes; index++) value |= (page[at + index] as number) << (index * 8);
	const unused = 32 - bytes * 8;
	return isSigned ? (value << unused) >> unused : value >>> 0;
}
