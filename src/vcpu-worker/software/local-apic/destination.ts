import {load, Word} from './apic-state.ts';
import {Base, Dfr, Register} from './registers.ts';

/** Ids that mean everyone, in 32 bits and in 8. */
export const everyone = 0xffff_ffff;
export const narrowEveryone = 0xff;

/** True while there is a local APIC here that takes part. */
export const isPresent = (words: Int32Array): boolean => (load(words, Word.base) & Base.EN) !== 0;

/** True where it is in x2APIC mode. */
export const isX2apic = (words: Int32Array): boolean => (load(words, Word.base) & Base.EXTD) !== 0;

/** Gives the logical id of an x2APIC: cluster and bit (SDM volume 3, 11.12.10.2). */
export const logicalX2apicId = (apicId: number): number => ((apicId >>> 4) << 16) | (1 << (apicId & 15));

/**
 * Tells whether a destination means this local APIC (11.6.2, 11.12.10). By physical id all are found that have one, also those above
 * 255 that are in xAPIC mode still: nobody starts them otherwise.
 * @param isNarrow - the id has 8 bits, as xAPICs and messages have it: 0xff is everyone who is in xAPIC mode
 */
export function matches(words: Int32Array, id: number, isLogical: boolean, isNarrow: boolean): boolean {
	if (!isPresent(words)) return false;
	if (!isNarrow && id === everyone) return true;
	const isExtended = isX2apic(words);
	if (isNarrow && id === narrowEveryone && !isExtended) return true;
	if (!isLogical) return load(words, Word.apicId) >>> 0 === id;
	const logical = load(words, Register.LDR);
	if (isExtended) return logical >>> 16 === id >>> 16 && (logical & id & 0xffff) !== 0;
	return id <= narrowEveryone && matchesXapic(words, logical >>> 24, id);
}

function matchesXapic(words: Int32Array, logical: number, id: number): boolean {
	const isFlat = (load(words, Register.DFR) & Dfr.MODEL) === Dfr.MODEL;
	if (isFlat) return (logical & id) !== 0;
	// Bits 7:4 are the cluster, of which 15 is all of them; one bit each of 3:0 is a processor's (11.6.2.2).
	const cluster = id >>> 4;
	return (cluster === 15 || cluster === logical >>> 4) && (logical & id & 15) !== 0;
}
