import {allocateSmallMemory, type SharedMemory} from '#support/shared-memory';
import type {PrefixTable} from '#vcpu-worker/software/shared';
import {MicroOp, memoryMap} from '#vcpu-worker/software/state';
import {DecodingWord, Written} from './build-form-writer.ts';
import type {Announced} from './features.ts';
import {Forms, formRoots, maxSteps} from './form.ts';
import {formWriter, type WriteForms} from './form-writer.ts';
import type {CodeSize, Instruction} from './instruction.ts';
import {nextStep, RecordWord, systemStep, wordsOf} from './step.ts';

/** Most instructions of a block: what may run between two looks at the budget. */
export const maxBlockInstructions = 32;
/** Most records of a block: few have more than a hundred. */
export const maxBlockRecords = 512;
/** Records that an instruction and the block's end may need: its steps, what is asked before it, and what goes on behind it. */
const reserved = maxSteps + 5;
const pageBytes = 4096;
/** Greatest length of an instruction. */
const maxLength = 15;

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
	/** Address of its first record. */
	readonly first: number;
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
	/**
	 * Where records go, for which {@link maxBlockRecords} have room: places in a step's own record become addresses. Otherwise they go where the next
	 * ones do, and such a place is {@link ownImmediate}.
	 */
	readonly at?: number;
}

const systemWords = Int32Array.from(wordsOf(systemStep));
const nextWords = Int32Array.from(wordsOf(nextStep(0)));
const ordinalShift = (MicroOp.offset('ordinal') - MicroOp.offset('kind')) * 8;
const nextShift = (MicroOp.offset('next') - MicroOp.offset('start')) * 8;
const {words: recordWords, start: startWord, immediate: immediateWord} = RecordWord;
/** Where the records go of a decoder that has a memory of its own, which has as much room behind. */
const ownRecords = 0x8000;
/** The words of {@link DecodingWord}. */
const told = memoryMap.decoding / 4;

/** Decodes blocks: instructions that follow each other in memory, up to one that always goes elsewhere or the page's end. */
export class BlockDecoder {
	readonly #forms: Forms;
	readonly #memory: SharedMemory;
	/** The memory in words, and where it has the bytes that are decoded. */
	readonly #words: Int32Array;
	readonly #code: Uint8Array;
	/** Of the table that forms are in. */
	#table: PrefixTable | undefined;
	#write: WriteForms = () => Written.unknown;

	/**
	 * @param announced - see `decode`
	 * @param shared - where other processors find the forms that this one has met, and this one theirs: the first that is for the same features
	 * @param memory - a processor's own, where its blocks are to be
	 */
	constructor(
		announced?: Announced,
		shared: readonly PrefixTable[] = [],
		memory: SharedMemory = allocateSmallMemory(1),
	) {
		this.#forms = new Forms(announced, shared);
		this.#memory = memory;
		this.#words = new Int32Array(memory.buffer);
		this.#code = new Uint8Array(memory.buffer, memoryMap.code, pageBytes + maxLength);
	}

	/**
	 * Decodes a block.
	 * @param page - the bytes of the page
	 * @param pageOffset - where the block begins
	 */
	decode(
		page: Uint8Array,
		pageOffset: number,
		{codeSize = 64, limit = maxBlockInstructions, end = pageBytes, at}: BlockOptions = {},
	): DecodedBlock {
		const words = this.#words;
		const instructions: [number, Instruction][] = [];
		const first = at ?? ownRecords;
		const bytesEnd = Math.min(page.length, pageOffset + maxBlockInstructions * maxLength);
		// They stay the same while they are decoded, whoever writes the page.
		this.#code.set(page.subarray(pageOffset, bytesEnd), pageOffset);
		const stepOf = (record: number) => (record - first) / MicroOp.size;
		const block = (blockEnd: number) => ({
			first,
			count: stepOf(words[told + DecodingWord.record] as number),
			end: blockEnd,
			instructions,
		});
		words[told + DecodingWord.at] = pageOffset;
		words[told + DecodingWord.end] = end;
		words[told + DecodingWord.bytesEnd] = bytesEnd;
		words[told + DecodingWord.record] = first;
		words[told + DecodingWord.ordinal] = 0;
		words[told + DecodingWord.limit] = limit;
		words[told + DecodingWord.last] = first + (maxBlockRecords - reserved) * MicroOp.size;
		words[told + DecodingWord.checked] = 0;
		words[told + DecodingWord.start] = pageOffset;
		for (;;) {
			const written = this.#writeForms(codeSize, at === undefined ? 0 : 1);
			const start = words[told + DecodingWord.start] as number;
			const next = words[told + DecodingWord.at] as number;
			if (written === Written.ended) return block(next);
			if (written === Written.full) {
				this.#add(nextWords, start, next);
				return block(next);
			}
			const entry = words[told + DecodingWord.entry] as number;
			if (written !== Written.unknown) {
				const instruction = this.#forms.instructionOf(entry, this.#code, start, codeSize);
				const behind = words[told + DecodingWord.record] as number;
				for (let record = words[told + DecodingWord.first] as number; record < behind; record += MicroOp.size)
					instructions.push([stepOf(record), instruction]);
				if (written === Written.carriedAndEnded) return block(next);
				continue;
			}
			const met =
				entry >= 0
					? this.#forms.instructionOf(entry, this.#code, next, codeSize)
					: this.#forms.meet(this.#code.slice(next, Math.min(next + maxLength, bytesEnd)), next, codeSize);
			if (met === 'kept') continue;
			words[told + DecodingWord.ordinal] = (words[told + DecodingWord.ordinal] as number) + 1;
			if (met === undefined) {
				// TypeScript finds out what is wrong with it, or what the next page adds.
				this.#add(systemWords, next, next);
				return block(next);
			}
			instructions.push([stepOf(words[told + DecodingWord.record] as number), met]);
			const behind = next + met.length;
			this.#add(systemWords, next, behind);
			// What is behind it is a block of its own: a translation cannot go on there, but begin.
			if (goesStraight(met)) this.#add(nextWords, next, behind);
			return block(behind);
		}
	}

	/** Records of a block, as long as it holds. */
	recordsOf({first, count}: DecodedBlock): Int32Array {
		return this.#words.subarray(first / 4, first / 4 + count * recordWords);
	}

	/** Goes on with the block as far as forms are known. */
	#writeForms(codeSize: CodeSize, resolves: 0 | 1): number {
		const {table} = this.#forms;
		if (this.#table !== table) {
			this.#table = table;
			this.#write = formWriter(this.#memory, table.memory);
		}
		return this.#write(formRoots[codeSize], resolves);
	}

	/** Adds a record without operands for the block's last instruction. One that goes on does so at `next`. */
	#add(step: Int32Array, start: number, next: number): void {
		const words = this.#words;
		const record = words[told + DecodingWord.record] as number;
		const at = record / 4;
		words.set(step, at);
		words[at] = (step[0] as number) | ((words[told + DecodingWord.ordinal] as number) << ordinalShift);
		words[at + startWord] = start | (next << nextShift);
		if (step === nextWords) words[at + immediateWord] = next;
		words[told + DecodingWord.record] = record + MicroOp.size;
	}
}
