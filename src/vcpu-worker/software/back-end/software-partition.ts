import type {DirtySource, MappedRange} from '#devices/guest-memory';
import {GsiTable} from '#devices/interrupts';
import type {VmTime} from '#devices/vm-time';
import type {SharedMemory} from '#support/shared-memory';
import type {StateUnit} from '#support/state-units';
import type {DebugSupport} from '#vcpu-worker/debug';
import type {MsrRange, Partition, PartitionSpec, ProcessorOffer, VcpuSpec} from '#vcpu-worker/hypervisor';
import {LocalApics} from '#vcpu-worker/software/local-apic';
import {Request} from '#vcpu-worker/software/state';
import {createSharedParts, requestWords} from '#vcpu-worker/software/system';
import {softwareError} from './errors.ts';
import {type SoftwarePartitionHandle, type SoftwareVcpuHandle, softwareKind} from './handles.ts';
import {offer} from './offer.ts';
import {clockUnit, PartitionClock} from './partition-clock.ts';

/** A machine's partition: what its processors share. */
export class SoftwarePartition implements Partition {
	readonly handle: SoftwarePartitionHandle;
	readonly processor: ProcessorOffer = offer;
	readonly inspectChips = undefined;
	readonly #apics: LocalApics;
	#memory: SharedMemory | undefined;

	constructor({irqchip, processors}: PartitionSpec) {
		if (irqchip === 'kernel') throw softwareError('SOFTWARE_HAS_NO_CHIPS', {});
		const shared = createSharedParts(processors);
		this.handle = {
			kind: softwareKind,
			shared,
			apics: new SharedArrayBuffer(LocalApics.byteLength(processors)),
			gsis: new SharedArrayBuffer(GsiTable.byteLength),
			clock: new SharedArrayBuffer(PartitionClock.byteLength),
			tids: new SharedArrayBuffer(processors * Int32Array.BYTES_PER_ELEMENT),
		};
		this.#apics = new LocalApics(this.handle.apics, () => {});
		new PartitionClock(this.handle.clock).setKvmclock(0n);
	}

	get watch() {
		return this.handle.shared.watch;
	}

	/** The processors reach what is in one memory, whichever addresses it is at. */
	map({memory, gpa}: MappedRange): void {
		this.#memory ??= memory;
		if (memory.buffer !== this.#memory.buffer) throw softwareError('SOFTWARE_MEMORY_TOO_LARGE', {gpa});
	}

	/** Processors stamp the pages that they may store to; those that may store now are to say so once more. */
	readonly dirty: DirtySource = {
		start: () => {},
		collect: () => {
			for (const word of requestWords(this.handle.shared)) Atomics.or(word, 0, Request.WRITERS);
		},
		stop: () => {},
	};

	/** All that the processor does not have itself goes to the machine anyway. */
	interceptMsrs(_ranges: readonly MsrRange[]): void {}

	units(time: VmTime): StateUnit[] {
		return [clockUnit(new PartitionClock(this.handle.clock), time)];
	}

	openVcpu({index, apicId, apicMode, cpuid}: VcpuSpec): SoftwareVcpuHandle {
		const spec = {index, apicId, apicMode};
		this.#apics.add(spec);
		return {kind: softwareKind, ...spec, cpuid};
	}

	threadOf(vcpu: number): number {
		return Atomics.load(new Int32Array(this.handle.tids), vcpu);
	}

	debugSupport(): DebugSupport {
		return {software: false, hardware: false};
	}

	close(): void {}
}
