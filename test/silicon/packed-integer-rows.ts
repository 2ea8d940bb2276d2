/**
 * Packed integer instructions that MMX and SSE share: the same opcodes on MMX registers, and with 66 on XMM registers (SDM volume 2,
 * tables ).
 */
import type {FormOptions, Row} from './form.ts';

/** The set that brought an instruction to MMX, which had more of them later than SSE2 has; in XMM all have been there since SSE2. */
type Since = 'mmx' | 'sse' | 'sse2';
type Entry = readonly [mnemonic: string, opcode: string, since?: Since, options?: FormOptions];

const count: FormOptions = {role: 'packedCount'};

/** With two operands: destination, and source or count. */
const pairs: readonly Entry[] = [
	['packsswb', '63'],
	['pcmpgtb', '64'],
	['pcmpgtw', '65'],
	['pcmpgtd', '66'],
	['packuswb', '67'],
	['punpckhbw', '68'],
	['punpckhwd', '69'],
	['punpckhdq', '6A'],
	['packssdw', '6B'],
	['pcmpeqb', '74'],
	['pcmpeqw', '75'],
	['pcmpeqd', '76'],
	['psrlw', 'D1', 'mmx', count],
	['psrld', 'D2', 'mmx', count],
	['psrlq', 'D3', 'mmx', count],
	['paddq', 'D4', 'sse2'],
	['pmullw', 'D5'],
	['psubusb', 'D8'],
	['psubusw', 'D9'],
	['pminub', 'DA', 'sse'],
	['pand', 'DB'],
	['paddusb', 'DC'],
	['paddusw', 'DD'],
	['pmaxub', 'DE', 'sse'],
	['pandn', 'DF'],
	['pavgb', 'E0', 'sse'],
	['psraw', 'E1', 'mmx', count],
	['psrad', 'E2', 'mmx', count],
	['pavgw', 'E3', 'sse'],
	['pmulhuw', 'E4', 'sse'],
	['pmulhw', 'E5'],
	['psubsb', 'E8'],
	['psubsw', 'E9'],
	['pminsw', 'EA', 'sse'],
	['por', 'EB'],
	['paddsb', 'EC'],
	['paddsw', 'ED'],
	['pmaxsw', 'EE', 'sse'],
	['pxor', 'EF'],
	['psllw', 'F1', 'mmx', count],
	['pslld', 'F2', 'mmx', count],
	['psllq', 'F3', 'mmx', count],
	['pmuludq', 'F4', 'sse2'],
	['pmaddwd', 'F5'],
	['psadbw', 'F6', 'sse'],
	['psubb', 'F8'],
	['psubw', 'F9'],
	['psubd', 'FA'],
	['psubq', 'FB', 'sse2'],
	['paddb', 'FC'],
	['paddw', 'FD'],
	['paddd', 'FE'],
];

/** Groups 12 to 14: shifts by an immediate. */
const shifts: readonly (readonly [mnemonic: string, encoding: string])[] = [
	['psrlw', '71 /2'],
	['psraw', '71 /4'],
	['psllw', '71 /6'],
	['psrld', '72 /2'],
	['psrad', '72 /4'],
	['pslld', '72 /6'],
	['psrlq', '73 /2'],
	['psllq', '73 /6'],
];

export const packedIntegersOfXmm: readonly Row[] = [
	...pairs.map(([mnemonic, opcode, , options = {}]): Row => [mnemonic, `66 0F ${opcode}`, 'Vdq Wdq', options]),
	...shifts.map(([mnemonic, encoding]): Row => [mnemonic, `66 0F ${encoding}`, 'Udq Ib', count]),
];

export const packedIntegersOfMmx: readonly Row[] = [
	...pairs.map(
		([mnemonic, opcode, feature = 'mmx', options = {}]): Row => [
			mnemonic,
			`0F ${opcode}`,
			'Pq Qq',
			{feature, ...options},
		],
	),
	...shifts.map(([mnemonic, encoding]): Row => [mnemonic, `0F ${encoding}`, 'Nq Ib', {...count, feature: 'mmx'}]),
];
