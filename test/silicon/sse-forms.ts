/**
 * SSE and SSE2 (SDM volume 2, tables ): floating point, packed and scalar, and packed integers in XMM registers. Instructions that
 * also name MMX registers are in `mmx-forms.ts`.
 */
import {type Form, type FormOptions, formsOf, type Row} from './form.ts';
import {packedIntegersOfXmm} from './packed-integer-rows.ts';

/** Four instructions with one opcode, by prefix: packed and scalar, single and double. */
const byPrefix = (mnemonic: string, opcode: string, more = '', options?: FormOptions): Row[] =>
	(
		[
			['ps', '', 'sse'],
			['pd', '66 ', 'sse2'],
			['ss', 'F3 ', 'sse'],
			['sd', 'F2 ', 'sse2'],
		] as const
	).map(([type, prefix, feature]) => [
		`${mnemonic}${type}`,
		`${prefix}0F ${opcode}`,
		`V${type} W${type}${more}`,
		{feature, ...options},
	]);

/** Those of packed numbers alone. */
const packed = (...args: Parameters<typeof byPrefix>): Row[] => byPrefix(...args).slice(0, 2);

const arithmetic: readonly Row[] = [
	...byPrefix('sqrt', '51'),
	...byPrefix('add', '58'),
	...byPrefix('mul', '59'),
	...byPrefix('sub', '5C'),
	...byPrefix('min', '5D'),
	...byPrefix('div', '5E'),
	...byPrefix('max', '5F'),
	// The predicate; the bits above it are reserved.
	...byPrefix('cmp', 'C2', ' Ib', {immediateBits: 3}),
	...packed('and', '54'),
	...packed('andn', '55'),
	...packed('or', '56'),
	...packed('xor', '57'),
	...packed('unpckl', '14'),
	...packed('unpckh', '15'),
	...packed('shuf', 'C6', ' Ib'),
	['ucomiss', '0F 2E', 'Vss Wss', {feature: 'sse'}],
	['ucomisd', '66 0F 2E', 'Vsd Wsd'],
	['comiss', '0F 2F', 'Vss Wss', {feature: 'sse'}],
	['comisd', '66 0F 2F', 'Vsd Wsd'],
];

/** Their error is at most 1.5 * 2^-12; the processors of the two makers give different results. */
const approximation = {inexact: 1.5 * 2 ** -12, feature: 'sse'} as const satisfies FormOptions;
const approximations: readonly Row[] = [
	['rsqrtps', '0F 52', 'Vps Wps', approximation],
	['rsqrtss', 'F3 0F 52', 'Vss Wss', approximation],
	['rcpps', '0F 53', 'Vps Wps', approximation],
	['rcpss', 'F3 0F 53', 'Vss Wss', approximation],
];

const conversions: readonly Row[] = [
	['cvtsi2ss', 'F3 0F 2A', 'Vss Ey', {feature: 'sse'}],
	['cvtsi2sd', 'F2 0F 2A', 'Vsd Ey'],
	['cvttss2si', 'F3 0F 2C', 'Gy Wss', {feature: 'sse'}],
	['cvttsd2si', 'F2 0F 2C', 'Gy Wsd'],
	['cvtss2si', 'F3 0F 2D', 'Gy Wss', {feature: 'sse'}],
	['cvtsd2si', 'F2 0F 2D', 'Gy Wsd'],
	['cvtps2pd', '0F 5A', 'Vpd Wq:ps'],
	['cvtpd2ps', '66 0F 5A', 'Vps Wpd'],
	['cvtss2sd', 'F3 0F 5A', 'Vsd Wss'],
	['cvtsd2ss', 'F2 0F 5A', 'Vss Wsd'],
	['cvtdq2ps', '0F 5B', 'Vps Wdq'],
	['cvtps2dq', '66 0F 5B', 'Vdq Wps'],
	['cvttps2dq', 'F3 0F 5B', 'Vdq Wps'],
	['cvttpd2dq', '66 0F E6', 'Vdq Wpd'],
	['cvtdq2pd', 'F3 0F E6', 'Vpd Wq'],
	['cvtpd2dq', 'F2 0F E6', 'Vdq Wpd'],
];

const unaligned = {isAligned: false} as const satisfies FormOptions;
const moves: readonly Row[] = [
	...packed('movu', '10', '', unaligned),
	...byPrefix('mov', '10').slice(2),
	['movups', '0F 11', 'Wps Vps', {...unaligned, feature: 'sse'}],
	['movupd', '66 0F 11', 'Wpd Vpd', unaligned],
	['movss', 'F3 0F 11', 'Wss Vss', {feature: 'sse'}],
	['movsd', 'F2 0F 11', 'Wsd Vsd'],
	['movlps', '0F 12', 'Vq Mq', {feature: 'sse'}],
	['movhlps', '0F 12', 'Vdq Udq', {feature: 'sse'}],
	['movlps', '0F 13', 'Mq Vq', {feature: 'sse'}],
	['movlpd', '66 0F 12', 'Vq Mq'],
	['movlpd', '66 0F 13', 'Mq Vq'],
	['movhps', '0F 16', 'Vq Mq', {feature: 'sse'}],
	['movlhps', '0F 16', 'Vdq Udq', {feature: 'sse'}],
	['movhps', '0F 17', 'Mq Vq', {feature: 'sse'}],
	['movhpd', '66 0F 16', 'Vq Mq'],
	['movhpd', '66 0F 17', 'Mq Vq'],
	...packed('mova', '28'),
	['movaps', '0F 29', 'Wps Vps', {feature: 'sse'}],
	['movapd', '66 0F 29', 'Wpd Vpd'],
	['movntps', '0F 2B', 'Mps Vps', {feature: 'sse'}],
	['movntpd', '66 0F 2B', 'Mpd Vpd'],
	['movmskps', '0F 50', 'Gd Ups', {feature: 'sse'}],
	['movmskpd', '66 0F 50', 'Gd Upd'],
	['movd, movq', '66 0F 6E', 'Vdq Ey'],
	['movd, movq', '66 0F 7E', 'Ey Vdq'],
	['movdqa', '66 0F 6F', 'Vdq Wdq'],
	['movdqa', '66 0F 7F', 'Wdq Vdq'],
	['movdqu', 'F3 0F 6F', 'Vdq Wdq', unaligned],
	['movdqu', 'F3 0F 7F', 'Wdq Vdq', unaligned],
	['movq', 'F3 0F 7E', 'Vq Wq'],
	['movq', '66 0F D6', 'Wq Vq'],
	['movntdq', '66 0F E7', 'Mdq Vdq'],
	['maskmovdqu', '66 0F F7', 'Vdq Udq', {role: 'maskedStore'}],
];

/** Forms that MMX does not have, or has with another form of operands. */
const integers: readonly Row[] = [
	['punpcklbw', '66 0F 60', 'Vdq Wdq'],
	['punpcklwd', '66 0F 61', 'Vdq Wdq'],
	['punpckldq', '66 0F 62', 'Vdq Wdq'],
	['punpcklqdq', '66 0F 6C', 'Vdq Wdq'],
	['punpckhqdq', '66 0F 6D', 'Vdq Wdq'],
	['pshufd', '66 0F 70', 'Vdq Wdq Ib'],
	['pshufhw', 'F3 0F 70', 'Vdq Wdq Ib'],
	['pshuflw', 'F2 0F 70', 'Vdq Wdq Ib'],
	['psrldq', '66 0F 73 /3', 'Udq Ib', {role: 'packedCount'}],
	['pslldq', '66 0F 73 /7', 'Udq Ib', {role: 'packedCount'}],
	['pinsrw', '66 0F C4', 'Vdq Rd Ib'],
	['pinsrw', '66 0F C4', 'Vdq Mw Ib'],
	['pextrw', '66 0F C5', 'Gd Udq Ib'],
	['pmovmskb', '66 0F D7', 'Gd Udq'],
];

const control: readonly Row[] = [
	['ldmxcsr', '0F AE /2', 'Md', {feature: 'sse', role: 'loadMxcsr'}],
	['stmxcsr', '0F AE /3', 'Md', {feature: 'sse'}],
];

export const sseForms: readonly Form[] = formsOf(
	[...arithmetic, ...approximations, ...conversions, ...moves, ...packedIntegersOfXmm, ...integers, ...control],
	{unit: 'sse', feature: 'sse2'},
);
