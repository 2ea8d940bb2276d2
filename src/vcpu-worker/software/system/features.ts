import type {Outside} from './outside.ts';

/** Where CPUID announces a feature: leaf, subleaf, number of the register among EAX, EBX, ECX, EDX, and bit. */
export type Feature = readonly [leaf: number, subleaf: number, register: 0 | 1 | 2 | 3, bit: number];

/** Features without which an instruction or a bit of a control register does not exist (SDM volume 2, CPUID). */
export const Feature = {
	monitor: [1, 0, 2, 3],
	pcid: [1, 0, 2, 17],
	xsave: [1, 0, 2, 26],
	rdrand: [1, 0, 2, 30],
	vme: [1, 0, 3, 1],
	de: [1, 0, 3, 2],
	pse: [1, 0, 3, 3],
	tsc: [1, 0, 3, 4],
	pae: [1, 0, 3, 6],
	mce: [1, 0, 3, 7],
	mtrr: [1, 0, 3, 12],
	pge: [1, 0, 3, 13],
	mca: [1, 0, 3, 14],
	pat: [1, 0, 3, 16],
	fxsr: [1, 0, 3, 24],
	sse: [1, 0, 3, 25],
	fsgsbase: [7, 0, 1, 0],
	tscAdjust: [7, 0, 1, 1],
	smep: [7, 0, 1, 7],
	invpcid: [7, 0, 1, 10],
	rdseed: [7, 0, 1, 18],
	smap: [7, 0, 1, 20],
	umip: [7, 0, 2, 2],
	la57: [7, 0, 2, 16],
	rdpid: [7, 0, 2, 22],
	xsaveopt: [0xd, 1, 0, 0],
	xsavec: [0xd, 1, 0, 1],
	xgetbv1: [0xd, 1, 0, 2],
	xsaves: [0xd, 1, 0, 3],
	syscall: [0x8000_0001, 0, 3, 11],
	nx: [0x8000_0001, 0, 3, 20],
	rdtscp: [0x8000_0001, 0, 3, 27],
	longMode: [0x8000_0001, 0, 3, 29],
} as const satisfies Record<string, Feature>;

/** What CPUID announces: it does not change while the processor exists, and is asked for once. */
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
}
