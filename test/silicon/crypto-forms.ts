/** AES, PCLMULQDQ and SHA in their encodings of 128 bits (SDM volume 2, tables ). ADX is of the integer core. */
import {type Form, formsOf, type Row} from './form.ts';

const aes: readonly Row[] = [
	['aesimc', '66 0F 38 DB', 'Vdq Wdq'],
	['aesenc', '66 0F 38 DC', 'Vdq Wdq'],
	['aesenclast', '66 0F 38 DD', 'Vdq Wdq'],
	['aesdec', '66 0F 38 DE', 'Vdq Wdq'],
	['aesdeclast', '66 0F 38 DF', 'Vdq Wdq'],
	['aeskeygenassist', '66 0F 3A DF', 'Vdq Wdq Ib'],
];

const carryless: readonly Row[] = [['pclmulqdq', '66 0F 3A 44', 'Vdq Wdq Ib']];

const sha: readonly Row[] = [
	['sha1nexte', '0F 38 C8', 'Vdq Wdq'],
	['sha1msg1', '0F 38 C9', 'Vdq Wdq'],
	['sha1msg2', '0F 38 CA', 'Vdq Wdq'],
	['sha256rnds2', '0F 38 CB', 'Vdq Wdq'],
	['sha256msg1', '0F 38 CC', 'Vdq Wdq'],
	['sha256msg2', '0F 38 CD', 'Vdq Wdq'],
	['sha1rnds4', '0F 3A CC', 'Vdq Wdq Ib'],
];

export const cryptoForms: readonly Form[] = [
	...formsOf(aes, {unit: 'sse', feature: 'aes'}),
	...formsOf(carryless, {unit: 'sse', feature: 'pclmulqdq'}),
	...formsOf(sha, {unit: 'sse', feature: 'sha_ni', isNeverMisaligned: true}),
];
