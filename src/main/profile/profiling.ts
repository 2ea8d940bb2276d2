import {sampleHz} from '#main/config';
import {type GivenSymbols, type GuestKernel, guestSymbols, readGuestKernel, type SymbolTable} from '#main/symbols';
import type {Vm} from '#main/vm';
import type {LongOperation} from '#support/abort';
import {profileError} from './errors.ts';
import {GuestProfile} from './guest-profile.ts';

/** What a profile takes of a machine. */
export type ProfiledVm = Pick<Vm, 'processors' | 'memory' | 'ended' | 'listenToSamples' | 'kernelNotes'>;

/** Choices for a profile. */
export interface ProfileOptions {
	/** Samples a second of each processor, see `sampleHz`. */
	readonly hz?: number;
	/** Symbols beside those that a Linux kernel has in its memory. */
	readonly symbols?: GivenSymbols;
}

/** A profile of a guest that is being made, from the constructor on. */
export class Profiling {
	readonly profile: GuestProfile;
	readonly #vm: ProfiledVm;
	readonly #given: GivenSymbols;
	readonly #stop: () => void;
	#kernel: Promise<GuestKernel | undefined> | undefined;

	/** @throws VmmError PROFILE_RATE, VM_STOPPED */
	constructor(vm: ProfiledVm, {hz = sampleHz.usual, symbols = []}: ProfileOptions = {}) {
		if (!(hz >= 1 && hz <= sampleHz.most)) throw profileError('PROFILE_RATE', {hz, most: sampleHz.most});
		const profile = new GuestProfile(vm.processors);
		this.profile = profile;
		this.#vm = vm;
		this.#given = symbols;
		this.#stop = vm.listenToSamples(hz, {
			sample: (sample) => profile.add(sample),
			ending: async (kernelNotes) => {
				this.#kernel ??= readKernel(vm, kernelNotes);
				await this.#kernel.catch(() => {});
			},
		});
	}

	/** Ends it. @returns the names of what has been seen. @throws VmmError OPERATION_ABORTED */
	async finish(asked: LongOperation = {}): Promise<SymbolTable> {
		this.#stop();
		this.#kernel ??= readKernel(this.#vm, () => this.#vm.kernelNotes(asked));
		return guestSymbols(this.#given, await this.#kernel);
	}

	/** Ends it, and has no more use for what it has seen. */
	abandon(): void {
		this.#stop();
	}
}

async function readKernel(
	{memory}: ProfiledVm,
	kernelNotes: () => Promise<string | undefined>,
): Promise<GuestKernel | undefined> {
	const notes = await kernelNotes();
	return notes === undefined ? undefined : readGuestKernel(memory, notes);
}
