import {decode} from './decoder.ts';
import type {Announced} from './features.ts';
import type {CodeSize, Instruction} from './instruction.ts';
import {lower} from './lower.ts';
import {avxCheck, mmxCheck, nextStep, type Step, systemStep, vectorCheck, vexCheck} from './step.ts';

/** Most instructions of a block: what may run between two looks at the budget. */
const maxInstructions = 32;
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

/** A step of a block, with what its record has besides. */
export interface BlockStep extends Step {
	readonly ordinal: number;
	readonly start: number;
	readonly next: number;
	/** The instruction of a step that leaves it to TypeScript. */
	readonly instruction?: Instruction | undefined;
}

/** How much is decoded, and as what. */
export interface BlockOptions {
	readonly codeSize?: CodeSize;
	/** Most instructions. */
	readonly limit?: number;
	/** Where no instruction begins any more. */
	readonly end?: number;
	/** See `decode`. */
	readonly announced?: Announced;
}

/**
 * Decodes a block: instructions that follow each other in memory, up to one that always goes elsewhere or the page's end.
 * @param page - the bytes of the page
 * @param pageOffset - where the block begins
 */
export function decodeBlock(
	page: Uint8Array,
	pageOffset: number,
	{codeSize = 64, limit = maxInstructions, end = pageBytes, announced}: BlockOptions = {},
): readonly BlockStep[] {
	const steps: BlockStep[] = [];
	let at = pageOffset;
	const checked = new Set<Step>();
	for (let ordinal = 1; ordinal <= limit && at < end; ordinal++) {
		const start = at;
		const instruction = decode(page.subarray(at), at, codeSize, announced);
		const add = (list: readonly Step[], next: number) => {
			for (const step of list) steps.push(inBlock(step, ordinal, start, next));
		};
		if (typeof instruction === 'string') {
			// TypeScript finds out what is wrong with it, or what the next page adds.
			add([systemStep], at);
			return steps;
		}
		at += instruction.length;
		const lowered = lower(instruction, start);
		if (lowered === undefined) {
			steps.push({...systemStep, ordinal, start, next: at, instruction});
			if (!goesStraight(instruction)) return steps;
			continue;
		}
		for (const check of checksOf(instruction)) {
			if (!checked.has(check)) add([check], at);
			checked.add(check);
		}
		if (lowered.isSystem)
			for (const step of lowered.steps) steps.push({...step, ordinal, start, next: at, instruction});
		else add(lowered.steps, at);
		// It may leave an exception, for which an instruction on MMX registers waits.
		if (instruction.x87Opcode !== undefined) checked.delete(mmxCheck);
		if (lowered.endsBlock) return steps;
	}
	const last = steps.at(-1);
	steps.push({...nextStep(at), ordinal: last?.ordinal ?? 0, start: last?.start ?? pageOffset, next: at});
	return steps;
}

/** Spelled out: blocks are made often, and this takes half as long as copying all that a step has. */
function inBlock(
	{kind, a, b, c, immediate, scale, segment}: Step,
	ordinal: number,
	start: number,
	next: number,
): BlockStep {
	return {kind, a, b, c, immediate, scale, segment, ordinal, start, next};
}

/** What must hold for an instruction, which is asked for the first such one. */
function checksOf({isVex, isVector, isMmx, codeSize}: Instruction): readonly Step[] {
	if (isVex && isVector) return [avxCheck];
	// Code of 64 bits is never in real or virtual-8086 mode.
	if (isVex) return codeSize === 64 ? [] : [vexCheck];
	return [...(isVector ? [vectorCheck] : []), ...(isMmx ? [mmxCheck] : [])];
}
