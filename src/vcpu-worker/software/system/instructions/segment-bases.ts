import type {Instruction} from '#vcpu-worker/software/decode';
import {isCanonicalAddress} from '#vcpu-worker/software/mmu';
import {Cr4, generalProtection, invalidOpcode, Msr, requirePrivilege} from '#vcpu-worker/software/system/registers';
import {registerValue, setRegister} from './general-registers.ts';
import type {After, Parts} from './parts.ts';

const FS = 4;
const GS = 5;

/** With CR4.FSGSBASE programs have these instructions. */
function requireEnabled({core}: Parts): void {
	if ((Number(core.state.cr4) & Cr4.FSGSBASE) === 0) throw invalidOpcode();
}

const reading =
	(segment: number) =>
	(parts: Parts, {operands: [to]}: Instruction): After => {
		requireEnabled(parts);
		setRegister(parts, to, parts.core.state.segments[segment]?.base ?? 0n);
		return 'next';
	};

/** 32 bits are filled up with zeros. */
const writing =
	(segment: number) =>
	(parts: Parts, {operands: [from]}: Instruction): After => {
		requireEnabled(parts);
		const base = registerValue(parts, from);
		if (!isCanonicalAddress(base, parts.mmu.mode.levels)) throw generalProtection();
		Object.assign(parts.core.state.segments[segment] ?? {}, {base});
		return 'next';
	};

/** Instructions on the bases of FS and GS (SDM volume 2). */
export const segmentBases = {
	readFsBase: reading(FS),
	readGsBase: reading(GS),
	writeFsBase: writing(FS),
	writeGsBase: writing(GS),
	swapgs: ({core, msrs}: Parts): After => {
		requirePrivilege(core);
		const gs = core.state.segments[GS];
		if (gs === undefined) return 'next';
		const other = msrs.get(Msr.KERNEL_GS_BASE);
		msrs.write(Msr.KERNEL_GS_BASE, gs.base);
		gs.base = other;
		return 'next';
	},
};
