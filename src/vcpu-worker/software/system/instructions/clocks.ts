import type {Instruction} from '#vcpu-worker/software/decode';
import {
	allStatus,
	Cr4,
	flagsOf,
	generalProtection,
	Msr,
	requirePrivilege,
	Status,
	setFlags,
} from '#vcpu-worker/software/system/registers';
import {Register, setPair, setRegister} from './general-registers.ts';
import {writeRegister} from './operands.ts';
import type {After, Parts} from './parts.ts';

/** With CR4.TSD the counter is the system's. */
function readCounter(parts: Parts): void {
	if ((Number(parts.core.state.cr4) & Cr4.TSD) !== 0) requirePrivilege(parts.core);
	setPair(parts, parts.outside.counter());
}

/** RDRAND and RDSEED always have a number: CF is set, the other status flags clear. */
function random(parts: Parts, {operands: [to], operandSize}: Instruction): After {
	const {core, outside} = parts;
	writeRegister(parts, to, operandSize, BigInt.asUintN(operandSize, outside.random()));
	setFlags(core.state, (flagsOf(core.state) & ~allStatus) | Status.CF);
	return 'next';
}

/** Instructions that give time, a processor's number, and random numbers (SDM volume 2). */
export const clocks = {
	rdtsc: (parts: Parts): After => {
		readCounter(parts);
		return 'next';
	},
	rdtscp: (parts: Parts): After => {
		readCounter(parts);
		parts.core.state.general[Register.counter] = parts.msrs.get(Msr.TSC_AUX);
		return 'next';
	},
	rdpid: (parts: Parts, {operands: [to]}: Instruction): After => {
		setRegister(parts, to, parts.msrs.get(Msr.TSC_AUX));
		return 'next';
	},
	/** There is no counter of events. */
	rdpmc: (): After => {
		throw generalProtection();
	},
	rdrand: random,
	rdseed: random,
};
