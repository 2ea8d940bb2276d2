import {stateError} from '#support/saved-state';
import {load, Word} from './apic-state.ts';
import {isX2apic} from './destination.ts';
import {Dfr, ErrorBit, illegalVectors, Register, registerRules, vectorRegisters} from './registers.ts';

/** A local APIC in a snapshot. */
export interface SavedLocalApic {
	/** The first KiB of the page of registers; in x2APIC mode with the whole id, and the command's upper half at its place in the page. */
	readonly page: Uint8Array;
	/** IA32_APIC_BASE. */
	readonly base: bigint;
	/** IA32_TSC_DEADLINE. */
	readonly deadline: bigint;
	/** Errors that the error status does not show yet; back ends that have none leave them out. */
	readonly errors?: number;
}

const pageBytes = 1024;
const registerBytes = 16;
const anyError = Object.values(ErrorBit).reduce((sum, bit) => sum | bit, 0);

/** Makes the error for a field of `VcpuState` that no local APIC can have. */
export const wrongApic = (field: 'apic' | 'special.apicBase') =>
	stateError('STATE_FIELD_WRONG', {struct: 'vcpu', field});

/** Makes the page of the registers that can be read there. */
export function savePage(read: (number: number) => number): Uint8Array {
	const page = new Uint8Array(pageBytes);
	const view = new DataView(page.buffer);
	for (const [number, {xapic}] of registerRules)
		if (xapic.includes('r')) view.setInt32(number * registerBytes, read(number), true);
	return page;
}

/**
 * Gives the registers the values in a page, which may be anybody's, but for the timer's count.
 * @returns that count
 * @throws VmmError STATE_FIELD_WRONG
 */
export function takePage(words: Int32Array, {page, errors = 0}: SavedLocalApic): number {
	if (page.length !== pageBytes) throw wrongApic('apic');
	const view = new DataView(page.buffer, page.byteOffset, page.byteLength);
	const saved = (number: number) => view.getInt32(number * registerBytes, true);
	const isExtended = isX2apic(words);
	// It would answer to the id that the machine gives it, and the guest know another.
	if (isExtended && saved(Register.ID) !== load(words, Word.apicId)) throw wrongApic('apic');
	for (const [number, {xapic, writable}] of registerRules)
		if (xapic === 'rw' && !(isExtended && number === Register.LDR))
			Atomics.store(words, number, saved(number) & writable);
	for (const first of [Register.ISR, Register.TMR, Register.IRR]) {
		for (let index = 0; index < vectorRegisters; index++) Atomics.store(words, first + index, saved(first + index));
		Atomics.and(words, first, -1 << illegalVectors);
	}
	Atomics.store(words, Register.ESR, saved(Register.ESR) & anyError);
	Atomics.store(words, Word.errors, errors & anyError);
	Atomics.or(words, Register.DFR, Dfr.RESERVED);
	if (isExtended) Atomics.store(words, Register.ICR_HIGH, saved(Register.ICR_HIGH));
	return saved(Register.CURRENT_COUNT);
}
