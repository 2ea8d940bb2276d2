import type {MessagePort} from 'node:worker_threads';
import type {DirtySource, MappedRange} from '#devices/guest-memory';
import {GsiTable} from '#devices/interrupts';
import type {VmTime} from '#devices/vm-time';
import {errorTable} from '#support/errors';
import {discardPages, giveBackFreeMemory, limitFreeMemory} from '#support/ffi';
import type {SharedMemory} from '#support/shared-memory';
import type {StateUnit} from '#support/state-units';
import type {DebugSupport} from '#vcpu-worker/debug';
import type {
	CodeDifference,
	Compute,
	MsrRange,
	Partition,
	PartitionSpec,
	ProcessorOffer,
	VcpuCounters,
	VcpuSpec,
} from '#vcpu-worker/hypervisor';
import {LocalApics} from '#vcpu-worker/software/local-apic';
import {createSharedParts, Rendezvous, requestWords} from '#vcpu-worker/software/shared';
import {CpuState, LockstepCounts, memoryMap, Request} from '#vcpu-worker/software/state';
import {
	type MachineTranslations,
	type MadeTranslations,
	type TranslationRequest,
	TranslationStore,
} from '#vcpu-worker/software/translation-store';
import {alertOf} from './alert.ts';
import {type SoftwarePartitionHandle, type SoftwareVcpuHandle, softwareKind} from './handles.ts';
import {offer} from './offer.ts';
import {clockUnit, PartitionClock} from './partition-clock.ts';

/** Wishes that only KVM fulfils. */
const softwareError = errorTable({
	SOFTWARE_HAS_NO_CHIPS: (_: Record<never, never>) => ({
		message: 'The software processor has no kernel under it that could have the PIC, the I/O APIC and the PIT',
		remedy: 'Leave out --irqchip kernel, or use --hypervisor kvm on a host that has /dev/kvm',
	}),
	SOFTWARE_LOCKSTEP_PROCESSORS: (c: {processors: number}) => ({
		message: `--lockstep runs the code of one processor twice, and the machine has ${c.processors}: what the others write meanwhile would be lost`,
		remedy: 'Leave out --processors, or --lockstep',
	}),
	SOFTWARE_MEMORY_TOO_LARGE: (c: {gpa: number}) => ({
		message: `RAM at 0x${c.gpa.toString(16)} is more than the software processor can reach: 16 GiB in all, of which huge pages need the size of one for their alignment`,
		remedy:
			'Ask for less with --memory (of huge pages for one page less than 16 GiB, or leave out hugepages), or use --hypervisor kvm on a host that has /dev/kvm',
	}),
});

/** Wait for processors to look at their requests. One whose device does not answer may not for long. */
const patienceMs = 100;

/** The translations of all machines of this process. */
let store: TranslationStore | undefined;

/** V8's threads that compile translations need some 10 MiB each, for moments. */
const freeHeapBytes = 128 * 1024;
/** Translations are wanted in waves, which leave free memory between what they keep. */
const quietMs = 2000;

const storeOf = (compute: Compute): TranslationStore => {
	store ??= createStore(compute);
	return store;
};

function createStore(compute: Compute): TranslationStore {
	limitFreeMemory(freeHeapBytes);
	const whenQuiet = setTimeout(giveBackFreeMemory, quietMs).unref();
	return new TranslationStore((requests) => {
		whenQuiet.refresh();
		return compute('makeTranslations', requests) as Promise<MadeTranslations>;
	});
}

/** A machine's partition: what its processors share. */
export class SoftwarePartition implements Partition {
	readonly handle: SoftwarePartitionHandle;
	readonly processor: ProcessorOffer = offer;
	readonly inspectChips = undefined;
	readonly #apics: LocalApics;
	readonly #others: Rendezvous;
	readonly #translations: MachineTranslations | undefined;
	/** Over which processors ask for translations, and tell what differs. */
	readonly #ports: MessagePort[] = [];
	readonly #ranges: MappedRange[] = [];
	readonly #lockstep: ((difference: CodeDifference) => void) | undefined;
	/** All processors have stamped what they have stored to since the last generation began. */
	#haveDropped = true;

	constructor({irqchip, processors, compute, lockstep}: PartitionSpec) {
		if (irqchip === 'kernel') throw softwareError('SOFTWARE_HAS_NO_CHIPS', {});
		if (lockstep !== undefined && processors > 1) throw softwareError('SOFTWARE_LOCKSTEP_PROCESSORS', {processors});
		const shared = createSharedParts(processors);
		// What is compared is translated when it is asked for, and by nobody else before.
		const translations = compute && lockstep === undefined ? storeOf(compute) : undefined;
		this.#lockstep = lockstep;
		this.handle = {
			kind: softwareKind,
			shared,
			...(translations !== undefined && {translated: translations.begins.buffer}),
			apics: new SharedArrayBuffer(LocalApics.byteLength(processors)),
			gsis: new SharedArrayBuffer(GsiTable.byteLength),
			clock: new SharedArrayBuffer(PartitionClock.byteLength),
			tids: new SharedArrayBuffer(processors * Int32Array.BYTES_PER_ELEMENT),
		};
		this.#others = new Rendezvous(shared.epochs, -1, requestWords(shared));
		this.#apics = new LocalApics(this.handle.apics, () => {});
		this.#translations = translations?.enter();
		new PartitionClock(this.handle.clock).begin();
	}

	get watch() {
		return this.handle.shared.watch;
	}

	/** The processors reach what is in one memory, whichever addresses it is at. */
	map(range: MappedRange): void {
		const [first = range] = this.#ranges;
		if (range.memory.buffer !== first.memory.buffer) throw softwareError('SOFTWARE_MEMORY_TOO_LARGE', {gpa: range.gpa});
		this.#ranges.push(range);
	}

	/**
	 * Processors stamp the pages that they are about to store to, once for each time that they forget which those are: after a generation
	 * has begun. One that had not forgotten then may have stored anywhere until the next one.
	 */
	readonly dirty: DirtySource = {
		start: () => {},
		collect: (visit) => {
			if (!this.#haveDropped) for (const {gpa, length} of this.#ranges) visit(gpa, length);
		},
		advanced: () => {
			this.#haveDropped = this.#others.dropAll(patienceMs);
		},
		stop: () => {},
	};

	/** All that the processor does not have itself goes to the machine anyway. */
	interceptMsrs(_ranges: readonly MsrRange[]): void {}

	units(time: VmTime): StateUnit[] {
		return [clockUnit(new PartitionClock(this.handle.clock), time)];
	}

	openVcpu({index, apicId, apicMode, ...processor}: VcpuSpec): SoftwareVcpuHandle {
		const spec = {index, apicId, apicMode};
		this.#apics.add(spec);
		return {kind: softwareKind, ...spec, ...processor, ...(this.#lockstep !== undefined && {lockstep: true})};
	}

	/** The processor asks for translations, or tells what differs. */
	connected(vcpu: number, channel: object): void {
		const port = channel as MessagePort;
		this.#ports.push(port);
		if (this.#lockstep !== undefined) port.on('message', this.#lockstep);
		else if (this.#translations !== undefined) port.on('message', this.#askFor(vcpu, port, this.#translations));
		// The machine's threads keep the process, not what they ask for.
		port.unref();
	}

	#askFor(vcpu: number, port: MessagePort, translations: MachineTranslations): (request: TranslationRequest) => void {
		const alert = alertOf(this.handle);
		return translations.join((answer) => {
			port.postMessage(answer);
			alert(vcpu, Request.TRANSLATIONS);
		});
	}

	threadOf(vcpu: number): number {
		return Atomics.load(new Int32Array(this.handle.tids), vcpu);
	}

	readonly counters = (vcpu: number): VcpuCounters => {
		const {buffer} = this.handle.shared.memories[vcpu] as SharedMemory;
		const state = CpuState.on(buffer, memoryMap.state);
		const {exits, tlbMisses, blockMisses, decodedPages, exactFloats, steps, maxSteps} = state;
		const {made, dropped, present, waiting, hotAfter, bytes, maxBytes} = state.translations;
		return {
			instructions: Number(state.instructions),
			...{exits, tlbMisses, blockMisses, decodedPages, exactFloats, steps, maxSteps},
			translations: {made, dropped, present, waiting, hotAfter, bytes, maxBytes},
			...(this.#lockstep !== undefined && {lockstep: LockstepCounts.read(state.lockstep.$bytes)}),
		};
	};

	debugSupport(): DebugSupport {
		return {software: true, hardware: true};
	}

	close(): void {
		this.#ranges.length = 0;
		this.#translations?.leave();
		for (const port of this.#ports.splice(0)) port.close();
		// The buffers stay for as long as a heap has what knows them. What is counted can still be seen.
		for (const {buffer} of this.handle.shared.memories) discardPages(new Uint8Array(buffer, memoryMap.tlb));
	}
}
