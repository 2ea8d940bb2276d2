import {load} from './apic-state.ts';
import {Register, vectorRegisters} from './registers.ts';

/** Finds the highest vector whose bit is set in the registers from `first`; -1 for none. */
export function highestVector(words: Int32Array, first: number): number {
	for (let index = vectorRegisters - 1; index >= 0; index--) {
		const bits = load(words, first + index);
		if (bits !== 0) return index * 32 + 31 - Math.clz32(bits);
	}
	return -1;
}

export const hasVector = (words: Int32Array, first: number, vector: number): boolean =>
	((load(words, first + (vector >>> 5)) >>> (vector & 31)) & 1) !== 0;

export function setVector(words: Int32Array, first: number, vector: number): void {
	Atomics.or(words, first + (vector >>> 5), 1 << (vector & 31));
}

export function clearVector(words: Int32Array, first: number, vector: number): void {
	Atomics.and(words, first + (vector >>> 5), ~(1 << (vector & 31)));
}

/** Gives the processor priority (SDM volume 3, 11.8.3.1): the more urgent of the task priority and the class in service. */
export function processorPriority(words: Int32Array): number {
	const task = load(words, Register.TPR);
	const inService = Math.max(highestVector(words, Register.ISR), 0) & 0xf0;
	return (task & 0xf0) >= inService ? task : inService;
}
