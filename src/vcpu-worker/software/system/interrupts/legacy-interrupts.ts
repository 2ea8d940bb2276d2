import {
	Attribute,
	applyMode,
	CS,
	dplOf,
	Flag,
	flagsOf,
	GuestFault,
	generalProtection,
	privilegeOf,
	SS,
	Vector,
} from '#vcpu-worker/software/system/registers';
import {
	FarStack,
	type InterruptParts,
	readSystem,
	switchStack,
	switchTask,
} from '#vcpu-worker/software/system/segmentation';

/** What brings an interrupt about. */
export type Cause =
	/** An exception or an interrupt from outside. */
	| 'hardware'
	/** INT n, INT3, INTO: the gate must be open to the program. */
	| 'software';

/** Bytes of a gate, and of a vector of real mode. */
const gateBytes = 8;
const realVectorBytes = 4;
/** Types of gates (SDM volume 3, table 3-2). */
const gateTypes = {task: 5, interrupt16: 6, trap16: 7, interrupt32: 14, trap32: 15} as const;
/** Error codes that name a gate: bit 1. */
const inTable = 2;

const read = (parts: InterruptParts, address: bigint, bytes: number): number =>
	Number(readSystem(parts, address, bytes));

/** Enters a handler of real mode by the table of vectors (SDM volume 3, 20.1.4). */
export function deliverReal(parts: InterruptParts, vector: number): void {
	const {core, mmu, segments} = parts;
	const {state} = core;
	if (vector * realVectorBytes + realVectorBytes - 1 > state.idtr.limit) throw generalProtection();
	const place = state.idtr.base + BigInt(vector * realVectorBytes);
	const target = read(parts, place, 2);
	const selector = read(parts, place + 2n, 2);
	const stack = new FarStack(parts, 2);
	stack.push(BigInt(flagsOf(state)), BigInt(state.segments[CS]?.selector ?? 0), state.rip);
	stack.commit();
	segments.setReal(CS, selector);
	state.rip = BigInt(target);
	state.controlFlags &= ~(Flag.IF | Flag.TF | Flag.RF | Flag.AC);
	applyMode(core, mmu);
}

/** Makes data segments null, and gives their selectors in the order in which they are pushed. */
function leaveVirtual({core, segments}: InterruptParts): readonly bigint[] {
	return [5, 4, 3, 0].map((segment) => {
		const selector = BigInt(core.state.segments[segment]?.selector ?? 0);
		segments.set(segment, 0, {base: 0n, limit: 0, attributes: 0});
		return selector;
	});
}

/** Enters a handler by a gate of 16 or 32 bits (SDM volume 3, 6.12.1). */
export function deliverProtected(
	parts: InterruptParts,
	vector: number,
	errorCode: number | undefined,
	cause: Cause,
): void {
	const {core, mmu, segments} = parts;
	const {state} = core;
	const gateError = (vector << 3) | inTable;
	if (vector * gateBytes + gateBytes - 1 > state.idtr.limit) throw generalProtection(gateError);
	const place = state.idtr.base + BigInt(vector * gateBytes);
	const [low, high] = [read(parts, place, 4), read(parts, place + 4n, 4)];
	const type = (high >>> 8) & 0x1f;
	const isInterrupt = type === gateTypes.interrupt16 || type === gateTypes.interrupt32;
	const isWide = type === gateTypes.interrupt32 || type === gateTypes.trap32;
	const isTrap = type === gateTypes.trap16 || type === gateTypes.trap32;
	if (!isInterrupt && !isTrap && type !== gateTypes.task) throw generalProtection(gateError);
	const privilege = privilegeOf(core);
	if (cause === 'software' && ((high >>> 13) & 3) < privilege) throw generalProtection(gateError);
	if ((high & (Attribute.present << 8)) === 0) throw new GuestFault(Vector.segmentNotPresent, gateError);
	const selector = low >>> 16;
	if (type === gateTypes.task) {
		switchTask(parts, selector, 'call', errorCode);
		return;
	}
	const target = isWide ? ((high & 0xffff_0000) | (low & 0xffff)) >>> 0 : low & 0xffff;
	const [oldCs, oldSs] = [state.segments[CS]?.selector ?? 0, state.segments[SS]?.selector ?? 0];
	const flags = flagsOf(state);
	const saved = core.save();
	try {
		let newPrivilege = privilege;
		segments.loadCode(selector, privilege, (descriptor) => {
			const dpl = dplOf(descriptor);
			if (dpl > privilege) throw generalProtection(selector & ~3);
			if ((descriptor.attributes & Attribute.conforming) === 0) newPrivilege = dpl;
		});
		const cs = state.segments[CS];
		if (cs !== undefined) cs.selector = (selector & ~3) | newPrivilege;
		// Virtual-8086 mode has one way out, to privilege 0 (SDM volume 3, 20.2.6 and 20.3.1.1).
		const isVirtual = (flags & Flag.VM) !== 0;
		if (isVirtual && newPrivilege !== 0) throw generalProtection(selector & ~3);
		state.controlFlags = (state.controlFlags & ~Flag.VM) >>> 0;
		const old = [BigInt(oldSs), state.general[4] as bigint];
		const isInner = newPrivilege !== privilege;
		if (isInner) switchStack(parts, newPrivilege);
		const stackError = isInner ? (state.segments[SS]?.selector ?? 0) & ~3 : 0;
		const stack = new FarStack(parts, isWide ? 4 : 2, stackError);
		if (isVirtual) stack.push(...leaveVirtual(parts));
		if (isInner) stack.push(...old);
		stack.push(BigInt(flags), BigInt(oldCs), state.rip);
		if (errorCode !== undefined) stack.push(BigInt(errorCode));
		stack.commit();
		if (target > (cs?.limit ?? 0)) throw generalProtection();
		state.rip = BigInt(target);
		state.controlFlags &= ~(Flag.TF | Flag.NT | Flag.RF | Flag.VM | (isInterrupt ? Flag.IF : 0));
		applyMode(core, mmu);
	} catch (error) {
		core.restore(saved);
		throw error;
	}
}
