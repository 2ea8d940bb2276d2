import type {Instruction} from '#vcpu-worker/software/decode';
import {isCanonicalAddress} from '#vcpu-worker/software/mmu';
import {Cr4, codeSizeOf, generalProtection, requirePrivilege} from '#vcpu-worker/software/system/registers';
import {registerValue} from './general-registers.ts';
import {linearOf, readOperand} from './operands.ts';
import type {After, Parts} from './parts.ts';

/** Types of INVPCID (SDM volume 2): one address, one PCID, everything, everything that is not global. */
const InvpcidType = {address: 0n, context: 1n, all: 2n, local: 3n} as const;
const pcidMask = 0xfffn;

/** Instructions that forget translations (SDM volume 2). */
export const translations = {
	invlpg: (parts: Parts, {operands: [at], addressSize}: Instruction): After => {
		requirePrivilege(parts.core);
		parts.mmu.forgetPage(linearOf(parts, at, addressSize));
		return 'next';
	},
	invpcid: (parts: Parts, {operands: [kind, at], addressSize}: Instruction): After => {
		const {core, mmu} = parts;
		requirePrivilege(core);
		const width = codeSizeOf(core) === 64 ? 64 : 32;
		const type = BigInt.asUintN(width, registerValue(parts, kind));
		const pcid = readOperand(parts, at, addressSize, 8);
		const address = readOperand(parts, at, addressSize, 8, 8);
		if (type > InvpcidType.local || pcid > pcidMask) throw generalProtection();
		const needsPcids = type === InvpcidType.address || type === InvpcidType.context;
		if (needsPcids && pcid !== 0n && (Number(core.state.cr4) & Cr4.PCIDE) === 0) throw generalProtection();
		if (type === InvpcidType.address) {
			if (!isCanonicalAddress(address, mmu.mode.levels)) throw generalProtection();
			mmu.forgetPage(address);
		} else if (type === InvpcidType.all) mmu.flush();
		else if (type === InvpcidType.local) mmu.flushSpaces();
		else mmu.flushSpace(Number(pcid));
		return 'next';
	},
};
