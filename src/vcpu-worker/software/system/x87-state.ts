import type {Instruction, Operand} from '#vcpu-worker/software/decode';
import {segmentBaseAt} from '#vcpu-worker/software/state';
import {
	type EnvironmentForm,
	environmentBytes,
	loadEnvironment,
	loadRegisters,
	stateBytes,
	storeEnvironment,
	storeRegisters,
} from '#vcpu-worker/software/x87';
import {hasRealSegments, privilegeOf, SS} from './control-state.ts';
import {GuestFault, Vector} from './guest-fault.ts';
import {addressOf} from './operands.ts';
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
	{at: 0n, bytes: 2},
	{at: 13n, bytes: 1},
] as const;
const isTried = ({wordBytes}: EnvironmentForm, hasRegisters: boolean): boolean => wordBytes === 2 && !hasRegisters;

/** The fault that an access has left, which is #SS where #GP would be one of the stack's. */
function faultOf({core: {state}}: Parts, operand: Operand | undefined): GuestFault {
	const isStack = operand?.kind === 'memory' && operand.segment === segmentBaseAt(SS);
	const vector = isStack && state.vector === Vector.generalProtection ? Vector.stackFault : state.vector;
	return new GuestFault(vector, state.errorCode);
}

function store(parts: Parts, instruction: Instruction, hasRegisters: boolean): After {
	requireX87(parts, false);
	const {core, mmu} = parts;
	const {registers} = core.x87;
	const {operands, addressSize} = instruction;
	const form = formOf(parts, instruction);
	const bytes = new Uint8Array(hasRegisters ? stateBytes(form) : environmentBytes(form));
	const view = new DataView(bytes.buffer);
	storeEnvironment(core.state, registers, form, view);
	if (hasRegisters) storeRegisters(registers, form, view);
	const address = addressOf(parts, operands[0], addressSize, bytes.length, 'write');
	const isUser = privilegeOf(core) === 3;
	const value = bytes.reduceRight((rest, byte) => (rest << 8n) | BigInt(byte), 0n);
	const isReachable =
		!isTried(form, hasRegisters) ||
		triedFirst.every(({at, bytes: length}) => mmu.canWrite(address + at, length, isUser));
	const canWrite = isReachable && mmu.canWrite(address, bytes.length, isUser);
	if (!(canWrite && mmu.writeSystem(address, bytes.length, value, isUser))) throw faultOf(parts, operands[0]);
	if (hasRegisters) {
		registers.initialize();
		Object.assign(core.state, {x87InstructionPointer: 0n, x87DataPointer: 0n, x87Opcode: 0});
	} else registers.control |= allMasks;
	return 'next';
}

function load(parts: Parts, instruction: Instruction, hasRegisters: boolean): After {
	requireX87(parts, true);
	const {core, mmu} = parts;
	const {registers} = core.x87;
	const {operands, addressSize} = instruction;
	const form = formOf(parts, instruction);
	const view = new DataView(new ArrayBuffer(hasRegisters ? stateBytes(form) : environmentBytes(form)));
	const address = addressOf(parts, operands[0], addressSize, view.byteLength, 'read');
	const isUser = privilegeOf(core) === 3;
	const read = (at: bigint, length: number) => mmu.readSystem(address + at, length, isUser);
	const isReachable = !isTried(form, hasRegisters) || triedFirst.every(({at, bytes}) => read(at, bytes) !== undefined);
	const value = isReachable ? read(0n, view.byteLength) : undefined;
	if (value === undefined) throw faultOf(parts, operands[0]);
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
