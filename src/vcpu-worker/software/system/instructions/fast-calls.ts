import type {Instruction} from '#vcpu-worker/software/decode';
import {
	applyMode,
	Cr0,
	CS,
	codeSizeOf,
	Efer,
	Flag,
	flagsOf,
	generalProtection,
	hasRealSegments,
	invalidOpcode,
	Msr,
	requirePrivilege,
	SS,
	setFlags,
} from '#vcpu-worker/software/system/registers';
import {general, low32, Register} from './general-registers.ts';
import type {After, Parts} from './parts.ts';

const flagsRegister = 11;
const stackPointer = 4;
/** Flat segments of 4 GiB: code of 64 and 32 bits, data; with privilege 0 (SDM volume 3, 5.8.7 and 5.8.8). */
const attributesOf = {64: 0xa09b, 32: 0xc09b, data: 0xc093} as const;
const user = 3;
/** Bits of R11 that become flags: not RF, VM and reserved ones. */
const returnable = 0x3c_7fd7;

const isLong = ({core}: Parts): boolean => (Number(core.state.efer) & Efer.LMA) !== 0;

/** Loads CS and SS, of which the descriptors are not read. */
function enter(parts: Parts, code: number, stack: number, size: 32 | 64, privilege: 0 | 3): void {
	const {core, mmu, segments} = parts;
	const dpl = privilege << 5;
	segments.set(CS, code | privilege, {base: 0n, limit: 0xffff_ffff, attributes: attributesOf[size] | dpl});
	segments.set(SS, stack | privilege, {base: 0n, limit: 0xffff_ffff, attributes: attributesOf.data | dpl});
	applyMode(core, mmu);
}

/** SYSCALL, which AMD's processors have outside of 64-bit code too (APM volume 3). */
function syscall(parts: Parts): After {
	const {core, msrs} = parts;
	const {state} = core;
	if ((Number(state.efer) & Efer.SCE) === 0 || hasRealSegments(core)) throw invalidOpcode();
	const star = msrs.get(Msr.STAR);
	const flags = flagsOf(state);
	state.general[Register.counter] = state.rip;
	const selector = Number((star >> 32n) & 0xfffcn);
	if (isLong(parts)) {
		const target = msrs.get(codeSizeOf(core) === 64 ? Msr.LSTAR : Msr.CSTAR);
		state.general[flagsRegister] = BigInt(flags & ~Flag.RF);
		state.rip = target;
		setFlags(state, flags & ~low32(msrs.get(Msr.FMASK)) & ~Flag.RF);
		enter(parts, selector, selector + 8, 64, 0);
	} else {
		state.rip = star & 0xffff_ffffn;
		setFlags(state, flags & ~(Flag.IF | Flag.VM | Flag.RF));
		enter(parts, selector, selector + 8, 32, 0);
	}
	return 'next';
}

function sysret(parts: Parts, {operandSize}: Instruction): After {
	const {core, msrs} = parts;
	const {state} = core;
	if ((Number(state.efer) & Efer.SCE) === 0 || hasRealSegments(core)) throw invalidOpcode();
	requirePrivilege(core);
	const selector = Number((msrs.get(Msr.STAR) >> 48n) & 0xfffcn);
	const is64 = operandSize === 64;
	const target = general(parts, Register.counter);
	const flags = isLong(parts) ? (low32(general(parts, flagsRegister)) & returnable) | 2 : flagsOf(state) | Flag.IF;
	enter(parts, selector + (is64 ? 16 : 0), selector + 8, is64 ? 64 : 32, user);
	// A program that is nowhere faults there, as on AMD's processors.
	state.rip = is64 ? target : target & 0xffff_ffffn;
	setFlags(state, flags);
	applyMode(core, parts.mmu);
	return 'next';
}

/**
 * SYSENTER and SYSEXIT go by SYSENTER_CS (SDM volume 2). In long mode AMD's processors do not have them (APM volume 3), nor do we, who
 * announce to be one: kernels choose by the maker how programs of 32 bits call them.
 */
function codeOf(parts: Parts): number {
	if (isLong(parts)) throw invalidOpcode();
	const selector = low32(parts.msrs.get(Msr.SYSENTER_CS)) & 0xfffc;
	if ((Number(parts.core.state.cr0) & Cr0.PE) === 0 || selector === 0) throw generalProtection();
	return selector;
}

function sysenter(parts: Parts): After {
	const {core, msrs} = parts;
	const {state} = core;
	const selector = codeOf(parts);
	state.controlFlags = (state.controlFlags & ~(Flag.IF | Flag.VM | Flag.RF)) >>> 0;
	state.rip = msrs.get(Msr.SYSENTER_EIP) & 0xffff_ffffn;
	state.general[stackPointer] = msrs.get(Msr.SYSENTER_ESP) & 0xffff_ffffn;
	enter(parts, selector, selector + 8, 32, 0);
	return 'next';
}

function sysexit(parts: Parts): After {
	const {state} = parts.core;
	const selector = codeOf(parts);
	requirePrivilege(parts.core);
	enter(parts, selector + 16, selector + 24, 32, user);
	state.rip = general(parts, Register.data) & 0xffff_ffffn;
	state.general[stackPointer] = general(parts, Register.counter) & 0xffff_ffffn;
	return 'next';
}

/** Instructions that enter the system and leave it by registers alone. */
export const fastCalls = {syscall, sysret, sysenter, sysexit};
