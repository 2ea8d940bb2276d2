import type {MappedRange} from '#devices/guest-memory';
import type {MachineLayout} from '#devices/machine';
import type {VmConfig} from '#main/config';
import {cpuidTopology, type ProcessorTopology, type VpPlace} from '#main/topology';
import type {SpawnedWorker} from '#support/rpc';
import {allocateSharedPages} from '#support/shared-memory';
import {type CpuidEntry, type CpuidOptions, guestCpuid, isAmdHost} from '#vcpu-worker/cpuid';
import {Cap, kvmKind, msrIndexList, type Partition, vcpuMmapSize} from '#vcpu-worker/kvm';
import type {VcpuHandle} from '#vcpu-worker/machine';
import {resetMsrs} from '#vcpu-worker/msr-policy';
import {vcpuSharedBytes} from '#vcpu-worker/protocol';
import type {BootRegisters} from '#vcpu-worker/registers';
import type {VcpuWorker} from '#vcpu-worker/worker';
import {VcpuThread} from './vcpu-thread.ts';

/** What a machine's vCPUs are made from. */
export interface VcpuParts {
	/** A thread for each vCPU. */
	readonly workers: readonly SpawnedWorker<VcpuWorker>[];
	readonly topology: ProcessorTopology;
	readonly irqchip: VmConfig['irqchip'];
	readonly kvm: number;
	/** What KVM can show to a guest. */
	readonly cpuid: readonly CpuidEntry[];
	readonly partition: Partition;
	readonly layout: MachineLayout;
	readonly memory: readonly MappedRange[];
	readonly mailboxSpins: number;
	/** Where the boot processor starts; undefined for processors that are restored. */
	readonly entry: BootRegisters | undefined;
}

const pageSize = 4096;

/** Tells every vCPU's thread what it is; they create their vCPUs side by side. */
export function wireVcpus(parts: VcpuParts): {threads: VcpuThread[]; bootHandle: VcpuHandle} {
	const {workers, topology, kvm, partition, layout, memory, mailboxSpins, entry} = parts;
	const runBytes = Math.ceil(vcpuMmapSize(kvm) / pageSize) * pageSize;
	const runs = allocateSharedPages(runBytes * workers.length);
	const controls = new SharedArrayBuffer(vcpuSharedBytes * workers.length);
	const options = cpuidOptions(parts);
	const msrIndexes = msrIndexList(kvm);
	const msrs = resetMsrs({isAmd: isAmdHost(parts.cpuid), nestedVirt: false, listed: new Set(msrIndexes)});
	const xsaveSize = partition.checkExtension(Cap.XSAVE2);
	const handles = workers.map(
		(_, index): VcpuHandle => ({
			run: {buffer: runs, byteOffset: runBytes * index, byteLength: runBytes},
			control: {buffer: controls, byteOffset: vcpuSharedBytes * index},
		}),
	);
	const [bootHandle] = handles as [VcpuHandle];
	const threads = workers.map((worker, index) => {
		const vp = topology.vps[index] as VpPlace;
		return new VcpuThread(worker, {
			index,
			apicId: vp.apicId,
			vmFd: partition.fd,
			handle: handles[index] as VcpuHandle,
			bootHandle,
			layout,
			memory,
			cpuid: guestCpuid(parts.cpuid, cpuidTopology(topology, vp), options),
			x2apicEnabled: topology.apicMode === 'x2apic-enabled',
			msrs,
			msrIndexes,
			xsaveSize,
			mailboxSpins,
			...(index === 0 && entry !== undefined && {entry}),
		});
	});
	return {threads, bootHandle};
}

/** What the host decides about the guest's CPUID. */
function cpuidOptions({topology, irqchip, partition}: VcpuParts): CpuidOptions {
	return {
		nestedVirt: false,
		x2apic: topology.apicMode !== 'xapic',
		tscDeadline: partition.checkExtension(Cap.TSC_DEADLINE_TIMER) !== 0,
		// There a guest's VMCALL hangs (guide, "Hosts").
		hypercalls: kvmKind() !== 'pvm',
		// A guest takes it to hold for the I/O APIC too, whose entries in KVM's have destinations of 8 bits.
		extendedDestinations: irqchip === 'split' && topology.apicMode !== 'xapic',
	};
}
