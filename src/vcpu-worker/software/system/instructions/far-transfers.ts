import type {Instruction, Operand} from '#vcpu-worker/software/decode';
import {isCanonicalAddress} from '#vcpu-worker/software/mmu';
import {
	Attribute,
	applyMode,
	CS,
	type Descriptor,
	descriptorOf,
	dplOf,
	Efer,
	Flag,
	GuestFault,
	generalProtection,
	hasRealSegments,
	isSystem,
	privilegeOf,
	SS,
	setFlags,
} from '#vcpu-worker/software/system/registers';
import {
	enterVirtual,
	FarStack,
	readSystem,
	setVirtualFlags,
	switchTask,
	usesVirtualFlags,
} from '#vcpu-worker/software/system/segmentation';
import {taskOf, throughCallGate} from './gates.ts';
import {readOperand, writeRegister} from './operands.ts';
import type {After, Parts} from './parts.ts';

const TR = 7;

/** Target of a far jump or call: a constant, or a pointer in memory. */
function targetOf(parts: Parts, {operands: [operand], operandSize, addressSize}: Instruction): [number, bigint] {
	if (operand?.kind === 'immediate') return [Number(operand.value >> 32n), operand.value & 0xffff_ffffn];
	const bytes = operandSize / 8;
	const offset = readOperand(parts, operand, addressSize, bytes);
	return [Number(readOperand(parts, operand, addressSize, 2, bytes)), offset];
}

/** Follows a selector that is no code's; false where it is code's (SDM volume 3, 5.8.2). */
function throughSystem(parts: Parts, selector: number, isCall: boolean): boolean {
	if (hasRealSegments(parts.core)) return false;
	if ((selector & ~3) === 0) throw generalProtection();
	const value = parts.segments.read(selector);
	const descriptor = descriptorOf(value);
	if (!isSystem(descriptor)) return false;
	const task = (Number(parts.core.state.efer) & Efer.LMA) === 0 ? taskOf(parts, selector, value) : undefined;
	if (task === undefined) throughCallGate(parts, selector, value, isCall);
	else switchTask(parts, task, isCall ? 'call' : 'jump');
	return true;
}

/** Loads CS for a jump or call without a gate: the privilege stays (SDM volume 3, 5.8.1). */
function enterCode(parts: Parts, selector: number): void {
	const {core, segments} = parts;
	if (hasRealSegments(core)) {
		segments.setReal(CS, selector);
		return;
	}
	const privilege = privilegeOf(core);
	segments.loadCode(selector, privilege, (descriptor: Descriptor) => {
		const isConforming = (descriptor.attributes & Attribute.conforming) !== 0;
		const dpl = dplOf(descriptor);
		if (isConforming ? dpl > privilege : dpl !== privilege || (selector & 3) > privilege)
			throw generalProtection(selector & ~3);
	});
}

/** Undoes everything where a transfer faults. */
function whole(parts: Parts, transfer: () => void): After {
	const saved = parts.core.save();
	try {
		transfer();
		applyMode(parts.core, parts.mmu);
		// Where code goes to is looked at before it is left (SDM volume 2, IRET, JMP, CALL and RET).
		const {rip, segments} = parts.core.state;
		const {isLong, mode} = parts.mmu;
		const isThere = isLong ? isCanonicalAddress(rip, mode.levels) : rip <= BigInt(segments[CS]?.limit ?? 0);
		if (!isThere) throw generalProtection();
	} catch (error) {
		if (error instanceof GuestFault && error.isOfNewTask) throw error;
		parts.core.restore(saved);
		applyMode(parts.core, parts.mmu);
		throw error;
	}
	return 'next';
}

/** Flags that IRET changes: IOPL at privilege 0 alone, IF where IOPL allows it; 16 bits leave the upper half. */
function returnable(privilege: number, iopl: number, bytes: number): number {
	const all = Flag.TF | Flag.DF | Flag.NT | (bytes > 2 ? Flag.RF | Flag.AC | Flag.ID : 0);
	return all | (privilege === 0 ? Flag.IOPL : 0) | (privilege <= iopl ? Flag.IF : 0);
}

/** Loads CS, and from an inner privilege SS and RSP, that a return has taken off the stack (SDM volume 3, 5.8.6). */
function returnTo(parts: Parts, selector: number, stack: FarStack, extra: bigint, always64: boolean): void {
	const {core, mmu, segments} = parts;
	const {state} = core;
	if (hasRealSegments(core)) {
		segments.setReal(CS, selector & 0xffff);
		stack.drop(extra);
		stack.commit();
		return;
	}
	const privilege = privilegeOf(core);
	const newPrivilege = selector & 3;
	if (newPrivilege < privilege) throw generalProtection(selector & ~3);
	stack.drop(extra);
	const isOuter = newPrivilege > privilege;
	const [rsp, ss] = isOuter || always64 ? [stack.pop(), Number(stack.pop() & 0xffffn)] : [];
	segments.loadCode(selector, newPrivilege, (descriptor) => {
		const isConforming = (descriptor.attributes & Attribute.conforming) !== 0;
		if (isConforming ? dplOf(descriptor) > newPrivilege : dplOf(descriptor) !== newPrivilege)
			throw generalProtection(selector & ~3);
	});
	applyMode(core, mmu);
	if (rsp === undefined || ss === undefined) {
		stack.commit();
		return;
	}
	segments.load(SS, ss);
	applyMode(core, mmu);
	state.general[4] =
		((state.general[4] as bigint) & ~state.stackMask) | ((rsp + (isOuter ? extra : 0n)) & state.stackMask);
	if (isOuter) dropInnerData(parts, newPrivilege);
}

/** Takes the stack and data segments of virtual-8086 mode off the stack (SDM volume 2, IRET). */
function returnToVirtual(parts: Parts, stack: FarStack, code: number, flags: number): void {
	const {state} = parts.core;
	const pointer = stack.pop();
	const [ss, es, ds, fs, gs] = Array.from({length: 5}, () => Number(stack.pop() & 0xffffn)) as [
		...[number, number, number, number, number],
	];
	setFlags(state, flags & Flag.all);
	enterVirtual(parts, [es, code, ss, ds, fs, gs]);
	state.general[4] = pointer;
}

/** A return to an outer privilege makes data segments null that it must not have (SDM volume 2, RET). */
function dropInnerData({core, segments}: Parts, privilege: number): void {
	for (const segment of [0, 3, 4, 5]) {
		const {attributes = 0, base = 0n} = core.state.segments[segment] ?? {};
		const isConforming =
			(attributes & (Attribute.code | Attribute.conforming)) === (Attribute.code | Attribute.conforming);
		if (!isConforming && ((attributes >> Attribute.dplShift) & 3) < privilege && attributes !== 0)
			segments.set(segment, 0, {base, limit: 0, attributes: 0});
	}
}

const segmentOf = (operand: Operand | undefined): number => (operand?.kind === 'immediate' ? Number(operand.value) : 0);

/** Segment registers on the stack, far jumps, calls and returns, and IRET (SDM volume 2). */
export const farTransfers = {
	jmpFar: (parts: Parts, instruction: Instruction): After => {
		const [selector, offset] = targetOf(parts, instruction);
		return whole(parts, () => {
			if (throughSystem(parts, selector, false)) return;
			enterCode(parts, selector);
			parts.core.state.rip = offset;
		});
	},
	callFar: (parts: Parts, instruction: Instruction): After => {
		const [selector, offset] = targetOf(parts, instruction);
		const {state} = parts.core;
		return whole(parts, () => {
			if (throughSystem(parts, selector, true)) return;
			const stack = new FarStack(parts, instruction.operandSize / 8);
			const from = BigInt(state.segments[CS]?.selector ?? 0);
			enterCode(parts, selector);
			stack.push(from);
			stack.push(state.rip);
			stack.commit();
			state.rip = offset;
		});
	},
	/** PUSH and POP of a segment register; of more than 16 bits the rest is zero. */
	pushSegment: (parts: Parts, {operandSize, operands: [number]}: Instruction): After => {
		const stack = new FarStack(parts, operandSize / 8);
		stack.push(BigInt(parts.core.state.segments[segmentOf(number)]?.selector ?? 0));
		stack.commit();
		return 'next';
	},
	popSegment: (parts: Parts, {operandSize, operands: [number]}: Instruction): After => {
		const segment = segmentOf(number);
		const stack = new FarStack(parts, operandSize / 8);
		const selector = Number(stack.pop() & 0xffffn);
		parts.segments.load(segment, selector);
		stack.commit();
		applyMode(parts.core, parts.mmu);
		return segment === SS ? 'shadow' : 'next';
	},
	/** LDS and its like: a far pointer in memory to a register and a segment register. */
	loadFar: (parts: Parts, {operandSize, addressSize, operands: [to, from, number]}: Instruction): After => {
		const bytes = operandSize / 8;
		const offset = readOperand(parts, from, addressSize, bytes);
		const selector = Number(readOperand(parts, from, addressSize, 2, bytes));
		parts.segments.load(segmentOf(number), selector);
		writeRegister(parts, to, operandSize, offset);
		return 'next';
	},
	retf: (parts: Parts, {operandSize, operands: [extra]}: Instruction): After =>
		whole(parts, () => {
			const stack = new FarStack(parts, operandSize / 8);
			const rip = stack.pop();
			const selector = Number(stack.pop() & 0xffffn);
			returnTo(parts, selector, stack, extra?.kind === 'immediate' ? extra.value : 0n, false);
			parts.core.state.rip = rip;
		}),
	iret: (parts: Parts, {operandSize, codeSize}: Instruction): After => {
		const {core} = parts;
		const {state} = core;
		if ((state.controlFlags & Flag.NT) !== 0 && !hasRealSegments(core)) {
			if ((Number(state.efer) & Efer.LMA) !== 0) throw generalProtection();
			const link = Number(readSystem(parts, state.segments[TR]?.base ?? 0n, 2));
			return whole(parts, () => switchTask(parts, link, 'return'));
		}
		return whole(parts, () => {
			const bytes = operandSize / 8;
			const hasVirtualFlags = usesVirtualFlags(parts, operandSize);
			const isProtected = !hasRealSegments(core);
			const privilege = privilegeOf(core);
			const virtualBits = isProtected && privilege === 0 && bytes > 2 ? Flag.VIF | Flag.VIP : 0;
			const changeable = returnable(privilege, (state.controlFlags & Flag.IOPL) >> 12, bytes) | virtualBits;
			const stack = new FarStack(parts, bytes);
			const rip = stack.pop();
			const selector = Number(stack.pop() & 0xffffn);
			const flags = Number(stack.pop() & 0x3f_ffffn);
			const isLegacy = isProtected && (Number(state.efer) & Efer.LMA) === 0;
			if (isLegacy && privilege === 0 && bytes === 4 && (flags & Flag.VM) !== 0) {
				returnToVirtual(parts, stack, selector, flags);
				state.rip = rip;
				return;
			}
			returnTo(parts, selector, stack, 0n, codeSize === 64);
			state.rip = rip;
			if (hasVirtualFlags) setVirtualFlags(parts, flags);
			else setFlags(state, flags, changeable);
		});
	},
};
