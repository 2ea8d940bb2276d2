import {cpuText, type VmConfig} from '#main/config';
import {cpuidTopology, type ProcessorTopology} from '#main/topology';
import type {VcpuPlace} from '#main/workers';
import {type CpuidEntry, type CpuidOptions, guestCpuid, missingFeatures} from '#vcpu-worker/cpuid';
import type {AttachedPartition, Partition, ProcessorOffer, VcpuHandle} from '#vcpu-worker/hypervisor';
import type {MachineHandle} from '#vcpu-worker/machine';
import {vcpuSharedBytes} from '#vcpu-worker/protocol';
import {vmError} from './errors.ts';
import {VcpuThread} from './vcpu-thread.ts';

/** Processors that a partition knows of. */
export interface OpenedVcpus {
	readonly handles: readonly VcpuHandle[];
	/** CPUID's answers on the boot processor. */
	readonly cpuid: readonly CpuidEntry[];
}

/**
 * Announces every processor to the partition.
 * @param isRestored - counters get the frequency that their snapshot has
 * @throws VmmError
 */
export function openVcpus(
	partition: Partition,
	topology: ProcessorTopology,
	{cpu, irqchip}: Pick<VmConfig, 'cpu' | 'irqchip'>,
	isRestored: boolean,
): OpenedVcpus {
	const {apicMode} = topology;
	const {tscKhz} = cpu;
	const counter = isRestored || tscKhz === undefined ? {} : {tscKhz};
	const answers = cpuidAnswers(partition.processor, topology, {cpu, irqchip});
	const specs = topology.vps.map((vp) => {
		const cpuid = answers(vp);
		return {index: vp.index, apicId: vp.apicId, apicMode, cpuid, ...counter};
	});
	return {handles: specs.map((spec) => partition.openVcpu(spec)), cpuid: specs[0]?.cpuid ?? []};
}

/** A guest that begins here finds the features that were asked for. @throws VmmError CPU_FEATURES_MISSING */
export function checkFeatures(
	{processor, handle: {kind}}: Partition,
	topology: ProcessorTopology,
	config: Pick<VmConfig, 'cpu' | 'irqchip'>,
): void {
	const {cpu} = config;
	const [boot] = topology.vps;
	const missing = boot ? missingFeatures(cpu, cpuidAnswers(processor, topology, config)(boot)) : [];
	if (missing.length > 0) throw vmError('CPU_FEATURES_MISSING', {cpu: cpuText(cpu), kind, missing});
}

/** CPUID's answers on each processor. */
function cpuidAnswers(
	offer: ProcessorOffer,
	topology: ProcessorTopology,
	{cpu, irqchip}: Pick<VmConfig, 'cpu' | 'irqchip'>,
): (vp: ProcessorTopology['vps'][number]) => readonly CpuidEntry[] {
	const options = {...cpuidOptions(offer, topology, irqchip), cpu};
	const answers = guestCpuid(offer.cpuid, options);
	return (vp) => answers(cpuidTopology(topology, vp));
}

/** Inputs of the vCPUs' threads. */
export interface VcpuParts {
	/** A worker for each vCPU. */
	readonly workers: readonly VcpuPlace[];
	readonly vcpus: readonly VcpuHandle[];
	readonly machine: MachineHandle;
	readonly partition: Pick<Partition, 'connected'>;
	/** This thread's attachment to the partition. */
	readonly attachment: AttachedPartition;
	readonly mailboxSpins: number;
}

/** Tells every vCPU's thread what it is; they create their vCPUs side by side. */
export function wireVcpus({workers, vcpus, machine, partition, attachment, mailboxSpins}: VcpuParts): VcpuThread[] {
	const buffer = new SharedArrayBuffer(vcpuSharedBytes * workers.length);
	return workers.map((worker, index) => {
		const data = {
			...machine,
			index,
			vcpu: vcpus[index] as VcpuHandle,
			control: {buffer, byteOffset: vcpuSharedBytes * index},
			mailboxSpins,
		};
		worker.listen((port) => partition.connected?.(index, port));
		return new VcpuThread(worker, data, attachment);
	});
}

/** Gives the host's decisions about the guest's CPUID. */
const cpuidOptions = (
	{tscDeadline, hypercalls, onRequest = []}: ProcessorOffer,
	{apicMode}: ProcessorTopology,
	irqchip: VmConfig['irqchip'],
): CpuidOptions => ({
	x2apic: apicMode !== 'xapic',
	tscDeadline,
	hypercalls,
	onRequest,
	// A guest takes it to hold for the I/O APIC too, whose entries in KVM's have destinations of 8 bits.
	extendedDestinations: irqchip === 'split' && apicMode !== 'xapic',
});
