import type {StepWidth} from '#vcpu-worker/software/semantics';

/** An operand that has a place in the processor's own memory. */
export interface RegisterOperand {
	readonly kind: 'register';
	/** Its address there. */
	readonly place: number;
	readonly width: StepWidth;
}

/** An operand in guest memory. */
export interface MemoryOperand {
	readonly kind: 'memory';
	/** Places of what is added up. */
	readonly base: number;
	readonly index: number;
	readonly scale: number;
	readonly displacement: bigint;
	/** Place of the segment's base. */
	readonly segment: number;
	readonly width: StepWidth;
}

export interface ImmediateOperand {
	readonly kind: 'immediate';
	/** With its sign, as it is extended to the operand size. */
	readonly value: bigint;
	readonly width: StepWidth;
}

/** A place in the code segment, relative to the next instruction. */
export interface RelativeOperand {
	readonly kind: 'relative';
	readonly value: bigint;
}

export type Operand = RegisterOperand | MemoryOperand | ImmediateOperand | RelativeOperand;

/** Bits of the code segment's default size; 64 for 64-bit code. */
export type CodeSize = 16 | 32 | 64;

/** An instruction as its bytes have it. */
export interface Instruction {
	readonly name: string;
	readonly operands: readonly Operand[];
	/** Bits of operands that the prefixes decide on. */
	readonly operandSize: 16 | 32 | 64;
	readonly addressSize: 16 | 32 | 64;
	readonly codeSize: CodeSize;
	/** Number of the condition in the low bits of the opcode. */
	readonly condition: number;
	/** It has a VEX prefix. */
	readonly isVex: boolean;
	/** Bits of its vectors. */
	readonly vectorBits: 128 | 256;
	/** It is on XMM registers, which control registers may forbid. */
	readonly isVector: boolean;
	/** It is on MMX registers. */
	readonly isMmx: boolean;
	/** The low 11 bits of an opcode of the x87. */
	readonly x87Opcode: number | undefined;
	readonly isLocked: boolean;
	readonly repeat: 'f2' | 'f3' | undefined;
	/** Place of the base of the segment of strings and XLAT. */
	readonly segment: number;
	/** Bytes of the displacement of its operand in memory, behind which nothing but constants comes. */
	readonly displacementBytes: number;
	/** Bytes of its constants, which are its last ones. */
	readonly constantBytes: number;
	/** In bytes. */
	readonly length: number;
}
