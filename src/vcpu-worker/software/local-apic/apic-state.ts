import {array, i32, u64, wire} from '#support/wire';
import {registerCount} from './registers.ts';

/**
 * A local APIC in memory that all threads share. Its processor's thread works with the registers; others read where it can be
 * addressed and how urgent its work is, and set bits in IRR, TMR, `requests` and `errors`, which all change by atomic operations.
 */
export const ApicState = wire('LocalApic', {
	/** Registers by number, which is also that of their word in `$atomic`. */
	registers: array(i32, registerCount),
	/** The x2APIC id, which no software changes. */
	apicId: i32,
	/** IA32_APIC_BASE. All zero before there is such a processor. */
	base: i32,
	baseHigh: i32,
	/** Requests to the processor itself: {@link Request}. */
	requests: i32,
	/** Errors since the last write of the error status, which shows them from the next one on. */
	errors: i32,
	/** Time at which the timer's count is zero next, in nanoseconds of the clock; 0: it stands. */
	timerEnd: u64,
	/** IA32_TSC_DEADLINE. */
	deadline: u64,
});

/** Words of the struct beside the registers. */
export const Word = {
	apicId: ApicState.word('apicId'),
	base: ApicState.word('base'),
	baseHigh: ApicState.word('baseHigh'),
	requests: ApicState.word('requests'),
	errors: ApicState.word('errors'),
} as const;

/**
 * Reads a word. An atomic access would take several times as long: aligned words do not tear, and a thread that has been woken sees
 * all that was written before.
 */
export const load = (words: Int32Array, word: number): number => words[word] as number;

/** Bits of `requests`. A start-up request (SIPI) has its vector in bits 15:8. */
export const Request = {NMI: 1, INIT: 2, STARTUP: 4, VECTOR_SHIFT: 8} as const;
