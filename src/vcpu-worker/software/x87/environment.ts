import type {ViewOf} from '#support/wire';
import type {CpuState} from '#vcpu-worker/software/state';
import {type Extended, Kind, operandOf} from './extended.ts';
import type {X87Registers} from './registers.ts';

type State = ViewOf<typeof CpuState>;

/** Form of an environment in memory, by operand size and mode (Intel SDM volume 1, figures 8-9 to 8-12). */
export interface EnvironmentForm {
	/** Bytes of its seven words. */
	readonly wordBytes: 2 | 4;
	/** Real and virtual-8086 mode have pointers of parts. */
	readonly isReal: boolean;
}

const words = 7;
const registerBytes = 10;
const registerCount = 8;
/** Bits of a register's tag, for one that is empty, and others by what they hold (SDM volume 1, 8.1.7). */
const emptyTag = 3;

export const environmentBytes = ({wordBytes}: EnvironmentForm): number => words * wordBytes;
/** With the registers behind it. */
export const stateBytes = (form: EnvironmentForm): number => environmentBytes(form) + registerCount * registerBytes;

function tagOf({signExponent, significand}: Extended): number {
	const {kind, isDenormal} = operandOf(signExponent, significand);
	if (kind === Kind.zero) return 1;
	return kind === Kind.finite && !isDenormal ? 0 : 2;
}

function fullTags(registers: X87Registers): number {
	const top = (registers.status >> 11) & 7;
	let tags = 0;
	for (let index = 0; index < registerCount; index++) {
		const tag = registers.isEmpty(index) ? emptyTag : tagOf(registers.get(index));
		tags |= tag << (2 * ((top + index) & 7));
	}
	return tags;
}

/** Writes an environment: selectors are 0, as processors have it since they keep none. */
export function storeEnvironment(state: State, registers: X87Registers, form: EnvironmentForm, view: DataView): void {
	const {isReal, wordBytes} = form;
	const instruction = Number(BigInt.asUintN(32, state.x87InstructionPointer));
	const data = Number(BigInt.asUintN(32, state.x87DataPointer));
	const opcode = state.x87Opcode;
	/** The part of a pointer above its low 16 bits. */
	const upper = (pointer: number) => (pointer >>> 16) << 12;
	const control = [registers.control, registers.status, fullTags(registers)].map((word) => word | 0xffff_0000);
	const pointers = isReal
		? [instruction | 0xffff_0000, upper(instruction) | opcode, data | 0xffff_0000, upper(data)]
		: [instruction, wordBytes === 4 ? opcode << 16 : 0, data, 0xffff_0000];
	for (const [index, word] of [...control, ...pointers].entries()) {
		if (wordBytes === 4) view.setUint32(index * 4, word, true);
		else view.setUint16(index * 2, word, true);
	}
}

/** Takes an environment. */
export function loadEnvironment(state: State, registers: X87Registers, form: EnvironmentForm, view: DataView): void {
	const {isReal, wordBytes} = form;
	const word = (index: number) => (wordBytes === 4 ? view.getUint32(index * 4, true) : view.getUint16(index * 2, true));
	registers.status = word(1);
	const tags = word(2);
	let valid = 0;
	for (let register = 0; register < registerCount; register++)
		if (((tags >> (2 * register)) & 3) !== emptyTag) valid |= 1 << register;
	registers.tags = valid;
	registers.control = word(0);
	const pointer = (low: number, high: number) => BigInt((isReal ? (low & 0xffff) | ((high >>> 12) << 16) : low) >>> 0);
	state.x87InstructionPointer = pointer(word(3), word(4));
	state.x87DataPointer = pointer(word(5), word(6));
	// The form of 16 bits outside of real mode has no opcode.
	if (isReal || wordBytes === 4) state.x87Opcode = (isReal ? word(4) : word(4) >>> 16) & 0x7ff;
}

/** Writes the registers that follow an environment: ST(0) first. */
export function storeRegisters(registers: X87Registers, form: EnvironmentForm, view: DataView): void {
	for (let index = 0; index < registerCount; index++) {
		const at = environmentBytes(form) + index * registerBytes;
		const {signExponent, significand} = registers.get(index);
		view.setBigUint64(at, significand, true);
		view.setUint16(at + 8, signExponent, true);
	}
}

export function loadRegisters(registers: X87Registers, form: EnvironmentForm, view: DataView): void {
	const {tags} = registers;
	for (let index = 0; index < registerCount; index++) {
		const at = environmentBytes(form) + index * registerBytes;
		registers.set(index, {significand: view.getBigUint64(at, true), signExponent: view.getUint16(at + 8, true)});
	}
	registers.tags = tags;
}
