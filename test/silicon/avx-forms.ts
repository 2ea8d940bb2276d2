/** AVX, AVX2, FMA and F16C (SDM volume 2, tables ): what SSE has too, with a VEX prefix and 128 or 256 bits, and what is new. */
import {cryptoForms} from './crypto-forms.ts';
import {type Form, type FormOptions, formsOf, type Operand, type Row} from './form.ts';
import {sseForms} from './sse-forms.ts';
import {sse3Forms} from './sse3-forms.ts';
import {sse4Forms} from './sse4-forms.ts';

/** Those with one source: others of two vectors have the first source apart from the destination. */
const ofOneSource =
	/^(mov(?!hlps|lhps|ss$|sd$)|lddqu|pshuf[dhl]|pabs|pmov|phminposuw|ptest|pcmp.str|u?comis|cvt(?!si2s|ss2sd|sd2ss)|(sqrt|rsqrt|rcp|round)p|pextr|extract|maskmov|ldmxcsr|stmxcsr|aesimc|aeskey)/;
/** Moves of half a register from memory have the other half as a source. */
const halfMoves = new Set(['movlps', 'movlpd', 'movhps', 'movhpd']);
/** Those with 128 bits alone. */
const ofOneHalf =
	/^(mov[lh][plh]|movd,|movq|pinsr|insertps|pextr|extract|phminposuw|pcmp.str|maskmov|dppd|ldmxcsr|stmxcsr|aes|pclmul)/;
/** VEX.W is about the general register or memory of these. */
const ofGeneralRegisters = /^(cvt.*si|movd,|pextrd|pinsrd)/;
const scalar = /(ss|sd|ss2si|sd2si)$/;
/** Aligned memory is asked for by these alone. */
const aligned = /^mov(ap|dqa|nt)/;
/** Of 256 bits these came with AVX2, of 128 with AVX. */
const isInteger = ({mnemonic}: Form): boolean => /^(p(?!test)|mpsadbw|movntdqa)/.test(mnemonic);
/** XMM0 was their third source; with a VEX prefix it is any register. */
const withMask = /^p?blendv/;

const prefixes = [undefined, 0x66, 0xf3, 0xf2];
const isVector = ({kind}: Operand): boolean => 'VWUH'.includes(kind);

/** A form of SSE with a VEX prefix. @param l - VEX.L; undefined: ignored */
function withVex(form: Form, l: 0 | 1 | undefined): Form {
	const {mnemonic, opcode, digit, operands, rm} = form;
	const map = opcode[1] === 0x38 ? 2 : opcode[1] === 0x3a ? 3 : 1;
	const isCount = form.role === 'packedCount' && digit === undefined;
	const widened = (operand: Operand): Operand => {
		const isMemory = operand.kind === 'M';
		const isFixed = l !== 1 || (isCount && operand === rm) || (!isVector(operand) && !isMemory);
		if (isFixed) return operand;
		return {...operand, bytes: mnemonic === 'movddup' ? 32 : 2 * operand.bytes};
	};
	const wide = operands.map(widened);
	const [first, ...rest] = wide as [Operand, ...Operand[]];
	const source: Operand = {...first, kind: 'H'};
	const isHalfMove = halfMoves.has(mnemonic) && first.kind !== 'M';
	const isElementMove = /^movs[sd]$/.test(mnemonic);
	const hasTwo = (isHalfMove || !ofOneSource.test(mnemonic)) && !isElementMove;
	const all = digit !== undefined && isVector(first) ? [source, ...wide] : hasTwo ? [first, source, ...rest] : wide;
	const isWide = form.isWide ? 1 : 0;
	const newRm = wide[operands.indexOf(rm as Operand)];
	return {
		...form,
		name: `v${form.name} VEX.${l === undefined ? 'LIG' : l === 1 ? '256' : '128'}`,
		mnemonic: `v${mnemonic}`,
		vex: {
			l,
			w: ofGeneralRegisters.test(mnemonic) ? isWide : undefined,
			prefix: prefixes.indexOf(form.mandatoryPrefix),
			map,
		},
		mandatoryPrefix: undefined,
		opcode: opcode.slice(-1),
		operands: all,
		rm: newRm,
		isAligned: aligned.test(mnemonic),
		// There are four times as many predicates.
		...(mnemonic.startsWith('cmp') && {immediateBits: 5}),
		feature: cryptoForms.includes(form) ? (form.feature as string) : l === 1 && isInteger(form) ? 'avx2' : 'avx',
	};
}

/** Moves of an element between registers keep the rest of a source; from and to memory there is none. */
const elementMoves = (
	[
		['vmovss', 'F3', 'd', 'ss'],
		['vmovsd', 'F2', 'q', 'sd'],
	] as const
).flatMap(([mnemonic, prefix, size, type]): Row[] => [
	[mnemonic, `VEX.LIG.${prefix}.0F.WIG 10`, `V${type} M${size}:${type}`],
	[mnemonic, `VEX.LIG.${prefix}.0F.WIG 10`, `V${type} H${type} U${type}`],
	[mnemonic, `VEX.LIG.${prefix}.0F.WIG 11`, `M${size}:${type} V${type}`],
	[mnemonic, `VEX.LIG.${prefix}.0F.WIG 11`, `U${type} H${type} V${type}`],
]);

const ofSse = [...sseForms, ...sse3Forms, ...sse4Forms, ...cryptoForms].filter(
	({unit, mnemonic}) =>
		unit === 'sse' && !withMask.test(mnemonic) && !mnemonic.startsWith('sha') && !/^movs[sd]$/.test(mnemonic),
);

const derived: readonly Form[] = ofSse.flatMap((form) => {
	if (scalar.test(form.mnemonic) && !form.mnemonic.startsWith('p')) return [withVex(form, undefined)];
	return ofOneHalf.test(form.mnemonic) ? [withVex(form, 0)] : [withVex(form, 0), withVex(form, 1)];
});

/** Rows of both lengths; `x` stands for the size of a vector. */
const both = (rows: readonly Row[]): readonly Row[] =>
	rows.flatMap(([mnemonic, encoding, operands = '', options]): Row[] =>
		(['128', '256'] as const).map((length) => [
			mnemonic,
			encoding.replace('VEX.', `VEX.${length}.`),
			operands.replaceAll('x', length === '128' ? 'dq' : 'qq'),
			options ?? {},
		]),
	);

const avx: readonly Row[] = [
	...elementMoves,
	['vzeroupper', 'VEX.128.NP.0F.WIG 77'],
	['vzeroall', 'VEX.256.NP.0F.WIG 77'],
	...both([
		['vpermilps', 'VEX.66.0F38.W0 0C', 'Vx:ps Hx:ps Wx'],
		['vpermilpd', 'VEX.66.0F38.W0 0D', 'Vx:pd Hx:pd Wx'],
		['vtestps', 'VEX.66.0F38.W0 0E', 'Vx:ps Wx:ps'],
		['vtestpd', 'VEX.66.0F38.W0 0F', 'Vx:pd Wx:pd'],
		['vbroadcastss', 'VEX.66.0F38.W0 18', 'Vx:ps Md:ss'],
		['vmaskmovps', 'VEX.66.0F38.W0 2C', 'Vx:ps Hx Mx:ps', {role: 'maskedMove'}],
		['vmaskmovpd', 'VEX.66.0F38.W0 2D', 'Vx:pd Hx Mx:pd', {role: 'maskedMove'}],
		['vmaskmovps', 'VEX.66.0F38.W0 2E', 'Mx:ps Hx Vx:ps', {role: 'maskedMove'}],
		['vmaskmovpd', 'VEX.66.0F38.W0 2F', 'Mx:pd Hx Vx:pd', {role: 'maskedMove'}],
		['vpermilps', 'VEX.66.0F3A.W0 04', 'Vx:ps Wx:ps Ib'],
		['vpermilpd', 'VEX.66.0F3A.W0 05', 'Vx:pd Wx:pd Ib'],
		['vblendvps', 'VEX.66.0F3A.W0 4A', 'Vx:ps Hx:ps Wx:ps Lx'],
		['vblendvpd', 'VEX.66.0F3A.W0 4B', 'Vx:pd Hx:pd Wx:pd Lx'],
	]),
	['vpblendvb', 'VEX.128.66.0F3A.W0 4C', 'Vdq Hdq Wdq Ldq'],
	['vbroadcastsd', 'VEX.256.66.0F38.W0 19', 'Vqq:pd Mq:sd'],
	['vbroadcastf128', 'VEX.256.66.0F38.W0 1A', 'Vqq Mdq'],
	['vperm2f128', 'VEX.256.66.0F3A.W0 06', 'Vqq Hqq Wqq Ib'],
	['vinsertf128', 'VEX.256.66.0F3A.W0 18', 'Vqq Hqq Wdq Ib'],
	['vextractf128', 'VEX.256.66.0F3A.W0 19', 'Wdq Vqq Ib'],
];

const avx2: readonly Row[] = [
	['vpblendvb', 'VEX.256.66.0F3A.W0 4C', 'Vqq Hqq Wqq Lqq'],
	...both([
		['vbroadcastss', 'VEX.66.0F38.W0 18', 'Vx:ps Uss'],
		['vpblendd', 'VEX.66.0F3A.W0 02', 'Vx Hx Wx Ib'],
		['vpsrlvd', 'VEX.66.0F38.W0 45', 'Vx Hx Wx', {role: 'vectorCounts'}],
		['vpsrlvq', 'VEX.66.0F38.W1 45', 'Vx Hx Wx', {role: 'vectorCounts'}],
		['vpsravd', 'VEX.66.0F38.W0 46', 'Vx Hx Wx', {role: 'vectorCounts'}],
		['vpsllvd', 'VEX.66.0F38.W0 47', 'Vx Hx Wx', {role: 'vectorCounts'}],
		['vpsllvq', 'VEX.66.0F38.W1 47', 'Vx Hx Wx', {role: 'vectorCounts'}],
		['vpbroadcastd', 'VEX.66.0F38.W0 58', 'Vx Wd'],
		['vpbroadcastq', 'VEX.66.0F38.W0 59', 'Vx Wq'],
		['vpbroadcastb', 'VEX.66.0F38.W0 78', 'Vx Wb'],
		['vpbroadcastw', 'VEX.66.0F38.W0 79', 'Vx Ww'],
		['vpmaskmovd', 'VEX.66.0F38.W0 8C', 'Vx Hx Mx', {role: 'maskedMove'}],
		['vpmaskmovq', 'VEX.66.0F38.W1 8C', 'Vx Hx Mx', {role: 'maskedMove'}],
		['vpmaskmovd', 'VEX.66.0F38.W0 8E', 'Mx Hx Vx', {role: 'maskedMove'}],
		['vpmaskmovq', 'VEX.66.0F38.W1 8E', 'Mx Hx Vx', {role: 'maskedMove'}],
	]),
	['vbroadcastsd', 'VEX.256.66.0F38.W0 19', 'Vqq:pd Usd'],
	['vbroadcasti128', 'VEX.256.66.0F38.W0 5A', 'Vqq Mdq'],
	['vpermps', 'VEX.256.66.0F38.W0 16', 'Vqq:ps Hqq Wqq:ps'],
	['vpermd', 'VEX.256.66.0F38.W0 36', 'Vqq Hqq Wqq'],
	['vpermq', 'VEX.256.66.0F3A.W1 00', 'Vqq Wqq Ib'],
	['vpermpd', 'VEX.256.66.0F3A.W1 01', 'Vqq:pd Wqq:pd Ib'],
	['vinserti128', 'VEX.256.66.0F3A.W0 38', 'Vqq Hqq Wdq Ib'],
	['vextracti128', 'VEX.256.66.0F3A.W0 39', 'Wdq Vqq Ib'],
	['vperm2i128', 'VEX.256.66.0F3A.W0 46', 'Vqq Hqq Wqq Ib'],
];

/** By the bits of an index, of an element, and both forms of names. */
const gathers: readonly Row[] = both(
	(['d', 'q'] as const).flatMap((index, number) =>
		(
			[
				['d', 'W0'],
				['q', 'W1'],
			] as const
		).flatMap(([element, w]): Row[] => [
			[`vpgather${index}${element}`, `VEX.66.0F38.${w} 9${number}`, `Vx M${element} Hx`, {role: 'gather'}],
			[
				`vgather${index}p${element === 'd' ? 's' : 'd'}`,
				`VEX.66.0F38.${w} 9${number + 2}`,
				`Vx M${element} Hx`,
				{role: 'gather'},
			],
		]),
	),
);

/** Three orders of operands each: packed, and packed and scalar in turn. */
const fused: readonly Row[] = ['132', '213', '231'].flatMap((order, group) =>
	['fmaddsub', 'fmsubadd', 'fmadd', 'fmsub', 'fnmadd', 'fnmsub'].flatMap((operation, index): Row[] => {
		const first = 0x96 + 16 * group + (index < 2 ? index : 2 * index - 2);
		const code = (number: number) => number.toString(16).toUpperCase();
		const name = `v${operation}${order}`;
		const packed = both([
			[`${name}ps`, `VEX.66.0F38.W0 ${code(first)}`, 'Vx:ps Hx:ps Wx:ps'],
			[`${name}pd`, `VEX.66.0F38.W1 ${code(first)}`, 'Vx:pd Hx:pd Wx:pd'],
		]);
		if (index < 2) return [...packed];
		return [
			...packed,
			[`${name}ss`, `VEX.LIG.66.0F38.W0 ${code(first + 1)}`, 'Vss Hss Wss'],
			[`${name}sd`, `VEX.LIG.66.0F38.W1 ${code(first + 1)}`, 'Vsd Hsd Wsd'],
		];
	}),
);

/** The upper bits of the constant are reserved. */
const rounding = {immediateBits: 3} as const satisfies FormOptions;
const halves: readonly Row[] = [
	['vcvtph2ps', 'VEX.128.66.0F38.W0 13', 'Vdq Wq'],
	['vcvtph2ps', 'VEX.256.66.0F38.W0 13', 'Vqq Wdq'],
	['vcvtps2ph', 'VEX.128.66.0F3A.W0 1D', 'Wq Vdq:ps Ib', rounding],
	['vcvtps2ph', 'VEX.256.66.0F3A.W0 1D', 'Wdq Vqq:ps Ib', rounding],
];

const ofVectors = {unit: 'sse', isAligned: false} as const satisfies FormOptions;

export const avxForms: readonly Form[] = [
	...derived,
	...formsOf(avx, {...ofVectors, feature: 'avx'}),
	...formsOf([...avx2, ...gathers], {...ofVectors, feature: 'avx2'}),
	...formsOf(fused, {...ofVectors, feature: 'fma'}),
	...formsOf(halves, {...ofVectors, feature: 'f16c'}),
];
