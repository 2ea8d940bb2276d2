import type {Core} from '#vcpu-worker/software/interpreter';
import {Cr4, Flag, flagsOf, generalProtection, privilegeOf, setFlags} from '#vcpu-worker/software/system/registers';
import type {InterruptParts} from './interrupt-parts.ts';

type State = Core['state'];

export const ioplOf = ({state}: Core): number => (state.controlFlags & Flag.IOPL) >> 12;
/** In virtual-8086 mode. */
export const isVirtual = ({state}: Core): boolean => (state.controlFlags & Flag.VM) !== 0;

/** FLAGS as a program sees them whose IF is VIF: with an IOPL of 3. */
export const virtualImage = (state: State): number =>
	(flagsOf(state) & 0xffff & ~Flag.IF) | Flag.IOPL | ((state.controlFlags & Flag.VIF) !== 0 ? Flag.IF : 0);

/**
 * Tells whether POPF, PUSHF and IRET of virtual-8086 mode work on VIF: where IOPL keeps IF from the program, and CR4.VME is set, those of
 * 16 bits do (SDM volume 3, 20.2.7 and table 20-2).
 * @throws GuestFault where they must not be executed
 */
export function usesVirtualFlags({core}: InterruptParts, operandSize: number): boolean {
	if (!isVirtual(core) || ioplOf(core) === 3) return false;
	if ((Number(core.state.cr4) & Cr4.VME) === 0 || operandSize !== 16) throw generalProtection();
	return true;
}

/** Sets FLAGS from an image of a program's whose IF is VIF. @throws GuestFault where an interrupt waits that it lets in */
export function setVirtualFlags({core}: InterruptParts, image: number): void {
	const {state} = core;
	const isOn = (image & Flag.IF) !== 0;
	if ((isOn && (state.controlFlags & Flag.VIP) !== 0) || (image & Flag.TF) !== 0) throw generalProtection();
	setFlags(state, image | (isOn ? Flag.VIF : 0), Flag.TF | Flag.DF | Flag.NT | Flag.VIF);
}

/**
 * Tells whether a program whose IF is VIF has let in the interrupt that waits for it: before its next instruction it faults. IRET and task
 * switches can leave it so, but not at inner privileges (SDM volume 3, 20.3.2 and 20.4).
 */
export function hasVirtualInterrupt(core: Core): boolean {
	const {state} = core;
	const both = Flag.VIF | Flag.VIP;
	if ((state.controlFlags & both) !== both || privilegeOf(core) !== 3 || ioplOf(core) === 3) return false;
	return (Number(state.cr4) & (isVirtual(core) ? Cr4.VME : Cr4.PVI)) !== 0;
}
