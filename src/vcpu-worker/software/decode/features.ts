/** Where CPUID announces a feature: leaf, subleaf, number of the register among EAX, EBX, ECX, EDX, and bit. */
export type Feature = readonly [leaf: number, subleaf: number, register: 0 | 1 | 2 | 3, bit: number];

/** Features without which an instruction, or a bit of a control or model-specific register, does not exist (SDM volume 2, CPUID; APM volume 3, appendix E). */
export const Feature = {
	sse3: [1, 0, 2, 0],
	pclmulqdq: [1, 0, 2, 1],
	monitor: [1, 0, 2, 3],
	ssse3: [1, 0, 2, 9],
	fma: [1, 0, 2, 12],
	cx16: [1, 0, 2, 13],
	pcid: [1, 0, 2, 17],
	sse41: [1, 0, 2, 19],
	sse42: [1, 0, 2, 20],
	movbe: [1, 0, 2, 22],
	popcnt: [1, 0, 2, 23],
	aes: [1, 0, 2, 25],
	xsave: [1, 0, 2, 26],
	avx: [1, 0, 2, 28],
	f16c: [1, 0, 2, 29],
	rdrand: [1, 0, 2, 30],
	fpu: [1, 0, 3, 0],
	vme: [1, 0, 3, 1],
	de: [1, 0, 3, 2],
	pse: [1, 0, 3, 3],
	tsc: [1, 0, 3, 4],
	msr: [1, 0, 3, 5],
	pae: [1, 0, 3, 6],
	mce: [1, 0, 3, 7],
	cx8: [1, 0, 3, 8],
	sep: [1, 0, 3, 11],
	mtrr: [1, 0, 3, 12],
	pge: [1, 0, 3, 13],
	mca: [1, 0, 3, 14],
	cmov: [1, 0, 3, 15],
	pat: [1, 0, 3, 16],
	clfsh: [1, 0, 3, 19],
	mmx: [1, 0, 3, 23],
	fxsr: [1, 0, 3, 24],
	sse: [1, 0, 3, 25],
	sse2: [1, 0, 3, 26],
	fsgsbase: [7, 0, 1, 0],
	tscAdjust: [7, 0, 1, 1],
	bmi1: [7, 0, 1, 3],
	avx2: [7, 0, 1, 5],
	smep: [7, 0, 1, 7],
	bmi2: [7, 0, 1, 8],
	invpcid: [7, 0, 1, 10],
	rdseed: [7, 0, 1, 18],
	adx: [7, 0, 1, 19],
	smap: [7, 0, 1, 20],
	clflushopt: [7, 0, 1, 23],
	clwb: [7, 0, 1, 24],
	sha: [7, 0, 1, 29],
	umip: [7, 0, 2, 2],
	la57: [7, 0, 2, 16],
	rdpid: [7, 0, 2, 22],
	xsaveopt: [0xd, 1, 0, 0],
	xsavec: [0xd, 1, 0, 1],
	xgetbv1: [0xd, 1, 0, 2],
	xsaves: [0xd, 1, 0, 3],
	lahf: [0x8000_0001, 0, 2, 0],
	lzcnt: [0x8000_0001, 0, 2, 5],
	prefetchw: [0x8000_0001, 0, 2, 8],
	syscall: [0x8000_0001, 0, 3, 11],
	nx: [0x8000_0001, 0, 3, 20],
	rdtscp: [0x8000_0001, 0, 3, 27],
	longMode: [0x8000_0001, 0, 3, 29],
} as const satisfies Record<string, Feature>;

/** Tells whether CPUID announces a feature. */
export type Announced = (feature: Feature) => boolean;

const features: readonly Feature[] = Object.values(Feature);

/** Says what is announced, so that another thread can be told: a digit for each feature. */
export const announcedKey = (announced: Announced): string =>
	features.map((feature) => (announced(feature) ? '1' : '0')).join('');

/** What {@link announcedKey} has said. */
export function announcedBy(key: string): Announced {
	const known = new Set(features.filter((_, index) => key[index] === '1'));
	return (feature) => known.has(feature);
}
