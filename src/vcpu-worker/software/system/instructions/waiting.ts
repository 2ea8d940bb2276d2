import type {Instruction} from '#vcpu-worker/software/decode';

import {
	Flag,
	generalProtection,
	invalidOpcode,
	privilegeOf,
	requirePrivilege,
} from '#vcpu-worker/software/system/registers';
import {general, low32, Register} from './general-registers.ts';
import {readSegment} from './operands.ts';
import type {After, Parts} from './parts.ts';

/** ECX of MWAIT asks to end for interrupts that are masked too. */
const endsForMasked = 1;

function requireMonitor({core}: Parts): void {
	if (privilegeOf(core) !== 0) throw invalidOpcode();
}

/** SMAP is lifted and set again by AC. */
function setAccess({core}: Parts, flags: (controlFlags: number) => number): After {
	if (privilegeOf(core) !== 0) throw invalidOpcode();
	core.state.controlFlags = flags(core.state.controlFlags) >>> 0;
	return 'next';
}

/** Instructions that wait, and those that open the memory of programs to the system (SDM volume 2). */
export const waiting = {
	hlt: ({core}: Parts): After => {
		requirePrivilege(core);
		return 'halt';
	},
	/** Faults as a load does. */
	monitor: (parts: Parts, {addressSize, segment}: Instruction): After => {
		requireMonitor(parts);
		if (low32(general(parts, Register.counter)) !== 0) throw generalProtection();
		readSegment(parts, segment, BigInt.asUintN(addressSize, general(parts, Register.accumulator)), 1);
		return 'next';
	},
	/** May end for any reason, and does so at once: nobody would tell of a store of another processor. */
	mwait: (parts: Parts): After => {
		requireMonitor(parts);
		if ((low32(general(parts, Register.counter)) & ~endsForMasked) !== 0) throw generalProtection();
		return 'next';
	},
	clac: (parts: Parts): After => setAccess(parts, (flags) => flags & ~Flag.AC),
	stac: (parts: Parts): After => setAccess(parts, (flags) => flags | Flag.AC),
};
