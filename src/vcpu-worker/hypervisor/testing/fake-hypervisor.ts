import type {MappedRange} from '#devices/guest-memory';
import {gsiCount, type InterruptMessage} from '#devices/interrupts';
import {tellingInterrupts} from '#devices/interrupts/testing';
import type {Vtl} from '#devices/processor';
import type {VmTime} from '#devices/vm-time';
import type {StateUnit} from '#support/state-units';
import type {
	AttachedPartition,
	BackEnd,
	CpuBackend,
	Finding,
	Hypervisor,
	MsrRange,
	Partition,
	PartitionHandle,
	PartitionSpec,
	ProcessorOffer,
	VcpuHandle,
	VcpuSpec,
	VcpuWiring,
} from '#vcpu-worker/hypervisor';
import {FakeVcpu, fakeKind, type VcpuMoment} from './fake-vcpu.ts';
import type {GuestScript} from './guest-script.ts';
import {PageGuards} from './page-guards.ts';
import {StoreLog} from './store-log.ts';

/** Moment at which the test may look, interfere, or have the call fail by throwing: before the call does anything. */
export type Moment = VcpuMoment | 'create' | 'map' | 'units' | 'open vCPU' | 'attach' | 'enter' | 'end';

interface FakeVcpuHandle extends VcpuHandle {
	readonly index: number;
}

const processor: Omit<ProcessorOffer, 'highestVtl'> = {
	// The leaf of a hypervisor's features, to be filled by policy.
	cpuid: [{function: 0x4000_0001, index: 0, significantIndex: false, eax: 0, ebx: 0, ecx: 0, edx: 0}],
	physicalAddressBits: 40,
	limits: {maxVcpus: 16, maxVcpuIds: 1024},
	// A script's place is all that it has been told: one that spins is told much.
	saved: {bytes: 2 ** 26, values: 2 ** 22},
	tscDeadline: true,
	hypercalls: true,
};

/** Vector of the first input of the fake's own interrupt controller; those of the others follow. */
export const firstVector = 0x20;

/** Delivery mode of a message, bits 10:8 of its data: NMI (Intel SDM vol. 3, 11.11.2). */
const isNmi = (data: number) => (data & 0x700) === 0x400;

/** Gives the destination, of 15 bits: the SDM's 8 and those of KVM's MSI_EXT_DEST_ID (Documentation/virt/kvm/x86/cpuid.rst). */
const destinationOf = (addressLow: number) => ((addressLow >>> 12) & 0xff) | (((addressLow >>> 5) & 0x7f) << 8);

/**
 * A hypervisor whose guests are scripts, for tests: exits, waits, interrupts, failures and their order are the test's. All of a
 * machine is on one thread. It has one partition, and is strict about the order of calls.
 */
export class FakeHypervisor implements Hypervisor {
	readonly kind = fakeKind;
	/** Memory that is mapped. */
	readonly regions: MappedRange[] = [];
	/** Memory of BARs among it, by its number. */
	readonly pages = new Map<number, MappedRange>();
	/** Registers that the machine has taken for its devices. */
	readonly intercepted: MsrRange[] = [];
	/** Processors that have been entered, by their index. */
	readonly vcpus: FakeVcpu[] = [];
	/** Changes of the inputs of its interrupt controller, in order. */
	readonly lines: {readonly gsi: number; readonly asserted: boolean}[] = [];
	readonly messages: InterruptMessage[] = [];
	/** Log of the scripts' stores. */
	readonly dirty = new StoreLog();
	/** Scripts of the higher trust levels, by their number; without one they park. Their interrupts do not come. */
	readonly higherLevels: Partial<Record<Vtl, GuestScript>> = {};
	readonly guards = new PageGuards();
	isClosed = false;
	/** Processors that nobody had ended when it was. */
	leftBehind: readonly number[] = [];
	/** The time by which its time-stamp counters go. Moved by the test. */
	nowNs = 0;
	/** Called at each {@link Moment}. */
	moment: (moment: Moment, vcpu: number) => void = () => {};
	readonly #scriptOf: GuestScript;
	#specs: VcpuSpec[] = [];

	/** @param guest - what every processor executes, or a script for each; those without one wait to be started */
	constructor(guest: GuestScript | readonly GuestScript[]) {
		const scripts = typeof guest === 'function' ? undefined : guest;
		this.#scriptOf =
			scripts === undefined ? (guest as GuestScript) : (vcpu, vtl) => (scripts[vcpu] ?? nothing)(vcpu, vtl);
	}

	examine(): Finding[] {
		return [{name: this.kind, level: 'ok', text: 'a fake'}];
	}

	refusal(): undefined {
		return undefined;
	}

	create(_spec: PartitionSpec): Partition {
		this.moment('create', -1);
		if (this.#specs.length > 0) throw new TypeError('a fake hypervisor has one partition');
		const backEnd: BackEnd = {
			attach: () => this.#attach(),
			enter: (_partition, handle, wiring) => this.#enter(handle as FakeVcpuHandle, wiring),
		};
		const handle: PartitionHandle = {kind: this.kind, backEnd};
		return {
			handle,
			processor: {...processor, highestVtl: this.guards.highestVtl},
			map: (region) => this.#map(region),
			dirty: this.dirty,
			interceptMsrs: (ranges) => void this.intercepted.push(...ranges),
			units: (time) => this.#units(time),
			openVcpu: (spec) => this.#open(spec),
			threadOf: () => 0,
			inspectChips: undefined,
			debugSupport: () => ({software: true, hardware: false}),
			close: () => this.#close(),
		};
	}

	#map(region: MappedRange): void {
		this.moment('map', -1);
		const {gpa, length} = region;
		const isThere = this.regions.some((other) => gpa < other.gpa + other.length && other.gpa < gpa + length);
		if (isThere) throw new TypeError(`something is mapped at 0x${gpa.toString(16)} already`);
		this.regions.push(region);
	}

	#units(_time: VmTime): StateUnit[] {
		this.moment('units', -1);
		const clock: StateUnit = {
			name: 'fake-clock',
			needs: ['time'],
			save: () => this.nowNs,
			restore: (saved) => {
				this.nowNs = saved as number;
			},
		};
		return [clock, this.guards.unit];
	}

	#open(spec: VcpuSpec): FakeVcpuHandle {
		this.moment('open vCPU', spec.index);
		this.#specs.push(spec);
		return {kind: this.kind, index: spec.index};
	}

	#attach(): AttachedPartition {
		this.moment('attach', -1);
		const pages = {
			map: (entry: number, range: MappedRange) => this.#mapPages(entry, range),
			unmap: (entry: number) => this.#unmapPages(entry),
		};
		return {interrupts: this.#interrupts, pages, kick: (vcpu) => this.vcpus[vcpu]?.kick()};
	}

	#mapPages(entry: number, range: MappedRange): boolean {
		this.#map(range);
		if (this.pages.has(entry)) throw new TypeError(`the memory ${entry} is mapped already`);
		this.pages.set(entry, range);
		return true;
	}

	#unmapPages(entry: number): void {
		const range = this.pages.get(entry);
		if (range === undefined) throw new TypeError(`the memory ${entry} is not mapped`);
		this.pages.delete(entry);
		this.regions.splice(this.regions.indexOf(range), 1);
	}

	/** Tells processors of their interrupts at once. A line rises once for each time that it is asserted. */
	readonly #interrupts = tellingInterrupts({
		setLine: (gsi, asserted) => {
			this.lines.push({gsi, asserted});
			if (asserted && gsi < gsiCount) this.vcpus[0]?.deliver(firstVector + gsi);
		},
		send: (addressLow, addressHigh, data) => {
			this.messages.push({addressLow, addressHigh, data});
			const vcpu = this.#withApicId(destinationOf(addressLow));
			if (isNmi(data)) vcpu?.nmi();
			else vcpu?.deliver(data & 0xff);
		},
	});

	#withApicId(apicId: number): FakeVcpu | undefined {
		return this.vcpus[this.#specs.findIndex((spec) => spec.apicId === apicId)];
	}

	#enter({index}: FakeVcpuHandle, wiring: VcpuWiring): CpuBackend {
		this.moment('enter', index);
		if (this.vcpus[index] !== undefined) throw new TypeError(`vCPU ${index} is entered twice`);
		const vcpu = new FakeVcpu(
			{
				index,
				cpuid: this.#specs[index]?.cpuid ?? [],
				script: (vcpu, vtl) => (vtl === 0 ? this.#scriptOf : (this.higherLevels[vtl] ?? nothing))(vcpu, vtl),
				guards: this.guards,
				regions: this.regions,
				stored: (gpa, size) => this.dirty.stored(gpa, size),
				startOther: (apicId) => this.#withApicId(apicId)?.start(),
				now: () => this.nowNs,
				moment: (moment) => this.moment(moment, index),
			},
			wiring,
		);
		this.vcpus[index] = vcpu;
		return vcpu;
	}

	#close(): void {
		this.moment('end', -1);
		this.leftBehind = [...this.vcpus.keys()].filter((index) => this.vcpus[index]?.isClosed === false);
		this.isClosed = true;
	}
}

function* nothing() {}
