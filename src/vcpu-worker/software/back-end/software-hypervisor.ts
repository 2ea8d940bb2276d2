import {type GsiRoute, GsiTable} from '#devices/interrupts';
import {gettid} from '#support/ffi';
import {modelsInWords} from '#vcpu-worker/cpuid';
import type {AttachedPartition, BackEnd, Hypervisor} from '#vcpu-worker/hypervisor';
import {LocalApics} from '#vcpu-worker/software/local-apic';
import {Request} from '#vcpu-worker/software/state';
import {alertOf} from './alert.ts';
import {type SoftwarePartitionHandle, type SoftwareVcpuHandle, softwareKind} from './handles.ts';
import {offeredCpuid} from './offered-cpuid.ts';
import {SoftwarePartition} from './software-partition.ts';

/** The software processor: guests run on any host. The handles are those that it has given. */
export const software: Hypervisor & BackEnd = {
	kind: softwareKind,
	leavesThreadsClean: true,
	examine: () => [
		{name: softwareKind, level: 'ok', text: 'the software processor runs guests on this host, without KVM'},
		{name: 'software-cpu', level: 'ok', text: modelsInWords(offeredCpuid)},
	],
	refusal: () => undefined,
	create: (spec) => new SoftwarePartition(spec),
	attach: (handle) => attach(handle as SoftwarePartitionHandle),
	async warm() {
		const {SoftwareVcpu} = await loadProcessor();
		SoftwareVcpu.warm();
	},
	async enter(handle, vcpu, wiring) {
		const {SoftwareVcpu} = await loadProcessor();
		const partition = handle as SoftwarePartitionHandle;
		const own = vcpu as SoftwareVcpuHandle;
		const cpu = new SoftwareVcpu(partition, own, alertOf(partition), wiring);
		Atomics.store(new Int32Array(partition.tids), own.index, gettid());
		return cpu;
	},
};

let processor: Promise<typeof import('./software-vcpu.ts')> | undefined;

/** The processor itself is loaded on threads of processors only: it is most of the code. */
function loadProcessor(): Promise<typeof import('./software-vcpu.ts')> {
	processor ??= import('./software-vcpu.ts');
	return processor;
}

/** See `BackEnd.attach`. */
function attach(handle: SoftwarePartitionHandle): AttachedPartition {
	const alert = alertOf(handle);
	const apics = new LocalApics(handle.apics, (processor) => alert(processor, Request.APIC));
	const gsis = new GsiTable(handle.gsis, (_routes: readonly GsiRoute[]) => {});
	return {
		interrupts: {
			rise: noInput,
			setLine: noInput,
			messages: {send: (low, high, data) => apics.send(low, high, data), gsis},
		},
		kick: (vcpu) => alert(vcpu, Request.KICK),
	};
}

/** The machine's own chips have all inputs. */
function noInput(input: number): never {
	throw new TypeError(`the software processor has no input ${input}`);
}
