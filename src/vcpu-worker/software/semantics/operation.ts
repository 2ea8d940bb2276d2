import type {FloatShape, FunctionBuilder, Int, IntType, Vector, Width} from '#support/wasm';
import type {Flags} from './flags.ts';

/** Operands of a step. */
export type OperandName = 'a' | 'b' | 'c';

/** Number of a half of a vector of 256 bits. */
export type Half = 0 | 1;
/** Operands of floating point. */
export type FloatOperands = readonly [a: Vector, b: Vector];

/** Vectors of each half. */
export type Halves = readonly (readonly Vector[])[];

/**
 * Computes vectors in a function of its own; leaves by an exception of the instruction.
 * @param name - what is alike in all steps that compute the same, but for their constants
 * @param operands - of each half, at most three
 * @param results - number of vectors that it gives
 */
export type Apart = (
	name: string,
	operands: Halves,
	results: number,
	compute: (op: Operation, operands: Halves) => readonly Vector[],
) => readonly Vector[];

/**
 * Operation that the meaning of a step is written against. The interpreter gives operands that its records name as it runs, the
 * translator those that it knows.
 */
export interface Operation {
	readonly f: FunctionBuilder;
	/** Bits of the operands. */
	readonly width: Width;
	/** Type in which they are computed: `i64` for 64 bits, else `i32`. */
	readonly type: IntType;
	readonly flags: Flags;
	/** An operand, filled up with zeros. */
	read(operand: OperandName, width?: Width): Int;
	/** An operand that is known before code runs. */
	known(operand: OperandName): bigint | undefined;
	/** An operand, filled up with its sign to 64 bits. */
	readSigned(operand: OperandName, width?: Width): Int<'i64'>;
	/** Writes an operand as registers are written: 32 bits clear the rest of 64, fewer leave it (SDM volume 1, 3.4.1.1). */
	write(operand: OperandName, value: Int, width?: Width): void;
	/** Numbers of the halves of 128 bits that vectors have; a half alone is the lower one. */
	readonly halves: readonly Half[];
	/** 128 bits of an operand. */
	readVector(operand: OperandName, half?: Half): Vector;
	writeVector(operand: OperandName, value: Vector, half?: Half): void;
	/** The first element of an operand, in all elements. */
	readFirst(operand: OperandName, width: 32 | 64): Vector;
	/** An element of an operand, by number. */
	readElement(operand: OperandName, width: Width, index: Int<'i32'>): Int;
	/** Writes an element and leaves the others. */
	writeElement(operand: OperandName, width: Width, index: Int<'i32'>, value: Int): void;
	/** Reads 128 bits of guest memory; leaves by an exception, having done nothing, where not all of them may be. */
	loadVectorMemory(address: Int<'i64'>): Vector;
	storeVectorMemory(address: Int<'i64'>, value: Vector): void;
	/** Leaves with the exception of instructions of a part of the processor where control registers do not allow them. */
	requirePart(part: 'vector' | 'mmx' | 'x87' | 'wait' | 'vex' | 'avx'): void;
	/** Status word of the x87. */
	x87Status(): Int<'i32'>;
	setX87Status(status: Int<'i32'>): void;
	/** Keeps where an instruction of the x87 is, and where its operand in memory is, which the address kept tells. */
	keepX87Pointers(hasMemory: boolean): void;
	/** Has the x87 carry out what the step's constant says; leaves behind the instruction where an exception lets it end here. */
	runX87(): void;
	/** Says which of the x87's registers are not empty. */
	setX87Tags(tags: Int<'i32'>): void;
	/** MXCSR. */
	vectorControl(): Int<'i32'>;
	/**
	 * Computes an operation of floating point by exact arithmetic, with the flags of MXCSR; leaves by an exception that is not masked.
	 * @param operation - see `floatOperation`
	 * @param operands - of each half, at most three
	 * @returns each half of the result
	 */
	computeExactly(operation: number, operands: readonly (readonly Vector[])[]): readonly Vector[];
	/** Has functions of their own compute what is rare, so that the code of each step is small; undefined: steps have all in themselves. */
	readonly apart: Apart | undefined;
	/** The least normal number, in all lanes. It is in memory: V8 makes a constant anew, by some instructions, wherever it is used. */
	leastNormal(shape: FloatShape): Vector;
	/** 1 where WebAssembly's relaxed multiplication with addition rounds once on this host, else 0. */
	fusesProducts(): Int<'i32'>;
	setVectorControl(value: Int<'i32'>): void;
	/** A general register by number. */
	readRegister(register: number, width: Width): Int;
	writeRegister(register: number, width: Width, value: Int): void;
	/** Tells whether the condition that the step names holds: 0 or 1. */
	condition(): Int<'i32'>;
	/** A small number that the step has besides its constant. */
	small(): Int<'i32'>;
	/** The step's constant. */
	immediate(): Int<'i64'>;
	/** Offset that the step names, within its segment. */
	offset(): Int<'i64'>;
	/**
	 * Linear address of an operand at an offset in the step's segment, or in another; leaves by an exception where limit or type of the
	 * segment do not allow the access.
	 */
	inSegment(offset: Int<'i64'>, isWrite: boolean, segment?: Int<'i32'>, bytes?: number): Int<'i64'>;
	/** The same of 64-bit code, where nothing is checked. */
	inFlatSegment(offset: Int<'i64'>): Int<'i64'>;
	/** What of RSP and RBP counts as offset in the stack. */
	stackMask(): Int<'i64'>;
	/** Linear address that the step names. */
	address(): Int<'i64'>;
	/** Keeps an address for the instruction's next step. */
	keepAddress(address: Int<'i64'>): void;
	/** Reads guest memory; leaves by an exception where it must not. `forWrite`: only where it may be written too. */
	loadMemory(address: Int<'i64'>, width: Width, forWrite?: boolean): Int;
	storeMemory(address: Int<'i64'>, width: Width, value: Int): void;
	/** Stores a value where guest memory holds what is expected, by one atomic operation. Gives what it held. */
	compareExchangeMemory(address: Int<'i64'>, width: Width, expected: Int, value: Int): Int;
	/** Linear address that a step before has kept. */
	keptAddress(): Int<'i64'>;
	/** RFLAGS but for the status flags. */
	controlFlags(): Int<'i32'>;
	setControlFlags(flags: Int<'i32'>): void;
	/** Those of them that POPF changes at the present privilege. */
	poppableFlags(): Int<'i32'>;
	/** Leaves PUSHF and POPF to TypeScript where virtual-8086 mode has them otherwise. */
	leaveVirtualFlags(): void;
	/** DF, 0 or 1. */
	direction(): Int<'i32'>;
	setDirection(direction: 0 | 1): void;
	/** Linear address of a string's element in the step's segment, or in ES; checked outside of 64-bit code. */
	sourceElement(offset: Int<'i64'>): Int<'i64'>;
	destinationElement(offset: Int<'i64'>, isWrite: boolean): Int<'i64'>;
	/** Lets interrupts in between two elements of a string: the instruction begins anew after it. */
	pollInside(): void;
	/** Instructions that may be executed before the next stop. */
	budget(): Int<'i32'>;
	setBudget(budget: Int<'i32'>): void;
	/** Place in RAM of an element whose page the TLB knows, so that what is accessed is plain memory to the page's end; else -1. */
	placeOf(address: Int<'i64'>, forWrite: boolean): Int<'i64'>;
	/** Bytes of RAM at such places, which overlap as they may for a copy of them together. */
	copyPlaces(target: Int<'i64'>, source: Int<'i64'>, bytes: Int<'i64'>): void;
	fillPlaces(target: Int<'i64'>, value: Int<'i32'>, bytes: Int<'i64'>): void;
	/** Leaves, to begin the instruction anew: another processor was faster. */
	leaveBefore(): void;
	/** Leaves before the instruction, the first one of its block, which is not counted. */
	lookUp(): void;
	/** Has other processors see all stores so far before any later load. */
	fence(): void;
	/** Leaves behind the instruction, which is done: what it has changed decides on how code goes on. */
	leaveBehind(): void;
	/** Leaves with an exception of the instruction. */
	raise(vector: number): void;
	/** Goes on in this code page, at this constant of the step. */
	jumpInPage(): void;
	/** Where that is in the code segment. */
	targetInPage(): Int<'i64'>;
	/** Faults where an offset is beyond the code segment, which is none of 64-bit code. */
	requireInCode(offset: Int<'i64'>): void;
	/** Goes on at an address in the code segment. */
	jumpTo(address: Int<'i64'>): void;
	/** Address of the instruction in the code segment. */
	ownAddress(): Int<'i64'>;
	/** Address of the next instruction in the code segment. */
	nextAddress(): Int<'i64'>;
	readonly system: SystemOperation;
}

/** Registers of 64 bits that instructions of the system go by. */
export type SystemRegister =
	| 'cr4'
	| 'efer'
	| 'star'
	| 'lstar'
	| 'fmask'
	| 'kernelGsBase'
	| 'tableBase'
	| 'tableLimit'
	| 'interruptBase'
	| 'interruptLimit'
	| 'taskBase'
	| 'taskLimit';

/** What instructions of the system work on that have no part in others. */
export interface SystemOperation {
	/** Leaves the instruction, which has done nothing, to TypeScript where a condition does not hold. */
	leaveUnless(condition: Int<'i32'>): void;
	/** 1 where no interrupt waits and nothing is watched, so that code may go on by itself where privilege or IF change; else 0. */
	goesOn(): Int<'i32'>;
	/** 1 where the block ends behind the instruction, with no other one; else 0. */
	endsBehind(): Int<'i32'>;
	/** Code has privilege 3: 1, else 0; and it is 64-bit code. */
	isUser(): Int<'i32'>;
	isLongCode(): Int<'i32'>;
	/** The exception that has ended code, and its error code. */
	exception(): Int<'i32'>;
	errorCode(): Int<'i32'>;
	/** Bases and limits of the global descriptor table, the one of interrupts, and the task-state segment are among them. */
	register(name: SystemRegister): Int<'i64'>;
	setRegister(name: 'kernelGsBase', value: Int<'i64'>): void;
	base(segment: number): Int<'i64'>;
	setBase(segment: number, base: Int<'i64'>): void;
	/** Bits 8 to 23 of its descriptor's second doubleword; 0 for a null selector's. */
	attributes(segment: number): Int<'i32'>;
	selector(segment: number): Int<'i32'>;
	/** Loads CS or SS, whose base in 64-bit code is 0. */
	setSegment(segment: number, selector: Int<'i32'>, limit: Int<'i64'>, attributes: Int<'i32'>): void;
	/** 64 bits of memory that the TLB knows, for the present privilege; leaves the instruction to TypeScript where it does not. */
	knownMemory(address: Int<'i64'>): Int<'i64'>;
	/**
	 * Stores values of 64 bits, the first one lowest, in one page that the TLB knows for stores of privilege 0; leaves to TypeScript, having stored none,
	 * where it does not.
	 */
	storeFrame(address: Int<'i64'>, values: readonly Int<'i64'>[]): void;
	/** Brings up to date what follows from privilege and flags in 64-bit code. */
	apply(privilege: 0 | 3, flags: Int<'i32'>): void;
}

/** Meaning of a step, in terms of an operation. */
export type Meaning = (operation: Operation) => void;
