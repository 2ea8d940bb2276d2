import {setTimeout as sleep} from 'node:timers/promises';
import type {CpuReport} from '#vcpu-worker/probe';
import type {VcpuControlView} from '#vcpu-worker/protocol';

/** A vCPU as the watch sees it. */
export interface WatchedVcpu {
	readonly control: VcpuControlView;
	report(): Promise<CpuReport>;
}

/** Looks without an exit before the processors are asked. It doubles with each answer that the guest lives. */
const patience = {first: 2, longest: 64} as const;

/** RFLAGS.IF (Intel SDM vol. 1, 3.4.3.3). */
const interruptFlag = 1n << 9n;

/** States in which a processor waits for INIT or its start-up message, which only another one sends. */
const waitsForStart: readonly unknown[] = ['uninitialized', 'init received'];

/**
 * Notices a guest that can never go on: every processor has halted with interrupts off, or was never started. Only a
 * non-maskable interrupt or a reset would wake it. A halted guest makes no exits, so nothing else would ever tell.
 */
export class HaltWatch {
	/** Told until it says, once after each power-on, that it has taken notice. */
	halted: () => boolean | Promise<boolean> = () => true;
	readonly #vcpus: readonly WatchedVcpu[];
	readonly #lookMs: number;
	#patience: number = patience.first;
	#isHalted = false;
	#wasTold = false;
	#stopping = new AbortController();

	/** @param lookMs - between two looks at the counters of exits */
	constructor(vcpus: readonly WatchedVcpu[], lookMs: number) {
		this.#vcpus = vcpus;
		this.#lookMs = lookMs;
	}

	/** As of the latest answer of the processors. */
	get isHalted(): boolean {
		return this.#isHalted;
	}

	/** Watches a guest that runs, until {@link stop}. */
	start(): void {
		this.#stopping = new AbortController();
		void this.#watch(this.#stopping.signal).catch(() => {});
	}

	stop(): void {
		this.#stopping.abort();
	}

	/** The guest starts anew. */
	reset(): void {
		this.#patience = patience.first;
		this.#isHalted = false;
		this.#wasTold = false;
	}

	async #watch(signal: AbortSignal): Promise<void> {
		let [exits, quiet] = [this.#exits(), 0];
		while (!signal.aborted) {
			await sleep(this.#lookMs, undefined, {signal, ref: false});
			const before = exits;
			exits = this.#exits();
			if (exits !== before) {
				quiet = 0;
				this.#isHalted = false;
				continue;
			}
			quiet++;
			if (quiet < this.#patience) continue;
			quiet = 0;
			// One that was looked at first may have been woken by the last one: all of them have to be found so again.
			const isHalted = (await this.#allHalted()) && (await this.#allHalted());
			// An answer that comes after the watch has ended may be of another guest.
			if (signal.aborted) return;
			this.#isHalted = isHalted;
			if (!this.#isHalted) this.#patience = Math.min(patience.longest, this.#patience * 2);
			else if (!this.#wasTold) {
				const wasTold = await this.halted();
				// Meanwhile the guest may have started anew.
				if (!signal.aborted) this.#wasTold = wasTold;
			}
		}
	}

	#exits(): number {
		return this.#vcpus.reduce(
			(sum, {control: {portExits, mmioExits, msrExits, otherExits}}) =>
				sum + portExits + mmioExits + msrExits + otherExits,
			0,
		);
	}

	/** The first one that may go on answers for all, so that an idle guest is disturbed on one processor. */
	async #allHalted(): Promise<boolean> {
		let halted = 0;
		for (const vcpu of this.#vcpus) {
			const {activity, registers} = await vcpu.report();
			const {rflags} = (registers ?? {}) as {rflags?: bigint};
			if (activity === 'halted' && rflags !== undefined && (rflags & interruptFlag) === 0n) halted++;
			else if (!waitsForStart.includes(activity)) return false;
		}
		return halted > 0;
	}
}
