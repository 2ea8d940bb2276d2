import {Feature} from './features.ts';
import type {Opcode, OpcodeMap} from './opcode-table.ts';
import type {Prefix} from './system-groups.ts';
import {vectorGroupMember, vectorOpcodeAt} from './vector-table.ts';

/** What a VEX prefix says (SDM volume 2, 2.3.5). */
export interface VexPrefix {
	readonly map: OpcodeMap;
	/** The prefix that it stands for. */
	readonly prefix: Prefix;
	/** Number of a register that ModRM has no room for; 0 where nothing needs one. */
	readonly register: number;
	readonly w: 0 | 1;
	/** Vectors have 256 bits. */
	readonly l: 0 | 1;
}

/**
 * Opcodes that SSE has too (SDM volume 2, tables A-3 to A-5), by map: mandatory prefix, numbers, which operands there are, and with which VEX.L. `same`: those of SSE;
 * `three`: a first source behind the destination, which SSE has in one; `count`: a source behind the destination, to be shifted by a constant. `x`: all AVX's; `x2`: 256 bits are AVX2's;
 * `l0`: 128 bits alone; `own`: the same, with the feature that SSE's have; `scalar`: of one element, whatever VEX.L.
 */
const ofSse: Readonly<Partial<Record<OpcodeMap, string>>> = {
	twoByte: `
.. 10 11 28 29 2b 50-53 5a 5b same x
66 10 11 28 29 2b 50 51 5a 5b 6f 7f e6 e7 same x
f3 12 16 5b 6f 7f e6 same x
f2 e6 f0 same x
.. 12 16 three l0
66 12 16 c4 three l0
.. 13 17 same l0
66 13 17 6e 7e c5 d6 f7 same l0
f3 7e same l0
.. 14 15 54-59 5c-5f c2 c6 three x
66 14 15 54-59 5c-5f 7c 7d c2 c6 d0 three x
f2 7c 7d d0 three x
.. 2e 2f same scalar
66 2e 2f same scalar
f3 2c 2d same scalar
f2 2c 2d same scalar
f3 2a 51-53 58-5a 5c-5f c2 three scalar
f2 2a 51 58-5a 5c-5f c2 three scalar
66 60-6d 74-76 d1-d5 d8-df e0-e5 e8-ef f1-f6 f8-fe three x2
66 70 d7 same x2
f3 70 same x2
f2 70 same x2
66 71-73 count x2`,
	map38: `
66 00-0b 28 29 2b 37-40 three x2
66 1c-1e 20-25 2a 30-35 same x2
66 17 same x
66 41 same l0
66 db same own
66 dc-df three own`,
	map3a: `
66 08 09 same x
66 0a 0b three scalar
66 0c 0d 40 three x
66 0e 0f 42 three x2
66 20-22 41 three l0
66 14-17 60-63 same l0
66 44 three own
66 df same own`,
};

/**
 * The others: mandatory prefix, number, name of the operation, operands, feature, and words: the only value of VEX.W or VEX.L that it has, `m` or `r` for
 * memory or a register alone. `B` is the general register that VEX.vvvv names, `H` the vector, `L` the one in the upper half of a constant, `F` memory
 * whose index is a vector, all of whose registers are `distinct`; `y` is 256 bits, which
 * `x` stands for too where VEX.L may have both values.
 */
const others: Readonly<Partial<Record<OpcodeMap, string>>> = {
	twoByte: `
f2 12 movddup V,Wq avx l0
f2 12 movddup V,Wy avx l1
f3 10 movScalar V,Md avx scalar m
f3 10 movScalar V,H,Ud avx scalar r
f2 10 movScalar V,Mq avx scalar m
f2 10 movScalar V,H,Uq avx scalar r
f3 11 movScalar Md,V avx scalar m
f3 11 movScalar Ud,H,V avx scalar r
f2 11 movScalar Mq,V avx scalar m
f2 11 movScalar Uq,H,V avx scalar r
.. 77 zeroUppers . avx l0
.. 77 zeroAll . avx l1
.. ae group15 Md avx l0`,
	map38: `
66 0c permilps V,H,Wx avx w0
66 0d permilpd V,H,Wx avx w0
66 0e testps V,Wx avx w0
66 0f testpd V,Wx avx w0
66 18 broadcast V,Md avx w0 m
66 18 broadcast V,Wd avx2 w0 r
66 19 broadcast V,Mq avx w0 l1 m
66 19 broadcast V,Wq avx2 w0 l1 r
66 1a broadcastHalf V,Mx avx w0 l1
66 2c maskedLoad32 V,H,Mx avx w0
66 2d maskedLoad64 V,H,Mx avx w0
66 2e maskedStore32 Mx,H,V avx w0
66 2f maskedStore64 Mx,H,V avx w0
66 16 permd V,H,Wy avx2 w0 l1
66 36 permd V,H,Wy avx2 w0 l1
66 45 psrlvd V,H,Wx avx2 w0
66 45 psrlvq V,H,Wx avx2 w1
66 46 psravd V,H,Wx avx2 w0
66 47 psllvd V,H,Wx avx2 w0
66 47 psllvq V,H,Wx avx2 w1
66 58 broadcast V,Wd avx2 w0
66 59 broadcast V,Wq avx2 w0
66 5a broadcastHalf V,Mx avx2 w0 l1
66 78 broadcast V,Wb avx2 w0
66 79 broadcast V,Ww avx2 w0
66 90 gather32x32 V,Fd,H avx2 w0 distinct
66 90 gather32x64 V,Fq,H avx2 w1 distinct
66 91 gather64x32 V,Fd,H avx2 w0 distinct
66 91 gather64x64 V,Fq,H avx2 w1 distinct
66 92 gather32x32 V,Fd,H avx2 w0 distinct
66 92 gather32x64 V,Fq,H avx2 w1 distinct
66 93 gather64x32 V,Fd,H avx2 w0 distinct
66 93 gather64x64 V,Fq,H avx2 w1 distinct
66 8c maskedLoad32 V,H,Mx avx2 w0
66 8c maskedLoad64 V,H,Mx avx2 w1
66 8e maskedStore32 Mx,H,V avx2 w0
66 8e maskedStore64 Mx,H,V avx2 w1
.. f2 andn Gv,Bv,Ev bmi1 l0
.. f3 group17 Bv,Ev bmi1 l0
.. f5 bzhi Gv,Ev,Bv bmi2 l0
f3 f5 pext Gv,Bv,Ev bmi2 l0
f2 f5 pdep Gv,Bv,Ev bmi2 l0
f2 f6 mulx Gv,Bv,Ev bmi2 l0
.. f7 bextr Gv,Ev,Bv bmi1 l0
66 f7 shlx Gv,Ev,Bv bmi2 l0
f3 f7 sarx Gv,Ev,Bv bmi2 l0
f2 f7 shrx Gv,Ev,Bv bmi2 l0
66 13 cvtph2ps V,Wq f16c w0 l0
66 13 cvtph2ps V,Wx f16c w0 l1
${fusedRows()}`,
	map3a: `
66 00 permq V,Wy,Iu avx2 w1 l1
66 01 permq V,Wy,Iu avx2 w1 l1
66 02 blendps V,H,Wx,Iu avx2 w0
66 04 pshufd V,Wx,Iu avx w0
66 05 permutepd V,Wx,Iu avx w0
66 06 permHalves V,H,Wy,Iu avx w0 l1
66 18 insertHalf V,H,Wx,Iu avx w0 l1
66 19 extractHalf Wx,V,Iu avx w0 l1
66 38 insertHalf V,H,Wx,Iu avx2 w0 l1
66 39 extractHalf Wx,V,Iu avx2 w0 l1
66 46 permHalves V,H,Wy,Iu avx2 w0 l1
66 4a blendvps V,H,Wx,L avx w0
66 4b blendvpd V,H,Wx,L avx w0
66 4c pblendvb V,H,Wx,L avx w0 l0
66 4c pblendvb V,H,Wy,L avx2 w0 l1
f2 f0 rorx Gv,Ev,Iu bmi2 l0
66 1d cvtps2ph Wq,V,Iu f16c w0 l0
66 1d cvtps2ph Wx,V,Iu f16c w0 l1`,
};

/** FMA: three orders of operands, which are in the name; from the second half on operations are packed and scalar in turn. */
function fusedRows(): string {
	const operations = [
		'fmaddsub',
		'fmsubadd',
		'fmadd',
		'fmadd',
		'fmsub',
		'fmsub',
		'fnmadd',
		'fnmadd',
		'fnmsub',
		'fnmsub',
	];
	return [132, 213, 231]
		.flatMap((order, group) =>
			operations.flatMap((operation, index) => {
				const number = (0x96 + 16 * group + index).toString(16);
				const isScalar = index > 2 && index % 2 === 1;
				return isScalar
					? [
							`66 ${number} ${operation}${order}ss V,H,Wd fma w0 scalar`,
							`66 ${number} ${operation}${order}sd V,H,Wq fma w1 scalar`,
						]
					: [`66 ${number} ${operation}${order}ps V,H,Wx fma w0`, `66 ${number} ${operation}${order}pd V,H,Wx fma w1`];
			}),
		)
		.join('\n');
}

/** Operations of groups that SSE has not, by the middle bits of ModRM. */
const groups: Readonly<Record<string, string>> = {
	group15: '- - ldmxcsr stmxcsr - - - -',
	group17: '- blsr blsmsk blsi - - - -',
};

interface VexOpcode extends Opcode {
	/** The only values that it has. */
	readonly w?: 0 | 1 | undefined;
	readonly l?: 0 | 1 | undefined;
	readonly form?: 'm' | 'r' | undefined;
}

const opcodes = new Map<string, VexOpcode[]>();
const keyOf = (map: string, prefix: string, number: number) => `${map} ${prefix} ${number}`;

function add(map: string, prefix: string, number: number, ...added: readonly VexOpcode[]): void {
	const key = keyOf(map, prefix, number);
	opcodes.set(key, [...(opcodes.get(key) ?? []), ...added]);
}

/** Sizes of operands in memory, and what they are where vectors have twice as many bits. */
const doubled: Readonly<Record<string, string>> = {w: 'd', d: 'q', q: 'x', x: 'y'};
const doubledIn = (letters: string, sizes: string): string => {
	const [form = '', size = ''] = [letters[0], letters.slice(1)];
	return 'WM'.includes(form) && size !== '' && sizes.includes(size) ? `${form}${doubled[size]}` : letters;
};
const vector = new Set(['vector']);
const scalar = new Set(['vector', 'scalar']);
const distinct = new Set(['vector', 'distinct']);

for (const [map, text] of Object.entries(ofSse) as [OpcodeMap, string][])
	for (const row of text.trim().split('\n')) {
		const [prefix = '', ...words] = row.split(' ');
		const [operandsAre, length] = words.splice(-2);
		for (const number of words.flatMap(numbersIn)) {
			const found = vectorOpcodeAt(map, number, prefix);
			if (found === undefined) throw new RangeError(`SSE has no opcode ${row}`);
			const {name} = found;
			const [first = '', ...rest] = found.operands;
			const operands =
				operandsAre === 'three'
					? [first, 'H', ...rest]
					: operandsAre === 'count'
						? ['H', first, ...rest]
						: found.operands;
			const feature = length === 'own' ? found.feature : Feature.avx;
			const opcode = {name, operands, words: length === 'scalar' ? scalar : vector, feature};
			if (length === 'scalar') add(map, prefix, number, opcode);
			else add(map, prefix, number, {...opcode, l: 0});
			if (length !== 'x' && length !== 'x2') continue;
			// The count of a shift has 128 bits.
			const isCounted = /^ps[lr][la][wdq]$/.test(name);
			const wide = isCounted ? operands : operands.map((letters) => doubledIn(letters, 'wdqx'));
			add(map, prefix, number, {...opcode, operands: wide, l: 1, feature: length === 'x' ? Feature.avx : Feature.avx2});
		}
	}

for (const [map, text] of Object.entries(others))
	for (const row of text.trim().split('\n')) {
		const [prefix = '', number = '', name = '', letters = '', feature = '', ...words] = row.split(' ');
		const only = (letter: string) => ([0, 1] as const).find((value) => words.includes(`${letter}${value}`));
		const opcode = {
			name,
			operands: letters === '.' ? [] : letters.split(','),
			words: feature.startsWith('bmi')
				? new Set<string>()
				: words.includes('scalar')
					? scalar
					: words.includes('distinct')
						? distinct
						: vector,
			feature: Feature[feature as keyof typeof Feature],
			w: only('w'),
			l: only('l'),
			form: (['m', 'r'] as const).find((form) => words.includes(form)),
		};
		const at = Number.parseInt(number, 16);
		if (opcode.l !== undefined || opcode.words === scalar) add(map, prefix, at, opcode);
		else {
			const wide = opcode.operands.map((one) => doubledIn(one, 'x'));
			add(map, prefix, at, {...opcode, l: 0}, {...opcode, operands: wide, l: 1});
		}
	}

function numbersIn(range: string): number[] {
	const [first = 0, last = first] = range.split('-').map((part) => Number.parseInt(part, 16));
	return Array.from({length: last - first + 1}, (_, index) => first + index);
}

/**
 * The opcode of this number with a VEX prefix.
 * @param modRm - reads it, where it chooses the operation
 */
export function vexOpcodeAt({map, prefix, w, l}: VexPrefix, number: number, modRm: () => number): Opcode | undefined {
	const found = opcodes
		.get(keyOf(map, prefix, number))
		?.find(
			(opcode) =>
				(opcode.w ?? w) === w &&
				(opcode.l ?? l) === l &&
				(opcode.form === undefined || (opcode.form === 'r') === (modRm() >> 6 === 3)),
		);
	if (found === undefined || !found.name.startsWith('group')) return found;
	const middle = (modRm() >> 3) & 7;
	const name = groups[found.name]?.split(' ')[middle] ?? '-';
	return name === '-' ? vectorGroupMember(found, middle) : {...found, name};
}
