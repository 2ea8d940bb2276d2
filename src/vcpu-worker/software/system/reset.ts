import type {ViewOf} from '#support/wire';
import {Component, type CpuState} from '#vcpu-worker/software/state';
import {initialMxcsr} from '#vcpu-worker/software/system/instructions';
import {Cr0, CS} from '#vcpu-worker/software/system/registers';

/** Data of 64 KiB, code of as much, an LDT, a busy TSS: attributes after a reset (SDM volume 3, table 9-1). */
const data = 0x93;
const code = 0x9b;
const ldt = 0x82;
const tss = 0x8b;
const attributes = [data, code, data, data, data, data, ldt, tss] as const;
/** Where code begins: 16 bytes below 4 GiB. */
const resetCode = {selector: 0xf000, base: 0xffff_0000n} as const;
const resetRip = 0xfff0n;
/** The x87 as FNINIT leaves it, which is how KVM begins: no exception of its stops a program. */
const initialX87 = {
	...{x87Control: 0x37f, x87Status: 0, x87Tags: 0},
	...{x87Opcode: 0, x87InstructionPointer: 0n, x87DataPointer: 0n},
} as const;
const initialDebug = {dr6: 0xffff_0ff0n, dr7: 0x400n} as const;
const always = 2;

/**
 * Gives a processor's state its values after power-on or INIT (SDM volume 3, table 9-1).
 * @param signature - family, model and stepping, which software finds in EDX
 * @param isInit - INIT leaves what floating point and vectors have, XCR0, and whether caches are on
 */
export function resetState(state: ViewOf<typeof CpuState>, signature: number, isInit: boolean): void {
	state.general.fill(0n);
	state.general[2] = BigInt(signature);
	// No status flag is set: ZF is where `zero` is 0, PF where the low byte is even.
	Object.assign(state, {result: 1n, zero: 1n, carry: 0n, controlFlags: always, rip: resetRip});
	for (const [index, segment] of state.segments.entries())
		Object.assign(segment, {base: 0n, limit: 0xffff, selector: 0, attributes: attributes[index]});
	Object.assign(state.segments[CS] as object, resetCode);
	for (const table of [state.gdtr, state.idtr]) Object.assign(table, {base: 0n, limit: 0xffff});
	const cached = BigInt(Cr0.CD + Cr0.NW);
	const caches = isInit ? state.cr0 & cached : cached;
	Object.assign(state, {cr0: BigInt(Cr0.ET) | caches, cr2: 0n, cr3: 0n, cr4: 0n, efer: 0n});
	state.debug.fill(0n);
	state.debug[6] = initialDebug.dr6;
	state.debug[7] = initialDebug.dr7;
	if (isInit) return;
	state.vector256.fill(0n);
	state.mxcsr = initialMxcsr;
	state.xcr0 = Component.x87;
	Object.assign(state, initialX87);
	for (const register of state.x87) Object.assign(register, {significand: 0n, signExponent: 0});
}
