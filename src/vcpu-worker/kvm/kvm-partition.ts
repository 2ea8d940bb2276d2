import type {DirtySource, MappedRange} from '#devices/guest-memory';
import {GsiTable} from '#devices/interrupts';
import type {VmTime} from '#devices/vm-time';
import {close} from '#support/ffi';
import {allocateSharedPages} from '#support/shared-memory';
import type {StateUnit} from '#support/state-units';
import {physicalAddressBits, showsKvmclock} from '#vcpu-worker/cpuid';
import type {DebugSupport} from '#vcpu-worker/debug';
import type {MsrRange, Partition, PartitionSpec, ProcessorOffer, VcpuSpec} from '#vcpu-worker/hypervisor';
import {kvmKind, supportedCpuid, vcpuMmapSize} from './capabilities.ts';
import {Cap} from './constants.ts';
import {endVcpu, type KvmPartitionHandle, type KvmVcpuHandle} from './handles.ts';
import {KvmMemory} from './kvm-memory.ts';
import {KvmVm} from './kvm-vm.ts';
import {kvmclockUnit} from './kvmclock-unit.ts';
import {refusing, setMsrFilter} from './msr-filter.ts';
import {probeDebug} from './probe-debug.ts';
import {kernelChipsUnit, readChips} from './saved-chips.ts';
import {msrIndexList, openKvm} from './system.ts';

const pageSize = 4096;

/** A machine's partition: the VM of KVM with what the host's owner side knows of it. */
export class KvmPartition implements Partition {
	readonly handle: KvmPartitionHandle;
	readonly processor: ProcessorOffer;
	readonly #vm: KvmVm;
	readonly #memory: KvmMemory;
	/** Guests are told of KVM's clock. */
	#showsClock = false;

	private constructor(kvmFd: number, vm: KvmVm, {irqchip, processors}: PartitionSpec) {
		this.#vm = vm;
		this.#memory = new KvmMemory(vm);
		vm.enableUserSpaceMsrs();
		if (irqchip === 'kernel') vm.createKernelIrqchip();
		else vm.createSplitIrqchip();
		this.processor = offer(kvmFd, vm);
		const runBytes = Math.ceil(vcpuMmapSize(kvmFd) / pageSize) * pageSize;
		this.handle = {
			kind: 'kvm',
			vmFd: vm.fd,
			memorySlots: vm.checkExtension(Cap.NR_MEMSLOTS),
			runs: allocateSharedPages(runBytes * processors),
			runBytes,
			tids: new SharedArrayBuffer(processors * Int32Array.BYTES_PER_ELEMENT),
			fds: new SharedArrayBuffer(processors * Int32Array.BYTES_PER_ELEMENT),
			irqchip,
			gsis: new SharedArrayBuffer(GsiTable.byteLength),
			msrIndexes: msrIndexList(kvmFd),
			xsaveSize: vm.checkExtension(Cap.XSAVE2),
		};
	}

	/** See `Hypervisor.create`. */
	static create(spec: PartitionSpec): KvmPartition {
		const kvmFd = openKvm();
		let vm: KvmVm | undefined;
		try {
			vm = KvmVm.create(kvmFd);
			return new KvmPartition(kvmFd, vm, spec);
		} catch (error) {
			vm?.close();
			throw error;
		} finally {
			// The VM keeps KVM's module in use by itself.
			close(kvmFd);
		}
	}

	map(range: MappedRange): void {
		this.#memory.map(range);
	}

	get dirty(): DirtySource {
		return this.#memory;
	}

	interceptMsrs(ranges: readonly MsrRange[]): void {
		if (ranges.length > 0) setMsrFilter(this.#vm.fd, refusing(ranges), 'allow');
	}

	units(time: VmTime): StateUnit[] {
		return [
			...(this.#showsClock ? [kvmclockUnit(this.#vm, time)] : []),
			...(this.handle.irqchip === 'kernel' ? [kernelChipsUnit(this.#vm.fd)] : []),
		];
	}

	openVcpu(spec: VcpuSpec): KvmVcpuHandle {
		const {index, apicId, apicMode, cpuid} = spec;
		// Both hold for the whole VM, and come before its first vCPU.
		if (index === 0) {
			this.#vm.setBootCpu(apicId);
			if (apicMode !== 'xapic') this.#vm.enableExtendedApicIds();
		}
		this.#showsClock ||= showsKvmclock(cpuid);
		return {kind: 'kvm', ...spec};
	}

	threadOf(vcpu: number): number {
		return Atomics.load(new Int32Array(this.handle.tids), vcpu);
	}

	get inspectChips(): (() => object) | undefined {
		return this.handle.irqchip === 'kernel' ? () => readChips(this.#vm.fd) : undefined;
	}

	debugSupport(): DebugSupport {
		return probeDebug();
	}

	close(): void {
		for (const vcpu of new Int32Array(this.handle.fds).keys()) endVcpu(this.handle, vcpu);
		this.#memory.forget();
		this.#vm.close();
	}
}

function offer(kvmFd: number, vm: KvmVm): ProcessorOffer {
	const host = KvmVm.fromFd(kvmFd);
	const cpuid = supportedCpuid(kvmFd);
	return {
		cpuid,
		physicalAddressBits: physicalAddressBits(cpuid),
		// AMX alone is 15 KB as base64, CPUID and model-specific registers another 25.
		saved: {bytes: 2 ** 16, values: 2 ** 10},
		limits: {maxVcpus: host.checkExtension(Cap.MAX_VCPUS), maxVcpuIds: host.checkExtension(Cap.MAX_VCPU_ID)},
		tscDeadline: vm.checkExtension(Cap.TSC_DEADLINE_TIMER) !== 0,
		highestVtl: 0,
		// On kvm_pvm a guest's VMCALL hangs (guide, "Hosts").
		hypercalls: kvmKind() !== 'pvm',
	};
}
