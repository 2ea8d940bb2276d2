import type {Instruction} from '#vcpu-worker/software/decode';
import {Cr4, Flag, flagsOf, GuestFault, generalProtection, Vector} from '#vcpu-worker/software/system/registers';
import {ioplOf, isRedirected, redirect} from '#vcpu-worker/software/system/segmentation';
import {readOperand} from './operands.ts';
import type {After, Parts} from './parts.ts';

const overflowFlag = 0x800;

function deliver(parts: Parts, vector: number): After {
	parts.interrupts.deliver(vector, undefined, 'software');
	return 'next';
}

/** Interrupts and exceptions that a program asks for (SDM volume 2: INT n, BOUND). */
export const programInterrupts = {
	/** It asks no gate for its privilege (SDM volume 3, 6.12.1.2). */
	int1: (parts: Parts): After => {
		parts.interrupts.deliver(Vector.debug, undefined, 'hardware');
		return 'next';
	},
	int3: (parts: Parts): After => deliver(parts, Vector.breakpoint),
	/** In virtual-8086 mode CR4.VME lets a task's own table have it, else IOPL must be 3 (SDM volume 3, table 20-2). */
	int: (parts: Parts, {operands: [number]}: Instruction): After => {
		const {core} = parts;
		const vector = number?.kind === 'immediate' ? Number(number.value & 0xffn) : 0;
		if ((core.state.controlFlags & Flag.VM) !== 0) {
			if ((Number(core.state.cr4) & Cr4.VME) !== 0 && isRedirected(parts, vector)) {
				redirect(parts, vector);
				return 'next';
			}
			if (ioplOf(core) < 3) throw generalProtection();
		}
		return deliver(parts, vector);
	},
	into: (parts: Parts): After =>
		(flagsOf(parts.core.state) & overflowFlag) === 0 ? 'next' : deliver(parts, Vector.overflow),
	/** The index lies between two numbers in memory, with their signs; else it is an exception, not a trap. */
	bound: (parts: Parts, {operands: [index, bounds], operandSize, addressSize}: Instruction): After => {
		const bytes = operandSize / 8;
		const signed = (value: bigint) => BigInt.asIntN(operandSize, value);
		const lower = signed(readOperand(parts, bounds, addressSize, bytes));
		const upper = signed(readOperand(parts, bounds, addressSize, bytes, bytes));
		const value = signed(readOperand(parts, index, addressSize, bytes));
		if (value < lower || value > upper) throw new GuestFault(Vector.boundRange);
		return 'next';
	},
};
