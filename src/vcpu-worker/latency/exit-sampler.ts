import type {ExitKind} from '#vcpu-worker/hypervisor';
import {type LatencyKind, latencyBuckets, VcpuLatencies, type VcpuLatenciesView} from './latencies.ts';

const sampleEveryWord = VcpuLatencies.word('sampleEvery');

/** Milliseconds with a fraction that is exact to some nanoseconds. */
export const now = (): number => performance.now();

const kindOf = (exit: ExitKind): LatencyKind => {
	return exit === 'port' || exit === 'mmio' || exit === 'msr' ? exit : 'other';
};

/** The run loop's stop watch: times one exit of so many, and costs the others a comparison. */
export class ExitSampler {
	readonly #latencies: VcpuLatenciesView;
	/** Exits until the next sample; 0: none is taken. */
	#left = 0;
	/** The same of accesses that are served while the guest runs, amid an exit that may be long in coming. */
	#leftServed = 0;

	constructor(latencies: VcpuLatenciesView) {
		this.#latencies = latencies;
		this.refresh();
	}

	/** Takes over what {@link VcpuLatencies} asks for. */
	refresh(): void {
		this.#left = Math.max(0, Atomics.load(this.#latencies.$atomic, sampleEveryWord));
		this.#leftServed = this.#left;
	}

	/** True when the coming exit is to be timed. Hot. */
	due(): boolean {
		return this.#left !== 0 && --this.#left === 0;
	}

	/** True when the coming access that is served while the guest runs is to be timed. Hot. */
	servedDue(): boolean {
		return this.#leftServed !== 0 && --this.#leftServed === 0;
	}

	/** Counts one exit. @param times - as {@link now} gives them, before and after the guest ran, and when it was served */
	record(exit: ExitKind, entered: number, left: number, served: number): void {
		const guestNs = (left - entered) * 1e6;
		count(this.#latencies.guest, guestNs);
		this.#latencies.guestNs += guestNs;
		this.recordServed(exit, left, served);
	}

	/** Counts an access that was served while the guest ran. */
	recordServed(exit: ExitKind, began: number, served: number): void {
		const latencies = this.#latencies;
		const servedNs = (served - began) * 1e6;
		count(latencies[kindOf(exit)], servedNs);
		latencies.servedNs += servedNs;
		this.refresh();
	}
}

function count(buckets: Int32Array, ns: number): void {
	const whole = Math.min(Math.max(1, ns), 0xffff_ffff);
	const bucket = Math.min(31 - Math.clz32(whole), latencyBuckets - 1);
	buckets[bucket] = (buckets[bucket] as number) + 1;
}
