import type {Operand} from '#vcpu-worker/software/decode';
import {generalAt} from '#vcpu-worker/software/state';
import {invalidOpcode} from '#vcpu-worker/software/system/registers';
import type {Parts} from './parts.ts';

/** Numbers of general registers that instructions of the system use. */
export const Register = {accumulator: 0, counter: 1, data: 2, base: 3, source: 6} as const;

export const low32 = (value: bigint): number => Number(value & 0xffff_ffffn);
export const general = ({core}: Parts, register: number): bigint => core.state.general[register] as bigint;

/** A 64-bit value to EDX:EAX. */
export function setPair({core}: Parts, value: bigint): void {
	core.state.general[Register.accumulator] = value & 0xffff_ffffn;
	core.state.general[Register.data] = (value >> 32n) & 0xffff_ffffn;
}

/** The value in EDX:EAX. */
export const pair = (parts: Parts): bigint =>
	(general(parts, Register.accumulator) & 0xffff_ffffn) | ((general(parts, Register.data) & 0xffff_ffffn) << 32n);

const numberOf = (place: number): number => (place - generalAt(0)) / 8;

/** Value of an operand that is a register. */
export function registerValue({core}: Parts, operand: Operand | undefined): bigint {
	if (operand?.kind !== 'register') throw invalidOpcode();
	return BigInt.asUintN(operand.width, core.state.general[numberOf(operand.place)] as bigint);
}

/** Sets a register of 32 bits, whose upper half it clears, or of 64. */
export function setRegister({core}: Parts, operand: Operand | undefined, value: bigint): void {
	if (operand?.kind !== 'register') throw invalidOpcode();
	core.state.general[numberOf(operand.place)] = BigInt.asUintN(operand.width, value);
}

/** The number of a control, debug or segment register. */
export const numberIn = (operand: Operand | undefined): number =>
	operand?.kind === 'immediate' ? Number(operand.value) : 0;
