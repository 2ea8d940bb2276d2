import {isCanonicalAddress} from '#vcpu-worker/software/mmu';
import {
	Attribute,
	applyMode,
	CS,
	codeSizeOf,
	type Descriptor,
	descriptorOf,
	dplOf,
	Efer,
	GuestFault,
	generalProtection,
	isPresent,
	privilegeOf,
	SS,
	SystemType,
	typeOf,
	Vector,
} from '#vcpu-worker/software/system/registers';
import {FarStack, switchStack} from '#vcpu-worker/software/system/segmentation';
import type {Parts} from './parts.ts';

/** A gate's count of parameters has five bits (SDM volume 3, figure 5-8). */
const countMask = 31n;
const tableIndicator = 4;
const taskTypes: readonly number[] = [
	SystemType.availableTss16,
	SystemType.busyTss16,
	SystemType.availableTss,
	SystemType.busyTss,
];

interface CallGate {
	readonly selector: number;
	readonly offset: bigint;
	/** Bytes of what is pushed. */
	readonly bytes: 2 | 4 | 8;
	/** Parameters that come along to an inner stack. */
	readonly count: number;
}

/** Gates and tasks are for privileges up to theirs. @throws GuestFault */
function requirePermitted({core}: Parts, selector: number, descriptor: Descriptor): void {
	const dpl = dplOf(descriptor);
	if (dpl < privilegeOf(core) || dpl < (selector & 3)) throw generalProtection(selector & ~3);
}

/** So, and the gate is there. @throws GuestFault */
function requireOpen(parts: Parts, selector: number, descriptor: Descriptor): void {
	requirePermitted(parts, selector, descriptor);
	if (!isPresent(descriptor)) throw new GuestFault(Vector.segmentNotPresent, selector & ~3);
}

/** The selector of the TSS that this descriptor is, or that it is a task gate to; undefined for others. @throws GuestFault */
export function taskOf(parts: Parts, selector: number, value: bigint): number | undefined {
	const descriptor = descriptorOf(value);
	const type = typeOf(descriptor);
	const isGate = type === SystemType.taskGate;
	if (!isGate && !taskTypes.includes(type)) return undefined;
	if (!isGate && (selector & tableIndicator) !== 0) throw generalProtection(selector & ~3);
	// A TSS is looked at by the switch, which finds out whether it is there after whether it is busy.
	if (isGate) requireOpen(parts, selector, descriptor);
	else requirePermitted(parts, selector, descriptor);
	return isGate ? Number((value >> 16n) & 0xffffn) : selector;
}

/** A call gate; in long mode it has 16 bytes and leads to 64-bit code (SDM volume 3, 5.8.3). */
function callGateAt(parts: Parts, selector: number, value: bigint): CallGate {
	const descriptor = descriptorOf(value);
	const isLong = (Number(parts.core.state.efer) & Efer.LMA) !== 0;
	const type = typeOf(descriptor);
	if (type !== SystemType.callGate && (isLong || type !== SystemType.callGate16))
		throw generalProtection(selector & ~3);
	const upper = isLong ? parts.segments.read(selector + 8) : 0n;
	if (((upper >> 40n) & 0x1fn) !== 0n) throw generalProtection(selector & ~3);
	requireOpen(parts, selector, descriptor);
	const low = (value & 0xffffn) | ((value >> 32n) & 0xffff_0000n);
	return {
		selector: Number((value >> 16n) & 0xffffn),
		offset: type === SystemType.callGate16 ? value & 0xffffn : low | ((upper & 0xffff_ffffn) << 32n),
		bytes: isLong ? 8 : type === SystemType.callGate ? 4 : 2,
		count: isLong ? 0 : Number((value >> 32n) & countMask),
	};
}

/** Jumps or calls through a call gate: a call of an inner privilege has its stack, and its parameters (SDM volume 3, 5.8.4 and 5.8.5). */
export function throughCallGate(parts: Parts, gateSelector: number, value: bigint, isCall: boolean): void {
	const {core, mmu, segments} = parts;
	const {state} = core;
	const gate = callGateAt(parts, gateSelector, value);
	const index = gate.selector & ~3;
	const privilege = privilegeOf(core);
	let newPrivilege = privilege;
	const from = [BigInt(state.segments[CS]?.selector ?? 0), state.rip];
	const outer = new FarStack(parts, gate.bytes);
	const outerStack = [BigInt(state.segments[SS]?.selector ?? 0), state.general[4] as bigint];
	const target = descriptorOf(segments.read(gate.selector));
	const isConforming = (target.attributes & Attribute.conforming) !== 0;
	const isInner = isCall && !isConforming && dplOf(target) < privilege;
	const parameters = isInner ? Array.from({length: gate.count}, () => outer.pop()).reverse() : [];
	segments.loadCode(gate.selector, isInner ? dplOf(target) : privilege, (descriptor) => {
		const dpl = dplOf(descriptor);
		const isLongCode = (descriptor.attributes & Attribute.long) !== 0;
		if (dpl > privilege || (!isCall && !isConforming && dpl !== privilege)) throw generalProtection(index);
		if (gate.bytes === 8 && !isLongCode) throw generalProtection(index);
		if (isInner) newPrivilege = dpl;
	});
	applyMode(core, mmu);
	if (isInner) {
		switchStack(parts, newPrivilege);
		applyMode(core, mmu);
	}
	if (isCall) {
		const code = isInner && codeSizeOf(core) !== 64 ? (state.segments[SS]?.selector ?? 0) & ~3 : 0;
		const stack = new FarStack(parts, gate.bytes, code);
		if (isInner) stack.push(...outerStack, ...parameters);
		stack.push(...from);
		stack.commit();
	}
	state.rip = gate.offset;
	if (gate.bytes === 8 && !isCanonicalAddress(gate.offset, mmu.mode.levels)) throw generalProtection();
}
