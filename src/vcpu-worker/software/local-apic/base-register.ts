import type {ProcessorOffer, VcpuSpec} from '#vcpu-worker/hypervisor';
import {load, Word} from './apic-state.ts';
import {logicalX2apicId} from './destination.ts';
import {Base, Register} from './registers.ts';

/** Processor that a local APIC is part of. Number 0 is the boot processor. */
export type ApicSpec = Pick<VcpuSpec, 'index' | 'apicId' | 'apicMode'>;

/** Part of a back end's offer that matters to local APICs. */
export type ApicOffer = Pick<ProcessorOffer, 'physicalAddressBits' | 'tscDeadline'>;

/** Gives the bits of a value of IA32_APIC_BASE that tell the mode. */
export const modeOf = (base: bigint): number => Number(base & BigInt(Base.MODE));

/** Tells whether IA32_APIC_BASE can have this value, whatever it was before (SDM volume 3, 11.4.4 and 11.12.5). */
export function isBase(base: bigint, {apicMode}: ApicSpec, {physicalAddressBits}: ApicOffer): boolean {
	if ((base & BigInt(Base.RESERVED)) !== 0n || base >> BigInt(physicalAddressBits) !== 0n) return false;
	return (modeOf(base) & Base.EXTD) === 0 || (modeOf(base) === Base.MODE && apicMode !== 'xapic');
}

/** Tells whether one mode leads to another: x2APIC mode does not to xAPIC mode, nor none to x2APIC mode (figure 11-27). */
export const isTransition = (was: number, willBe: number): boolean =>
	!(was === Base.MODE && willBe === Base.EN) && !(was === 0 && willBe === Base.MODE);

/** Sets the lower half of IA32_APIC_BASE, and with it in x2APIC mode the logical id. */
export function setBase(words: Int32Array, base: number): void {
	const isExtended = (base & Base.EXTD) !== 0;
	if (isExtended) Atomics.store(words, Register.LDR, logicalX2apicId(load(words, Word.apicId)));
	Atomics.store(words, Word.base, base);
}
