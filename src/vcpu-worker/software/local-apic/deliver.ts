import {load, Request, Word} from './apic-state.ts';
import {Command, DeliveryMode, ErrorBit, illegalVectors, Lvt, Register, Svr} from './registers.ts';
import {clearVector, hasVector, setVector} from './vectors.ts';

/** True where software has enabled the local APIC: only then it takes vectors (SDM volume 3, 11.4.7.2). */
export const isSoftwareEnabled = (words: Int32Array): boolean => (load(words, Register.SVR) & Svr.ENABLED) !== 0;

/**
 * Gives a local APIC an interrupt, on any thread. SMIs are dropped, since no processor here has the mode; external interrupts
 * too, which the PIC announces by a pin.
 * @param command - vector, delivery mode and trigger mode, as in the interrupt command register
 */
export function deliver(words: Int32Array, command: number): void {
	const vector = command & Command.VECTOR;
	switch ((command & Command.MODE) >>> Command.MODE_SHIFT) {
		case DeliveryMode.fixed:
		case DeliveryMode.lowestPriority:
			deliverVector(words, vector, (command & Command.LEVEL) !== 0);
			break;
		case DeliveryMode.nmi:
			Atomics.or(words, Word.requests, Request.NMI);
			break;
		case DeliveryMode.init:
			// No earlier request outlives it.
			Atomics.store(words, Word.requests, Request.INIT);
			break;
		case DeliveryMode.startup:
			// A processor that has one to take does not see the next.
			if ((load(words, Word.requests) & Request.STARTUP) !== 0) break;
			Atomics.or(words, Word.requests, Request.STARTUP | (vector << Request.VECTOR_SHIFT));
			break;
	}
}

function deliverVector(words: Int32Array, vector: number, isLevel: boolean): void {
	if (!isSoftwareEnabled(words)) return;
	if (vector < illegalVectors) {
		reportError(words, ErrorBit.receivedIllegalVector);
		return;
	}
	// Before the request can be seen, the processor's end of it must know the trigger mode.
	if (hasVector(words, Register.TMR, vector) !== isLevel) {
		if (isLevel) setVector(words, Register.TMR, vector);
		else clearVector(words, Register.TMR, vector);
	}
	setVector(words, Register.IRR, vector);
}

/** Notes an error. The first one since software has written the error status interrupts (11.5.3). */
export function reportError(words: Int32Array, error: number): void {
	if (Atomics.or(words, Word.errors, error) === 0) deliverLocal(words, Register.LVT_ERROR);
}

/** Delivers an interrupt of the processor's own as its entry of the local vector table says. */
export function deliverLocal(words: Int32Array, entry: number): void {
	const lvt = load(words, entry);
	if ((lvt & Lvt.MASKED) !== 0) return;
	// A counter that overflows again and again asks once, until software has seen to it.
	if (entry === Register.LVT_PERFORMANCE) Atomics.or(words, entry, Lvt.MASKED);
	// Only pins have a trigger mode; a local INIT has no level.
	deliver(words, lvt & (Command.VECTOR | Command.MODE | Command.LEVEL));
}
