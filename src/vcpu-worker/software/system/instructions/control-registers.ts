import {Feature, type Instruction} from '#vcpu-worker/software/decode';
import {physicalAddressBits} from '#vcpu-worker/software/state';
import {
	Attribute,
	applyMode,
	Cr0,
	Cr4,
	CS,
	Efer,
	generalProtection,
	invalidOpcode,
	requirePrivilege,
} from '#vcpu-worker/software/system/registers';
import {numberIn, registerValue, setRegister} from './general-registers.ts';
import {readOperand} from './operands.ts';
import type {After, Parts} from './parts.ts';

/** Bits of CR0 that there are; others stay clear (SDM volume 3, 2.5). */
const cr0Bits = Cr0.PE + Cr0.MP + Cr0.EM + Cr0.TS + Cr0.ET + Cr0.NE + Cr0.WP + Cr0.AM + Cr0.NW + Cr0.CD + Cr0.PG;
/** Those on which translations depend. */
const pagingBits = Cr0.PE + Cr0.WP + Cr0.PG;
/** Bits of CR4, and the feature without which there is none; PCE every processor has. */
const cr4Features: readonly (readonly [bit: number, feature: Feature | undefined])[] = [
	[Cr4.VME, Feature.vme],
	[Cr4.PVI, Feature.vme],
	[Cr4.TSD, Feature.tsc],
	[Cr4.DE, Feature.de],
	[Cr4.PSE, Feature.pse],
	[Cr4.PAE, Feature.pae],
	[Cr4.MCE, Feature.mce],
	[Cr4.PGE, Feature.pge],
	[Cr4.PCE, undefined],
	[Cr4.OSFXSR, Feature.fxsr],
	[Cr4.OSXMMEXCPT, Feature.sse],
	[Cr4.UMIP, Feature.umip],
	[Cr4.LA57, Feature.la57],
	[Cr4.FSGSBASE, Feature.fsgsbase],
	[Cr4.PCIDE, Feature.pcid],
	[Cr4.OSXSAVE, Feature.xsave],
	[Cr4.SMEP, Feature.smep],
	[Cr4.SMAP, Feature.smap],
];
/** Bits of CR4 by which the tables of PAE are read anew. */
const pointerBits = Cr4.PAE | Cr4.PGE | Cr4.PSE | Cr4.SMEP;
/** Bit 63 of what is written to CR3 with PCIDs asks to keep what is known of the new one. */
const keepsTranslations = 1n << 63n;
const maxPriority = 15n;
/** Bits 4 to 7 of CR0 and above are none of LMSW's. */
const statusWord = 15n;

const has = (value: bigint, bit: number): boolean => ((value >> BigInt(Math.log2(bit))) & 1n) === 1n;

/** CR0 (SDM volume 2, MOV - Move to/from Control Registers). */
function writeCr0(parts: Parts, value: bigint): void {
	const {core, mmu} = parts;
	const {state} = core;
	if (value >> 32n !== 0n) throw generalProtection();
	if ((has(value, Cr0.PG) && !has(value, Cr0.PE)) || (has(value, Cr0.NW) && !has(value, Cr0.CD)))
		throw generalProtection();
	const wasPaged = has(state.cr0, Cr0.PG);
	const isLongCode = ((state.segments[CS]?.attributes ?? 0) & Attribute.long) !== 0;
	let {efer} = state;
	if (has(value, Cr0.PG) && !wasPaged && has(efer, Efer.LME)) {
		if (!has(state.cr4, Cr4.PAE) || isLongCode) throw generalProtection();
		efer |= BigInt(Efer.LMA);
	}
	if (!has(value, Cr0.PG) && wasPaged) {
		if (has(state.cr4, Cr4.PCIDE) || (has(efer, Efer.LMA) && isLongCode)) throw generalProtection();
		efer &= ~BigInt(Efer.LMA);
	}
	const cr0 = (value & BigInt(cr0Bits)) | BigInt(Cr0.ET);
	requirePointers(parts, cr0, state.cr3, state.cr4, efer);
	const changed = state.cr0 ^ cr0;
	Object.assign(state, {cr0, efer});
	applyMode(core, mmu);
	if ((changed & BigInt(pagingBits)) !== 0n) mmu.flush();
}

function writeCr3(parts: Parts, value: bigint): void {
	const {core, mmu} = parts;
	const {state} = core;
	const hasPcids = has(state.cr4, Cr4.PCIDE);
	const cr3 = hasPcids ? value & ~keepsTranslations : value;
	if (cr3 >> BigInt(physicalAddressBits) !== 0n) throw generalProtection();
	requirePointers(parts, state.cr0, cr3, state.cr4, state.efer);
	state.cr3 = cr3;
	applyMode(core, mmu);
	if (hasPcids) mmu.load(cr3 !== value);
	else mmu.flushLocal();
}

/** CR4 has the bits of features that CPUID announces. */
function writeCr4(parts: Parts, value: bigint): void {
	const {core, mmu, features} = parts;
	const {state} = core;
	let rest = value;
	for (const [bit, feature] of cr4Features)
		if (has(value, bit) && (feature === undefined || features.has(feature))) rest -= BigInt(bit);
	if (rest !== 0n) throw generalProtection();
	const changed = value ^ state.cr4;
	const isLong = has(state.efer, Efer.LMA);
	if (isLong && (!has(value, Cr4.PAE) || has(changed, Cr4.LA57))) throw generalProtection();
	if (has(changed & value, Cr4.PCIDE) && (!isLong || (state.cr3 & 0xfffn) !== 0n)) throw generalProtection();
	if ((changed & BigInt(pointerBits)) !== 0n) requirePointers(parts, state.cr0, state.cr3, value, state.efer);
	state.cr4 = value;
	applyMode(core, mmu);
	mmu.flush();
}

/** Entries of the first table of PAE are checked when they are loaded (SDM volume 3, 4.4.1). */
function requirePointers({mmu}: Parts, cr0: bigint, cr3: bigint, cr4: bigint, efer: bigint): void {
	const isPae = has(cr0, Cr0.PG) && has(cr4, Cr4.PAE) && !has(efer, Efer.LMA);
	if (isPae && mmu.hasReservedPointers(Number(cr3 & 0xffff_ffe0n))) throw generalProtection();
}

/** Changes a control register as MOV does. @throws GuestFault */
export function writeControl(parts: Parts, number: number, value: bigint): void {
	switch (number) {
		case 0:
			writeCr0(parts, value);
			return;
		case 2:
			parts.core.state.cr2 = value;
			return;
		case 3:
			writeCr3(parts, value);
			return;
		case 4:
			writeCr4(parts, value);
			return;
		case 8:
			if (value > maxPriority) throw generalProtection();
			parts.outside.writePriority(Number(value));
			return;
		default:
			throw invalidOpcode();
	}
}

function readControl({core: {state}, outside}: Parts, number: number): bigint {
	switch (number) {
		case 0:
			return state.cr0;
		case 2:
			return state.cr2;
		case 3:
			return state.cr3;
		case 4:
			return state.cr4;
		case 8:
			return BigInt(outside.readPriority());
		default:
			throw invalidOpcode();
	}
}

/** Instructions on control registers (SDM volume 2). */
export const controlRegisters = {
	movFromControl: (parts: Parts, {operands: [to, number]}: Instruction): After => {
		requirePrivilege(parts.core);
		setRegister(parts, to, readControl(parts, numberIn(number)));
		return 'next';
	},
	movToControl: (parts: Parts, {operands: [number, from]}: Instruction): After => {
		requirePrivilege(parts.core);
		writeControl(parts, numberIn(number), registerValue(parts, from));
		return 'next';
	},
	clts: (parts: Parts): After => {
		requirePrivilege(parts.core);
		parts.core.state.cr0 &= ~BigInt(Cr0.TS);
		return 'next';
	},
	/** The low four bits of CR0, but PE is never cleared. */
	lmsw: (parts: Parts, {operands: [from], addressSize}: Instruction): After => {
		requirePrivilege(parts.core);
		const word = readOperand(parts, from, addressSize, 2) & statusWord;
		const kept = parts.core.state.cr0 & ~BigInt(Cr0.MP | Cr0.EM | Cr0.TS);
		writeControl(parts, 0, kept | word);
		return 'next';
	},
};
