/**
 * Opcodes that a processor of x86-64-v2 with ADX, AES, PCLMULQDQ and SHA has, and those with a VEX prefix (Intel SDM volume 2, tables; APM volume 3, appendix A where both differ): what is not
 * here is #UD. A row has a mandatory prefix (`..` for none, `*` for any, which means nothing then), opcodes or ranges of them, and words:
 * `m` or `r` for memory or a register alone, `/0-5` for middle bits of ModRM, `64` and `no64` for code that has it, `l0`, `l1`, `w0` and `w1` for the only values of VEX.L and VEX.W, and `?` where the manuals
 * do not say it of these prefixes.
 */
const oneByte = `
* 00-05 08-0d 10-15 18-1d 20-25 28-2d 30-35 38-3d
* 06 07 0e 16 17 1e 1f 27 2f 37 3f 40-4f 60 61 no64
* 50-5f 63 68-81 83-8b
* 62 m no64
* 82 no64
* 8c /0-5
* 8d m
* 8e /0,2-5
* 8f /0
* 90-99 9c-a9 aa-c3
* 9a ea no64
* 9b d8-df ?
* c4 c5 m no64
* c6 c7 /0
* c8-cd cf-d3 d7 e0-e9 eb
* ce d4 d5 d6 no64
* ec-ef f4 f5 f8-fd
* f1 ?
* f6 f7
* fe /0-1
* ff /0-2,4,6
* ff m /3,5`;

const twoByte = `
* 00 /0-5
* 01 m /0-4,6,7
* 01 r /4,6
* 01 r /1,2,7 ?
* 02 03 06 08 09 18-1f 30-32 40-4f 80-a3 a8 a9 ab af-b1 b3 b6 b7 bb-c1 c8-cf
* 0d m
* 05 07 64
* 05 07 no64 ?
* 20 22 r /0,2-4
* 20 22 m ?
* 21 23
* 33-35 ?
* a4 a5 ac ad
.. ae m
66 ae m /6,7
.. ae r /5-7
66 ae r /5-7 ?
f3 ae r /0-3 64
* b2 b4 b5 m
f3 b8
* ba /4-7
.. c3 m
* c7 m /1
.. c7 m /3-5
.. c7 r /6,7
66 c7 r /6,7
f3 c7 r /7
.. 10-12 14-16 28 29 54-57 c6
.. 13 17 2b m
.. 2a 2c 2d
.. 2e 2f 51-53 58-5f c2
.. 50 r
.. 60-6b 6e 6f 70 74-77 7e 7f c4 d1-d5 d8-df e0-e5 e8-ef f1-f6 f8-fe
.. 77
.. 71 72 r /2,4,6
.. 73 r /2,6
.. c5 d7 f7 r
.. e7 m
66 10 11 14 15 28 29 54-57 60-70 74-76 7e 7f c4 c6 d1-d6 d8-df e0-e5 e8-ef f1-f6 f8-fe
66 12 13 16 17 2b m
66 2a 2c 2d
66 2e 2f 51 58-5f 7c 7d c2 d0 e6
66 50 c5 d7 f7 r
66 71 72 r /2,4,6
66 73 r /2,3,6,7
66 e7 m
f3 10-12 16 6f 70 7e 7f
f3 2a 2c 2d 51-53 58-5f c2 e6
f3 d6 r
f2 10-12 70
f2 2a 2c 2d 51 58-5a 5c-5f 7c 7d c2 d0 e6
f2 d6 r
f2 f0 m`;

const map38 = `
.. 00-0b 1c-1e
.. c8-cd
.. f0 f1 m
66 00-0b 10 14 15 17 1c-1e 20-25 28 29 2b 30-35 37-41
66 2a f0 f1 m
66 82 m ?
66 db-df f6
f2 f0 f1
f3 f6`;

const map3a = `
.. 0f cc
66 08-0b 40 41 44 df
66 0c-0f 14-17 20-22 42 60-63`;

const vex0f = `
.. 10 11 14 15 28 29 51-5f c2 c6
.. 12 16 l0
.. 13 17 m l0
.. 2b m
.. 2e 2f 77
.. 50 r
.. ae m /2,3 l0
66 10 11 14 15 28 29 51 54-5f 60-6d 6f 70 74-76 7c 7d 7f c2 c6 d0-d5 d8-df e0-e6 e8-ef f1-f6 f8-fe
66 12 13 16 17 m l0
66 2b e7 m
66 2e 2f
66 50 d7 r
66 6e 7e c4 d6 l0
66 71 72 r /2,4,6
66 73 r /2,3,6,7
66 c5 f7 r l0
f3 10-12 16 2a 2c 2d 51-53 58-5f 6f 70 7f c2 e6
f3 7e l0
f2 10-12 2a 2c 2d 51 58-5a 5c-5f 70 7c 7d c2 d0 e6
f2 f0 m`;

const vex38 = `
66 00-0b 17 1c-1e 20-25 28 29 2b 30-35 37-40 45 47
66 0c-0f 18 46 58 59 78 79 w0
66 16 19 36 l1 w0
66 1a 5a m l1 w0
66 2a 8c 8e m
66 2c-2f m w0
66 13 w0
66 96-9f a6-af b6-bf
66 41 db-df l0
.. f2 f7 l0
.. f3 /1-3 l0
.. f5 l0
66 f7 l0
f3 f5 f7 l0
f2 f5-f7 l0`;

const vex3a = `
66 00 01 l1 w1
66 02 04 05 4a-4c w0
66 06 18 19 38 39 46 l1 w0
66 08-0f 40 42
66 14-17 20-22 41 44 60-63 df l0
66 1d w0
f2 f0 l0`;

/** Opcodes that LOCK may precede where they write memory (SDM volume 2, LOCK), as map and rows. */
const lockable = {
	oneByte: `
* 00 01 08 09 10 11 18 19 20 21 28 29 30 31 86 87
* 80 81 83 /0-6
* 82 /0-6 no64
* f6 f7 /2,3
* fe ff /0,1`,
	twoByte: `
* ab b0 b1 b3 bb c0 c1
* ba /5-7
* c7 /1`,
	map38: '',
	map3a: '',
	vex0f: '',
	vex38: '',
	vex3a: '',
};

/** Bytes that are prefixes, or lead to another map. */
const prefixes = new Set([0x0f, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3]);

/** An opcode with the bits of ModRM that may choose among instructions. */
export interface OpcodeCase {
	readonly map: keyof typeof maps;
	readonly number: number;
	readonly prefix: '..' | '66' | 'f3' | 'f2' | 'f0';
	readonly form: 'm' | 'r';
	readonly middle: number;
	readonly codeSize: 16 | 32 | 64;
	/** VEX.L and VEX.W. */
	readonly l?: 0 | 1;
	readonly w?: 0 | 1;
}

interface Row {
	readonly prefix: string;
	readonly numbers: ReadonlySet<number>;
	readonly words: readonly string[];
	readonly middles: ReadonlySet<number> | undefined;
}

const maps = {
	oneByte: {lead: [], rows: parse(oneByte)},
	twoByte: {lead: [0x0f], rows: parse(twoByte)},
	map38: {lead: [0x0f, 0x38], rows: parse(map38)},
	map3a: {lead: [0x0f, 0x3a], rows: parse(map3a)},
	/** The number of the map in a VEX prefix. */
	vex0f: {lead: [1], rows: parse(vex0f)},
	vex38: {lead: [2], rows: parse(vex38)},
	vex3a: {lead: [3], rows: parse(vex3a)},
} as const;

/** What the manuals say of a case: that there is an instruction, that there is none, or nothing. */
export function expected(one: OpcodeCase): 'defined' | 'undefined' | 'unsaid' {
	const {rows} = maps[one.map];
	if (one.prefix === 'f0') {
		const locks = one.form === 'm' && parse(lockable[one.map]).some((row) => matches(row, one));
		return locks ? 'defined' : 'undefined';
	}
	const found = rows.filter((row) => matches(row, one));
	if (found.length === 0) return 'undefined';
	return found.every(({words}) => words.includes('?')) ? 'unsaid' : 'defined';
}

/** True where rows of a map have a case. */
export const isOfRows = (text: string, one: OpcodeCase): boolean => parse(text).some((row) => matches(row, one));

/** A case has no prefix that means nothing. */
export const isPlain = (one: OpcodeCase): boolean =>
	one.prefix === '..' ||
	one.prefix === 'f0' ||
	maps[one.map].rows.some((row) => row.prefix === one.prefix && matches(row, one));

/** Every opcode of every map in a size of code; groups, and memory and registers, apart. */
export function* opcodeCases(codeSize: 16 | 32 | 64): Generator<OpcodeCase> {
	for (const map of ['oneByte', 'twoByte', 'map38', 'map3a'] as const)
		for (let number = 0; number < 256; number++) {
			if (map === 'oneByte' && (prefixes.has(number) || (codeSize === 64 && isPrefixOf64(number)))) continue;
			if (map === 'twoByte' && (number === 0x38 || number === 0x3a)) continue;
			const leads = map === 'oneByte' ? (['..', 'f0'] as const) : (['..', '66', 'f3', 'f2', 'f0'] as const);
			for (const prefix of leads)
				for (const form of ['m', 'r'] as const) {
					if (isVexPrefix(map, number) && form === 'r') continue;
					for (let middle = 0; middle < 8; middle++) yield {map, number, prefix, form, middle, codeSize};
				}
		}
	yield* vexCases(codeSize);
}

const isVexPrefix = (map: string, number: number): boolean => map === 'oneByte' && (number === 0xc4 || number === 0xc5);
const isPrefixOf64 = (number: number): boolean => number >> 4 === 4 || number === 0xc4 || number === 0xc5;

/** The same with a VEX prefix; groups alone are asked for all middle bits of ModRM. */
function* vexCases(codeSize: 16 | 32 | 64): Generator<OpcodeCase> {
	for (const map of ['vex0f', 'vex38', 'vex3a'] as const)
		for (let number = 0; number < 256; number++) {
			const isGroup = maps[map].rows.some(({numbers, middles}) => middles !== undefined && numbers.has(number));
			for (const prefix of ['..', '66', 'f3', 'f2'] as const)
				for (const form of ['m', 'r'] as const)
					for (const middle of isGroup ? [0, 1, 2, 3, 4, 5, 6, 7] : [number & 7])
						for (const l of [0, 1] as const)
							for (const w of [0, 1] as const) yield {map, number, prefix, form, middle, codeSize, l, w};
		}
}

/** Bytes of a case: in memory the operand is at a register, which the low bits of ModRM name. */
export function bytesOf({map, number, prefix, form, middle, l, w}: OpcodeCase): readonly number[] {
	const modRm = (form === 'r' ? 0xc0 : 0) | (middle << 3) | 3;
	if (l !== undefined && w !== undefined) {
		const standsFor = ['..', '66', 'f3', 'f2'].indexOf(prefix);
		return [0xc4, 0xe0 | (maps[map].lead[0] ?? 0), (w << 7) | 0x78 | (l << 2) | standsFor, number, modRm];
	}
	return [...(prefix === '..' ? [] : [Number.parseInt(prefix, 16)]), ...maps[map].lead, number, modRm];
}

function matches({prefix, numbers, words, middles}: Row, one: OpcodeCase): boolean {
	if (prefix !== '*' && prefix !== one.prefix) return false;
	if (!numbers.has(one.number) || (middles !== undefined && !middles.has(one.middle))) return false;
	if (words.includes(one.codeSize === 64 ? 'no64' : '64')) return false;
	if (words.includes(one.l === 1 ? 'l0' : 'l1') || words.includes(one.w === 1 ? 'w0' : 'w1')) return false;
	return !words.includes(one.form === 'm' ? 'r' : 'm');
}

function parse(text: string): readonly Row[] {
	return text
		.split('\n')
		.filter((line) => line !== '')
		.map((line) => {
			const [prefix = '', ...rest] = line.split(' ');
			// A number of bits among the words is no opcode: it comes last.
			const isNumber = (word: string, index: number) =>
				/^[0-9a-f]{2}(-[0-9a-f]{2})?$/.test(word) && !(word === '64' && index === rest.length - 1 && index > 0);
			const middles = rest.find((word) => word.startsWith('/'));
			return {
				prefix,
				numbers: new Set(rest.filter(isNumber).flatMap((word) => range(word, 16))),
				words: rest.filter((word, index) => !isNumber(word, index)),
				middles:
					middles === undefined
						? undefined
						: new Set(
								middles
									.slice(1)
									.split(',')
									.flatMap((word) => range(word, 10)),
							),
			};
		});
}

function range(text: string, radix: number): number[] {
	const [first = 0, last = first] = text.split('-').map((part) => Number.parseInt(part, radix));
	return Array.from({length: last - first + 1}, (_, index) => first + index);
}
