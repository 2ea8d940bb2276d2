import {CpuState, immediateAt, scratchAt} from '#vcpu-worker/software/state';
import {type Extended, type Operand, operandOf} from './extended.ts';

/** Bits of the status word (Intel SDM volume 1, 8.1.3). */
export const Status = {
	stackFault: 0x40,
	/** A waiting exception, and busy, which is the same. */
	summary: 0x8080,
	exceptions: 0x3f,
	C0: 0x100,
	C1: 0x200,
	C2: 0x400,
	C3: 0x4000,
	conditions: 0x4700,
	top: 0x3800,
} as const;

const topShift = 11;
/** Places of registers and words in the processor's memory, in units of their sizes. */
const significandAt = CpuState.offset('x87') / 8;
const exponentAt = CpuState.offset('x87') / 2 + 4;
const statusAt = CpuState.offset('x87Status') / 2;
const controlAt = CpuState.offset('x87Control') / 2;
const instructionPointerAt = CpuState.offset('x87InstructionPointer') / 8;
const dataPointerAt = CpuState.offset('x87DataPointer') / 8;
const opcodeAt = CpuState.offset('x87Opcode') / 2;
const tagsAt = CpuState.offset('x87Tags');
/** What of the control word a program can write; the bit beside it is always set (SDM volume 1, figure 8-6). */
const writableControl = 0x1f3f;
const fixedControl = 0x40;
const initialControl = 0x37f;

/** Registers, tags, control and status of the x87, as the processor's state has them. */
export class X87Registers {
	readonly #words64: BigUint64Array;
	readonly #words32: Int32Array;
	readonly #words16: Uint16Array;
	readonly #bytes: Uint8Array;

	constructor(memory: SharedArrayBuffer) {
		this.#words64 = new BigUint64Array(memory);
		this.#words32 = new Int32Array(memory);
		this.#words16 = new Uint16Array(memory);
		this.#bytes = new Uint8Array(memory);
	}

	get status(): number {
		return this.#words16[statusAt] as number;
	}

	set status(status: number) {
		this.#words16[statusAt] = status;
	}

	get control(): number {
		return this.#words16[controlAt] as number;
	}

	/** Loads a control word: exceptions that there have been wait, or do not any more. */
	set control(control: number) {
		this.#words16[controlAt] = (control & writableControl) | fixedControl;
		this.summarize();
	}

	/** A bit for each physical register that is not empty. */
	get tags(): number {
		return this.#bytes[tagsAt] as number;
	}

	set tags(tags: number) {
		this.#bytes[tagsAt] = tags;
	}

	/** Says whether an exception waits that is not masked. */
	summarize(): void {
		const {status, control} = this;
		this.status = (status & ~control & Status.exceptions) === 0 ? status & ~Status.summary : status | Status.summary;
	}

	/** As FNINIT leaves it. */
	initialize(): void {
		this.status = 0;
		this.control = initialControl;
		this.tags = 0;
		this.#words64[instructionPointerAt] = this.#words64[dataPointerAt] = 0n;
		this.#words16[opcodeAt] = 0;
	}

	isEmpty(index: number): boolean {
		return ((this.tags >> this.physical(index)) & 1) === 0;
	}

	empty(index: number): void {
		this.tags &= ~(1 << this.physical(index));
	}

	/** What ST(i) holds. */
	operand(index: number): Operand {
		const register = this.physical(index);
		return operandOf(
			this.#words16[exponentAt + register * 8] as number,
			this.#words64[significandAt + register * 2] as bigint,
		);
	}

	/** The bits of ST(i). */
	get(index: number): Extended {
		const register = this.physical(index);
		return {
			signExponent: this.#words16[exponentAt + register * 8] as number,
			significand: this.#words64[significandAt + register * 2] as bigint,
		};
	}

	set(index: number, {signExponent, significand}: Extended): void {
		const register = this.physical(index);
		this.#words16[exponentAt + register * 8] = signExponent;
		this.#words64[significandAt + register * 2] = significand;
		this.tags |= 1 << register;
	}

	/** Makes another register ST(0). */
	turn(by: number): void {
		const top = (this.status + (by << topShift)) & Status.top;
		this.status = (this.status & ~Status.top) | top;
	}

	push(value: Extended): void {
		this.turn(-1);
		this.set(0, value);
	}

	pop(): void {
		this.empty(0);
		this.turn(1);
	}

	/** What a record's constant says. */
	operation(record: number): number {
		return this.#words32[immediateAt(record) / 4] as number;
	}

	/** A word that goes to or comes from an operand in memory. */
	scratch(index: 0 | 1): bigint {
		return this.#words64[scratchAt(index) / 8] as bigint;
	}

	setScratch(index: 0 | 1, value: bigint): void {
		this.#words64[scratchAt(index) / 8] = value;
	}

	/** Number that MMX has for ST(i). */
	physical(index: number): number {
		return (((this.#words16[statusAt] as number) >> topShift) + index) & 7;
	}
}
