import type {Instruction, Operand} from '#vcpu-worker/software/decode';
import {CpuState, segmentBaseAt} from '#vcpu-worker/software/state';
import {Flag, GuestFault, generalProtection, privilegeOf} from '#vcpu-worker/software/system/registers';
import {readSegment, writableAddress} from './operands.ts';
import type {After, Parts} from './parts.ts';

const accumulator = 0;
const counter = 1;
const data = 2;
const source = 6;
const destination = 7;
const TR = 7;
/** Least limit of a TSS that has an I/O map, and where its offset is (SDM volume 3, figure 8-2). */
const leastTaskLimit = 0x67;
const mapOffsetAt = 0x66n;

const general = ({core}: Parts, register: number): bigint => core.state.general[register] as bigint;

/** I/O is for privileges up to IOPL, or by the task's map, which alone counts in virtual-8086 mode (SDM volume 1, 19.5). */
function requirePort(parts: Parts, port: number, bytes: number): void {
	const {core} = parts;
	const {controlFlags, segments} = core.state;
	const isVirtual = (controlFlags & Flag.VM) !== 0;
	if (!isVirtual && privilegeOf(core) <= (controlFlags & Flag.IOPL) >> 12) return;
	const {base = 0n, limit = 0, attributes = 0} = segments[TR] ?? {};
	if (limit < leastTaskLimit || (attributes & wideTask) === 0) throw generalProtection();
	const at = Number(readTask(parts, base + mapOffsetAt)) + (port >> 3);
	// Two bytes are read always, of which the second may be beyond the last port's.
	if (at + 1 > limit) throw generalProtection();
	const map = Number(readTask(parts, base + BigInt(at)));
	if (((map >> (port & 7)) & ((1 << bytes) - 1)) !== 0) throw generalProtection();
}

/** Bit of a TSS's type that tells one of 32 bits, or of long mode, from one of 16, which has no I/O map. */
const wideTask = 8;

function readTask({core, mmu}: Parts, at: bigint): bigint {
	const value = mmu.readSystem(at, 2);
	if (value === undefined) throw new GuestFault(core.state.vector, core.state.errorCode);
	return value;
}

/** Bytes of an access, by its operand. */
export const portBytes = ({width}: {readonly width: number}): 1 | 2 | 4 => (width === 8 ? 1 : width === 16 ? 2 : 4);

/** The port of IN and OUT: a constant, or DX. */
const portOf = (parts: Parts, operand: Operand | undefined): number =>
	Number(operand?.kind === 'immediate' ? operand.value & 0xffn : general(parts, data) & 0xffffn);

function writeAccumulator({core}: Parts, bytes: 1 | 2 | 4, value: number): void {
	const old = core.state.general[accumulator] as bigint;
	const bits = BigInt(bytes * 8);
	const kept = bytes === 4 ? 0n : (old >> bits) << bits;
	core.state.general[accumulator] = kept | BigInt.asUintN(bytes * 8, BigInt(value >>> 0));
}

/** Most elements of INS and OUTS between two looks at what others want. */
const portElements = 1024;

/** INS or OUTS: one element, or as many as RCX says (SDM volume 2). */
function stringPort(parts: Parts, instruction: Instruction, isInput: boolean): After {
	const {core, mmu, outside} = parts;
	const {state} = core;
	const {addressSize, codeSize, repeat} = instruction;
	const [operand] = instruction.operands;
	const bytes = portBytes(operand as {width: number});
	const port = Number(general(parts, data) & 0xffffn);
	requirePort(parts, port, bytes);
	const mask = (1n << BigInt(addressSize)) - 1n;
	const index = isInput ? destination : source;
	const step = BigInt((state.controlFlags & Flag.DF) === 0 ? bytes : -bytes);
	const isUser = privilegeOf(core) === 3;
	// In 64-bit code ES has no base.
	const place = !isInput ? instruction.segment : codeSize === 64 ? CpuState.offset('none') : segmentBaseAt(0);
	// Addresses of 16 bits leave what is above in their register, those of 32 clear it.
	const set = (register: number, value: bigint) => {
		const kept = addressSize === 16 ? general(parts, register) & ~mask : 0n;
		state.general[register] = kept | (value & mask);
	};
	for (let done = 0; done < portElements; done++) {
		const left = repeat === undefined ? 1n : general(parts, counter) & mask;
		if (left === 0n) return 'next';
		const offset = general(parts, index) & mask;
		parts.debug.port(port, bytes);
		if (isInput) {
			// The place is tried before the port is read, whose value would be lost.
			const address = writableAddress(parts, place, offset, bytes);
			mmu.writeSystem(address, bytes, BigInt(outside.readPort(port, bytes) >>> 0), isUser);
		} else outside.writePort(port, bytes, Number(readSegment(parts, place, offset, bytes)));
		set(index, general(parts, index) + step);
		if (repeat === undefined) return 'next';
		set(counter, left - 1n);
		state.budget--;
		if (left === 1n) return 'next';
		if (parts.debug.endsElement) return 'again';
	}
	return 'again';
}

/** Instructions of ports (SDM volume 2). */
export const ports = {
	in: (parts: Parts, {operands: [target, port]}: Instruction): After => {
		const bytes = portBytes(target as {width: number});
		const number = portOf(parts, port);
		requirePort(parts, number, bytes);
		parts.debug.port(number, bytes);
		writeAccumulator(parts, bytes, parts.outside.readPort(number, bytes));
		return 'next';
	},
	out: (parts: Parts, {operands}: Instruction): After => {
		const value = operands.at(-1);
		const bytes = portBytes(value as {width: number});
		const number = portOf(parts, operands.length === 2 ? operands[0] : undefined);
		requirePort(parts, number, bytes);
		parts.debug.port(number, bytes);
		parts.outside.writePort(number, bytes, Number(BigInt.asUintN(bytes * 8, general(parts, accumulator))));
		return 'next';
	},
	ins: (parts: Parts, instruction: Instruction): After => stringPort(parts, instruction, true),
	outs: (parts: Parts, instruction: Instruction): After => stringPort(parts, instruction, false),
};
