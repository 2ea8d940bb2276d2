import type {CodeSize} from '#vcpu-worker/software/decode';
import type {Core} from '#vcpu-worker/software/interpreter';
import type {Mmu} from '#vcpu-worker/software/mmu';
import {
	Component,
	CpuState,
	noExecute,
	reservedHigh,
	SegmentState,
	segmentBaseAt,
	supervisorTlb,
	tlbBytes,
	WalkRule,
	walkedParts,
} from '#vcpu-worker/software/state';
import {Attribute} from './descriptor.ts';
import {generalProtection, Vector} from './guest-fault.ts';

/** Bits of control registers (SDM volume 3, 2.5). */
export const Cr0 = {
	PE: 1,
	MP: 2,
	EM: 4,
	TS: 8,
	ET: 0x10,
	NE: 0x20,
	WP: 0x1_0000,
	AM: 0x4_0000,
	NW: 0x2000_0000,
	CD: 0x4000_0000,
	PG: 2 ** 31,
} as const;
export const Cr4 = {
	VME: 1,
	PVI: 2,
	TSD: 4,
	DE: 8,
	PSE: 0x10,
	PAE: 0x20,
	MCE: 0x40,
	PGE: 0x80,
	PCE: 0x100,
	OSFXSR: 0x200,
	OSXMMEXCPT: 0x400,
	UMIP: 0x800,
	LA57: 0x1000,
	FSGSBASE: 0x1_0000,
	PCIDE: 0x2_0000,
	OSXSAVE: 0x4_0000,
	SMEP: 0x10_0000,
	SMAP: 0x20_0000,
} as const;
export const Efer = {SCE: 1, LME: 0x100, LMA: 0x400, NXE: 0x800} as const;
/** Bits of RFLAGS beside the status flags. */
export const Flag = {
	TF: 0x100,
	IF: 0x200,
	DF: 0x400,
	IOPL: 0x3000,
	NT: 0x4000,
	RF: 0x1_0000,
	VM: 0x2_0000,
	AC: 0x4_0000,
	VIF: 0x8_0000,
	VIP: 0x10_0000,
	ID: 0x20_0000,
	/** All that there are. */
	all: 0x3f_7fd7,
} as const;

/** Number of CS and SS among the segment registers. */
export const CS = 1;
export const SS = 2;

/** Bits of a linear address that are the index of a table, and how far that of the last one is in it. */
const indexBits = 9;
const indexShift = 12;
/** Last byte of a page. */
const pageEnd = 4095;

const attributesAt = (segment: number): number => segmentBaseAt(segment) + SegmentState.offset('attributes');
/** Words of the state: of 64-bit registers the lower half. That of CS and SS has attributes, and the selector above. */
const Word = {
	...{cs: attributesAt(CS) / 4, ss: attributesAt(SS) / 4},
	csLimit: (segmentBaseAt(CS) + SegmentState.offset('limit')) / 4,
	...{cr0: CpuState.offset('cr0') / 4, cr3: CpuState.offset('cr3') / 4, cr4: CpuState.offset('cr4') / 4},
	...{efer: CpuState.offset('efer') / 4, xcr0: CpuState.offset('xcr0') / 4},
	flags: CpuState.offset('controlFlags') / 4,
	...{walkShift: CpuState.offset('walkShift') / 4, walkRules: CpuState.offset('walkRules') / 4},
	...{walkRoot: CpuState.offset('walkRoot') / 4, walkReserved: CpuState.offset('walkReserved') / 4},
	...{codeLimit: CpuState.offset('codeLimit') / 4, stackMask: CpuState.offset('stackMask') / 4},
} as const;
const selectorShift = 16;
/** Words of the bases of CS and SS. */
const longBases = [segmentBaseAt(CS) / 4, segmentBaseAt(SS) / 4];

/** The current privilege level: 0 in real mode, 3 in virtual-8086 mode. */
export function privilegeOf({words}: Core): number {
	if (((words[Word.cr0] as number) & Cr0.PE) === 0) return 0;
	if (((words[Word.flags] as number) & Flag.VM) !== 0) return 3;
	const cs = words[Word.cs] as number;
	// A selector of real mode stays until code of protected mode is loaded, and its low bits say nothing of privilege.
	return (cs & Attribute.conforming) !== 0 ? (cs >> selectorShift) & 3 : (cs >> Attribute.dplShift) & 3;
}

/** @throws GuestFault where the privilege is not 0 */
export function requirePrivilege(core: Core): void {
	if (privilegeOf(core) !== 0) throw generalProtection();
}

/** Bits of the code segment's default size. */
export function codeSizeOf({words}: Core): CodeSize {
	const cs = words[Word.cs] as number;
	if (((words[Word.efer] as number) & Efer.LMA) !== 0 && (cs & Attribute.long) !== 0) return 64;
	return (cs & Attribute.big) !== 0 ? 32 : 16;
}

/** True where segments are those of the 8086: in real mode, and in virtual-8086 mode. */
export const hasRealSegments = ({words}: Core): boolean =>
	((words[Word.cr0] as number) & Cr0.PE) === 0 || ((words[Word.flags] as number) & Flag.VM) !== 0;

/** Brings what follows from control registers, EFER and CS up to date, after one of them has changed. */
export function applyMode(core: Core, mmu: Mmu): void {
	const {state, words} = core;
	mmu.isLong = codeSizeOf(core) === 64;
	// Code and stack of 64-bit code have no base, also where a host, or code of another mode, had given them one (SDM volume 3, 3.2.4).
	if (mmu.isLong) for (const base of longBases) words.fill(0, base, base + 2);
	applyPrivilege(core);
	if (!haveChanged(words, pagingInputs, core.pagingInputs)) return;
	const [cr0, cr4, efer] = [words[Word.cr0], words[Word.cr4], words[Word.efer]] as [number, number, number];
	const isLong = (efer & Efer.LMA) !== 0;
	const isPaged = (cr0 & Cr0.PG) !== 0;
	const levels = !isPaged ? 0 : isLong ? ((cr4 & Cr4.LA57) !== 0 ? 5 : 4) : (cr4 & Cr4.PAE) !== 0 ? 3 : 2;
	const {cr3} = state;
	const hasPcids = (cr4 & Cr4.PCIDE) !== 0;
	const rootMask = levels >= 4 ? 0x000f_ffff_ffff_f000n : levels === 3 ? 0xffff_ffe0n : 0xffff_f000n;
	mmu.mode = {
		levels,
		root: Number(cr3 & rootMask),
		hasLargePages: levels !== 2 || (cr4 & Cr4.PSE) !== 0,
		protectsSupervisor: (cr0 & Cr0.WP) !== 0,
		smep: (cr4 & Cr4.SMEP) !== 0,
		smap: (cr4 & Cr4.SMAP) !== 0,
		nx: (efer & Efer.NXE) !== 0,
		hasGlobalPages: (cr4 & Cr4.PGE) !== 0,
		pcid: hasPcids ? Number(cr3 & 0xfffn) : 0,
	};
	applyWalk(core, mmu);
}

/** Brings up to date what walks in generated code go by. */
function applyWalk({words}: Core, {mode, memory}: Mmu): void {
	const {levels, root, protectsSupervisor, smap, hasGlobalPages, nx} = mode;
	words[Word.walkShift] = levels >= 4 && memory.parts.length <= walkedParts ? indexShift + indexBits * (levels - 1) : 0;
	words[Word.walkRules] =
		(protectsSupervisor ? WalkRule.protectsSupervisor : 0) |
		(smap ? WalkRule.smap : 0) |
		(hasGlobalPages ? WalkRule.global : 0);
	words[Word.walkRoot] = root | 0;
	words[Word.walkRoot + 1] = Math.floor(root / 2 ** 32);
	words[Word.walkReserved + 1] = nx ? reservedHigh : reservedHigh | noExecute;
}

/** What {@link applyPrivilege} goes by: CS and SS without base, and without the limit of SS, flags, CR0, CR4, EFER, XCR0. */
const privilegeInputs = [Word.cs, Word.ss, Word.csLimit, Word.flags, Word.cr0, Word.cr4, Word.efer, Word.xcr0];
/** What paging goes by. */
const pagingInputs = [Word.cr0, Word.cr3, Word.cr3 + 1, Word.cr4, Word.efer];

/** Tells whether one of these words is another than at the last call. */
function haveChanged(words: Int32Array, inputs: readonly number[], before: Int32Array): boolean {
	let isOther = false;
	for (let index = 0; index < inputs.length; index++) {
		const word = words[inputs[index] as number] as number;
		if (before[index] === word) continue;
		before[index] = word;
		isOther = true;
	}
	return isOther;
}

/** Brings what follows from privilege and AC up to date. */
export function applyPrivilege(core: Core): void {
	const {state, words} = core;
	const privilege = privilegeOf(core);
	const flags = words[Word.flags] as number;
	const acLifts = privilege < 3 && (flags & Flag.AC) !== 0;
	state.tlb = privilege === 3 ? state.userTlb : acLifts ? state.userTlb + tlbBytes : supervisorTlb;
	const codeSize = codeSizeOf(core);
	const isLong = codeSize === 64;
	state.modeKey = codeSize | (privilege === 3 ? state.userKey : 0);
	const iopl = (flags & Flag.IOPL) >> 12;
	state.poppableFlags = poppableFlags(privilege, iopl);
	// Generated code brings up to date what is above where it changes the privilege of 64-bit code.
	if (!haveChanged(words, privilegeInputs, core.privilegeInputs)) return;
	const codeLimit = ((words[Word.csLimit] as number) >>> 0) - pageEnd;
	words[Word.codeLimit] = isLong ? -1 : codeLimit;
	words[Word.codeLimit + 1] = isLong ? 0x7fff_ffff : codeLimit < 0 ? -1 : 0;
	const stackIsBig = ((words[Word.ss] as number) & Attribute.big) !== 0;
	words[Word.stackMask] = isLong || stackIsBig ? -1 : 0xffff;
	words[Word.stackMask + 1] = isLong ? -1 : 0;
	const [cr0, cr4] = [words[Word.cr0] as number, words[Word.cr4] as number];
	state.vectorFault = vectorFault(cr0, cr4);
	// Instructions of MMX cannot be emulated as those of the x87 can (SDM volume 3, tables 2-2 and 12-1).
	const isAway = (cr0 & (Cr0.EM | Cr0.TS)) !== 0 ? Vector.deviceNotAvailable : 0;
	state.vexFault = hasRealSegments(core) ? Vector.invalidOpcode : 0;
	state.avxFault = state.vexFault || avxFault(cr0, cr4, words[Word.xcr0] as number);
	state.x87Fault = isAway;
	state.waitFault = (cr0 & (Cr0.MP | Cr0.TS)) === (Cr0.MP | Cr0.TS) ? Vector.deviceNotAvailable : 0;
	state.mmxFault = (cr0 & Cr0.EM) !== 0 ? Vector.invalidOpcode : isAway;
	state.flagsAreVirtual = (flags & Flag.VM) !== 0 && iopl < 3 ? 1 : 0;
}

/** Exception of an instruction on XMM registers; 0 for none (SDM volume 3, table 13-1). */
function vectorFault(cr0: number, cr4: number): number {
	if ((cr0 & Cr0.EM) !== 0 || (cr4 & Cr4.OSFXSR) === 0) return Vector.invalidOpcode;
	return (cr0 & Cr0.TS) === 0 ? 0 : Vector.deviceNotAvailable;
}

/** Exception of an instruction with a VEX prefix on vectors in protected mode; 0 for none (SDM volume 2, table 2-18). */
function avxFault(cr0: number, cr4: number, xcr0: number): number {
	const needed = Number(Component.sse | Component.avx);
	if ((cr4 & Cr4.OSXSAVE) === 0 || (xcr0 & needed) !== needed) return Vector.invalidOpcode;
	return (cr0 & Cr0.TS) === 0 ? 0 : Vector.deviceNotAvailable;
}

/** Gives the flags that POPF changes (SDM volume 2, POPF): IOPL at privilege 0 alone, IF where IOPL allows it. */
function poppableFlags(privilege: number, iopl: number): number {
	const all = Flag.TF | Flag.DF | Flag.NT | Flag.AC | Flag.ID;
	return all | (privilege === 0 ? Flag.IOPL | Flag.IF : privilege <= iopl ? Flag.IF : 0);
}
