import type {Opcode} from './opcode-table.ts';

/**
 * Opcodes of the x87 with an operand in memory (Intel SDM volume 2, tables and on), by the middle bits of ModRM: operation and
 * what memory holds, a number of 32, 64 or 80 bits, an integer, a packed decimal number, or a word; or the environment or all of the state.
 */
const memory = `
d8 fadd.m32 fmul.m32 fcom.m32 fcomp.m32 fsub.m32 fsubr.m32 fdiv.m32 fdivr.m32
d9 fld.m32 - fst.m32 fstp.m32 fldenv fldcw.word fnstenv fnstcw.word
da fadd.i32 fmul.i32 fcom.i32 fcomp.i32 fsub.i32 fsubr.i32 fdiv.i32 fdivr.i32
db fld.i32 fisttp.i32 fst.i32 fstp.i32 - fld.m80 - fstp.m80
dc fadd.m64 fmul.m64 fcom.m64 fcomp.m64 fsub.m64 fsubr.m64 fdiv.m64 fdivr.m64
dd fld.m64 fisttp.i64 fst.m64 fstp.m64 frstor - fnsave fnstsw.word
de fadd.i16 fmul.i16 fcom.i16 fcomp.i16 fsub.i16 fsubr.i16 fdiv.i16 fdivr.i16
df fld.i16 fisttp.i16 fst.i16 fstp.i16 fld.bcd fld.i64 fstp.bcd fstp.i64`;

/**
 * Those with a register (tables and on), by the middle bits of ModRM; of a slash one has an operation for each of the low bits, else they say which
 * register. Some are written twice: the manual does not name those aliases, but processors have them.
 */
const register = `
d8 fadd fmul fcom fcomp fsub fsubr fdiv fdivr
d9 fld fxch fnop/-/-/-/-/-/-/- fstp fchs/fabs/-/-/ftst/fxam/-/- fld1/fldl2t/fldl2e/fldpi/fldlg2/fldln2/fldz/- f2xm1/fyl2x/fptan/fpatan/fxtract/fprem1/fdecstp/fincstp fprem/fyl2xp1/fsqrt/fsincos/frndint/fscale/fsin/fcos
da fcmov fcmov fcmov fcmov - -/fucompp/-/-/-/-/-/- - -
db fcmovn fcmovn fcmovn fcmovn -/-/fnclex/fninit/-/-/-/- fucomi fcomi -
dc faddTo fmulTo fcom fcomp fsubrTo fsubTo fdivrTo fdivTo
dd ffree fxch fst fstp fucom fucomp - -
de faddPop fmulPop fcomp -/fcompp/-/-/-/-/-/- fsubrPop fsubPop fdivrPop fdivPop
df ffreep fxch fstp fstp fnstsw/-/-/-/-/-/-/- fucomip fcomip -`;

const rowsOf = (text: string): readonly (readonly string[])[] =>
	text
		.trim()
		.split('\n')
		.map((row) => row.split(' ').slice(1));
const [memoryRows, registerRows] = [rowsOf(memory), rowsOf(register)];

/** What memory holds, and its bits. */
export const x87MemoryWidths = {m32: 32, m64: 64, m80: 80, i16: 16, i32: 32, i64: 64, bcd: 80, word: 16} as const;
export type X87Memory = keyof typeof x87MemoryWidths;

/** Operations that steps are made of, in the order of their numbers; those whose memory has other sizes are the system's. */
export const x87Operations: readonly string[] = [
	...new Set(
		[...registerRows, ...memoryRows]
			.flat()
			.flatMap((entry) => entry.split('/'))
			.map((entry) => entry.split('.')[0] as string)
			.filter((name) => !/^(-|fldenv|fnstenv|frstor|fnsave)$/.test(name)),
	),
];

/** First opcode of the x87. */
const first = 0xd8;

/** True for the first byte of an instruction of the x87. */
export const isX87Escape = (opcode: number): boolean => opcode >= first && opcode < first + 8;

/** The instruction of an opcode of the x87, by its byte and ModRM. */
export function x87Opcode(opcode: number, modRm: number): Opcode | undefined {
	const isRegister = modRm >> 6 === 3;
	const entry = (isRegister ? registerRows : memoryRows)[opcode - first]?.[(modRm >> 3) & 7] ?? '-';
	const choices = entry.split('/');
	const name = choices.length > 1 ? choices[modRm & 7] : entry;
	if (name === undefined || name === '-') return undefined;
	const words = new Set(['x87']);
	if (!isRegister) return {name, operands: ['M'], words};
	return {name, operands: choices.length > 1 ? [] : ['T'], words};
}
