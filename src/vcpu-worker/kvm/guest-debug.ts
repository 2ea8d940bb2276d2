import {ArgumentBuffer} from './argument-buffer.ts';
import {GuestDbg} from './constants.ts';
import {kvmIoctl} from './ioctl.ts';
import {KvmGuestDebug} from './structs-vcpu.ts';

/** A debugger's wishes for a vCPU's run. */
export interface GuestDebug {
	/** Exit after every instruction. */
	readonly singleStep: boolean;
	/** Hold interrupts back meanwhile: a single step would often end in the handler of one. */
	readonly blockInterrupts?: boolean;
	/** Exit on INT3 instead of delivering it. */
	readonly softwareBreakpoints: boolean;
	/** DR0–DR7 to run with in place of the guest's own, for hardware breakpoints. */
	readonly debugRegisters?: readonly bigint[];
	/** Deliver this exception to the guest first: one that was the guest's own. */
	readonly inject?: 'debug' | 'breakpoint';
}

/**
 * KVM_SET_GUEST_DEBUG; undefined ends debugging. Interrupts are only held back by Linux 5.15 and later: older ones
 * ignore that bit.
 */
export function setGuestDebug(vcpuFd: number, debug: GuestDebug | undefined): void {
	const argument = {
		control: debug === undefined ? 0 : controlBits(debug),
		arch: {debugreg: debug?.debugRegisters ?? []},
	};
	kvmIoctl(vcpuFd, 'KVM_SET_GUEST_DEBUG', new ArgumentBuffer(KvmGuestDebug.size).with(KvmGuestDebug, argument));
}

function controlBits({singleStep, blockInterrupts, softwareBreakpoints, debugRegisters, inject}: GuestDebug): number {
	const wanted = [
		singleStep && GuestDbg.SINGLESTEP,
		blockInterrupts && GuestDbg.BLOCKIRQ,
		softwareBreakpoints && GuestDbg.USE_SW_BP,
		debugRegisters && GuestDbg.USE_HW_BP,
		inject === 'debug' && GuestDbg.INJECT_DB,
		inject === 'breakpoint' && GuestDbg.INJECT_BP,
	];
	return wanted.reduce((sum: number, bits) => sum | (bits || 0), GuestDbg.ENABLE);
}
