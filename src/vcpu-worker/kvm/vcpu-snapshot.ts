import type {GeneralRegisters, SpecialRegisters} from '#devices/processor';
import type {CpuidEntry} from '#vcpu-worker/cpuid';
import {VcpuEventValid} from './constants.ts';
import {getMsrs, type Msr, setMsrs} from './msrs.ts';
import type {DebugRegisters, VcpuEvents} from './structs-vcpu.ts';
import type {KvmVcpu} from './vcpu.ts';
import {
	type ExtendedControlRegister,
	getDebugRegisters,
	getEvents,
	getLapic,
	getXcrs,
	getXsave,
	setDebugRegisters,
	setEvents,
	setLapic,
	setXcrs,
	setXsave,
} from './vcpu-state.ts';

/** A vCPU's whole state, as plain data. */
export interface VcpuSnapshot {
	readonly general: GeneralRegisters;
	readonly special: SpecialRegisters;
	readonly xcrs: readonly ExtendedControlRegister[];
	readonly xsave: Uint8Array;
	readonly debug: DebugRegisters;
	readonly msrs: readonly Msr[];
	readonly lapic: Uint8Array;
	readonly events: VcpuEvents;
	readonly mpState: number;
}

/** Facts of the host that reading a vCPU's state needs. */
export interface SnapshotOptions {
	/** KVM_GET_MSR_INDEX_LIST. */
	readonly msrIndexes: readonly number[];
	/** `KVM_CAP_XSAVE2` of the VM. */
	readonly xsaveSize: number;
	/** Answers of CPUID on this vCPU. */
	readonly cpuid: readonly CpuidEntry[];
}

/** Reads everything. The vCPU is stopped and its last exit complete. */
export function saveVcpu(vcpu: KvmVcpu, {msrIndexes, xsaveSize}: Omit<SnapshotOptions, 'cpuid'>): VcpuSnapshot {
	return {
		general: vcpu.getGeneral(),
		special: vcpu.getSpecial(),
		xcrs: getXcrs(vcpu.fd),
		xsave: getXsave(vcpu.fd, xsaveSize).slice(),
		debug: getDebugRegisters(vcpu.fd),
		msrs: getMsrs(vcpu.fd, msrIndexes).done,
		lapic: getLapic(vcpu.fd).slice(),
		events: getEvents(vcpu.fd),
		mpState: vcpu.getMpState(),
	};
}

/**
 * Writes everything, in the order that KVM's own checks ask for: the APIC base (special registers) decides the local
 * APIC's format, XCR0 what XSAVE may hold, and the APIC timer's mode comes before its deadline MSR.
 * @returns the MSRs whose values the host did not take
 */
export function restoreVcpu(
	vcpu: KvmVcpu,
	snapshot: VcpuSnapshot,
	{xsaveSize}: Pick<SnapshotOptions, 'xsaveSize'>,
): readonly number[] {
	vcpu.setMpState(snapshot.mpState);
	vcpu.setSpecial(snapshot.special);
	setXcrs(vcpu.fd, snapshot.xcrs);
	setXsave(vcpu.fd, snapshot.xsave, xsaveSize);
	setLapic(vcpu.fd, snapshot.lapic);
	const {failed} = setMsrs(vcpu.fd, snapshot.msrs);
	setDebugRegisters(vcpu.fd, snapshot.debug);
	vcpu.setGeneral(snapshot.general);
	// KVM does not say of these that it gave them.
	const always = VcpuEventValid.NMI_PENDING | VcpuEventValid.SIPI_VECTOR;
	setEvents(vcpu.fd, {...snapshot.events, flags: snapshot.events.flags | always});
	return failed;
}
