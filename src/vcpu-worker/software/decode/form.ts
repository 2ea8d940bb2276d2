import type {PrefixTable} from '#vcpu-worker/software/shared';
import {decode} from './decoder.ts';
import {type Announced, announcedKey} from './features.ts';
import {type Field, type Form, formOf, formWords, type Varying} from './form-words.ts';
import type {CodeSize, Instruction} from './instruction.ts';
import {lower} from './lower.ts';
import {type Step, wordsOf} from './step.ts';

/** What must hold for an instruction, which is asked for the first such one of a block: a bit each. */
export const Check = {vex: 1, avx: 2, vectors: 4, mmx: 8} as const;

/** Greatest length of an instruction. */
const maxLength = 15;
/** What is kept, ten times what a kernel has: forms, and nodes on the way to them. */
const maxForms = 32_767;
const maxNodes = 16_384;
/** Bit of an offset in a page, which is no difference that a field makes. */
const elsewhere = 0x400;
/** Bytes of a constant that is one number. */
const sizes = [1, 2, 4, 8];
const bytesShift = 8;
/** Nodes that all others come of. */
const roots = {16: 1, 32: 2, 64: 3} as const;

/**
 * Forms of the instructions that have been met. Code has few, so that almost all are decoded by a look at each byte before the displacement.
 * Which steps take their constant from which bytes is found by lowering two instructions of the form: what lowers them has not to know of it.
 */
export class Forms {
	readonly #announced: Announced | undefined;
	/** What others have met as well, by the same nodes and numbers. */
	#shared: PrefixTable | undefined;
	/** By their numbers; undefined where only another one has met it. */
	#forms: (Form | undefined)[] = [];
	/** For each node and byte the next node, or the complement of a form's number; 0 where that is not known. */
	#next: Int16Array = new Int16Array(8 << bytesShift);
	#nodes = roots[64];

	/**
	 * @param announced - see `decode`
	 * @param shared - of processors for which the same is announced; others do not use it
	 */
	constructor(announced: Announced | undefined, shared: PrefixTable | undefined) {
		this.#announced = announced;
		if (!shared?.isFor(announcedKey(announced ?? (() => true)))) return;
		this.#shared = shared;
		this.#next = shared.next;
	}

	/** The form of the instruction at an offset; undefined where there is none, or it ends behind the last byte. */
	at(bytes: Uint8Array, offset: number, codeSize: CodeSize): Form | undefined {
		const node = this.#find(bytes, offset, codeSize);
		const form = node < 0 && ~node < this.#forms.length ? this.#forms[~node] : undefined;
		if (form === undefined) return this.#meet(bytes.slice(offset, offset + maxLength), offset, codeSize);
		return offset + form.length <= bytes.length ? form : undefined;
	}

	/** The complement of the number that the bytes at an offset lead to; 0 where that is not known. */
	#find(bytes: Uint8Array, offset: number, codeSize: CodeSize): number {
		let node: number = roots[codeSize];
		// None lies deeper than an instruction is long.
		for (let at = offset; node > 0; at++) node = this.#next[(node << bytesShift) | (bytes[at] as number)] as number;
		return node;
	}

	/**
	 * The form of an instruction that this processor has not met.
	 * @param bytes - of the instruction and behind it, of which nobody makes others meanwhile
	 */
	#meet(bytes: Uint8Array, offset: number, codeSize: CodeSize): Form | undefined {
		const node = this.#find(bytes, 0, codeSize);
		if (node === 0) return this.#learn(bytes, offset, codeSize);
		const number = ~node;
		while (this.#forms.length <= number) this.#forms.push(undefined);
		const known = this.#forms[number] ?? this.#take(number, bytes, offset, codeSize);
		return known !== undefined && known.length <= bytes.length ? known : undefined;
	}

	/** Takes a form from another processor. */
	#take(number: number, bytes: Uint8Array, offset: number, codeSize: CodeSize): Form | undefined {
		const form = formOf((this.#shared as PrefixTable).wordsOf(number), () => {
			const instruction = decode(bytes, offset, codeSize, this.#announced);
			return typeof instruction === 'string' ? undefined : instruction;
		});
		this.#forms[number] = form;
		return form;
	}

	/** @param bytes - of which nobody makes others meanwhile */
	#learn(bytes: Uint8Array, offset: number, codeSize: CodeSize): Form | undefined {
		const instruction = decode(bytes, offset, codeSize, this.#announced);
		if (typeof instruction === 'string') return undefined;
		const own = bytes.subarray(0, instruction.length);
		const lowered = lower(instruction, offset);
		const {length} = instruction;
		const common = {length, checks: checksOf(instruction), isX87: instruction.x87Opcode !== undefined};
		if (lowered === undefined) {
			const form = {...common, instruction, words: undefined, varying: [], endsBlock: false};
			// Whoever carries it out needs its own constants.
			if (instruction.displacementBytes + instruction.constantBytes === 0) this.#keep(form, own, codeSize);
			return form;
		}
		const fields = fieldsOf(instruction);
		const varying = this.#varying(own, offset, instruction, lowered.steps, fields);
		const words = Int32Array.from(lowered.steps.flatMap(wordsOf));
		const {endsBlock, isSystem} = lowered;
		const form = {...common, instruction: isSystem ? instruction : undefined, words, varying, endsBlock};
		this.#keep(form, own.subarray(0, fields[0]?.at), codeSize);
		return form;
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
		if (this.#shared?.keep(roots[codeSize], bytes, formWords(form))) return;
		const isFull = this.#shared !== undefined;
		if (isFull) {
			// From now on without the others.
			this.#shared = undefined;
			this.#next = new Int16Array(8 << bytesShift);
		}
		if (isFull || this.#forms.length >= maxForms || this.#nodes + bytes.length >= maxNodes) {
			this.#forms = [];
			this.#next.fill(0);
			this.#nodes = roots[64];
		}
		let node: number = roots[codeSize];
		for (const [index, byte] of bytes.entries()) {
			const at = (node << bytesShift) | byte;
			if (index === bytes.length - 1) this.#next[at] = ~(this.#forms.push(form) - 1);
			else if (this.#next[at] === 0) this.#next[at] = this.#newNode();
			node = this.#next[at] as number;
		}
	}

	#newNode(): number {
		const node = ++this.#nodes;
		if (node << bytesShift >= this.#next.length) {
			const longer = new Int16Array(this.#next.length * 2);
			longer.set(this.#next);
			this.#next = longer;
		}
		return node;
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
