import {closeSync, openSync, readSync} from 'node:fs';
import type {MappedMemory} from '#devices/guest-memory';
import {unchecked} from '#support/trust';
import type {PartitionClock} from './partition-clock.ts';

/** Bits of MSR_KVM_STEAL_TIME: the guest has given a page, and where; the others are reserved (Linux: Documentation/virt/kvm/x86/msr.rst). */
const enabled = 1n;
const reserved = 0x3en;
/** Offsets in `struct kvm_steal_time`. */
const at = {steal: 0, version: 8} as const;
/** Shortest time between two looks, which take some 50 µs: more than two of Linux's ticks. */
const periodNs = 10_000_000n;

/** Tells how many nanoseconds a thread has been ready to run and did not, so far; undefined where the host does not say. */
export type RunDelay = () => bigint | undefined;

/** Counts for the guest the time that a processor was ready to run and its thread had no processor of the host. */
export class StealTime {
	readonly #memory: MappedMemory;
	readonly #clock: Pick<PartitionClock, 'nowNs'>;
	readonly #runDelay: RunDelay;
	#register = 0n;
	/** Moment of the last look, and what it has shown. */
	#lookedNs = 0n;
	#known: bigint | undefined;

	constructor(memory: MappedMemory, clock: Pick<PartitionClock, 'nowNs'>, runDelay: RunDelay = ownRunDelay) {
		this.#memory = memory;
		this.#clock = clock;
		this.#runDelay = runDelay;
	}

	/** MSR_KVM_STEAL_TIME. */
	get register(): bigint {
		return this.#register;
	}

	/** Sets it; time counts from now on. False: reserved bits are set. */
	write(value: bigint): boolean {
		if ((value & reserved) !== 0n) return false;
		this.#register = value;
		this.#known = this.#isOn ? this.#runDelay() : undefined;
		return true;
	}

	/** Adds what has come since the last time, where that was a while ago. */
	account(): void {
		if (!this.#isOn) return;
		const now = this.#clock.nowNs();
		if (now - this.#lookedNs < periodNs) return;
		this.#lookedNs = now;
		const before = this.#known;
		this.#known = this.#runDelay();
		if (before !== undefined && this.#known !== undefined) this.add(this.#known - before);
	}

	/** Adds nanoseconds. Where the guest's page is no memory they are lost. */
	add(ns: bigint): void {
		if (!this.#isOn || ns <= 0n) return;
		const page = Number(this.#register & ~(enabled | reserved));
		const stolen = unchecked(this.#memory.readBigU64(page + at.steal));
		if (stolen === undefined) return;
		// Odd while it is written, and then another even number than before.
		const writing = (((unchecked(this.#memory.readU32(page + at.version)) ?? 0) + 1) | 1) >>> 0;
		this.#memory.writeU32(page + at.version, writing);
		this.#memory.writeBigU64(page + at.steal, BigInt.asUintN(64, stolen + ns));
		this.#memory.writeU32(page + at.version, (writing + 1) >>> 0);
	}

	get #isOn(): boolean {
		return (this.#register & enabled) !== 0n;
	}
}

/** Of this thread, once it has been opened; -1 where the host has none. */
let schedstat: number | undefined;
const text = Buffer.alloc(96);

/** The delay of the thread that asks: the second number that the kernel has of it (Linux: Documentation/scheduler/sched-stats.rst). */
export function ownRunDelay(): bigint | undefined {
	schedstat ??= openOwn();
	if (schedstat < 0) return undefined;
	const length = readSync(schedstat, text, 0, text.length, 0);
	const [, delay] = /^\d+ (\d+) /.exec(text.toString('latin1', 0, length)) ?? [];
	return delay === undefined ? undefined : BigInt(delay);
}

/** Closes what {@link ownRunDelay} of this thread has opened: the end of a thread of Node.js that does not keep its files in mind does not. */
export function closeRunDelay(): void {
	if (schedstat !== undefined && schedstat >= 0) closeSync(schedstat);
	schedstat = undefined;
}

function openOwn(): number {
	try {
		return openSync('/proc/thread-self/schedstat', 'r');
	} catch {
		return -1;
	}
}
