import type {Instruction} from '#vcpu-worker/software/decode';
import {Cr4, Flag, flagsOf, generalProtection, privilegeOf, setFlags} from '#vcpu-worker/software/system/registers';
import {
	FarStack,
	ioplOf,
	isVirtual,
	setVirtualFlags,
	usesVirtualFlags,
	virtualImage,
} from '#vcpu-worker/software/system/segmentation';
import type {After, Parts} from './parts.ts';

/** CLI and STI work on VIF with CR4.VME in virtual-8086 mode, with CR4.PVI in programs (SDM volume 3, 20.3 and 20.4). */
function setInterruptFlag({core}: Parts, isOn: boolean): After {
	const {state} = core;
	const privilege = privilegeOf(core);
	const isOwn = privilege <= ioplOf(core);
	const extension = isVirtual(core) ? Cr4.VME : Cr4.PVI;
	const isVirtualFlag = privilege === 3 && (Number(state.cr4) & extension) !== 0;
	if (!isOwn && (!isVirtualFlag || (isOn && (state.controlFlags & Flag.VIP) !== 0))) throw generalProtection();
	const flag = isOwn ? Flag.IF : Flag.VIF;
	const wasOff = (state.controlFlags & flag) === 0;
	state.controlFlags = (isOn ? state.controlFlags | flag : state.controlFlags & ~flag) >>> 0;
	return isOwn && isOn && wasOff ? 'shadow' : 'next';
}

/** CLI, STI, and PUSHF and POPF where WebAssembly leaves them: in virtual-8086 mode, and across pages (SDM volume 2). */
export const flagInstructions = {
	cli: (parts: Parts): After => setInterruptFlag(parts, false),
	sti: (parts: Parts): After => setInterruptFlag(parts, true),
	/** RF and VM are pushed as 0. */
	pushf: (parts: Parts, {operandSize}: Instruction): After => {
		const {state} = parts.core;
		const isVirtualFlag = usesVirtualFlags(parts, operandSize);
		const stack = new FarStack(parts, operandSize / 8);
		stack.push(BigInt(isVirtualFlag ? virtualImage(state) : flagsOf(state) & ~(Flag.RF | Flag.VM)));
		stack.commit();
		return 'next';
	},
	popf: (parts: Parts, {operandSize}: Instruction): After => {
		const {state} = parts.core;
		const isVirtualFlag = usesVirtualFlags(parts, operandSize);
		const stack = new FarStack(parts, operandSize / 8);
		const image = Number(stack.pop() & 0xffff_ffffn);
		if (isVirtualFlag) setVirtualFlags(parts, image);
		else setFlags(state, image, operandSize === 16 ? state.poppableFlags & 0xffff : state.poppableFlags);
		stack.commit();
		return 'next';
	},
};
