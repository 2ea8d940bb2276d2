import {featureOfOpcode} from './needs.ts';
import type {Opcode, OpcodeMap} from './opcode-table.ts';

/**
 * Opcodes of XMM and MMX registers (Intel SDM volume 2, tables ), by map: mandatory prefix, number, name of the operation, operands.
 * Floating point and integers have the same moves and logic, which have one name here.
 *
 * `V` is the register that ModRM.reg names, `W` the one that ModRM.rm names, or memory, `U` the register alone; `x` is 128 bits. `P`, `Q` and `N` are the
 * same for MMX. `Y` is a general
 * register of 32 bits, or memory of the size that follows. `Iu` is a byte without sign.
 */
const twoByte = `
.. 10 movdqu V,Wx
66 10 movdqu V,Wx
f3 10 movScalar V,Wd
f2 10 movScalar V,Wq
.. 11 movdqu Wx,V
66 11 movdqu Wx,V
f3 11 movScalar Wd,V
f2 11 movScalar Wq,V
.. 12 movLow V,Wq
66 12 movLow V,Mq
f3 12 movsldup V,Wx
f2 12 movddup V,Wq
.. 13 movLow Mq,V
66 13 movLow Mq,V
.. 14 punpckldq V,Wx
66 14 punpcklqdq V,Wx
.. 15 punpckhdq V,Wx
66 15 punpckhqdq V,Wx
.. 16 movHigh V,Wq
66 16 movHigh V,Mq
f3 16 movshdup V,Wx
.. 17 movHigh Mq,V
66 17 movHigh Mq,V
.. 28 movdqa V,Wx
66 28 movdqa V,Wx
.. 29 movdqa Wx,V
66 29 movdqa Wx,V
.. 2b movdqa Mx,V
66 2b movdqa Mx,V
.. 2a cvtpi2ps V,Qq
66 2a cvtdq2pd V,Qq
f3 2a cvtsi2ss V,Ev
f2 2a cvtsi2sd V,Ev
.. 2c cvttps2dq Pq,Wq
66 2c cvttpd2dq Pq,Wx
f3 2c cvttss2si Gv,Wd
f2 2c cvttsd2si Gv,Wq
.. 2d cvtps2dq Pq,Wq
66 2d cvtpd2dq Pq,Wx
f3 2d cvtss2si Gv,Wd
f2 2d cvtsd2si Gv,Wq
.. 2e ucomiss V,Wd
66 2e ucomisd V,Wq
.. 2f comiss V,Wd
66 2f comisd V,Wq
.. 50 movmskps Gd,U
66 50 movmskpd Gd,U
${bySuffix('51 sqrt')}
.. 52 rsqrtps V,Wx
f3 52 rsqrtss V,Wd
.. 53 rcpps V,Wx
f3 53 rcpss V,Wd
.. 54 pand V,Wx
66 54 pand V,Wx
.. 55 pandn V,Wx
66 55 pandn V,Wx
.. 56 por V,Wx
66 56 por V,Wx
.. 57 pxor V,Wx
66 57 pxor V,Wx
${bySuffix('58 add; 59 mul')}
.. 5a cvtps2pd V,Wq
66 5a cvtpd2ps V,Wx
f3 5a cvtss2sd V,Wd
f2 5a cvtsd2ss V,Wq
.. 5b cvtdq2ps V,Wx
66 5b cvtps2dq V,Wx
f3 5b cvttps2dq V,Wx
${bySuffix('5c sub; 5d min; 5e div; 5f max')}
.. 60 punpcklbw Pq,Qd
.. 61 punpcklwd Pq,Qd
.. 62 punpckldq Pq,Qd
.. 6e movq Pq,Ev
.. 6f movq Pq,Qq
.. 70 pshufw Pq,Qq,Iu
.. 71 group12 Nq,Iu
.. 72 group13 Nq,Iu
.. 73 group14 Nq,Iu
.. 77 emms .
.. 7e movq Ev,Pq
.. 7f movq Qq,Pq
.. c4 insertWord Pq,Yw,Iu
.. c5 extractWord Gd,Nq,Iu
f3 d6 movq V,Nq
f2 d6 movq Pq,U
.. d7 pmovmskb Gd,Nq
.. e7 movq Mq,Pq
.. f7 maskedStore Pq,Nq
66 60 punpcklbw V,Wx
66 61 punpcklwd V,Wx
66 62 punpckldq V,Wx
66 63 packsswb V,Wx
66 64 pcmpgtb V,Wx
66 65 pcmpgtw V,Wx
66 66 pcmpgtd V,Wx
66 67 packuswb V,Wx
66 68 punpckhbw V,Wx
66 69 punpckhwd V,Wx
66 6a punpckhdq V,Wx
66 6b packssdw V,Wx
66 6c punpcklqdq V,Wx
66 6d punpckhqdq V,Wx
66 6e zeroExtend V,Ev
66 6f movdqa V,Wx
f3 6f movdqu V,Wx
66 70 pshufd V,Wx,Iu
f3 70 pshufhw V,Wx,Iu
f2 70 pshuflw V,Wx,Iu
66 71 group12 U,Iu
66 72 group13 U,Iu
66 73 group14 U,Iu
66 74 pcmpeqb V,Wx
66 75 pcmpeqw V,Wx
66 76 pcmpeqd V,Wx
66 7c haddpd V,Wx
f2 7c haddps V,Wx
66 7d hsubpd V,Wx
f2 7d hsubps V,Wx
66 7e movLow Ev,V
f3 7e zeroExtend V,Wq
66 7f movdqa Wx,V
f3 7f movdqu Wx,V
${bySuffix('c2 cmp', ',Iu')}
.. c6 shufps V,Wx,Iu
66 c6 shufpd V,Wx,Iu
66 c4 insertWord V,Yw,Iu
66 c5 extractWord Gd,U,Iu
66 d0 addsubpd V,Wx
f2 d0 addsubps V,Wx
66 d6 zeroExtend Wq,V
66 d7 pmovmskb Gd,U
66 e6 cvttpd2dq V,Wx
f3 e6 cvtdq2pd V,Wq
f2 e6 cvtpd2dq V,Wx
66 e7 movdqa Mx,V
66 f7 maskedStore V,U
f2 f0 movdqu V,Mx
${packed(
	'.. Pq,Qq',
	'63 packsswb pcmpgtb pcmpgtw pcmpgtd packuswb punpckhbw punpckhwd punpckhdq packssdw; 74 pcmpeqb pcmpeqw pcmpeqd',
)}
${both(
	'd1 psrlw psrld psrlq paddq pmullw; d8 psubusb psubusw pminub pand paddusb paddusw pmaxub pandn pavgb psraw psrad pavgw pmulhuw pmulhw; ' +
		'e8 psubsb psubsw pminsw por paddsb paddsw pmaxsw pxor; f1 psllw pslld psllq pmuludq pmaddwd psadbw; ' +
		'f8 psubb psubw psubd psubq paddb paddw paddd',
)}`;

const map38 = `
${both(
	'0 pshufb phaddw phaddd phaddsw pmaddubsw phsubw phsubd phsubsw psignb psignw psignd pmulhrsw; 1c pabsb pabsw pabsd',
)}
${packed(
	'66 V,Wx',
	'28 pmuldq pcmpeqq; 2b packusdw; 37 pcmpgtq pminsb pminsd pminuw pminud pmaxsb pmaxsd pmaxuw pmaxud pmulld phminposuw; ' +
		'10 pblendvb; 14 blendvps blendvpd; 17 ptest',
)}
66 20 pmovsxbw V,Wq
66 21 pmovsxbd V,Wd
66 22 pmovsxbq V,Ww
66 23 pmovsxwd V,Wq
66 24 pmovsxwq V,Wd
66 25 pmovsxdq V,Wq
66 30 pmovzxbw V,Wq
66 31 pmovzxbd V,Wd
66 32 pmovzxbq V,Ww
66 33 pmovzxwd V,Wq
66 34 pmovzxwq V,Wd
66 35 pmovzxdq V,Wq
66 2a movdqa V,Mx
${packed('66 V,Wx', 'db aesimc aesenc aesenclast aesdec aesdeclast')}
${packed('.. V,Wx', 'c8 sha1nexte sha1msg1 sha1msg2 sha256rnds2 sha256msg1 sha256msg2')}`;

const map3a = `
66 08 roundps V,Wx,Iu
66 09 roundpd V,Wx,Iu
66 0a roundss V,Wd,Iu
66 0b roundsd V,Wq,Iu
66 0c blendps V,Wx,Iu
66 0d blendpd V,Wx,Iu
66 0e pblendw V,Wx,Iu
.. 0f palignr Pq,Qq,Iu
66 0f palignr V,Wx,Iu
66 14 extractByte Yb,V,Iu
66 15 extractWord Yw,V,Iu
66 16 extract Ev,V,Iu
66 17 extract Yd,V,Iu
66 20 insertByte V,Yb,Iu
66 21 insertps V,Wd,Iu
66 22 insert V,Ev,Iu
66 40 dpps V,Wx,Iu
66 41 dppd V,Wx,Iu
66 42 mpsadbw V,Wx,Iu
66 44 pclmulqdq V,Wx,Iu
66 60 pcmpestrm V,Wx,Iu
66 61 pcmpestri V,Wx,Iu
66 62 pcmpistrm V,Wx,Iu
66 63 pcmpistri V,Wx,Iu
.. cc sha1rnds4 V,Wx,Iu
66 df aeskeygenassist V,Wx,Iu`;

/** Shifts by a constant, by the middle bits of ModRM. */
const groups: Readonly<Record<string, string>> = {
	group12: '- - psrlw - psraw - psllw -',
	group13: '- - psrld - psrad - pslld -',
	group14: '- - psrlq psrldq - - psllq pslldq',
};

const maps: Readonly<Record<OpcodeMap, ReadonlyMap<string, Opcode>>> = {
	oneByte: new Map(),
	twoByte: parse('twoByte', twoByte),
	map38: parse('map38', map38),
	map3a: parse('map3a', map3a),
};

/** The opcode of this number in a map, with its mandatory prefix. */
export const vectorOpcodeAt = (map: OpcodeMap, number: number, prefix: string): Opcode | undefined =>
	maps[map].get(`${prefix} ${number}`);

/** The operation of a group. */
export function vectorGroupMember(opcode: Opcode, middle: number): Opcode | undefined {
	const name = groups[opcode.name]?.split(' ')[middle];
	// Shifts of a whole register by bytes are those of XMM alone.
	if (name === undefined || name === '-' || (opcode.words.has('mmx') && name.endsWith('dq'))) return undefined;
	return {...opcode, name};
}

/** Rows that MMX registers have, and XMM registers with 66. */
function both(runs: string): string {
	return `${packed('.. Pq,Qq', runs)}\n${packed('66 V,Wx', runs)}`;
}

/** Rows with numbers that follow each other, after prefix and operands. */
function packed(form: string, runs: string): string {
	const [prefix, operands] = form.split(' ');
	return runs
		.split('; ')
		.flatMap((run) => {
			const [first = '', ...names] = run.split(' ');
			return names.map(
				(name, index) => `${prefix} ${(Number.parseInt(first, 16) + index).toString(16)} ${name} ${operands}`,
			);
		})
		.join('\n');
}

/** Rows of packed and scalar numbers, single and double, by number and name. */
function bySuffix(operations: string, more = ''): string {
	return operations
		.split('; ')
		.flatMap((operation) => [
			`.. ${operation}ps V,Wx${more}`,
			`66 ${operation}pd V,Wx${more}`,
			`f3 ${operation}ss V,Wd${more}`,
			`f2 ${operation}sd V,Wq${more}`,
		])
		.join('\n');
}

function parse(map: OpcodeMap, rows: string): ReadonlyMap<string, Opcode> {
	return new Map(
		rows
			.trim()
			.split('\n')
			.map((row) => {
				const [prefix = '', number = '', name = '', letters = ''] = row.split(' ');
				const operands = letters === '.' ? [] : letters.split(',');
				const at = Number.parseInt(number, 16);
				const feature = featureOfOpcode(map, prefix, at);
				return [`${prefix} ${at}`, {name, operands, words: new Set(partsOf(operands)), feature}];
			}),
	);
}

/** Registers that an opcode has, which decides on what must hold for it. */
function partsOf(operands: readonly string[]): readonly ('vector' | 'mmx')[] {
	const has = (kinds: string) => operands.some(([kind = '']) => kinds.includes(kind));
	const isMmx = has('PQN') || operands.length === 0;
	return [...(isMmx ? ['mmx' as const] : []), ...(!isMmx || has('VWU') ? ['vector' as const] : [])];
}
