import type {Instruction} from '#vcpu-worker/software/decode';
import {GuestFault, hasRealSegments, Vector} from '#vcpu-worker/software/system/registers';
import {
	type EnvironmentForm,
	environmentBytes,
	loadEnvironment,
	loadRegisters,
	stateBytes,
	storeEnvironment,
	storeRegisters,
} from '#vcpu-worker/software/x87';
import {readOperand, requireWritable, writeMemory} from './operands.ts';
import type {After, Parts} from './parts.ts';

/** Exception of the x87 that waits, in its status word. */
const summary = 0x80;
const allMasks = 0x3f;

const formOf = ({core}: Parts, {operandSize}: Instruction): EnvironmentForm => ({
	wordBytes: operandSize === 16 ? 2 : 4,
	isReal: hasRealSegments(core),
});

/** An instruction that waits does so for the exceptions of those before it. */
function requireX87({core: {state}}: Parts, waits: boolean): void {
	if (state.x87Fault !== 0) throw new GuestFault(state.x87Fault);
	if (waits && (state.x87Status & summary) !== 0) throw new GuestFault(Vector.mathFault);
}

/** Parts of an environment of 14 bytes, the first word and the last byte, that are tried before it is read or written, as CR2 tells after a page fault on processors of AMD. */
const triedFirst = [
	{at: 0, bytes: 2},
	{at: 13, bytes: 1},
] as const;
const isTried = ({wordBytes}: EnvironmentForm, hasRegisters: boolean): boolean => wordBytes === 2 && !hasRegisters;

function store(parts: Parts, instruction: Instruction, hasRegisters: boolean): After {
	requireX87(parts, false);
	const {core} = parts;
	const {registers} = core.x87;
	const {operands, addressSize} = instruction;
	const form = formOf(parts, instruction);
	const bytes = new Uint8Array(hasRegisters ? stateBytes(form) : environmentBytes(form));
	const view = new DataView(bytes.buffer);
	storeEnvironment(core.state, registers, form, view);
	if (hasRegisters) storeRegisters(registers, form, view);
	const value = bytes.reduceRight((rest, byte) => (rest << 8n) | BigInt(byte), 0n);
	if (isTried(form, hasRegisters))
		for (const {at, bytes: length} of triedFirst) requireWritable(parts, operands[0], addressSize, length, at);
	writeMemory(parts, operands[0], addressSize, bytes.length, value);
	if (hasRegisters) registers.initialize();
	else registers.control |= allMasks;
	return 'next';
}

function load(parts: Parts, instruction: Instruction, hasRegisters: boolean): After {
	requireX87(parts, true);
	const {core} = parts;
	const {registers} = core.x87;
	const {operands, addressSize} = instruction;
	const form = formOf(parts, instruction);
	const view = new DataView(new ArrayBuffer(hasRegisters ? stateBytes(form) : environmentBytes(form)));
	if (isTried(form, hasRegisters))
		for (const {at, bytes} of triedFirst) readOperand(parts, operands[0], addressSize, bytes, at);
	const value = readOperand(parts, operands[0], addressSize, view.byteLength);
	for (let at = 0; at < view.byteLength; at++) view.setUint8(at, Number((value >> BigInt(8 * at)) & 0xffn));
	loadEnvironment(core.state, registers, form, view);
	if (hasRegisters) loadRegisters(registers, form, view);
	return 'next';
}

/** Instructions that save and restore the x87's environment, or all of its state (SDM volume 2). */
export const x87StateInstructions: Readonly<Record<string, (parts: Parts, instruction: Instruction) => After>> = {
	fnstenv: (parts, instruction) => store(parts, instruction, false),
	fnsave: (parts, instruction) => store(parts, instruction, true),
	fldenv: (parts, instruction) => load(parts, instruction, false),
	frstor: (parts, instruction) => load(parts, instruction, true),
};
