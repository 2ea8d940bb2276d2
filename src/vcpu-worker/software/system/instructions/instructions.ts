import type {Instruction, Operand} from '#vcpu-worker/software/decode';
import {isCanonicalAddress} from '#vcpu-worker/software/mmu';
import {
	applyMode,
	applyPrivilege,
	Cr4,
	CS,
	codeSizeOf,
	DebugBit,
	debugValue,
	GuestFault,
	generalProtection,
	invalidOpcode,
	privilegeOf,
	requirePrivilege,
	SS,
	Vector,
} from '#vcpu-worker/software/system/registers';
import {clocks} from './clocks.ts';
import {controlRegisters} from './control-registers.ts';
import {decimals} from './decimals.ts';
import {descriptorInstructions} from './descriptor-instructions.ts';
import {farTransfers} from './far-transfers.ts';
import {fastCalls} from './fast-calls.ts';
import {flagInstructions} from './flag-instructions.ts';
import {fxInstructions} from './fx-instructions.ts';
import {general, low32, numberIn, pair, Register, registerValue, setPair, setRegister} from './general-registers.ts';
import {readOperand, writeMemory, writeSelector} from './operands.ts';
import type {After, Parts} from './parts.ts';
import {ports} from './ports.ts';
import {programInterrupts} from './program-interrupts.ts';
import {segmentBases} from './segment-bases.ts';
import {translations} from './translations.ts';
import {waiting} from './waiting.ts';
import {compareExchange16} from './wide-exchange.ts';
import {x87StateInstructions} from './x87-state.ts';
import {areaBytes} from './xsave-area.ts';
import {xsaveInstructions} from './xsave-instructions.ts';

/** Number of GS. */
const lastSegment = 5;

/** Bit of ECX of CPUID's leaf 1. */
const osxsave = 1 << 27;

/** -EPERM: calls are the kernel's. */
const notPermitted = -1n;

/** VMCALL and VMMCALL: arguments and result are those of KVM's calls (Linux: Documentation/virt/kvm/x86/hypercalls.rst). */
function vmcall(parts: Parts): After {
	const {core, outside} = parts;
	const bits = codeSizeOf(core) === 64 ? 64 : 32;
	const value = (register: number) => BigInt.asUintN(bits, general(parts, register));
	const values = [Register.base, Register.counter, Register.data, Register.source].map(value);
	const number = value(Register.accumulator);
	const result = privilegeOf(core) === 0 ? outside.hypercall(number, values, bits) : notPermitted;
	if (result === undefined) throw invalidOpcode();
	core.state.general[Register.accumulator] = BigInt.asUintN(bits, result);
	return 'next';
}

/** ECX of leaf 1: OSXSAVE says what the system has set in CR4 (SDM volume 2, CPUID). */
const withOsxsave = ({core}: Parts, word: number): number =>
	(Number(core.state.cr4) & Cr4.OSXSAVE) === 0 ? word & ~osxsave : word | osxsave;

type Handler = (parts: Parts, instruction: Instruction) => After;

/** Instructions of the system that 64-bit code has (SDM volume 2), by the decoder's names. */
export const systemInstructions: Readonly<Record<string, Handler>> = {
	invd: (parts) => cacheInstruction(parts),
	wbinvd: (parts) => cacheInstruction(parts),
	cpuid: (parts) => {
		const {state} = parts.core;
		const leaf = low32(general(parts, Register.accumulator));
		const answer = [...parts.outside.cpuid(leaf, low32(general(parts, Register.counter)))];
		// The size of an area goes by what the system has enabled, in the compacted format too (SDM volume 2, CPUID).
		if (leaf === 0xd && answer[1] !== 0 && low32(general(parts, Register.counter)) < 2)
			answer[1] = areaBytes(state.xcr0);
		if (leaf === 1) answer[2] = withOsxsave(parts, answer[2] as number);
		for (const [index, register] of [Register.accumulator, Register.base, Register.counter, Register.data].entries())
			state.general[register] = BigInt((answer[index] as number) >>> 0);
		return 'next';
	},
	vmcall,
	rdmsr: (parts) => {
		requirePrivilege(parts.core);
		const index = low32(general(parts, Register.counter));
		const value = parts.msrs.read(index) ?? parts.outside.readMsr(index);
		if (value === undefined) throw generalProtection();
		setPair(parts, value);
		return 'next';
	},
	wrmsr: (parts) => {
		requirePrivilege(parts.core);
		const index = low32(general(parts, Register.counter));
		const value = pair(parts);
		if (!(parts.msrs.write(index, value) ?? parts.outside.writeMsr(index, value))) throw generalProtection();
		applyMode(parts.core, parts.mmu);
		return 'next';
	},
	movFromDebug: (parts, {operands: [target, number]}) => {
		const register = debugNumber(parts, number);
		setRegister(parts, target, parts.core.state.debug[register] as bigint);
		return 'next';
	},
	movToDebug: (parts, {operands: [number, from]}) => {
		const register = debugNumber(parts, number);
		const value = registerValue(parts, from);
		if (register >= 6 && value >> 32n !== 0n) throw generalProtection();
		parts.core.state.debug[register] = debugValue(register, value);
		parts.debug.apply();
		return 'next';
	},
	lgdt: (parts, instruction) => loadTable(parts, instruction, 'gdtr'),
	lidt: (parts, instruction) => loadTable(parts, instruction, 'idtr'),
	sgdt: (parts, instruction) => storeTable(parts, instruction, 'gdtr'),
	sidt: (parts, instruction) => storeTable(parts, instruction, 'idtr'),
	movToSegment: (parts, {operands: [number, from], addressSize}) => {
		const segment = numberIn(number);
		if (segment > lastSegment || segment === CS) throw invalidOpcode();
		parts.segments.load(segment, Number(readOperand(parts, from, addressSize, 2)));
		applyPrivilege(parts.core);
		return segment === SS ? 'shadow' : 'next';
	},
	movFromSegment: (parts, {operands: [to, number], addressSize, operandSize}) => {
		const segment = numberIn(number);
		if (segment > lastSegment) throw invalidOpcode();
		const selector = BigInt(parts.core.state.segments[segment]?.selector ?? 0);
		writeSelector(parts, to, {addressSize, operandSize}, selector);
		return 'next';
	},
	...clocks,
	...controlRegisters,
	cmpxchg16b: compareExchange16,
	...decimals,
	...descriptorInstructions,
	...fastCalls,
	...flagInstructions,
	...farTransfers,
	...fxInstructions,
	...ports,
	...programInterrupts,
	...segmentBases,
	...translations,
	...waiting,
	...x87StateInstructions,
	...xsaveInstructions,
};

/** Caches are the host's, which keeps them as they must be. */
function cacheInstruction(parts: Parts): After {
	requirePrivilege(parts.core);
	return 'next';
}

/**
 * DR4 and DR5 are DR6 and DR7, or none where CR4.DE is set; DR8 and on are none (SDM volume 3, 18.2.2). DR7.GD guards them all.
 * @throws GuestFault where the program must not name it
 */
function debugNumber({core}: Parts, operand: Operand | undefined): number {
	requirePrivilege(core);
	const number = numberIn(operand);
	const isOld = number === 4 || number === 5;
	if (number > 7 || (isOld && (Number(core.state.cr4) & Cr4.DE) !== 0)) throw invalidOpcode();
	const {debug} = core.state;
	if ((Number(debug[7]) & DebugBit.GD) !== 0) {
		debug[6] = (debug[6] as bigint) | BigInt(DebugBit.BD);
		throw new GuestFault(Vector.debug);
	}
	return isOld ? number + 2 : number;
}

function loadTable(
	parts: Parts,
	{operands: [from], addressSize, operandSize, codeSize}: Instruction,
	name: 'gdtr' | 'idtr',
): After {
	requirePrivilege(parts.core);
	const limit = readOperand(parts, from, addressSize, 2);
	// Outside of 64-bit code a base has 32 bits, with operands of 16 bits 24 of them (SDM volume 2, LGDT).
	const tableBase = readOperand(parts, from, addressSize, codeSize === 64 ? 8 : 4, 2);
	if (codeSize === 64 && !isCanonicalAddress(tableBase, parts.mmu.mode.levels)) throw generalProtection();
	const table = parts.core.state[name];
	table.limit = Number(limit);
	table.base = codeSize !== 64 && operandSize === 16 ? tableBase & 0xff_ffffn : tableBase;
	return 'next';
}

function storeTable(parts: Parts, {operands: [to], addressSize, codeSize}: Instruction, name: 'gdtr' | 'idtr'): After {
	const {core} = parts;
	if ((Number(core.state.cr4) & Cr4.UMIP) !== 0) requirePrivilege(parts.core);
	const {limit, base: tableBase} = core.state[name];
	const bytes = codeSize === 64 ? 10 : 6;
	writeMemory(parts, to, addressSize, bytes, BigInt(limit & 0xffff) | (tableBase << 16n));
	return 'next';
}
