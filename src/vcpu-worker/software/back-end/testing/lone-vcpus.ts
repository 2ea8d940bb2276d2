import {MessageChannel} from 'node:worker_threads';
import {ledgerBytes, MappedMemory, type MemoryHandle, type MemoryRange, pageClockBytes} from '#devices/guest-memory';
import {oneThreadMachine} from '#devices/testing';
import {allocateSharedMemory} from '#support/shared-memory';
import type {Compute, VcpuWiring} from '#vcpu-worker/hypervisor';
import {unknownMsrs} from '#vcpu-worker/msr-policy';
import type {SoftwarePartitionHandle, SoftwareVcpuHandle} from '../handles.ts';
import {offer} from '../offer.ts';
import {software} from '../software-hypervisor.ts';
import {SoftwarePartition} from '../software-partition.ts';
import type {SoftwareVcpu} from '../software-vcpu.ts';

/** Bytes before, between and behind the ranges of RAM, which no guest can reach. */
const guardBytes = 0x1_0000;
const guardByte = 0xc7;

/** Software vCPUs with RAM, and nothing else at ports and in memory: without a machine and its threads. */
export class LoneVcpus {
	readonly memory: MappedMemory;
	readonly partition: SoftwarePartitionHandle;
	readonly handles: readonly SoftwareVcpuHandle[];
	readonly #partition: SoftwarePartition;
	readonly #handle: MemoryHandle;
	readonly #guards: readonly Uint8Array[];

	/**
	 * @param ranges - of RAM, which lie in one memory in this order
	 * @param compute - makes translations; without it each processor makes its own
	 */
	constructor(processors: number, ranges: readonly MemoryRange[], compute?: Compute) {
		const total = ranges.reduce((sum, {length}) => sum + length + guardBytes, guardBytes);
		const memory = allocateSharedMemory(total);
		const bytes = new Uint8Array(memory.buffer);
		let end = guardBytes;
		const guards = [bytes.subarray(0, guardBytes)];
		const partition = new SoftwarePartition({irqchip: 'split', processors, ...(compute !== undefined && {compute})});
		const mapped = ranges.map(({gpa, length}) => {
			const ledger = {memory: {buffer: new SharedArrayBuffer(ledgerBytes(length))}, offset: 0};
			const range = {gpa, length, memory, offset: end, hostAddress: 0, ledger};
			guards.push(bytes.subarray(end + length, end + length + guardBytes));
			end += length + guardBytes;
			partition.map(range);
			return range;
		});
		for (const guard of guards) guard.fill(guardByte);
		this.#guards = guards;
		this.#partition = partition;
		this.partition = partition.handle;
		const clock = new SharedArrayBuffer(pageClockBytes);
		this.#handle = {ranges: mapped, clock, watch: partition.watch};
		this.memory = new MappedMemory(this.#handle);
		this.handles = Array.from({length: processors}, (_, index) =>
			partition.openVcpu({index, apicId: index, apicMode: 'x2apic-supported', cpuid: offer.cpuid}),
		);
	}

	/** True while nobody has written beside RAM. */
	get isIntact(): boolean {
		return this.#guards.every((guard) => guard.every((byte) => byte === guardByte));
	}

	/** Opens a channel of one of them to the partition. */
	connect(index: number): object {
		const {port1, port2} = new MessageChannel();
		this.#partition.connected(index, port2);
		return port1;
	}

	/** What another thread needs to make one: see {@link enterVcpu}. */
	of(index: number): LoneVcpu {
		return {partition: this.partition, handle: this.handles[index] as SoftwareVcpuHandle, memory: this.#handle};
	}
}

/** One of {@link LoneVcpus}, for the thread that runs it: plain data and shared buffers. */
export interface LoneVcpu {
	readonly partition: SoftwarePartitionHandle;
	readonly handle: SoftwareVcpuHandle;
	readonly memory: MemoryHandle;
}

/**
 * Makes the processor.
 * @param connect - opens a channel to the partition, which it needs where that has translations made
 */
export async function enterVcpu(
	{partition, handle, memory}: LoneVcpu,
	connect: VcpuWiring['connect'] = noChannel,
): Promise<SoftwareVcpu> {
	const mapped = new MappedMemory(memory);
	const {machine, bus} = oneThreadMachine([], {memory: mapped});
	const wiring: VcpuWiring = {
		bus,
		msrs: machine.msrs(unknownMsrs),
		hypercalls: machine.hypercalls(),
		memory: mapped,
		began: () => 0,
		served: () => false,
		connect,
		endOfInterrupt() {},
	};
	return (await software.enter(partition, handle, wiring)) as SoftwareVcpu;
}

function noChannel(): never {
	throw new TypeError('this processor is alone');
}
