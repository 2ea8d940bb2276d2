import type {MappedMemory} from '#devices/guest-memory';
import {unchecked} from '#support/trust';
import {Msr} from '#vcpu-worker/registers';
import type {TimeStampCounter} from './counter.ts';
import type {PartitionClock} from './partition-clock.ts';
import {StealTime} from './steal-time.ts';

/** KVM's registers with other numbers of before (Linux: Documentation/virt/kvm/x86/msr.rst). */
const old = {WALL_CLOCK: 0x11, SYSTEM_TIME: 0x12} as const;
const enabled = 1n;
const nsPerSecond = 1_000_000_000n;
/** Flags of the time's page: the clock is in step on all processors; the guest stood still. */
const Flags = {STABLE: 1, STOPPED: 2} as const;
const flagsAt = 29;
const pageBytes = 32;
/** Processors of a busy host go on at different moments, and so does what their watchdogs go by: Linux's jiffies, of one processor, for all. */
const remindForNs = 10n * nsPerSecond;

/** Factor and shift by which ticks of a counter become nanoseconds: `((ticks << shift) * factor) >> 32`. */
export function scaleOf(khz: number): {readonly factor: number; readonly shift: number} {
	let shift = 0;
	let ticks = khz * 1000;
	for (; ticks > 2e9; shift--) ticks /= 2;
	for (; ticks <= 1e9; shift++) ticks *= 2;
	return {factor: Math.floor((2 ** 32 * 1e9) / ticks), shift};
}

/** The interface that KVM gives its guests, as far as the processor has it: the clock, and the time that is stolen. */
export class KvmInterface {
	readonly steal: StealTime;
	readonly #memory: MappedMemory;
	readonly #clock: PartitionClock;
	readonly #counter: TimeStampCounter;
	/** KVM_SYSTEM_TIME and KVM_WALL_CLOCK, under their new numbers. */
	#systemTime = 0n;
	#wallClock = 0n;
	/** The guest is told until then that it stood still, however often it takes note. Undefined: it did not. */
	#remindUntilNs: bigint | undefined;

	constructor(memory: MappedMemory, clock: PartitionClock, counter: TimeStampCounter) {
		this.steal = new StealTime(memory, clock);
		this.#memory = memory;
		this.#clock = clock;
		this.#counter = counter;
	}

	/** Undefined: it is none of KVM's. */
	read(index: number): bigint | undefined {
		switch (index) {
			case old.SYSTEM_TIME:
			case Msr.KVM_SYSTEM_TIME_NEW:
				return this.#systemTime;
			case old.WALL_CLOCK:
			case Msr.KVM_WALL_CLOCK_NEW:
				return this.#wallClock;
			case Msr.KVM_STEAL_TIME:
				return this.steal.register;
			default:
				return undefined;
		}
	}

	/** False: it is none of KVM's, or not such a value. */
	write(index: number, value: bigint): boolean {
		switch (index) {
			case old.SYSTEM_TIME:
			case Msr.KVM_SYSTEM_TIME_NEW:
				this.#systemTime = value;
				this.update(false);
				return true;
			case old.WALL_CLOCK:
			case Msr.KVM_WALL_CLOCK_NEW:
				this.#wallClock = value;
				this.#writeWallClock(Number(value));
				return true;
			case Msr.KVM_STEAL_TIME:
				return this.steal.write(value);
			default:
				return false;
		}
	}

	/** Gives the registers their values after a reset. */
	reset(): void {
		this.#systemTime = 0n;
		this.#wallClock = 0n;
		this.#remindUntilNs = undefined;
		this.steal.write(0n);
	}

	/** The registers that are not 0, for a snapshot. */
	save(): [number, bigint][] {
		const all: [number, bigint][] = [
			[Msr.KVM_SYSTEM_TIME_NEW, this.#systemTime],
			[Msr.KVM_WALL_CLOCK_NEW, this.#wallClock],
			[Msr.KVM_STEAL_TIME, this.steal.register],
		];
		return all.filter(([, value]) => value !== 0n);
	}

	/** Takes a register of a snapshot, which KVM has under both numbers; false: it is none of these. */
	restore(index: number, value: bigint): boolean {
		if (index === Msr.KVM_SYSTEM_TIME_NEW || index === old.SYSTEM_TIME) this.#systemTime = value;
		else if (index === Msr.KVM_WALL_CLOCK_NEW || index === old.WALL_CLOCK) this.#wallClock = value;
		else return index === Msr.KVM_STEAL_TIME && this.steal.write(value);
		return true;
	}

	/**
	 * Tells the guest how its clock follows from the counter now, where it has asked for that (`struct pvclock_vcpu_time_info`).
	 * @param stoodStill - the guest did: its watchdogs are not to bark
	 */
	update(stoodStill: boolean): void {
		if ((this.#systemTime & enabled) === 0n) return;
		const at = Number(this.#systemTime & ~enabled);
		const nowNs = this.#clock.nowNs();
		const {factor, shift} = scaleOf(this.#counter.khz);
		const page = Buffer.alloc(pageBytes);
		// Odd while it is written, and then another even number than before.
		const before = unchecked(this.#memory.readU32(at)) ?? 0;
		const writing = ((before + 1) | 1) >>> 0;
		this.#memory.writeU32(at, writing);
		page.writeBigUInt64LE(this.#counter.at(nowNs), 8);
		page.writeBigUInt64LE(this.#clock.kvmclock(nowNs), 16);
		page.writeUInt32LE(factor, 24);
		page.writeInt8(shift, 28);
		page.writeUInt8(Flags.STABLE | (stoodStill ? Flags.STOPPED : 0), flagsAt);
		this.#memory.copyIn(at + 4, page, 4, pageBytes - 4);
		this.#memory.writeU32(at, (writing + 1) >>> 0);
		if (stoodStill) this.#remindUntilNs = nowNs + remindForNs;
	}

	/** Tells a guest that has gone on lately that it stood still, where it has taken note of that. For its own processor's thread. */
	remind(): void {
		if (this.#remindUntilNs === undefined) return;
		if (this.#clock.nowNs() > this.#remindUntilNs || (this.#systemTime & enabled) === 0n) {
			this.#remindUntilNs = undefined;
			return;
		}
		const at = Number(this.#systemTime & ~enabled) + flagsAt;
		const flags = unchecked(this.#memory.readU8(at)) ?? 0;
		if ((flags & Flags.STOPPED) === 0) this.#memory.writeU8(at, flags | Flags.STOPPED);
	}

	/** Writes the wall clock at nanosecond 0 of the paravirtual clock (`struct pvclock_wall_clock`). */
	#writeWallClock(at: number): void {
		// Of 64 bits: a clock that the guest came with may be ahead of the host's.
		const bootNs = BigInt.asUintN(64, BigInt(Date.now()) * 1_000_000n - this.#clock.kvmclock(this.#clock.nowNs()));
		this.#memory.writeU32(at, 1);
		this.#memory.writeU32(at + 4, Number(BigInt.asUintN(32, bootNs / nsPerSecond)));
		this.#memory.writeU32(at + 8, Number(bootNs % nsPerSecond));
		this.#memory.writeU32(at, 2);
	}
}
