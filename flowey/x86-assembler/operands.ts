/** Operand width in bits. */
export type OperandSize = 8 | 16 | 32 | 64;

/** A general-purpose register as an operand. */
export interface Register {
	readonly kind: 'register';
	readonly name: string;
	readonly size: OperandSize;
	/** The hardware number, 0 to 15. */
	readonly code: number;
	/** True for SPL, BPL, SIL and DIL, which a REX prefix tells apart from AH, CH, DH and BH. */
	readonly needsRex: boolean;
}

/** A control register (CR0 to CR8), only usable with `mov`. */
export interface ControlRegister {
	readonly kind: 'control';
	readonly code: number;
}

/** A segment register, usable with `mov`. */
export interface SegmentRegister {
	readonly kind: 'segment';
	readonly code: number;
}

/** A value known once the program is laid out: `label + add - minus`. */
export interface LabelExpression {
	readonly label: string;
	readonly add?: number;
	readonly minus?: string;
}

/** An immediate: a number, or a label's address. */
export type Value = number | bigint | string | LabelExpression;

/** An index register and its scale, see {@link times}. */
export interface ScaledIndex {
	readonly kind: 'index';
	readonly register: Register;
	readonly scale: 1 | 2 | 4 | 8;
}

/** A memory operand with a width; built by {@link byte}, {@link word}, {@link dword} and {@link qword}. */
export interface Memory {
	readonly kind: 'memory';
	readonly size: OperandSize;
	readonly base?: Register;
	readonly index?: ScaledIndex;
	readonly displacement: number;
	readonly label?: LabelExpression;
}

/** Part of a memory operand's sum: a base, an index, a label and numbers, each at most once. */
export type AddressPart = Register | ScaledIndex | LabelExpression | string | number;

function family(size: OperandSize, names: string): readonly Register[] {
	return names.split(' ').map((name, code) => ({
		kind: 'register',
		name,
		size,
		code,
		needsRex: size === 8 && code >= 4 && code < 8,
	}));
}

type Sixteen = readonly [
	...[Register, Register, Register, Register, Register, Register, Register, Register],
	...[Register, Register, Register, Register, Register, Register, Register, Register],
];

const bytes = family(8, 'al cl dl bl spl bpl sil dil r8b r9b r10b r11b r12b r13b r14b r15b') as Sixteen;
const words = family(16, 'ax cx dx bx sp bp si di r8w r9w r10w r11w r12w r13w r14w r15w') as Sixteen;
const dwords = family(32, 'eax ecx edx ebx esp ebp esi edi r8d r9d r10d r11d r12d r13d r14d r15d') as Sixteen;
const qwords = family(64, 'rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15') as Sixteen;

export const [al, cl, dl, bl, spl, bpl, sil, dil, r8b, r9b, r10b, r11b, r12b, r13b, r14b, r15b] = bytes;
export const [ax, cx, dx, bx, sp, bp, si, di, r8w, r9w, r10w, r11w, r12w, r13w, r14w, r15w] = words;
export const [eax, ecx, edx, ebx, esp, ebp, esi, edi, r8d, r9d, r10d, r11d, r12d, r13d, r14d, r15d] = dwords;
export const [rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15] = qwords;

const highByte = (name: string, code: number): Register => ({kind: 'register', name, size: 8, code, needsRex: false});
export const ah: Register = highByte('ah', 4);
export const ch: Register = highByte('ch', 5);
export const dh: Register = highByte('dh', 6);
export const bh: Register = highByte('bh', 7);

const control = (code: number): ControlRegister => ({kind: 'control', code});
export const cr0: ControlRegister = control(0);
export const cr2: ControlRegister = control(2);
export const cr3: ControlRegister = control(3);
export const cr4: ControlRegister = control(4);
export const cr8: ControlRegister = control(8);

const segment = (code: number): SegmentRegister => ({kind: 'segment', code});
export const es: SegmentRegister = segment(0);
export const cs: SegmentRegister = segment(1);
export const ss: SegmentRegister = segment(2);
export const ds: SegmentRegister = segment(3);
export const fs: SegmentRegister = segment(4);
export const gs: SegmentRegister = segment(5);

/** An index register for a memory operand: `dword(rbx, times(rcx, 4))`. */
export function times(register: Register, scale: 1 | 2 | 4 | 8): ScaledIndex {
	return {kind: 'index', register, scale};
}

/** The distance from label `start` to label `end`, as an immediate or a displacement. */
export function distance(start: string, end: string): LabelExpression {
	return {label: end, minus: start};
}

/** Turns a label name into an expression; leaves expressions alone. */
export function toExpression(value: string | LabelExpression): LabelExpression {
	return typeof value === 'string' ? {label: value} : value;
}

function memory(size: OperandSize, parts: readonly AddressPart[]): Memory {
	let base: Register | undefined;
	let index: ScaledIndex | undefined;
	let label: LabelExpression | undefined;
	let displacement = 0;
	for (const part of parts) {
		if (typeof part === 'number') displacement += part;
		else if (typeof part === 'string' || 'label' in part) label = toExpression(part);
		else if (part.kind === 'index') index = part;
		else base = part;
	}
	return {
		kind: 'memory',
		size,
		displacement,
		...(base && {base}),
		...(index && {index}),
		...(label && {label}),
	};
}

/** An 8-bit memory operand. */
export const byte = (...parts: readonly AddressPart[]): Memory => memory(8, parts);
/** A 16-bit memory operand. */
export const word = (...parts: readonly AddressPart[]): Memory => memory(16, parts);
/** A 32-bit memory operand. */
export const dword = (...parts: readonly AddressPart[]): Memory => memory(32, parts);
/** A 64-bit memory operand. */
export const qword = (...parts: readonly AddressPart[]): Memory => memory(64, parts);
