import type {Instruction, Operand} from '#vcpu-worker/software/decode';
import {physicalAddressBits} from '#vcpu-worker/software/mmu';
import {generalAt} from '#vcpu-worker/software/state';
import {applyMode, applyPrivilege, Cr0, Cr4, CS, Efer, Flag, privilegeOf, SS} from './control-state.ts';
import {decimals} from './decimals.ts';
import {Attribute} from './descriptor.ts';
import {descriptorInstructions} from './descriptor-instructions.ts';
import {farTransfers} from './far-transfers.ts';
import {fxInstructions} from './fx-instructions.ts';
import {generalProtection, invalidOpcode} from './guest-fault.ts';
import {Msr} from './msrs.ts';
import {readOperand, writeMemory, writeSelector} from './operands.ts';
import type {After, Parts} from './parts.ts';
import {ports} from './ports.ts';
import {programInterrupts} from './program-interrupts.ts';
import {flagsOf, setFlags} from './rflags.ts';
import {x87StateInstructions} from './x87-state.ts';

const accumulator = 0;
const counter = 1;
const base = 3;
const data = 2;
const GS = 5;

const low32 = (value: bigint): number => Number(value & 0xffff_ffffn);
const general = ({core}: Parts, register: number): bigint => core.state.general[register] as bigint;

function requirePrivilege(parts: Parts): void {
	if (privilegeOf(parts.core) !== 0) throw generalProtection();
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

/** LMSW: the low four bits of CR0, but PE is never cleared (SDM volume 2, LMSW). */
function loadStatusWord(parts: Parts, word: bigint): void {
	const {cr0} = parts.core.state;
	writeControl(parts, 0, (cr0 & ~BigInt(Cr0.MP | Cr0.EM | Cr0.TS)) | (word & 15n));
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
	lmsw: (parts, {operands: [from], addressSize}) => {
		requirePrivilege(parts);
		loadStatusWord(parts, readOperand(parts, from, addressSize, 2));
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
	movToSegment: (parts, {operands: [number, from], addressSize}) => {
		const segment = numberOf(number);
		if (segment > 5 || segment === CS) throw invalidOpcode();
		parts.segments.load(segment, Number(readOperand(parts, from, addressSize, 2)));
		applyPrivilege(parts.core);
		return segment === SS ? 'shadow' : 'next';
	},
	movFromSegment: (parts, {operands: [to, number], addressSize, operandSize}) => {
		const segment = numberOf(number);
		if (segment > GS) throw invalidOpcode();
		const selector = BigInt(parts.core.state.segments[segment]?.selector ?? 0);
		writeSelector(parts, to, {addressSize, operandSize}, selector);
		return 'next';
	},
	...decimals,
	...descriptorInstructions,
	...farTransfers,
	...fxInstructions,
	...ports,
	...programInterrupts,
	...x87StateInstructions,
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

function loadTable(
	parts: Parts,
	{operands: [from], addressSize, operandSize, codeSize}: Instruction,
	name: 'gdtr' | 'idtr',
): After {
	requirePrivilege(parts);
	const limit = readOperand(parts, from, addressSize, 2);
	// Outside of 64-bit code a base has 32 bits, with operands of 16 bits 24 of them (SDM volume 2, LGDT).
	const tableBase = readOperand(parts, from, addressSize, codeSize === 64 ? 8 : 4, 2);
	const table = parts.core.state[name];
	table.limit = Number(limit);
	table.base = codeSize !== 64 && operandSize === 16 ? tableBase & 0xff_ffffn : tableBase;
	return 'next';
}

function storeTable(parts: Parts, {operands: [to], addressSize, codeSize}: Instruction, name: 'gdtr' | 'idtr'): After {
	const {core} = parts;
	if ((Number(core.state.cr4) & Cr4.UMIP) !== 0) requirePrivilege(parts);
	const {limit, base: tableBase} = core.state[name];
	const bytes = codeSize === 64 ? 10 : 6;
	writeMemory(parts, to, addressSize, bytes, BigInt(limit & 0xffff) | (tableBase << 16n));
	return 'next';
}
