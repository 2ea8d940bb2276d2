import type {VcpuEvents} from '#vcpu-worker/state';
import {Shadow, VcpuEventValid} from './constants.ts';
import type {VcpuEvents as KvmEvents} from './structs-vcpu.ts';

/** Turns KVM's events into the neutral ones. KVM gives a pending exception as one that is being delivered. */
export function fromKvmEvents({exception, interrupt, nmi, smi, sipi_vector: startupVector}: KvmEvents): VcpuEvents {
	const errorCode = exception.has_error_code === 0 ? undefined : exception.error_code;
	const {smm: active, pending, smm_inside_nmi: insideNmi, latched_init: latchedInit} = smi;
	return {
		exception: exception.injected === 0 ? undefined : {vector: exception.nr, errorCode},
		interrupt: interrupt.injected === 0 ? undefined : {vector: interrupt.nr, isSoftware: interrupt.soft !== 0},
		shadow: {sti: (interrupt.shadow & Shadow.STI) !== 0, movSs: (interrupt.shadow & Shadow.MOV_SS) !== 0},
		nmi: {injected: nmi.injected !== 0, pending: nmi.pending, masked: nmi.masked !== 0},
		smm: {active: active !== 0, pending: pending !== 0, insideNmi: insideNmi !== 0, latchedInit: latchedInit !== 0},
		startupVector: startupVector & 0xff,
	};
}

const bit = (flag: boolean) => (flag ? 1 : 0);

/** The same for KVM. */
export function toKvmEvents({exception, interrupt, shadow, nmi, smm, startupVector}: VcpuEvents): KvmEvents {
	return {
		exception: {
			injected: bit(exception !== undefined),
			nr: exception?.vector ?? 0,
			has_error_code: bit(exception?.errorCode !== undefined),
			pending: 0,
			error_code: exception?.errorCode ?? 0,
		},
		interrupt: {
			injected: bit(interrupt !== undefined),
			nr: interrupt?.vector ?? 0,
			soft: bit(interrupt?.isSoftware ?? false),
			shadow: (shadow.sti ? Shadow.STI : 0) | (shadow.movSs ? Shadow.MOV_SS : 0),
		},
		nmi: {injected: bit(nmi.injected), pending: nmi.pending, masked: bit(nmi.masked)},
		sipi_vector: startupVector,
		flags: VcpuEventValid.SHADOW | VcpuEventValid.SMM,
		smi: {
			smm: bit(smm.active),
			pending: bit(smm.pending),
			smm_inside_nmi: bit(smm.insideNmi),
			latched_init: bit(smm.latchedInit),
		},
		triple_fault: {pending: 0},
		exception_has_payload: 0,
		exception_payload: 0n,
	};
}
