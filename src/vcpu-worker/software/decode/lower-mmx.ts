import {vectorMeanings} from '#vcpu-worker/software/semantics';
import {CpuState, generalAt, mmxAt, scratchAt, vectorAt} from '#vcpu-worker/software/state';
import type {ImmediateOperand, Instruction, Operand} from './instruction.ts';
import {lowerVector, type StepWriter} from './lower-vector.ts';
import {ownImmediate, type Step} from './step.ts';

const none = CpuState.offset('none');
const destination = generalAt(7);
/** Values of 128 bits that stand for the operands: the registers have not so many. */
const [firstValue, secondValue] = [scratchAt(0), scratchAt(2)];
/** High half of the first. */
const firstHigh = scratchAt(1);
/** Operations that make their result of both operands as one row of elements. */
const ofRow = /^(pack|phadd|phsub)/;

const placeOf = (operand: Operand | undefined): number => (operand?.kind === 'register' ? operand.place : ownImmediate);
const isMmx = (place: number): boolean => place >= mmxAt(0) && place <= mmxAt(7);

/** Makes steps of an instruction on MMX registers, which are those of XMM registers where it has values; false for one that has none. */
export function lowerMmx(instruction: Instruction, to: StepWriter): boolean {
	const {name, operands, segment} = instruction;
	if (name.startsWith('cvt')) return lowerConversion(instruction, to);
	const [first, second, third] = operands as [Operand, Operand, Operand | undefined];
	/** Ends an instruction with what it means for the x87's state; a step of no register takes a scratch slot for one. */
	const end = (place = firstValue) => to.step('enterMmx', 64, {a: isMmx(place) ? place : firstValue});
	const extend = (a: number, b: number) => to.step('zeroExtend', 64, {a, b});
	/** Place of a source, whose memory is loaded. */
	const source = (operand: Operand): number => {
		if (operand.kind !== 'memory') return placeOf(operand);
		to.access('load', operand, {a: secondValue});
		return secondValue;
	};
	switch (name) {
		case 'emms':
			to.step('leaveMmx', 64, {});
			return true;
		case 'movq':
			move(first, second, to);
			end(placeOf(first));
			return true;
		case 'insertWord':
			to.step('insert', 16, {
				a: placeOf(first),
				b: source(second),
				c: placeOf(first),
				immediate: constantOf(third) & 3n,
			});
			end(placeOf(first));
			return true;
		case 'extractWord':
			to.step('extract', 16, {a: placeOf(first), b: placeOf(second), immediate: constantOf(third) & 3n});
			end();
			return true;
		case 'pmovmskb':
			extend(secondValue, placeOf(second));
			to.step('pmovmskb', 128, {a: placeOf(first), b: secondValue});
			end();
			return true;
		case 'maskedStore': {
			const place = {base: destination, index: none, scale: 0, displacement: 0n, segment, width: 64} as const;
			extend(secondValue, placeOf(second));
			to.storeKept(name, {kind: 'memory', ...place}, {a: placeOf(first), b: secondValue});
			end();
			return true;
		}
		default: {
			const fields = {b: second.kind === 'immediate' ? ownImmediate : source(second), immediate: 0n};
			fields.immediate = constantOf(second.kind === 'immediate' ? second : third);
			if (!lowerValues(name, placeOf(first), fields, to)) return false;
			end(placeOf(first));
			return true;
		}
	}
}

/** Conversions between MMX and XMM registers: the x87's state changes before an exception of floating point. */
function lowerConversion(instruction: Instruction, to: StepWriter): boolean {
	const {name, operands} = instruction;
	const [first, second] = operands as [Operand, Operand];
	const enter = (a: number) => to.step('enterMmx', 64, {a});
	if (!isMmx(placeOf(first))) {
		enter(firstValue);
		return lowerVector(instruction, to);
	}
	const isWhole = second.kind !== 'relative' && second.width === 128;
	if (second.kind === 'memory') to.access(isWhole ? 'loadVectorAligned' : 'load', second, {a: secondValue});
	const value = second.kind === 'memory' ? secondValue : placeOf(second);
	if (!isWhole) to.step('zeroExtend', 64, {a: secondValue, b: value});
	enter(firstValue);
	to.step(name, 128, {a: firstValue, b: isWhole ? value : secondValue});
	to.step('mov', 64, {a: placeOf(first), b: firstValue});
	enter(placeOf(first));
	return true;
}

/** MOVD, MOVQ and their like, among MMX, XMM and general registers, and memory. */
function move(first: Operand, second: Operand, to: StepWriter): void {
	const [a, b] = [placeOf(first), placeOf(second)];
	if (first.kind === 'memory') to.access('store', first, {a: b});
	else if (second.kind === 'memory') to.access('load', second, {a});
	else if (a >= vectorAt(0) && a <= vectorAt(15)) to.step('zeroExtend', 64, {a, b});
	else to.step('mov', first.kind === 'register' && first.width === 32 ? 32 : narrow(second), {a, b});
}

const narrow = (operand: Operand): 32 | 64 => (operand.kind === 'register' && operand.width === 32 ? 32 : 64);

/** Computes with values of 128 bits such that their low halves become the result; false for an operation that is none. */
function lowerValues(name: string, a: number, {b, immediate}: Pick<Step, 'b' | 'immediate'>, to: StepWriter): boolean {
	const fields = {a: firstValue, b: secondValue, c: firstValue, immediate};
	const take = (place = firstValue) => to.step('mov', 64, {a, b: place});
	if (b !== ownImmediate && b !== secondValue) to.step('zeroExtend', 64, {a: secondValue, b});
	to.step('zeroExtend', 64, {a: firstValue, b: a});
	if (ofRow.test(name)) {
		to.step('mov', 64, {a: firstHigh, b: secondValue});
		to.step(name, 128, {a: firstValue, b: firstValue, c: firstValue});
	} else if (name.startsWith('punpckh')) {
		// Of all that is interleaved, the upper half.
		to.step(name.replace('punpckh', 'punpckl'), 128, fields);
		take(firstHigh);
		return true;
	} else if (name === 'pshufb') {
		// A byte's number is taken modulo eight.
		to.step('mov', 64, {a: firstHigh, b: a});
		to.step(name, 128, fields);
	} else if (name === 'palignr') {
		to.step('mov', 64, {a: firstHigh, b: a});
		to.step('mov', 64, {a: firstValue, b: secondValue});
		to.step('psrldq', 128, {a: firstValue, c: firstValue, immediate});
	} else if (name === 'pshufw') to.step('pshuflw', 128, fields);
	else if (name in vectorMeanings) to.step(name, 128, b === ownImmediate ? {...fields, b} : fields);
	else return false;
	take();
	return true;
}

const constantOf = (operand: Operand | undefined): bigint => (operand as ImmediateOperand | undefined)?.value ?? 0n;
