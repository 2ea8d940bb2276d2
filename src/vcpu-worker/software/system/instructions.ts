import type {Instruction, Operand} from '#vcpu-worker/software/decode';
import {physicalAddressBits} from '#vcpu-worker/software/mmu';
import {generalAt, segmentBaseAt} from '#vcpu-worker/software/state';
import {
	applyMode,
	applyPrivilege,
	Cr0,
	Cr4,
	CS,
	Efer,
	Flag,
	hasRealSegments,
	privilegeOf,
	SS,
} from './control-state.ts';
import {Attribute} from './descriptor.ts';
import {farTransfers} from './far-transfers.ts';
import {GuestFault, generalProtection, invalidOpcode, Vector} from './guest-fault.ts';
import {Msr} from './msrs.ts';
import {type After, addressOf, type Parts} from './parts.ts';
import {flagsOf, setFlags} from './rflags.ts';

const accumulator = 0;
const counter = 1;
const base = 3;
const data = 2;
const source = 6;
const destination = 7;
const GS = 5;

const low32 = (value: bigint): number => Number(value & 0xffff_ffffn);
const general = ({core}: Parts, register: number): bigint => core.state.general[register] as bigint;

function requirePrivilege(parts: Parts): void {
	if (privilegeOf(parts.core) !== 0) throw generalProtection();
}

/** I/O is for privileges up to IOPL, or by the task's map (SDM volume 1, 19.5). */
function requirePort({core, mmu}: Parts, port: number, bytes: number): void {
	const {state} = core;
	if (privilegeOf(core) <= (state.controlFlags & Flag.IOPL) >> 12) return;
	const task = state.segments[7];
	const offset = task === undefined || task.limit < 0x67 ? undefined : mmu.readSystem(task.base + 0x66n, 2);
	if (task === undefined || offset === undefined) throw generalProtection();
	const at = Number(offset) + (port >> 3);
	if (at + 1 > task.limit) throw generalProtection();
	const map = mmu.readSystem(task.base + BigInt(at), 2);
	if (map === undefined || ((Number(map) >> (port & 7)) & ((1 << bytes) - 1)) !== 0) throw generalProtection();
}

const portBytes = ({width}: {readonly width: number}): 1 | 2 | 4 => (width === 8 ? 1 : width === 16 ? 2 : 4);

/** The port of IN and OUT: a constant, or DX. */
const portOf = (parts: Parts, operand: Operand | undefined): number =>
	operand?.kind === 'immediate' ? Number(operand.value & 0xffn) : low32(general(parts, data)) & 0xffff;

function writeAccumulator({core}: Parts, bytes: 1 | 2 | 4, value: number): void {
	const old = core.state.general[accumulator] as bigint;
	const bits = BigInt(bytes * 8);
	const kept = bytes === 4 ? 0n : (old >> bits) << bits;
	core.state.general[accumulator] = kept | BigInt.asUintN(bytes * 8, BigInt(value >>> 0));
}

/** A 64-bit value in EDX:EAX. */
function setPair({core}: Parts, value: bigint): void {
	core.state.general[accumulator] = value & 0xffff_ffffn;
	core.state.general[data] = (value >> 32n) & 0xffff_ffffn;
}

const pair = (parts: Parts): bigint =>
	(general(parts, accumulator) & 0xffff_ffffn) | ((general(parts, data) & 0xffff_ffffn) << 32n);

/** Register numbers of `MOV r64, CRn`: operands have its place. */
const registerValue = ({core}: Parts, operand: Operand): bigint => {
	if (operand.kind !== 'register') throw invalidOpcode();
	return BigInt.asUintN(operand.width, core.state.general[(operand.place - generalAt(0)) / 8] as bigint);
};

function setRegister({core}: Parts, operand: Operand, value: bigint): void {
	if (operand.kind !== 'register') throw invalidOpcode();
	core.state.general[(operand.place - generalAt(0)) / 8] = value;
}

function writeControl(parts: Parts, number: number, value: bigint): void {
	const {core, mmu} = parts;
	const {state} = core;
	switch (number) {
		case 0:
			writeCr0(parts, value);
			break;
		case 2:
			state.cr2 = value;
			return;
		case 3:
			if (value >> BigInt(physicalAddressBits) !== 0n) throw generalProtection();
			state.cr3 = value;
			break;
		case 4:
			writeCr4(parts, value);
			break;
		default:
			throw invalidOpcode();
	}
	applyMode(core, mmu);
	mmu.flush();
	core.forgetJumps();
}

/** Checks of MOV to CR0 (SDM volume 2, MOV - Move to/from Control Registers). */
function writeCr0({core}: Parts, value: bigint): void {
	const {state} = core;
	if (value >> 32n !== 0n) throw generalProtection();
	const bits = Number(value);
	const has = (bit: number) => Math.floor(bits / bit) % 2 === 1;
	if ((has(Cr0.PG) && !has(Cr0.PE)) || (has(Cr0.NW) && !has(Cr0.CD))) throw generalProtection();
	const wasPaged = state.cr0 >> 31n !== 0n;
	if (has(Cr0.PG) && !wasPaged && (state.efer & BigInt(Efer.LME)) !== 0n) {
		const isLongCode = ((state.segments[CS]?.attributes ?? 0) & Attribute.long) !== 0;
		if ((state.cr4 & BigInt(Cr4.PAE)) === 0n || isLongCode) throw generalProtection();
		state.efer |= BigInt(Efer.LMA);
	}
	if (!has(Cr0.PG) && wasPaged) {
		if (((state.segments[CS]?.attributes ?? 0) & Attribute.long) !== 0) throw generalProtection();
		state.efer &= ~BigInt(Efer.LMA);
	}
	state.cr0 = value | BigInt(Cr0.ET);
}

const cr4Bits =
	Cr4.VME |
	Cr4.PVI |
	Cr4.TSD |
	Cr4.DE |
	Cr4.PSE |
	Cr4.PAE |
	Cr4.MCE |
	Cr4.PGE |
	Cr4.PCE |
	Cr4.OSFXSR |
	Cr4.OSXMMEXCPT |
	Cr4.UMIP |
	Cr4.FSGSBASE |
	Cr4.SMEP |
	Cr4.SMAP;

function writeCr4({core}: Parts, value: bigint): void {
	const {state} = core;
	if ((value & ~BigInt(cr4Bits)) !== 0n) throw generalProtection();
	if ((state.efer & BigInt(Efer.LMA)) !== 0n && (value & BigInt(Cr4.PAE)) === 0n) throw generalProtection();
	state.cr4 = value;
}

/** SYSCALL and SYSRET of 64-bit code (SDM volume 2). */
function syscall({core, mmu, msrs, segments}: Parts): After {
	const {state} = core;
	if ((state.efer & BigInt(Efer.SCE)) === 0n) throw invalidOpcode();
	const flags = flagsOf(state);
	state.general[counter] = state.rip;
	state.general[11] = BigInt(flags & ~Flag.RF);
	const selector = Number((msrs.get(Msr.STAR) >> 32n) & 0xfffcn);
	segments.set(CS, selector, {base: 0n, limit: 0xffff_ffff, attributes: 0xa09b});
	segments.set(SS, selector + 8, {base: 0n, limit: 0xffff_ffff, attributes: 0xc093});
	state.rip = msrs.get(Msr.LSTAR);
	setFlags(state, flags & ~low32(msrs.get(Msr.FMASK)) & ~Flag.RF);
	applyMode(core, mmu);
	return 'next';
}

function sysret(parts: Parts, {operandSize}: Instruction): After {
	const {core, mmu, msrs, segments} = parts;
	const {state} = core;
	if ((state.efer & BigInt(Efer.SCE)) === 0n) throw invalidOpcode();
	requirePrivilege(parts);
	const selector = Number((msrs.get(Msr.STAR) >> 48n) & 0xffffn);
	const isLong = operandSize === 64;
	const target = general(parts, counter);
	segments.set(CS, (selector + (isLong ? 16 : 0)) | 3, {
		base: 0n,
		limit: 0xffff_ffff,
		attributes: isLong ? 0xa0fb : 0xc0fb,
	});
	segments.set(SS, (selector + 8) | 3, {base: 0n, limit: 0xffff_ffff, attributes: 0xc0f3});
	state.rip = isLong ? target : target & 0xffff_ffffn;
	setFlags(state, (low32(general(parts, 11)) & 0x3c_7fd7) | 2);
	applyMode(core, mmu);
	return 'next';
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
	const port = low32(general(parts, data)) & 0xffff;
	requirePort(parts, port, bytes);
	const mask = (1n << BigInt(addressSize)) - 1n;
	const index = isInput ? destination : source;
	const step = BigInt((state.controlFlags & Flag.DF) === 0 ? bytes : -bytes);
	const isUser = privilegeOf(core) === 3;
	const segment = !isInput ? core.word(instruction.segment) : codeSize === 64 ? 0n : core.word(segmentBaseAt(0));
	// Addresses of 16 bits leave what is above in their register, those of 32 clear it.
	const set = (register: number, value: bigint) => {
		const kept = addressSize === 16 ? general(parts, register) & ~mask : 0n;
		state.general[register] = kept | (value & mask);
	};
	for (let done = 0; done < portElements; done++) {
		const left = repeat === undefined ? 1n : general(parts, counter) & mask;
		if (left === 0n) return 'next';
		const address = BigInt.asUintN(codeSize === 64 ? 64 : 32, (general(parts, index) & mask) + segment);
		if (isInput) {
			// The place is tried before the port is read, whose value would be lost.
			if (!mmu.canWrite(address, bytes, isUser)) throw new GuestFault(state.vector, state.errorCode);
			mmu.writeSystem(address, bytes, BigInt(outside.readPort(port, bytes) >>> 0), isUser);
		} else {
			const value = mmu.readSystem(address, bytes, isUser);
			if (value === undefined) throw new GuestFault(state.vector, state.errorCode);
			outside.writePort(port, bytes, Number(value));
		}
		set(index, general(parts, index) + step);
		if (repeat === undefined) return 'next';
		set(counter, left - 1n);
		state.budget--;
	}
	return 'again';
}

type Handler = (parts: Parts, instruction: Instruction) => After;

/** Instructions of the system that 64-bit code has (SDM volume 2), by the decoder's names. */
export const systemInstructions: Readonly<Record<string, Handler>> = {
	hlt: (parts) => {
		requirePrivilege(parts);
		return 'halt';
	},
	cli: (parts) => {
		requireIopl(parts);
		parts.core.state.controlFlags &= ~Flag.IF;
		return 'next';
	},
	sti: (parts) => {
		requireIopl(parts);
		const wasOff = (parts.core.state.controlFlags & Flag.IF) === 0;
		parts.core.state.controlFlags |= Flag.IF;
		return wasOff ? 'shadow' : 'next';
	},
	in: (parts, {operands: [target, port]}) => {
		const bytes = portBytes(target as {width: number});
		const number = portOf(parts, port);
		requirePort(parts, number, bytes);
		writeAccumulator(parts, bytes, parts.outside.readPort(number, bytes));
		return 'next';
	},
	out: (parts, {operands}) => {
		const value = operands.at(-1);
		const bytes = portBytes(value as {width: number});
		const number = portOf(parts, operands.length === 2 ? operands[0] : undefined);
		requirePort(parts, number, bytes);
		parts.outside.writePort(number, bytes, Number(BigInt.asUintN(bytes * 8, general(parts, accumulator))));
		return 'next';
	},
	ins: (parts, instruction) => stringPort(parts, instruction, true),
	outs: (parts, instruction) => stringPort(parts, instruction, false),
	int3: (parts) => {
		parts.interrupts.deliver(Vector.breakpoint, undefined, 'software');
		return 'next';
	},
	int: (parts, {operands: [number]}) => {
		const vector = number?.kind === 'immediate' ? Number(number.value & 0xffn) : 0;
		parts.interrupts.deliver(vector, undefined, 'software');
		return 'next';
	},
	syscall,
	sysret,
	clts: (parts) => {
		requirePrivilege(parts);
		parts.core.state.cr0 &= ~BigInt(Cr0.TS);
		return 'next';
	},
	invd: (parts) => cacheInstruction(parts),
	wbinvd: (parts) => cacheInstruction(parts),
	rdtsc: (parts) => {
		const {state} = parts.core;
		if ((Number(state.cr4) & Cr4.TSD) !== 0) requirePrivilege(parts);
		setPair(parts, parts.outside.counter());
		return 'next';
	},
	cpuid: (parts) => {
		const {state} = parts.core;
		const answer = parts.outside.cpuid(low32(general(parts, accumulator)), low32(general(parts, counter)));
		for (const [index, register] of [accumulator, base, counter, data].entries())
			state.general[register] = BigInt((answer[index] as number) >>> 0);
		return 'next';
	},
	rdmsr: (parts) => {
		requirePrivilege(parts);
		const index = low32(general(parts, counter));
		const value = parts.msrs.read(index) ?? parts.outside.readMsr(index);
		if (value === undefined) throw generalProtection();
		setPair(parts, value);
		return 'next';
	},
	wrmsr: (parts) => {
		requirePrivilege(parts);
		const index = low32(general(parts, counter));
		const value = pair(parts);
		if (!(parts.msrs.write(index, value) ?? parts.outside.writeMsr(index, value))) throw generalProtection();
		applyMode(parts.core, parts.mmu);
		return 'next';
	},
	movFromControl: (parts, {operands: [target, number]}) => {
		requirePrivilege(parts);
		const {cr0, cr2, cr3, cr4} = parts.core.state;
		const value = {0: cr0, 2: cr2, 3: cr3, 4: cr4}[numberOf(number)];
		if (value === undefined || target === undefined) throw invalidOpcode();
		setRegister(parts, target, value);
		return 'next';
	},
	movToControl: (parts, {operands: [number, from]}) => {
		requirePrivilege(parts);
		if (from === undefined) throw invalidOpcode();
		writeControl(parts, numberOf(number), registerValue(parts, from));
		return 'next';
	},
	movFromDebug: (parts, {operands: [target, number]}) => {
		requirePrivilege(parts);
		if (target === undefined) throw invalidOpcode();
		setRegister(parts, target, parts.core.state.debug[debugNumber(parts, number)] as bigint);
		return 'next';
	},
	movToDebug: (parts, {operands: [number, from]}) => {
		requirePrivilege(parts);
		if (from === undefined) throw invalidOpcode();
		const value = registerValue(parts, from);
		if (debugNumber(parts, number) >= 6 && value >> 32n !== 0n) throw generalProtection();
		parts.core.state.debug[debugNumber(parts, number)] = value;
		return 'next';
	},
	invlpg: (parts) => {
		requirePrivilege(parts);
		parts.mmu.flush();
		parts.core.forgetJumps();
		return 'next';
	},
	swapgs: (parts) => {
		requirePrivilege(parts);
		const gs = parts.core.state.segments[GS];
		const other = parts.msrs.get(Msr.KERNEL_GS_BASE);
		if (gs === undefined) return 'next';
		parts.msrs.write(Msr.KERNEL_GS_BASE, gs.base);
		gs.base = other;
		return 'next';
	},
	lgdt: (parts, instruction) => loadTable(parts, instruction, 'gdtr'),
	lidt: (parts, instruction) => loadTable(parts, instruction, 'idtr'),
	sgdt: (parts, instruction) => storeTable(parts, instruction, 'gdtr'),
	sidt: (parts, instruction) => storeTable(parts, instruction, 'idtr'),
	lldt: (parts, {operands: [from], addressSize}) => {
		if (hasRealSegments(parts.core)) throw invalidOpcode();
		requirePrivilege(parts);
		parts.segments.loadLdt(selectorOf(parts, from, addressSize));
		return 'next';
	},
	ltr: (parts, {operands: [from], addressSize}) => {
		if (hasRealSegments(parts.core)) throw invalidOpcode();
		requirePrivilege(parts);
		parts.segments.loadTask(selectorOf(parts, from, addressSize));
		return 'next';
	},
	movToSegment: (parts, {operands: [number, from], addressSize}) => {
		const segment = numberOf(number);
		if (segment > 5 || segment === CS) throw invalidOpcode();
		parts.segments.load(segment, selectorOf(parts, from, addressSize));
		applyPrivilege(parts.core);
		return segment === SS ? 'shadow' : 'next';
	},
	movFromSegment: (parts, {operands: [to, number], addressSize, operandSize}) => {
		const segment = numberOf(number);
		if (segment > GS) throw invalidOpcode();
		const selector = BigInt(parts.core.state.segments[segment]?.selector ?? 0);
		if (to?.kind === 'register') {
			const width = BigInt(operandSize);
			setRegister(parts, to, operandSize === 16 ? ((registerValue(parts, to) >> width) << width) | selector : selector);
		} else if (!parts.mmu.writeSystem(addressOf(parts, to, addressSize), 2, selector, privilegeOf(parts.core) === 3))
			throw new GuestFault(parts.core.state.vector, parts.core.state.errorCode);
		return 'next';
	},
	...farTransfers,
};

function requireIopl({core}: Parts): void {
	if (privilegeOf(core) > (core.state.controlFlags & Flag.IOPL) >> 12) throw generalProtection();
}

/** Caches are the host's, which keeps them as they must be. */
function cacheInstruction(parts: Parts): After {
	requirePrivilege(parts);
	return 'next';
}

const numberOf = (operand: Operand | undefined): number => (operand?.kind === 'immediate' ? Number(operand.value) : 0);

/** DR4 and DR5 are DR6 and DR7, or none where CR4.DE is set; DR8 and on are none (SDM volume 3, 17.2.2). */
function debugNumber({core}: Parts, operand: Operand | undefined): number {
	const number = numberOf(operand);
	const isOld = number === 4 || number === 5;
	if (number > 7 || (isOld && (Number(core.state.cr4) & Cr4.DE) !== 0)) throw invalidOpcode();
	return isOld ? number + 2 : number;
}

function selectorOf(parts: Parts, operand: Operand | undefined, addressSize: number): number {
	if (operand?.kind === 'register') return low32(parts.core.word(operand.place)) & 0xffff;
	const value = parts.mmu.readSystem(addressOf(parts, operand, addressSize), 2, privilegeOf(parts.core) === 3);
	if (value === undefined) throw new GuestFault(parts.core.state.vector, parts.core.state.errorCode);
	return Number(value);
}

function loadTable(
	parts: Parts,
	{operands: [from], addressSize, operandSize, codeSize}: Instruction,
	name: 'gdtr' | 'idtr',
): After {
	requirePrivilege(parts);
	const {mmu, core} = parts;
	const at = addressOf(parts, from, addressSize);
	const limit = mmu.readSystem(at, 2);
	// Outside of 64-bit code a base has 32 bits, with operands of 16 bits 24 of them (SDM volume 2, LGDT).
	const tableBase = mmu.readSystem(at + 2n, codeSize === 64 ? 8 : 4);
	if (limit === undefined || tableBase === undefined) throw new GuestFault(core.state.vector, core.state.errorCode);
	core.state[name].limit = Number(limit);
	core.state[name].base = codeSize !== 64 && operandSize === 16 ? tableBase & 0xff_ffffn : tableBase;
	return 'next';
}

function storeTable(parts: Parts, {operands: [to], addressSize, codeSize}: Instruction, name: 'gdtr' | 'idtr'): After {
	const {mmu, core} = parts;
	if ((Number(core.state.cr4) & Cr4.UMIP) !== 0) requirePrivilege(parts);
	const at = addressOf(parts, to, addressSize);
	const isUser = privilegeOf(core) === 3;
	const {limit, base: tableBase} = core.state[name];
	if (
		!(
			mmu.writeSystem(at + 2n, codeSize === 64 ? 8 : 4, tableBase, isUser) &&
			mmu.writeSystem(at, 2, BigInt(limit & 0xffff), isUser)
		)
	)
		throw new GuestFault(core.state.vector, core.state.errorCode);
	return 'next';
}
