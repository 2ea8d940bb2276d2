import {
	Attribute,
	codeSizeOf,
	descriptorOf,
	dplOf,
	GuestFault,
	isCode,
	isPresent,
	isSystem,
	SS,
	Vector,
} from '#vcpu-worker/software/system/registers';
import type {InterruptParts} from './interrupt-parts.ts';

const TR = 7;
/** ESP0 in the TSS of 32 bits, SP0 in that of 16 bits, RSP0 in that of 64 (SDM volume 3, figures 8-2, 8-10 and 8-11). */
const firstStack = {wide: 4, narrow: 2} as const;
const wideTss = 8;

/** Reads what is the system's own. @throws GuestFault */
export function readSystem({core, mmu}: InterruptParts, address: bigint, bytes: number): bigint {
	const value = mmu.readSystem(address, bytes);
	if (value === undefined) throw new GuestFault(core.state.vector, core.state.errorCode);
	return value;
}

/** Takes the stack of an inner privilege from the task's state, after CS has been loaded; in 64-bit mode it has no segment. */
export function switchStack(parts: InterruptParts, privilege: number): void {
	const {core, segments} = parts;
	const {state} = core;
	const {base = 0n, limit = 0, attributes = 0, selector: task = 0} = state.segments[TR] ?? {};
	if (codeSizeOf(core) === 64) {
		const offset = firstStack.wide + privilege * 8;
		if (offset + 7 > limit) throw new GuestFault(Vector.invalidTss, task & ~3);
		state.general[4] = readSystem(parts, base + BigInt(offset), 8);
		segments.set(SS, privilege, {base: 0n, limit: 0, attributes: 0});
		return;
	}
	const isWide = (attributes & wideTss) !== 0;
	const offset = isWide ? firstStack.wide + privilege * 8 : firstStack.narrow + privilege * 4;
	if (offset + (isWide ? 5 : 3) > limit) throw new GuestFault(Vector.invalidTss, task & ~3);
	const pointer = readSystem(parts, base + BigInt(offset), isWide ? 4 : 2);
	const selector = Number(readSystem(parts, base + BigInt(offset + (isWide ? 4 : 2)), 2));
	const index = selector & ~3;
	if (index === 0 || (selector & 3) !== privilege) throw new GuestFault(Vector.invalidTss, index);
	const descriptor = descriptorOf(segments.read(selector, Vector.invalidTss));
	const isWritable = !isSystem(descriptor) && !isCode(descriptor) && (descriptor.attributes & Attribute.writable) !== 0;
	if (dplOf(descriptor) !== privilege || !isWritable) throw new GuestFault(Vector.invalidTss, index);
	if (!isPresent(descriptor)) throw new GuestFault(Vector.stackFault, index);
	segments.set(SS, selector, descriptor);
	state.general[4] = pointer;
}
