import {describeCpuid} from '#vcpu-worker/cpuid';
import {msrName} from '#vcpu-worker/registers';
import {MpState} from './constants.ts';
import {getMsrs} from './msrs.ts';
import type {KvmVcpu} from './vcpu.ts';
import {getDebugRegisters, getEvents, getLapic, getXcrs} from './vcpu-state.ts';

const activities: ReadonlyMap<number, string> = new Map(
	Object.entries(MpState).map(([name, state]) => [state, name.toLowerCase().replaceAll('_', ' ')]),
);

/** The page's 32-bit registers lie 16 bytes apart (Intel SDM vol. 3, table 11-1). */
const apicRegisters = {
	id: 0x20,
	version: 0x30,
	taskPriority: 0x80,
	spuriousVector: 0xf0,
	timer: 0x320,
	timerCount: 0x390,
};

/** Tells what a vCPU is doing besides its registers, as plain data for a person. Not while it runs. */
export function cpuDetails(vcpu: KvmVcpu, msrIndexes: readonly number[]) {
	const msrs = getMsrs(vcpu.fd, msrIndexes).done.map(({index, data}) => [msrName(index), data] as const);
	const extended = getXcrs(vcpu.fd).map(({xcr, value}) => [`xcr${xcr}`, value] as const);
	const apic = getLapic(vcpu.fd);
	const view = new DataView(apic.buffer, apic.byteOffset, apic.byteLength);
	const apicEntries = Object.entries(apicRegisters).map(
		([name, offset]) => [name, BigInt(view.getUint32(offset, true))] as const,
	);
	return {
		cpuid: describeCpuid(vcpu.getCpuid()),
		activity: activities.get(vcpu.getMpState()) ?? 'unknown',
		events: getEvents(vcpu.fd),
		localApic: {
			...Object.fromEntries(apicEntries),
			inService: vectors(view, 0x100),
			requested: vectors(view, 0x200),
		},
		debugRegisters: getDebugRegisters(vcpu.fd),
		extendedControl: Object.fromEntries(extended),
		msrs: Object.fromEntries(msrs),
	};
}

/** The vectors whose bits are set in one of the local APIC's 256-bit registers. */
function vectors(view: DataView, offset: number): string {
	const set: string[] = [];
	for (let vector = 0; vector < 256; vector++) {
		const word = view.getUint32(offset + (vector >> 5) * 16, true);
		if ((word >>> (vector & 31)) & 1) set.push(`0x${vector.toString(16)}`);
	}
	return set.length === 0 ? 'none' : set.join(' ');
}
