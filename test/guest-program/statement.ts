import type {Assembler, Register} from '#flowey/x86-assembler';
import type {GuestStep} from '#vcpu-worker/hypervisor/testing';

/** 32 bits in the program's own memory, named. It begins as 0, at every power-on. */
export interface Word {
	readonly word: string;
}

/** Operand of a statement. */
export type Operand = number | Word;

export const word = (name: string): Word => ({word: name});

/** Two values, compared as unsigned numbers. */
export type Condition = readonly [left: Operand, comparison: '==' | '!=' | '<' | '>=', right: Operand];

/** A generator of steps, which has an answer in the end. */
export type Steps<T> = Generator<GuestStep, T, number>;

/** A program on the fake hypervisor. */
export interface Playing {
	read(operand: Operand): Steps<number>;
	write(to: Word, value: number): Steps<void>;
	holds(condition: Condition): Steps<boolean>;
	/** Statement after statement; interrupts come in between. */
	block(statements: readonly Statement[]): Steps<void>;
	/** Halts until an interrupt has come, and been handled. */
	halt(): Steps<void>;
	/** Sets or clears the flag by which interrupts come. */
	interrupts(on: boolean): Steps<void>;
	/** INIT and a start-up message to the processor with this APIC id. */
	start(apicId: number): Steps<void>;
	/** Tells the interrupt controllers beside the PIC that the interrupt is handled whose handler this is. */
	endOfInterrupt(): Steps<void>;
	/** Ends the program. */
	exit(code: number): Steps<never>;
	/** The code by which this expectation ends the program when it is not met. */
	codeOf(expectation: Statement): number;
}

/** A program on its way to machine code. EAX, ECX and EDX are for whoever needs them. */
export interface Emitting {
	readonly asm: Assembler;
	/** Loads a register of 32 bits. */
	take(register: Register, operand: Operand): void;
	/** Writes EAX. */
	put(to: Word): void;
	/** Goes to the label unless this holds. */
	unless(condition: Condition, label: string): void;
	/** INIT and a start-up message to the processor with this APIC id. */
	start(apicId: number): void;
	block(statements: readonly Statement[]): void;
	exit(code: number): void;
	codeOf(expectation: Statement): number;
}

/** A statement of the language: the same thing twice, as steps of a script and as instructions. */
export interface Statement {
	play(on: Playing): Steps<void>;
	emit(to: Emitting): void;
}
