import type {Core} from '#vcpu-worker/software/interpreter';
import type {Mmu} from '#vcpu-worker/software/mmu';
import {applyMode, CS, Flag, privilegeOf, SS} from './control-state.ts';
import {Attribute, descriptorOf, dplOf, isCode, isPresent} from './descriptor.ts';
import {GuestFault, generalProtection, Vector} from './guest-fault.ts';
import {flagsOf} from './rflags.ts';
import type {Segments} from './segments.ts';

/** What brings an interrupt about. */
export type Cause =
	/** An exception or an interrupt from outside. */
	| 'hardware'
	/** INT n, INT3, INTO: the gate must be open to the program. */
	| 'software';

/** What interrupts work on. */
export interface InterruptParts {
	readonly core: Core;
	readonly mmu: Mmu;
	readonly segments: Segments;
}

const TR = 7;
/** Bytes of a gate, and of a vector of real mode. */
const gateBytes = 8;
const realVectorBytes = 4;
/** Types of gates (SDM volume 3, table 3-2). */
const gateTypes = {interrupt16: 6, trap16: 7, interrupt32: 14, trap32: 15} as const;
/** Error codes that name a gate: bit 1; bit 0 for what the program did not cause. */
const inTable = 2;
const external = 1;
/** ESP0 in the 32-bit TSS, SP0 in the 16-bit one (SDM volume 3, figures 8-2 and 8-10). */
const stack0 = {wide: 4, narrow: 2} as const;
const wideTss = 8;

function pageFault({core}: InterruptParts): GuestFault {
	return new GuestFault(core.state.vector, core.state.errorCode);
}

/** Reads what is the system's own. @throws GuestFault */
function read(parts: InterruptParts, address: bigint, bytes: number): number {
	const value = parts.mmu.readSystem(address, bytes);
	if (value === undefined) throw pageFault(parts);
	return Number(value);
}

/** Pushes values on a stack, and gives its new pointer. @throws GuestFault with the pointer as it was */
function pushAll(
	parts: InterruptParts,
	stack: {readonly base: bigint; readonly pointer: bigint; readonly mask: bigint},
	bytes: number,
	values: readonly number[],
	isUser = false,
): bigint {
	let top = stack.pointer & stack.mask;
	for (const value of values) {
		top = (top - BigInt(bytes)) & stack.mask;
		const at = (stack.base + top) & 0xffff_ffffn;
		if (!parts.mmu.writeSystem(at, bytes, BigInt(value >>> 0), isUser)) throw pageFault(parts);
	}
	return top;
}

/** Enters a handler of real mode by the table of vectors (SDM volume 3, 20.1.4). */
export function deliverReal(parts: InterruptParts, vector: number): void {
	const {core, mmu, segments} = parts;
	const {state} = core;
	if (vector * realVectorBytes + realVectorBytes - 1 > state.idtr.limit) throw generalProtection();
	const place = state.idtr.base + BigInt(vector * realVectorBytes);
	const target = read(parts, place, 2);
	const selector = read(parts, place + 2n, 2);
	const {base = 0n} = state.segments[SS] ?? {};
	const pointer = state.general[4] as bigint;
	const values = [flagsOf(state) & 0xffff, state.segments[CS]?.selector ?? 0, Number(state.rip & 0xffffn)];
	const top = pushAll(parts, {base, pointer, mask: state.stackMask}, 2, values);
	state.general[4] = (pointer & ~state.stackMask) | top;
	segments.setReal(CS, selector);
	state.rip = BigInt(target);
	state.controlFlags &= ~(Flag.IF | Flag.TF | Flag.RF | Flag.AC);
	applyMode(core, mmu);
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
	const outside = cause === 'hardware' ? external : 0;
	const gateError = (vector << 3) | inTable | outside;
	if (vector * gateBytes + gateBytes - 1 > state.idtr.limit) throw generalProtection(gateError);
	const place = state.idtr.base + BigInt(vector * gateBytes);
	const [low, high] = [read(parts, place, 4), read(parts, place + 4n, 4)];
	const type = (high >>> 8) & 0x1f;
	const isInterrupt = type === gateTypes.interrupt16 || type === gateTypes.interrupt32;
	const isWide = type === gateTypes.interrupt32 || type === gateTypes.trap32;
	if (!isInterrupt && type !== gateTypes.trap16 && type !== gateTypes.trap32) throw generalProtection(gateError);
	const privilege = privilegeOf(core);
	if (cause === 'software' && ((high >>> 13) & 3) < privilege) throw generalProtection(gateError);
	if ((high & (Attribute.present << 8)) === 0) throw new GuestFault(Vector.segmentNotPresent, gateError);
	const selector = low >>> 16;
	const target = isWide ? ((high & 0xffff_0000) | (low & 0xffff)) >>> 0 : low & 0xffff;
	const [oldCs, oldSs] = [state.segments[CS]?.selector ?? 0, state.segments[SS]?.selector ?? 0];
	const saved = core.save();
	try {
		let newPrivilege = privilege;
		segments.loadCode(selector, privilege, (descriptor) => {
			const dpl = dplOf(descriptor);
			if (dpl > privilege) throw generalProtection((selector & ~3) | outside);
			if ((descriptor.attributes & Attribute.conforming) === 0) newPrivilege = dpl;
		});
		const cs = state.segments[CS];
		if (cs !== undefined) cs.selector = (selector & ~3) | newPrivilege;
		const values = [flagsOf(state), oldCs, Number(state.rip)];
		const pointer = state.general[4] as bigint;
		if (newPrivilege !== privilege) {
			values.unshift(oldSs, Number(pointer & 0xffff_ffffn));
			switchStack(parts, newPrivilege);
		}
		if (errorCode !== undefined) values.push(errorCode);
		const {base = 0n, attributes = 0} = state.segments[SS] ?? {};
		const mask = (attributes & Attribute.big) === 0 ? 0xffffn : 0xffff_ffffn;
		const before = state.general[4] as bigint;
		const top = pushAll(parts, {base, pointer: before, mask}, isWide ? 4 : 2, values, newPrivilege === 3);
		state.general[4] = (before & ~mask) | top;
		state.rip = BigInt(target);
		state.controlFlags &= ~(Flag.TF | Flag.NT | Flag.RF | Flag.VM | (isInterrupt ? Flag.IF : 0));
		applyMode(core, mmu);
	} catch (error) {
		core.restore(saved);
		throw error;
	}
}

/** Takes the stack of an inner privilege from the task's state. */
function switchStack(parts: InterruptParts, privilege: number): void {
	const {core, segments} = parts;
	const {state} = core;
	const {base = 0n, limit = 0, attributes = 0, selector: task = 0} = state.segments[TR] ?? {};
	const isWide = (attributes & wideTss) !== 0;
	const offset = isWide ? stack0.wide + privilege * 8 : stack0.narrow + privilege * 4;
	if (offset + (isWide ? 5 : 3) > limit) throw new GuestFault(Vector.invalidTss, task & ~3);
	const pointer = read(parts, base + BigInt(offset), isWide ? 4 : 2);
	const selector = read(parts, base + BigInt(offset + (isWide ? 4 : 2)), 2);
	const index = selector & ~3;
	if (index === 0 || (selector & 3) !== privilege) throw new GuestFault(Vector.invalidTss, index);
	const descriptor = descriptorOf(segments.read(selector, Vector.invalidTss));
	const isWritable = !isCode(descriptor) && (descriptor.attributes & Attribute.writable) !== 0;
	if (dplOf(descriptor) !== privilege || !isWritable) throw new GuestFault(Vector.invalidTss, index);
	if (!isPresent(descriptor)) throw new GuestFault(Vector.stackFault, index);
	segments.set(SS, selector, descriptor);
	state.general[4] = BigInt(pointer);
}
