import type {Feature} from '#vcpu-worker/software/decode';
import type {Outside} from './outside.ts';

/** What CPUID announces: it does not change once the processor runs, and is asked for once. */
export class Features {
	readonly #outside: Outside;
	readonly #known = new Map<Feature, boolean>();

	constructor(outside: Outside) {
		this.#outside = outside;
	}

	has(feature: Feature): boolean {
		const known = this.#known.get(feature);
		if (known !== undefined) return known;
		const [leaf, subleaf, register, bit] = feature;
		const isThere = ((this.#outside.cpuid(leaf, subleaf)[register] >>> bit) & 1) === 1;
		this.#known.set(feature, isThere);
		return isThere;
	}

	/** CPUID answers otherwise from now on: the processor, which has not run, is that of a snapshot. */
	changed(): void {
		this.#known.clear();
	}
}
