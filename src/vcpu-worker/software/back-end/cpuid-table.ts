import type {CpuidEntry} from '#vcpu-worker/cpuid';

type Answer = readonly [eax: number, ebx: number, ecx: number, edx: number];
const nothing: Answer = [0, 0, 0, 0];

/** Answers of CPUID, found by leaf and subleaf. */
export class CpuidTable {
	readonly #entries = new Map<number, CpuidEntry[]>();

	constructor(entries: readonly CpuidEntry[]) {
		for (const entry of entries) {
			const same = this.#entries.get(entry.function);
			if (same === undefined) this.#entries.set(entry.function, [entry]);
			else same.push(entry);
		}
	}

	/** AMD's processors answer zeros for a leaf that does not exist (APM volume 3, CPUID). */
	answer(leaf: number, subleaf: number): Answer {
		const entries = this.#entries.get(leaf) ?? [];
		const entry = entries.find(({index, significantIndex}) => !significantIndex || index === subleaf);
		if (entry !== undefined) return [entry.eax, entry.ebx, entry.ecx, entry.edx];
		// Levels of topology that are none answer with the level that was asked for (SDM volume 2, CPUID, leaf 0BH).
		const last = entries.at(-1);
		return last !== undefined && (leaf === 0xb || leaf === 0x1f) ? [0, 0, subleaf & 0xff, last.edx] : nothing;
	}

	/** Family, model and stepping, as EDX has them after a reset. */
	get signature(): number {
		return this.answer(1, 0)[0];
	}
}
