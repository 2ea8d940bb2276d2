import {PrefixTable} from '#vcpu-worker/software/shared';
import {decode} from './decoder.ts';
import {type Announced, announcedKey} from './features.ts';
import {Check, type Field, type Form, formWords, type Varying} from './form-words.ts';
import type {CodeSize, Instruction} from './instruction.ts';
import {lower} from './lower.ts';
import {type Step, wordsOf} from './step.ts';

/** Most steps of an instruction: VZEROALL has so many. */
export const maxSteps = 32;
/** Bit of an offset in a page, which is no difference that a field makes. */
const elsewhere = 0x400;
/** Bytes of a constant that is one number. */
const sizes = [1, 2, 4, 8];
/** Nodes that all others come of, by the size of code. */
export const formRoots = {16: 1, 32: 2, 64: 3} as const;

/**
 * Forms of the instructions that have been met. Code has few, so that almost all are decoded by a look at each byte before the displacement.
 * Which steps take their constant from which bytes is found by lowering two instructions of the form: what lowers them has not to know of it.
 */
export class Forms {
	readonly #announced: Announced | undefined;
	#table: PrefixTable;
	/** Others use the table as well. */
	#isShared = false;
	/** Shared tables for when it has no more room: those behind it. */
	#further: readonly PrefixTable[];
	/** Of forms that TypeScript carries out, by their numbers. */
	readonly #instructions: Instruction[] = [];

	/**
	 * @param announced - see `decode`
	 * @param shared - the first of processors for which the same is announced is taken, until it has no more room; where none is it has one of its own
	 */
	constructor(announced: Announced | undefined, shared: readonly PrefixTable[]) {
		this.#announced = announced;
		this.#further = shared;
		this.#table = this.#takeNext();
	}

	/** The next one that is shared, or else one of its own. */
	#takeNext(): PrefixTable {
		const key = announcedKey(this.#announced ?? (() => true));
		const at = this.#further.findIndex((table) => table.isFor(key));
		const found = this.#further[at];
		this.#isShared = found !== undefined;
		this.#further = found === undefined ? [] : this.#further.slice(at + 1);
		return found ?? new PrefixTable(PrefixTable.allocate());
	}

	/** Where forms are, as `formWords`, by the bytes before what varies. It becomes another one where there is no more room. */
	get table(): PrefixTable {
		return this.#table;
	}

	/** The instruction of a form that TypeScript carries out. @param page - has one at the offset */
	instructionOf(entry: number, page: Uint8Array, offset: number, codeSize: CodeSize): Instruction {
		this.#instructions[entry] ??= decode(page.slice(offset), offset, codeSize, this.#announced) as Instruction;
		return this.#instructions[entry];
	}

	/**
	 * Meets an instruction of a form that is not known.
	 * @param bytes - from its first on, as many as there are
	 * @returns `kept` where its form is in the {@link table} now; the instruction where only TypeScript carries it out; undefined where there
	 * is none, or more bytes are needed
	 */
	meet(bytes: Uint8Array, offset: number, codeSize: CodeSize): 'kept' | Instruction | undefined {
		const instruction = decode(bytes, offset, codeSize, this.#announced);
		if (typeof instruction === 'string') return undefined;
		const {length} = instruction;
		const own = bytes.subarray(0, length);
		const lowered = lower(instruction, offset);
		const common = {length, checks: checksOf(instruction), isX87: instruction.x87Opcode !== undefined};
		if (lowered === undefined) {
			const form = {...common, instruction, words: undefined, varying: [], endsBlock: false};
			// Whoever carries it out needs its own constants.
			if (instruction.displacementBytes + instruction.constantBytes === 0) this.#keep(form, own, codeSize);
			return instruction;
		}
		const fields = fieldsOf(instruction);
		const varying = this.#varying(own, offset, instruction, lowered.steps, fields);
		const words = Int32Array.from(lowered.steps.flatMap(wordsOf));
		if (lowered.steps.length > maxSteps) throw new RangeError(`${instruction.name} has too many steps`);
		const {endsBlock, isSystem} = lowered;
		const form = {...common, instruction: isSystem ? instruction : undefined, words, varying, endsBlock};
		this.#keep(form, own.subarray(0, fields[0]?.at), codeSize);
		return 'kept';
	}

	/** Finds which constants of its steps vary: those that are others in another instruction of the form. */
	#varying(
		bytes: Uint8Array,
		offset: number,
		{codeSize, displacementBytes, constantBytes, name}: Instruction,
		steps: readonly Step[],
		fields: readonly Field[],
	): readonly Varying[] {
		// Only displacements and constants are relative to where the instruction is.
		if (displacementBytes + constantBytes === 0) return [];
		const other = bytes.slice();
		for (const [index, {at, bytes: count}] of fields.entries()) {
			// Each differs from others in another way.
			other[at] = (other[at] as number) ^ index;
			other[at + count - 1] = (other[at + count - 1] as number) ^ 0x80;
		}
		const otherOffset = offset ^ elsewhere;
		const others = lower(decode(other, otherOffset, codeSize, this.#announced) as Instruction, otherOffset)?.steps;
		const ways = [undefined, ...fields].flatMap((field) =>
			[false, true].flatMap((isSigned) => [false, true].map((isRelative) => ({field, isSigned, isRelative}))),
		);
		return steps.flatMap((step, number) => {
			const {immediate} = step;
			const twin = others?.[number];
			if (twin === undefined || !areAlike(step, twin)) throw new RangeError(`not all ${name} have the same steps`);
			if (twin.immediate === immediate) return [];
			for (const way of ways) {
				const base = BigInt.asIntN(64, immediate - variedBy(way, bytes, offset));
				const isKnown = way.field?.bytes !== 8 || (base === 0n && !way.isRelative);
				if (isKnown && BigInt.asIntN(64, twin.immediate - variedBy(way, other, otherOffset)) === base)
					return [{step: number, base: Number(base), ...way}];
			}
			throw new RangeError(`not all ${name} have the same constants`);
		});
	}

	#keep(form: Form, bytes: Uint8Array, codeSize: CodeSize): void {
		const words = formWords(form);
		while (!this.#table.keep(formRoots[codeSize], bytes, words)) {
			this.#instructions.length = 0;
			if (this.#isShared) this.#table = this.#takeNext();
			else this.#table.clear();
		}
	}
}

/** Displacement and constant; where a constant chooses among steps no byte varies. */
function fieldsOf({length, displacementBytes, constantBytes, ...rest}: Instruction): readonly Field[] {
	const chooses = rest.isVector || rest.isMmx || rest.x87Opcode !== undefined || !sizes.includes(constantBytes);
	if (constantBytes !== 0 && chooses) return [];
	const behind = length - constantBytes;
	return [
		{at: behind - displacementBytes, bytes: displacementBytes},
		{at: behind, bytes: constantBytes},
	].filter(({bytes}) => bytes > 0);
}

const areAlike = (one: Step, other: Step): boolean =>
	one.kind === other.kind &&
	one.a === other.a &&
	one.b === other.b &&
	one.c === other.c &&
	one.scale === other.scale &&
	one.segment === other.segment;

/** What is added to a constant's base, for an instruction of these bytes at an offset in its page. */
function variedBy(
	{field, isSigned, isRelative}: Omit<Varying, 'step' | 'base'>,
	bytes: Uint8Array,
	offset: number,
): bigint {
	let value = 0n;
	for (let index = 0; index < (field?.bytes ?? 0); index++)
		value |= BigInt(bytes[(field?.at ?? 0) + index] as number) << BigInt(index * 8);
	const extended = isSigned ? BigInt.asIntN((field?.bytes ?? 0) * 8, value) : value;
	return extended + BigInt(isRelative ? offset : 0);
}

/** What must hold for an instruction. */
function checksOf({isVex, isVector, isMmx, codeSize}: Instruction): number {
	if (isVex && isVector) return Check.avx;
	// Code of 64 bits is never in real or virtual-8086 mode.
	if (isVex) return codeSize === 64 ? 0 : Check.vex;
	return (isVector ? Check.vectors : 0) | (isMmx ? Check.mmx : 0);
}
