import {tellingInterrupts} from '#devices/interrupts/testing';
import type {
	BackEnd,
	Finding,
	Hypervisor,
	MappedRegion,
	MsrRange,
	Partition,
	PartitionHandle,
	ProcessorOffer,
	VcpuHandle,
	VcpuSpec,
} from '#vcpu-worker/hypervisor';
import {ScriptedVcpu, type ScriptStep} from './scripted-vcpu.ts';

export type {ScriptStep};

interface ScriptedVcpuHandle extends VcpuHandle {
	readonly index: number;
}

const processor: ProcessorOffer = {
	cpuid: [],
	physicalAddressBits: 40,
	limits: {maxVcpus: 16, maxVcpuIds: 256},
	tscDeadline: true,
	hypercalls: true,
};

const nowhere = tellingInterrupts();

/** A hypervisor whose guests are scripts, one for each processor. All of a machine is on one thread. */
export class ScriptedHypervisor implements Hypervisor {
	readonly kind = 'scripted';
	/** What was mapped and not taken away again. */
	readonly regions: MappedRegion[] = [];
	/** Registers that the machine has taken for its devices. */
	readonly intercepted: MsrRange[] = [];
	/** Those that have been entered, by their index. */
	readonly vcpus: ScriptedVcpu[] = [];
	isClosed = false;
	readonly #scripts: readonly Iterable<ScriptStep>[];

	constructor(scripts: readonly Iterable<ScriptStep>[]) {
		this.#scripts = scripts;
	}

	examine(): Finding[] {
		return [];
	}

	create(): Partition {
		const backEnd: BackEnd = {
			attach: () => ({interrupts: nowhere, kick: (vcpu) => this.vcpus[vcpu]?.kick()}),
			enter: (_partition, handle, wiring) => {
				const {index} = handle as ScriptedVcpuHandle;
				const vcpu = new ScriptedVcpu(this.#scripts[index] ?? [], wiring);
				this.vcpus[index] = vcpu;
				return vcpu;
			},
		};
		const handle: PartitionHandle = {kind: this.kind, backEnd};
		return {
			handle,
			processor,
			map: (region) => void this.regions.push(region),
			unmap: ({gpa}) => void this.regions.splice(this.regions.findIndex((region) => region.gpa === gpa) >>> 0, 1),
			interceptMsrs: (ranges) => void this.intercepted.push(...ranges),
			units: () => [],
			openVcpu: ({index}: VcpuSpec): ScriptedVcpuHandle => ({kind: this.kind, index}),
			threadOf: () => 0,
			inspectChips: undefined,
			debugSupport: () => ({software: true, hardware: true}),
			close: () => {
				this.isClosed = true;
			},
		};
	}
}
