import {sampleHz} from '#main/config';
import type {Sample, SampleAsker} from '#vcpu-worker/sampling';

/** A vCPU as the sampler sees it. */
export interface SampledVcpu {
	readonly index: number;
	/** Its run has been asked for, and has not ended. */
	readonly isRunning: boolean;
	readonly samples: SampleAsker;
}

/** What a processor was doing at one moment, and the time for which that stands. */
export interface GuestSample extends Sample {
	readonly vcpu: number;
	/** Milliseconds of running since the sample before. */
	readonly ms: number;
}

/** Whoever makes a profile. */
export interface SampleListener {
	/** Told of each sample. */
	sample(sample: GuestSample): void;
	/**
	 * Told that the machine ends, while its memory is still there: what it wants of that it has when this resolves. Never rejects.
	 * @param kernelNotes - does what `Vm.kernelNotes` does
	 */
	ending?(kernelNotes: () => Promise<string | undefined>): Promise<void>;
}

/** Time of one processor up to which samples stand for it, in milliseconds. */
interface Account {
	readonly vcpu: SampledVcpu;
	since: number | undefined;
	askedAt: number;
}

/**
 * Asks each running processor again and again where in its guest's code it is, as often as the most demanding of those who listen wants.
 * A processor answers at its next stop between two instructions; what it has not answered by the next round counts for longer.
 */
export class GuestSampler {
	readonly #accounts: readonly Account[];
	readonly #listeners = new Map<SampleListener, number>();
	#timer: NodeJS.Timeout | undefined;

	constructor(vcpus: readonly SampledVcpu[]) {
		this.#accounts = vcpus.map((vcpu) => ({vcpu, since: undefined, askedAt: 0}));
	}

	/**
	 * Samples from now on.
	 * @param hz - samples a second of each processor, 1 to `sampleHz.most`; there may be more where somebody else wants more
	 * @returns ends it
	 */
	listen(hz: number, listener: SampleListener): () => void {
		this.#listeners.set(listener, hz);
		this.#setTimer();
		return () => {
			if (this.#listeners.delete(listener)) this.#setTimer();
		};
	}

	/** The machine ends, and its processors do not run any more. @param kernelNotes - see {@link SampleListener.ending} */
	async end(kernelNotes: () => Promise<string | undefined>): Promise<void> {
		const listeners = [...this.#listeners.keys()];
		this.#listeners.clear();
		this.#setTimer();
		await Promise.all(listeners.map((listener) => listener.ending?.(kernelNotes)));
	}

	#setTimer(): void {
		clearInterval(this.#timer);
		this.#timer = undefined;
		if (this.#listeners.size === 0) {
			for (const account of this.#accounts) this.#rest(account);
			return;
		}
		const hz = Math.max(...this.#listeners.values());
		// A process that has nothing else to do ends.
		this.#timer = setInterval(() => this.#round(), 1000 / Math.min(hz, sampleHz.most)).unref();
	}

	#round(): void {
		for (const account of this.#accounts) {
			if (account.vcpu.isRunning) this.#ask(account);
			else this.#rest(account);
		}
	}

	/** Time in which it does not run is nobody's. */
	#rest(account: Account): void {
		if (account.since === undefined) return;
		account.vcpu.samples.withdraw();
		account.since = undefined;
	}

	#ask(account: Account): void {
		const {vcpu, since, askedAt} = account;
		const sample = since === undefined ? undefined : vcpu.samples.take();
		if (since === undefined) account.since = performance.now();
		if (sample !== undefined && since !== undefined) {
			account.since = askedAt;
			const told = {...sample, vcpu: vcpu.index, ms: askedAt - since};
			for (const listener of this.#listeners.keys()) listener.sample(told);
		}
		if (vcpu.samples.ask()) account.askedAt = performance.now();
	}
}
