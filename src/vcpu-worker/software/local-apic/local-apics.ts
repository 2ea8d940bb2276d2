import {ApicState, load, Word} from './apic-state.ts';
import type {ApicSpec} from './base-register.ts';
import {deliver, deliverLocal, isSoftwareEnabled} from './deliver.ts';
import {everyone, isPresent, matches, narrowEveryone} from './destination.ts';
import {Command, DeliveryMode, Register} from './registers.ts';
import {powerOn} from './reset.ts';
import {processorPriority} from './vectors.ts';

const stride = ApicState.byteLength;

/** Bits of a message's address (SDM volume 3, 11.11.1). */
const Address = {
	LOGICAL: 1 << 2,
	/** It is for one of those that the logical id means. */
	REDIRECTED: 1 << 3,
	/** An IOMMU is to look it up (Intel VT-d 5.1.2.2); there is none. */
	REMAPPABLE: 1 << 4,
	/** Bits 14:8 of the id, where the upper half of the address is zero: KVM's MSI_EXT_DEST_ID (Documentation/virt/kvm/x86/cpuid.rst). */
	EXTENDED_ID: 0xfe0,
	EXTENDED_ID_TO_HIGH: 3,
	ID_SHIFT: 12,
} as const;

/** Sources that a processor's local vector table has entries for, beside those that the local APIC has in itself. */
const sourceEntries = {
	lint0: Register.LVT_LINT0,
	lint1: Register.LVT_LINT1,
	thermal: Register.LVT_THERMAL,
	performance: Register.LVT_PERFORMANCE,
} as const;
export type LocalSource = keyof typeof sourceEntries;

/** All local APICs of a machine, by their processors' indexes, as any thread has them. */
export class LocalApics {
	/** Gives the bytes that these many take up. */
	static byteLength(count: number): number {
		return count * stride;
	}

	readonly buffer: SharedArrayBuffer;
	readonly #words: readonly Int32Array[];
	readonly #wake: (index: number) => void;

	/**
	 * @param buffer - {@link byteLength} bytes, zeros for a new machine
	 * @param wake - makes the thread of a processor look at its local APIC, also one that is about to wait
	 */
	constructor(buffer: SharedArrayBuffer, wake: (index: number) => void) {
		this.buffer = buffer;
		this.#wake = wake;
		const count = Math.floor(buffer.byteLength / stride);
		this.#words = Array.from({length: count}, (_, index) => new Int32Array(buffer, index * stride, stride / 4));
	}

	/**
	 * Puts a processor's local APIC where others can reach it. On the thread that makes the machine, before any processor runs:
	 * the boot processor may start others before their threads look.
	 */
	add(spec: ApicSpec): void {
		powerOn(this.wordsOf(spec.index), spec);
	}

	/** Gives the registers of one, then its other words: `Word`. */
	wordsOf(index: number): Int32Array {
		const words = this.#words[index];
		if (words === undefined) throw new RangeError(`There is no processor ${index}`);
		return words;
	}

	/** Index of the processor with an id; undefined: there is none. */
	withId(id: number): number | undefined {
		const index = this.#words.findIndex((words) => isPresent(words) && load(words, Word.apicId) === id);
		return index < 0 ? undefined : index;
	}

	/** Sends a device's message, the write of a PCI function or an I/O APIC. Allocates nothing. */
	send(addressLow: number, addressHigh: number, data: number): void {
		const isLogical = (addressLow & Address.LOGICAL) !== 0;
		const isExtended = addressHigh === 0 && (addressLow & Address.REMAPPABLE) === 0;
		const high = isExtended ? (addressLow & Address.EXTENDED_ID) << Address.EXTENDED_ID_TO_HIGH : addressHigh;
		const id = ((high & ~0xff) | ((addressLow >>> Address.ID_SHIFT) & 0xff)) >>> 0;
		let command = data & (Command.VECTOR | Command.MODE | Command.LEVEL);
		if (isLogical && (addressLow & Address.REDIRECTED) !== 0 && (command & Command.MODE) === 0)
			command |= DeliveryMode.lowestPriority << Command.MODE_SHIFT;
		this.deliver(command, id, isLogical, id <= 0xff);
	}

	/**
	 * Delivers to all that a destination means, or by lowest priority to one of them.
	 * @param isNarrow - see `matches`
	 * @param except - index of one that does not get what all get; -1 for none
	 */
	deliver(command: number, id: number, isLogical: boolean, isNarrow: boolean, except = -1): void {
		if ((command & Command.MODE) >>> Command.MODE_SHIFT === DeliveryMode.lowestPriority) {
			const index = this.#leastUrgent(command & Command.VECTOR, id, isLogical, isNarrow, except);
			if (index >= 0) this.deliverTo(index, command);
			return;
		}
		// A physical id is one processor's, and mostly its index too.
		const isOne = !isLogical && id !== (isNarrow ? narrowEveryone : everyone);
		if (isOne && id < this.#words.length && matches(this.wordsOf(id), id, isLogical, isNarrow)) {
			this.deliverTo(id, command);
			return;
		}
		for (let index = 0; index < this.#words.length; index++) {
			if (index === except || !matches(this.wordsOf(index), id, isLogical, isNarrow)) continue;
			this.deliverTo(index, command);
			if (isOne) return;
		}
	}

	/** Delivers to all there are, whatever mode each is in. */
	deliverToAll(command: number, except = -1): void {
		this.deliver(command, everyone, false, false, except);
	}

	deliverTo(index: number, command: number): void {
		deliver(this.wordsOf(index), command);
		this.#wake(index);
	}

	/** Interrupts a processor by one of its own sources, as the entry of the local vector table says. */
	interrupt(index: number, source: LocalSource): void {
		const words = this.wordsOf(index);
		if (!isPresent(words)) return;
		deliverLocal(words, sourceEntries[source]);
		this.#wake(index);
	}

	/**
	 * Finds the one whose processor has the least urgent work (SDM volume 3, 11.6.2.4); of equals the first from a place that the vector
	 * decides on, so that vectors spread.
	 */
	#leastUrgent(vector: number, id: number, isLogical: boolean, isNarrow: boolean, except: number): number {
		const count = this.#words.length;
		let [found, least] = [-1, 0x100];
		for (let step = 0; step < count; step++) {
			const index = (vector + step) % count;
			const words = this.wordsOf(index);
			if (index === except || !matches(words, id, isLogical, isNarrow) || !isSoftwareEnabled(words)) continue;
			const priority = processorPriority(words);
			if (priority >= least) continue;
			[found, least] = [index, priority];
		}
		return found;
	}
}
