import {setTimeout as sleep} from 'node:timers/promises';
import {sampleHz} from '#main/config';
import {type GivenSymbols, type GuestKernel, guestSymbols, readGuestKernel, type SymbolTable} from '#main/symbols';
import type {GuestSample, Vm} from '#main/vm';
import type {LongOperation} from '#support/abort';
import {profileError} from './errors.ts';
import {GuestProfile} from './guest-profile.ts';
import {KernelStacks} from './kernel-stacks.ts';

/** What a profile takes of a machine. */
export type ProfiledVm = Pick<Vm, 'processors' | 'memory' | 'ended' | 'listenToSamples' | 'kernelNotes'>;

/** Choices for a profile. */
export interface ProfileOptions {
	/** Samples a second of each processor, see `sampleHz`. */
	readonly hz?: number;
	/** Symbols beside those that a Linux kernel has in its memory. */
	readonly symbols?: GivenSymbols;
}

/** Time until the first look for a kernel's tables, from its first sample on, in milliseconds; it doubles each time, up to the second. */
const lookMs = {first: 1000, longest: 32_000} as const;

/** A profile of a guest that is being made, from the constructor on. */
export class Profiling {
	readonly profile: GuestProfile;
	readonly #vm: ProfiledVm;
	readonly #given: GivenSymbols;
	readonly #stacks: KernelStacks;
	readonly #stop: () => void;
	readonly #over = new AbortController();
	#isLooking = false;
	/** The kernel that has been found, and what it said of itself. */
	#found: {readonly notes: string; readonly kernel: GuestKernel | undefined} | undefined;
	#last: Promise<GuestKernel | undefined> | undefined;

	/** @throws VmmError PROFILE_RATE, VM_STOPPED */
	constructor(vm: ProfiledVm, {hz = sampleHz.usual, symbols = []}: ProfileOptions = {}) {
		if (!(hz >= 1 && hz <= sampleHz.most)) throw profileError('PROFILE_RATE', {hz, most: sampleHz.most});
		const profile = new GuestProfile(vm.processors);
		this.profile = profile;
		this.#vm = vm;
		this.#given = symbols;
		this.#stacks = new KernelStacks(profile);
		this.#stop = vm.listenToSamples(hz, {
			sample: (sample) => this.#take(sample),
			ending: async (kernelNotes) => {
				this.#over.abort();
				this.#last ??= this.#kernel(kernelNotes);
				await this.#last.catch(() => {});
			},
		});
	}

	/** Ends it. @returns the names of what has been seen. @throws VmmError OPERATION_ABORTED */
	async finish(asked: LongOperation = {}): Promise<SymbolTable> {
		this.abandon();
		this.#last ??= this.#kernel(() => this.#vm.kernelNotes(asked));
		const kernel = await this.#last;
		this.#stacks.settle(kernel?.orc);
		return guestSymbols(this.#given, kernel);
	}

	/** Ends it, and has no more use for what it has seen. */
	abandon(): void {
		this.#stop();
		this.#over.abort();
	}

	#take(sample: GuestSample): void {
		this.#stacks.add(sample);
		if (this.#isLooking || sample.stack === undefined) return;
		this.#isLooking = true;
		void this.#look().catch(() => {});
	}

	/** Looks for a kernel's tables until it has some: a kernel says where they are when it has come up. */
	async #look(): Promise<void> {
		const {signal} = this.#over;
		for (let ms: number = lookMs.first; ; ms = Math.min(2 * ms, lookMs.longest)) {
			await sleep(ms, undefined, {signal, ref: false});
			const kernel = await this.#kernel(() => this.#vm.kernelNotes({signal}));
			if (kernel?.orc === undefined) continue;
			return this.#stacks.settle(kernel.orc);
		}
	}

	async #kernel(kernelNotes: () => Promise<string | undefined>): Promise<GuestKernel | undefined> {
		const notes = await kernelNotes();
		if (notes === undefined) return undefined;
		if (this.#found?.notes !== notes) this.#found = {notes, kernel: readGuestKernel(this.#vm.memory, notes)};
		return this.#found.kernel;
	}
}
