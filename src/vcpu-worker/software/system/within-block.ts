import {Feature, type Instruction, type Operand} from '#vcpu-worker/software/decode';
import type {WithinBlock} from '#vcpu-worker/software/interpreter';
import {CpuState, generalAt, xsaveAreaBytes} from '#vcpu-worker/software/state';
import {
	linearOf,
	type Parts,
	portBytes,
	restoreUsual,
	saveUsual,
	systemInstructions,
} from '#vcpu-worker/software/system/instructions';
import {applyPrivilege, Cr0, Cr4, Flag, GuestFault, Msr} from '#vcpu-worker/software/system/registers';

const accumulator = generalAt(0) / 4;
const data = generalAt(2) / 4;
/** Number of RCX. */
const counter = 1;
const control = {cr0: CpuState.offset('cr0') / 4, cr4: CpuState.offset('cr4') / 4} as const;
const none = CpuState.offset('none');
const pageBytes = 4096;
/** Of an area of XSAVE. */
const areaAlignment = 64;

/** Instructions whose handlers change no mode, no translation and no memory, have no operand there, and change nothing before they fault. */
const byHandler = new Set('rdpid rdrand rdseed cpuid movFromControl str sldt smsw'.split(' '));

/** The same of those that read memory before they change anything, and of those behind which a block ends: of control registers CR3 alone. */
const readsMemory = new Set(['xrstor']);
const endsBlock = new Set(['movToControl', 'invlpg', 'wrmsr']);
const pageTables = 3n;

/** The privilege lets code change IF, and in other modes than virtual-8086 access all ports (SDM volume 1, 19.5.1). */
const ownsPorts = ({core: {state}}: Parts): boolean =>
	(state.poppableFlags & Flag.IF) !== 0 && (state.controlFlags & Flag.VM) === 0;

function portReader(parts: Parts, operand: Operand | undefined): () => number {
	if (operand?.kind === 'immediate') {
		const port = Number(operand.value & 0xffn);
		return () => port;
	}
	const {words} = parts.core;
	return () => (words[data] as number) & 0xffff;
}

function input(parts: Parts, {operands: [target, port]}: Instruction): WithinBlock {
	const {core, outside} = parts;
	const {words} = core;
	const bytes = portBytes(target as {width: number});
	const portNow = portReader(parts, port);
	const mask = bytes === 4 ? -1 : bytes === 2 ? 0xffff : 0xff;
	return () => {
		if (!ownsPorts(parts)) return 'left';
		const value = outside.readPort(portNow(), bytes);
		words[accumulator] = ((words[accumulator] as number) & ~mask) | (value & mask);
		if (bytes === 4) words[accumulator + 1] = 0;
		return 'done';
	};
}

function output(parts: Parts, {operands}: Instruction): WithinBlock {
	const {core, outside} = parts;
	const {words} = core;
	const bytes = portBytes(operands.at(-1) as {width: number});
	const portNow = portReader(parts, operands.length === 2 ? operands[0] : undefined);
	const mask = bytes === 4 ? -1 : bytes === 2 ? 0xffff : 0xff;
	return () => {
		if (!ownsPorts(parts)) return 'left';
		outside.writePort(portNow(), bytes, ((words[accumulator] as number) & mask) >>> 0);
		return 'done';
	};
}

/** RDTSC and RDTSCP, which are programs' too but where CR4.TSD says that they are not: those are left. */
function clock({core, msrs, outside}: Parts, {name}: Instruction): WithinBlock {
	const {words, state} = core;
	const value = new BigUint64Array(1);
	const halves = new Int32Array(value.buffer);
	return () => {
		if (((words[control.cr4] as number) & Cr4.TSD) !== 0) return 'left';
		value[0] = outside.counter();
		words[accumulator] = halves[0] as number;
		words[data] = halves[1] as number;
		words[accumulator + 1] = words[data + 1] = 0;
		if (name === 'rdtscp') state.general[counter] = msrs.get(Msr.TSC_AUX);
		return 'done';
	};
}

/** Carries out an instruction by its handler, once: what it has asked of a device before it faults is not asked again. */
function handled(parts: Parts, instruction: Instruction, end: 'done' | 'ended'): WithinBlock | undefined {
	const handler = systemInstructions[instruction.name];
	if (handler === undefined) return undefined;
	return () => {
		try {
			handler(parts, instruction);
		} catch (error) {
			if (!(error instanceof GuestFault)) throw error;
			Object.assign(parts.core.state, {vector: error.vector, errorCode: error.errorCode ?? 0});
			return 'faulted';
		}
		// All others leave alone what decides on privilege.
		if (end === 'ended') applyPrivilege(parts.core);
		return end;
	};
}

/** Where the area is in one page either all of it may be written or nothing has been. What follows may have been written: its block is looked for anew. */
function save(parts: Parts, instruction: Instruction): WithinBlock | undefined {
	const carryOut = handled(parts, instruction, 'ended');
	const {operands, addressSize} = instruction;
	return carryOut && (() => (isInPage(linearOf(parts, operands[0], addressSize)) ? carryOut() : 'left'));
}

/**
 * Carries out XSAVES or XRSTORS in the usual case: of 64-bit code with privilege 0, whose area has an address of 64 bits and lies in one page of RAM that
 * the TLB knows or knows from now on. @param otherwise - does it in all others
 */
function usually(
	parts: Parts,
	{operands: [area], addressSize, operandSize}: Instruction,
	carryOut: typeof saveUsual,
	access: 'read' | 'write',
	otherwise: WithinBlock | undefined,
): WithinBlock | undefined {
	const {core, mmu} = parts;
	const {words, state} = core;
	if (area?.kind !== 'memory' || addressSize !== 64 || area.index !== none || area.segment !== none) return otherwise;
	const [base, displacement] = [area.base / 4, Number(area.displacement)];
	const isUsual = () =>
		(state.poppableFlags & Flag.IOPL) !== 0 &&
		((words[control.cr0] as number) & Cr0.TS) === 0 &&
		((words[control.cr4] as number) & Cr4.OSXSAVE) !== 0;
	return () => {
		const sum = ((words[base] as number) >>> 0) + displacement;
		const low = sum | 0;
		const high = ((words[base + 1] as number) + Math.floor(sum / 2 ** 32)) | 0;
		const isAligned = (low & (areaAlignment - 1)) === 0 && (low & (pageBytes - 1)) + xsaveAreaBytes <= pageBytes;
		const place = isAligned && isUsual() ? mmu.systemPlace(low, high, xsaveAreaBytes, access) : -1;
		if (place >= 0 && carryOut(core, mmu.memory, place, operandSize === 64)) return 'done';
		return otherwise === undefined ? 'left' : otherwise();
	};
}

const isInPage = (area: bigint): boolean => Number(area & 0xfffn) + xsaveAreaBytes <= pageBytes;

const special: Readonly<Record<string, (parts: Parts, instruction: Instruction) => WithinBlock | undefined>> = {
	in: input,
	out: output,
	rdtsc: clock,
	rdtscp: clock,
	xsaves: (parts, instruction) => usually(parts, instruction, saveUsual, 'write', save(parts, instruction)),
	xrstors: (parts, instruction) => {
		const carryOut = handled(parts, instruction, 'done');
		// Without the compacted form there is nothing that it restores.
		return parts.features.has(Feature.xsavec) ? usually(parts, instruction, restoreUsual, 'read', carryOut) : carryOut;
	},
};

/**
 * What carries out an instruction of the system amid its block, a tenth of the cost of leaving generated code. Only while nothing is watched, and
 * no interrupt waits that the guest can take.
 */
export function withinBlock(parts: Parts, instruction: Instruction): WithinBlock | undefined {
	const {name, operands} = instruction;
	const made = special[name];
	if (made !== undefined) return made(parts, instruction);
	const [target] = operands;
	if (name === 'movToControl' && !(target?.kind === 'immediate' && target.value === pageTables)) return undefined;
	if (endsBlock.has(name)) return handled(parts, instruction, 'ended');
	const usesMemory = operands.some(({kind}) => kind === 'memory');
	return (usesMemory ? readsMemory : byHandler).has(name) ? handled(parts, instruction, 'done') : undefined;
}
