import {type AddressForm, type StepWidth, vectorMeanings} from '#vcpu-worker/software/semantics';
import {CpuState, generalAt, scratchAt, vectorAt} from '#vcpu-worker/software/state';
import type {ImmediateOperand, Instruction, MemoryOperand, Operand} from './instruction.ts';
import {ownImmediate, type Step} from './step.ts';

/** Takes the steps of an instruction. */
export interface StepWriter {
	/** Adds a step of this name. */
	step(name: string, width: StepWidth, fields: Partial<Step>, form?: AddressForm): void;
	/** Adds those of an access to memory. */
	access(name: string, operand: MemoryOperand, fields: Partial<Step>): void;
	/** Adds one that keeps the address of an operand for steps of the form `kept`. */
	keep(operand: MemoryOperand, access: 'load' | 'store'): void;
	/** Adds those of a store whose address needs steps of its own. */
	storeKept(name: string, operand: MemoryOperand, fields: Partial<Step>): void;
}

/** Those with XMM0 as a further operand. */
const withImplicit = /^(p?blendv|pcmp.str|sha256rnds2)/;
/** Half of a register, in bytes. */
const half = 8;
const destination = generalAt(7);
const none = CpuState.offset('none');
const control = CpuState.offset('mxcsr');
/** Memory of these may begin anywhere; of the last ones, SHA's, only on AMD's processors. */
const unaligned = new Set(
	(
		'movdqu pcmpestrm pcmpestri pcmpistrm pcmpistri ' +
		'sha1rnds4 sha1nexte sha1msg1 sha1msg2 sha256rnds2 sha256msg1 sha256msg2'
	).split(' '),
);

export const isMemory = (operand: Operand | undefined): operand is MemoryOperand => operand?.kind === 'memory';
export const placeOf = (operand: Operand | undefined): number =>
	operand?.kind === 'register' ? operand.place : ownImmediate;
const widthOf = (operand: Operand): StepWidth => (operand.kind === 'relative' ? 64 : operand.width);
export const narrowest = (one: Operand, other: Operand): StepWidth =>
	Math.min(widthOf(one), widthOf(other)) as StepWidth;
export const constantOf = (operand: Operand | undefined): bigint =>
	(operand as ImmediateOperand | undefined)?.value ?? 0n;

/** Bits of an element that goes to or comes from a general register, which may have more. */
export const elementWidth = (name: string, operand: Operand): StepWidth =>
	name.endsWith('Byte') ? 8 : name.endsWith('Word') ? 16 : widthOf(operand);

/** Makes steps of an instruction on XMM registers; false for one that has none. */
export function lowerVector({name, operands, operandSize, segment}: Instruction, to: StepWriter): boolean {
	const [first, second, third] = operands as [Operand, Operand, Operand | undefined];
	/** Place of a source; 128 bits of memory are aligned, but for a few. */
	const source = (operand: Operand): number => {
		if (!isMemory(operand)) return placeOf(operand);
		const isWhole = operand.width === 128;
		const loadWhole = unaligned.has(name) ? 'loadVector' : 'loadVectorAligned';
		to.access(isWhole ? loadWhole : 'load', operand, {a: scratchAt(0)});
		return scratchAt(0);
	};
	switch (name) {
		case 'movdqa':
		case 'movdqu': {
			const aligned = unaligned.has(name) ? '' : 'Aligned';
			if (isMemory(second)) to.access(`loadVector${aligned}`, second, {a: placeOf(first)});
			else if (isMemory(first)) to.access(`storeVector${aligned}`, first, {a: placeOf(second)});
			else to.step('moveVector', 128, {a: placeOf(first), b: placeOf(second)});
			return true;
		}
		case 'movLow':
			// With two registers it is MOVHLPS.
			if (isMemory(first)) to.access('store', first, {a: placeOf(second)});
			else if (isMemory(second)) to.access('load', second, {a: placeOf(first)});
			else if (first.kind === 'register' && first.place >= vectorAt(0))
				to.step('mov', 64, {a: placeOf(first), b: placeOf(second) + half});
			else to.step('mov', widthOf(first), {a: placeOf(first), b: placeOf(second)});
			return true;
		case 'movHigh':
			if (isMemory(first)) to.access('store', first, {a: placeOf(second) + half});
			else if (isMemory(second)) to.access('load', second, {a: placeOf(first) + half});
			else to.step('mov', 64, {a: placeOf(first) + half, b: placeOf(second)});
			return true;
		case 'movScalar':
			if (isMemory(first)) to.access('store', first, {a: placeOf(second)});
			else if (isMemory(second)) to.step('zeroExtend', second.width, {b: source(second), a: placeOf(first)});
			else to.step('moveElement', narrowest(first, second), {a: placeOf(first), b: placeOf(second), c: placeOf(first)});
			return true;
		case 'zeroExtend': {
			const width = narrowest(first, second);
			if (isMemory(first)) to.access('store', first, {a: placeOf(second)});
			else to.step('zeroExtend', width, {b: source(second), a: placeOf(first)});
			return true;
		}
		case 'insert':
		case 'insertByte':
		case 'insertWord':
			to.step('insert', elementWidth(name, second), {
				b: source(second),
				a: placeOf(first),
				c: placeOf(first),
				immediate: constantOf(third),
			});
			return true;
		case 'extract':
		case 'extractByte':
		case 'extractWord': {
			const step = {b: placeOf(second), immediate: constantOf(third)};
			const place = isMemory(first) ? scratchAt(0) : placeOf(first);
			to.step('extract', elementWidth(name, first), {...step, a: place});
			if (isMemory(first)) to.access('store', first, {a: place});
			return true;
		}
		case 'insertps': {
			// The source's element is one of a register's; in memory there is one.
			const mask = isMemory(second) ? 0x3fn : 0xffn;
			to.step(name, 128, {
				b: source(second),
				a: placeOf(first),
				c: placeOf(first),
				immediate: constantOf(third) & mask,
			});
			return true;
		}
		case 'cvtpi2ps': {
			const value = scratchAt(2);
			to.step('zeroExtend', 64, {b: source(second), a: value});
			to.step('cvtdq2ps', 128, {a: value, b: value});
			to.step('mov', 64, {a: placeOf(first), b: value});
			return true;
		}
		case 'maskedStore': {
			const place = {base: destination, index: none, scale: 0, displacement: 0n, segment, width: 128} as const;
			to.storeKept(name, {kind: 'memory', ...place}, {a: placeOf(first), b: placeOf(second)});
			return true;
		}
		case 'cvtsi2ss':
		case 'cvtsi2sd':
		case 'cvtss2si':
		case 'cvtsd2si':
		case 'cvttss2si':
		case 'cvttsd2si':
			to.step(name, operandSize, {b: source(second), a: placeOf(first), c: placeOf(first)});
			return true;
		case 'ldmxcsr':
			to.step('loadControl', 128, {b: source(first)});
			return true;
		case 'stmxcsr':
			to.access('store', first as MemoryOperand, {a: control});
			return true;
		default:
			if (!(name in vectorMeanings)) return false;
			to.step(name, 128, {
				b: source(second),
				a: placeOf(first),
				c: withImplicit.test(name) ? vectorAt(0) : placeOf(first),
				scale: operandSize === 64 ? 1 : 0,
				// Of a comparison's predicate the upper bits count with a VEX prefix alone.
				immediate: constantOf(second.kind === 'immediate' ? second : third) & (name.startsWith('cmp') ? 7n : -1n),
			});
			return true;
	}
}
