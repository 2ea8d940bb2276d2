import type {OrcTables} from '#main/symbols';
import type {GuestSample} from '#main/vm';
import type {GuestProfile} from './guest-profile.ts';
import {orcFrames} from './orc-frames.ts';

/** Samples that wait for a kernel's tables at most: they have their stacks with them, 64 MiB in all. */
const maxHeld = 2 ** 14;

/** Gives samples to a profile, in their order: those of a Linux kernel with the calls that its tables tell, when these are known. */
export class KernelStacks {
	readonly #profile: GuestProfile;
	#tables: OrcTables | undefined;
	/** Samples that wait; undefined: none does any more. */
	#held: GuestSample[] | undefined = [];

	constructor(profile: GuestProfile) {
		this.#profile = profile;
	}

	add(sample: GuestSample): void {
		if (this.#held === undefined) this.#give(sample);
		else if (this.#held.push(sample) >= maxHeld) this.#release();
	}

	/** The tables, or that there are none: nothing waits from now on. */
	settle(tables: OrcTables | undefined): void {
		this.#tables = tables ?? this.#tables;
		this.#release();
	}

	#release(): void {
		const held = this.#held ?? [];
		this.#held = undefined;
		for (const sample of held) this.#give(sample);
	}

	#give(sample: GuestSample): void {
		const frames = this.#tables && orcFrames(sample, this.#tables);
		this.#profile.add(frames === undefined ? sample : {...sample, frames});
	}
}
