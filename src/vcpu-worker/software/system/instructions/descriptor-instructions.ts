import type {Instruction} from '#vcpu-worker/software/decode';
import {
	Attribute,
	Cr4,
	type Descriptor,
	descriptorOf,
	dplOf,
	Efer,
	generalProtection,
	hasRealSegments,
	invalidOpcode,
	isCode,
	isSystem,
	privilegeOf,
	SystemType,
	typeOf,
} from '#vcpu-worker/software/system/registers';
import {readOperand, writeMemory, writeRegister, writeSelector} from './operands.ts';
import type {After, Parts} from './parts.ts';

const LDTR = 6;
const TR = 7;

/** System descriptors that LAR and LSL know, in long mode and outside of it (SDM volume 2, LAR and LSL). */
const known = {
	lar: {
		long: [SystemType.ldt, SystemType.availableTss, SystemType.busyTss, SystemType.callGate],
		legacy: [
			...[SystemType.availableTss16, SystemType.ldt, SystemType.busyTss16, SystemType.callGate16, SystemType.taskGate],
			...[SystemType.availableTss, SystemType.busyTss, SystemType.callGate],
		],
	},
	lsl: {
		long: [SystemType.ldt, SystemType.availableTss, SystemType.busyTss],
		legacy: [
			...[SystemType.availableTss16, SystemType.ldt, SystemType.busyTss16],
			...[SystemType.availableTss, SystemType.busyTss],
		],
	},
} satisfies Record<string, Record<'long' | 'legacy', readonly number[]>>;

function requireProtection({core}: Parts): void {
	if (hasRealSegments(core)) throw invalidOpcode();
}

function requirePrivilege({core}: Parts): void {
	if (privilegeOf(core) !== 0) throw generalProtection();
}

/** With CR4.UMIP programs do not learn where the system's tables are (SDM volume 3, 2.5). */
function requireUnrestricted(parts: Parts): void {
	if ((Number(parts.core.state.cr4) & Cr4.UMIP) !== 0) requirePrivilege(parts);
}

const selectorOf = (parts: Parts, {operands, addressSize}: Instruction): number =>
	Number(readOperand(parts, operands.at(-1), addressSize, 2));

/** A selector's descriptor; undefined where it is null, beyond its table, or not for this privilege. */
function visible({core, segments}: Parts, selector: number): (Descriptor & {readonly high: bigint}) | undefined {
	const value = segments.find(selector);
	if (value === undefined) return undefined;
	const descriptor = descriptorOf(value);
	const isConforming = isCode(descriptor) && (descriptor.attributes & Attribute.conforming) !== 0;
	const least = Math.max(privilegeOf(core), selector & 3);
	return isConforming || dplOf(descriptor) >= least ? {...descriptor, high: value >> 32n} : undefined;
}

/** Asks something about a descriptor: ZF says whether there was an answer, and no other flag changes. */
function answer(parts: Parts, instruction: Instruction, ask: (found: ReturnType<typeof visible>) => boolean): After {
	requireProtection(parts);
	const found = visible(parts, selectorOf(parts, instruction));
	parts.core.state.zero = ask(found) ? 0n : 1n;
	return 'next';
}

/** LAR and LSL: a part of the descriptor in a register. */
function report(
	parts: Parts,
	instruction: Instruction,
	types: (typeof known)['lar' | 'lsl'],
	part: (found: NonNullable<ReturnType<typeof visible>>) => bigint,
): After {
	const isLong = (Number(parts.core.state.efer) & Efer.LMA) !== 0;
	const allowed: readonly number[] = isLong ? types.long : types.legacy;
	return answer(parts, instruction, (found) => {
		if (found === undefined || (isSystem(found) && !allowed.includes(typeOf(found)))) return false;
		writeRegister(parts, instruction.operands[0], instruction.operandSize, part(found));
		return true;
	});
}

/** Instructions on selectors and descriptors, and on the registers that have the tables' (SDM volume 2). */
export const descriptorInstructions = {
	arpl: (parts: Parts, instruction: Instruction): After => {
		requireProtection(parts);
		const {operands, addressSize} = instruction;
		const [target] = operands;
		const selector = Number(readOperand(parts, target, addressSize, 2));
		const requested = selectorOf(parts, instruction) & 3;
		const isLess = (selector & 3) < requested;
		const adjusted = BigInt(isLess ? (selector & ~3) | requested : selector);
		// It is written in any case, so that it faults where it cannot be.
		if (target?.kind === 'memory') writeMemory(parts, target, addressSize, 2, adjusted);
		else writeRegister(parts, target, 16, adjusted);
		parts.core.state.zero = isLess ? 0n : 1n;
		return 'next';
	},
	lar: (parts: Parts, instruction: Instruction): After =>
		report(parts, instruction, known.lar, ({high}) => high & 0xf0_ff00n),
	lsl: (parts: Parts, instruction: Instruction): After =>
		report(parts, instruction, known.lsl, ({limit}) => BigInt(limit)),
	verr: (parts: Parts, instruction: Instruction): After =>
		answer(
			parts,
			instruction,
			(found) =>
				found !== undefined && !isSystem(found) && (!isCode(found) || (found.attributes & Attribute.readable) !== 0),
		),
	verw: (parts: Parts, instruction: Instruction): After =>
		answer(
			parts,
			instruction,
			(found) =>
				found !== undefined && !isSystem(found) && !isCode(found) && (found.attributes & Attribute.writable) !== 0,
		),
	lldt: (parts: Parts, instruction: Instruction): After => {
		requireProtection(parts);
		requirePrivilege(parts);
		parts.segments.loadLdt(selectorOf(parts, instruction));
		return 'next';
	},
	ltr: (parts: Parts, instruction: Instruction): After => {
		requireProtection(parts);
		requirePrivilege(parts);
		parts.segments.loadTask(selectorOf(parts, instruction));
		return 'next';
	},
	sldt: (parts: Parts, instruction: Instruction): After => storeRegister(parts, instruction, LDTR),
	str: (parts: Parts, instruction: Instruction): After => storeRegister(parts, instruction, TR),
	/** SMSW: CR0, of which memory takes 16 bits. */
	smsw: (parts: Parts, instruction: Instruction): After => {
		requireUnrestricted(parts);
		writeSelector(parts, instruction.operands[0], instruction, parts.core.state.cr0);
		return 'next';
	},
};

function storeRegister(parts: Parts, instruction: Instruction, segment: number): After {
	requireProtection(parts);
	requireUnrestricted(parts);
	const {selector = 0} = parts.core.state.segments[segment] ?? {};
	writeSelector(parts, instruction.operands[0], instruction, BigInt(selector));
	return 'next';
}
