import {load, Word} from './apic-state.ts';
import {type ApicSpec, setBase} from './base-register.ts';
import {
	Base,
	Command,
	DeliveryMode,
	Dfr,
	defaultPage,
	Lvt,
	lvtRegisters,
	Register,
	registerCount,
	Svr,
	versionValue,
} from './registers.ts';

const firmwareLint0 = DeliveryMode.external << Command.MODE_SHIFT;

/** Gives the registers their state after a reset of the machine (SDM volume 3, 11.4.7.1), but for the timer's own. */
export function powerOn(words: Int32Array, spec: ApicSpec): void {
	const extended = spec.apicMode === 'x2apic-enabled' ? Base.EXTD : 0;
	Atomics.store(words, Word.apicId, spec.apicId);
	Atomics.store(words, Word.baseHigh, 0);
	Atomics.store(words, Word.requests, 0);
	Atomics.store(words, Word.base, defaultPage | Base.EN | extended | (spec.index === 0 ? Base.BSP : 0));
	initialize(words, spec);
}

/**
 * Gives the registers their state after INIT, which leaves id, mode and page as they are (11.4.7.3, 11.12.5.1), but for the timer's own state. LINT0 of
 * the boot processor takes the PIC's interrupts, as firmware leaves it: kernels are started without any.
 */
export function initialize(words: Int32Array, {index}: ApicSpec): void {
	clear(words);
	if (index === 0) Atomics.store(words, Register.LVT_LINT0, firmwareLint0);
	setBase(words, load(words, Word.base));
}

/** Gives the registers the state that hardware has before anybody sets one. */
export function clear(words: Int32Array): void {
	for (let number = 0; number < registerCount; number++) Atomics.store(words, number, 0);
	Atomics.store(words, Word.errors, 0);
	Atomics.store(words, Register.VERSION, versionValue);
	Atomics.store(words, Register.DFR, Dfr.MODEL | Dfr.RESERVED);
	Atomics.store(words, Register.SVR, Svr.INITIAL);
	for (const entry of lvtRegisters) Atomics.store(words, entry, Lvt.MASKED);
}
