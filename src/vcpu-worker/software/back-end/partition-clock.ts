import type {VmTime} from '#devices/vm-time';
import {stateError} from '#support/saved-state';
import type {StateUnit} from '#support/state-units';

const maxClock = 2n ** 64n - 1n;

/** Words: the paravirtual clock less the host's; the host's at power-on. */
const Word = {kvmclock: 0, start: 1, words: 2} as const;

/**
 * The time that all processors of a machine have in common: nanoseconds of the host's monotonic clock, and KVM's paravirtual clock, which
 * is that clock plus an offset that all threads share.
 */
export class PartitionClock {
	static readonly byteLength = Word.words * 8;
	readonly #words: BigInt64Array;

	constructor(buffer: SharedArrayBuffer) {
		this.#words = new BigInt64Array(buffer);
	}

	/** The machine is being made: its clocks are at 0. Before any processor is. */
	begin(): void {
		Atomics.store(this.#words, Word.start, this.nowNs());
		this.setKvmclock(0n);
	}

	/** Moment at which all time-stamp counters were 0. */
	get startNs(): bigint {
		return Atomics.load(this.#words, Word.start);
	}

	/** Nanoseconds since some moment, the same on every thread. */
	nowNs(): bigint {
		return process.hrtime.bigint();
	}

	/** KVM's paravirtual clock at a moment of {@link nowNs}. */
	kvmclock(nowNs: bigint): bigint {
		return BigInt.asUintN(64, nowNs + Atomics.load(this.#words, Word.kvmclock));
	}

	/** Sets it; while no processor runs. */
	setKvmclock(value: bigint): void {
		Atomics.store(this.#words, Word.kvmclock, BigInt.asIntN(64, value - this.nowNs()));
	}
}

/** The paravirtual clock as a part of a snapshot, of the same form as KVM's. It stands still with the guest. */
export function clockUnit(clock: PartitionClock, time: VmTime): StateUnit {
	/** The clock, and VM time at that moment. */
	let held = {clock: 0n, atNs: time.nowNs()};
	const heldNow = () => BigInt.asUintN(64, held.clock + BigInt(Math.round(time.nowNs() - held.atNs)));
	return {
		name: 'kvmclock',
		needs: ['time'],
		start: () => clock.setKvmclock(heldNow()),
		stop() {
			held = {clock: clock.kvmclock(clock.nowNs()), atNs: time.nowNs()};
		},
		reset() {
			held = {clock: 0n, atNs: time.nowNs()};
		},
		save: () => String(heldNow()),
		restore(saved) {
			const isClock = typeof saved === 'string' && /^\d{1,20}$/.test(saved) && BigInt(saved) <= maxClock;
			if (!isClock) throw stateError('STATE_FIELD_WRONG', {struct: 'kvmclock', field: 'nanoseconds'});
			held = {clock: BigInt(saved), atNs: time.nowNs()};
		},
	};
}
