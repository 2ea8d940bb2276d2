import type {MemoryOperand, Operand} from '#vcpu-worker/software/decode';
import type {Core} from '#vcpu-worker/software/interpreter';
import {generalAt, SegmentState, segmentBaseAt} from '#vcpu-worker/software/state';
import {
	Attribute,
	codeSizeOf,
	GuestFault,
	invalidOpcode,
	privilegeOf,
	SS,
	Vector,
} from '#vcpu-worker/software/system/registers';
import type {Parts} from './parts.ts';

/** What is done with bytes in a segment. */
export type SegmentAccess = 'read' | 'write';

/** Number of the segment register whose base is at a place; of 64-bit code without a segment none. */
const segmentAt = (place: number): number => (place - segmentBaseAt(0)) / SegmentState.size;

/**
 * Linear address of bytes that follow each other from an offset in a segment on.
 * @param place - of the segment's base
 * @throws GuestFault where the segment's limit or type does not allow the access (SDM volume 3, 5.3 and 5.4)
 */
export function linearAddress(core: Core, place: number, offset: bigint, bytes: number, access: SegmentAccess): bigint {
	if (codeSizeOf(core) === 64) return BigInt.asUintN(64, offset + core.word(place));
	const number = segmentAt(place);
	const {base = 0n, limit = 0, attributes = 0} = core.state.segments[number] ?? {};
	const has = (bits: number) => (attributes & bits) === bits;
	const isCode = has(Attribute.code);
	// Data can be read always, code written never.
	const isAllowed = access === 'write' ? !isCode && has(Attribute.writable) : !isCode || has(Attribute.readable);
	const first = Number(offset);
	const last = first + bytes - 1;
	const fits =
		!isCode && has(Attribute.expandDown)
			? first > limit && last <= (has(Attribute.big) ? 0xffff_ffff : 0xffff)
			: last <= limit;
	if (!has(Attribute.present | Attribute.nonSystem) || !isAllowed || !fits)
		throw new GuestFault(number === SS ? Vector.stackFault : Vector.generalProtection, 0);
	return BigInt.asUintN(32, base + offset);
}

/** Offset of an operand in its segment. */
function offsetOf(core: Core, {base, index, scale, displacement}: MemoryOperand, addressSize: number): bigint {
	const sum = core.word(base) + (core.word(index) << BigInt(scale)) + displacement;
	return BigInt.asUintN(addressSize, sum);
}

/** Linear address of an operand in memory. @throws GuestFault where it must not be accessed so */
export function addressOf(
	{core}: Parts,
	operand: Operand | undefined,
	addressSize: number,
	bytes: number,
	access: SegmentAccess,
): bigint {
	if (operand?.kind !== 'memory') throw invalidOpcode();
	return linearAddress(core, operand.segment, offsetOf(core, operand, addressSize), bytes, access);
}

/** Linear address of an operand in memory that is not accessed. */
export function linearOf({core}: Parts, operand: Operand | undefined, addressSize: number): bigint {
	if (operand?.kind !== 'memory') throw invalidOpcode();
	const sum = offsetOf(core, operand, addressSize) + core.word(operand.segment);
	return BigInt.asUintN(codeSizeOf(core) === 64 ? 64 : 32, sum);
}

/** The exception that an access of the operand has left. */
export const operandFault = (parts: Parts, operand: Operand | undefined): GuestFault =>
	accessFault(parts, operand?.kind === 'memory' ? operand.segment : 0);

/** The exception that an access has left; where it is not canonical, one of the stack if it is there. */
function accessFault({core}: Parts, segment: number): GuestFault {
	const {vector, errorCode} = core.state;
	const isStack = vector === Vector.generalProtection && segmentAt(segment) === SS;
	return new GuestFault(isStack ? Vector.stackFault : vector, errorCode);
}

/** Reads bytes at an offset in a segment, as the program does. @throws GuestFault */
export function readSegment(parts: Parts, place: number, offset: bigint, bytes: number): bigint {
	const at = linearAddress(parts.core, place, offset, bytes, 'read');
	const value = parts.mmu.readSystem(at, bytes, privilegeOf(parts.core) === 3);
	if (value === undefined) throw accessFault(parts, place);
	return value;
}

/** Tries whether bytes at an offset in a segment can be written, and gives their linear address. @throws GuestFault */
export function writableAddress(parts: Parts, place: number, offset: bigint, bytes: number): bigint {
	const at = linearAddress(parts.core, place, offset, bytes, 'write');
	if (!parts.mmu.canWrite(at, bytes, privilegeOf(parts.core) === 3)) throw accessFault(parts, place);
	return at;
}

/** The value of an operand of that many bytes, some bytes behind where it begins in memory. @throws GuestFault */
export function readOperand(
	parts: Parts,
	operand: Operand | undefined,
	addressSize: number,
	bytes: number,
	behind = 0,
): bigint {
	const {core} = parts;
	if (operand?.kind === 'immediate') return BigInt.asUintN(bytes * 8, operand.value);
	if (operand?.kind === 'register') return BigInt.asUintN(bytes * 8, core.word(operand.place));
	if (operand?.kind !== 'memory') throw invalidOpcode();
	const offset = BigInt.asUintN(addressSize, offsetOf(core, operand, addressSize) + BigInt(behind));
	return readSegment(parts, operand.segment, offset, bytes);
}

/** Writes an operand in memory. @throws GuestFault with nothing written */
export function writeMemory(
	parts: Parts,
	operand: Operand | undefined,
	addressSize: number,
	bytes: number,
	value: bigint,
): void {
	const at = requireWritable(parts, operand, addressSize, bytes);
	parts.mmu.writeSystem(at, bytes, value, privilegeOf(parts.core) === 3);
}

/** Tries whether an operand in memory can be written, some bytes behind where it begins, and gives its address. @throws GuestFault */
export function requireWritable(
	parts: Parts,
	operand: Operand | undefined,
	addressSize: number,
	bytes: number,
	behind = 0,
): bigint {
	if (operand?.kind !== 'memory') throw invalidOpcode();
	const offset = BigInt.asUintN(addressSize, offsetOf(parts.core, operand, addressSize) + BigInt(behind));
	return writableAddress(parts, operand.segment, offset, bytes);
}

/** Writes a general register: 32 bits clear the rest of 64, fewer leave it (SDM volume 1, 3.4.1.1). */
export function writeRegister({core}: Parts, operand: Operand | undefined, width: number, value: bigint): void {
	if (operand?.kind !== 'register') throw invalidOpcode();
	const {general} = core.state;
	const number = (operand.place - generalAt(0)) / 8;
	const kept = width === 16 ? ((general[number] as bigint) >> 16n) << 16n : 0n;
	general[number] = kept | BigInt.asUintN(width, value);
}

/** Stores a selector, or CR0: in memory as 16 bits, in a register filled up with zeros. */
export function writeSelector(
	parts: Parts,
	operand: Operand | undefined,
	{addressSize, operandSize}: {readonly addressSize: number; readonly operandSize: number},
	value: bigint,
): void {
	if (operand?.kind === 'memory') writeMemory(parts, operand, addressSize, 2, BigInt.asUintN(16, value));
	else writeRegister(parts, operand, operandSize, value);
}
