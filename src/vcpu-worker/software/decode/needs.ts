import {Feature} from './features.ts';

type Name = keyof typeof Feature;

/**
 * Instructions that a processor has only with a feature, by the decoder's names (Intel SDM volume 2: "CPUID Feature Flag" of each instruction, and
 * its exceptions; APM volume 3, appendix D). `lahf64` and `sahf64` are those of 64-bit code.
 */
const byName: Readonly<Partial<Record<Name, string>>> = {
	tsc: 'rdtsc',
	msr: 'rdmsr wrmsr',
	cx8: 'cmpxchg8b',
	cx16: 'cmpxchg16b',
	sep: 'sysenter sysexit',
	cmov: 'cmov fcmov fcmovn fcomi fcomip fucomi fucomip',
	clfsh: 'clflush',
	clflushopt: 'clflushopt',
	clwb: 'clwb',
	fxsr: 'fxsave fxrstor',
	sse: 'ldmxcsr stmxcsr sfence',
	sse2: 'lfence mfence movnti',
	sse3: 'fisttp.i16 fisttp.i32 fisttp.i64',
	sse42: 'crc32',
	monitor: 'monitor mwait',
	movbe: 'movbe',
	adx: 'adcx adox',
	popcnt: 'popcnt',
	xsave: 'xsave xrstor xgetbv xsetbv',
	xsaveopt: 'xsaveopt',
	xsavec: 'xsavec',
	xsaves: 'xsaves xrstors',
	rdrand: 'rdrand',
	rdseed: 'rdseed',
	rdpid: 'rdpid',
	rdtscp: 'rdtscp',
	fsgsbase: 'readFsBase readGsBase writeFsBase writeGsBase',
	invpcid: 'invpcid',
	smap: 'clac stac',
	lahf: 'lahf64 sahf64',
	syscall: 'syscall sysret',
};

/** The same of opcodes on MMX and XMM registers, whose names stand for those of several features: map, mandatory prefix, opcodes. */
const byOpcode: Readonly<Partial<Record<Name, string>>> = {
	mmx: 'twoByte .. 60-6b 6e 6f 71-77 7e 7f d1-d3 d5 d8 d9 db-dd df e1 e2 e5 e8 e9 eb-ed ef f1-f3 f5 f8-fa fc-fe',
	sse: 'twoByte .. 10-17 28-2f 50-59 5c-5f 70 c2 c4-c6 d7 da de e0 e3 e4 e7 ea ee f6 f7; twoByte f3 10 11 2a 2c 2d 51-53 58 59 5c-5f c2',
	sse2: 'twoByte .. 5a 5b d4 f4 fb; twoByte 66 10-17 28-2f 50-7b 7e 7f c2-c6 d1-fe; twoByte f3 5a 5b 6f 70 7e 7f d6 e6; twoByte f2 10 11 2a 2c 2d 51 58-5a 5c-5f 70 c2 d6 e6',
	sse3: 'twoByte 66 7c 7d d0; twoByte f3 12 16; twoByte f2 12 7c 7d d0 f0',
	ssse3: 'map38 .. 00-0b 1c-1e; map38 66 00-0b 1c-1e; map3a .. 0f; map3a 66 0f',
	sse41: 'map38 66 10 14 15 17 20-25 28-2b 30-35 38-41; map3a 66 08-0e 14-17 20-22 40-42',
	sse42: 'map38 66 37; map3a 66 60-63',
	aes: 'map38 66 db-df; map3a 66 df',
	pclmulqdq: 'map3a 66 44',
	sha: 'map38 .. c8-cd; map3a .. cc',
};

const names: ReadonlyMap<string, Feature> = new Map(
	Object.entries(byName).flatMap(([feature, text]) =>
		text.split(' ').map((name): [string, Feature] => [name, Feature[feature as Name]]),
	),
);

const opcodes: ReadonlyMap<string, Feature> = new Map(
	Object.entries(byOpcode).flatMap(([feature, text]) =>
		text.split('; ').flatMap((row) => {
			const [map, prefix, ...ranges] = row.split(' ');
			return ranges
				.flatMap(numbersIn)
				.map((number): [string, Feature] => [`${map} ${prefix} ${number}`, Feature[feature as Name]]);
		}),
	),
);

function numbersIn(range: string): number[] {
	const [first = 0, last = first] = range.split('-').map((part) => Number.parseInt(part, 16));
	return Array.from({length: last - first + 1}, (_, index) => first + index);
}

/** The feature that an opcode on MMX or XMM registers comes with. */
export const featureOfOpcode = (map: string, prefix: string, number: number): Feature | undefined =>
	opcodes.get(`${map} ${prefix} ${number}`);

/** The feature that any other instruction comes with; undefined: every processor has it. */
export const featureOfName = (name: string): Feature | undefined => names.get(name);
