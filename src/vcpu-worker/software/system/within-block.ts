import type {Instruction, Operand} from '#vcpu-worker/software/decode';
import type {WithinBlock} from '#vcpu-worker/software/interpreter';
import {generalAt} from '#vcpu-worker/software/state';
import {type Parts, portBytes, systemInstructions} from '#vcpu-worker/software/system/instructions';
import {applyPrivilege, Flag, GuestFault} from '#vcpu-worker/software/system/registers';

const accumulator = generalAt(0) / 4;
const data = generalAt(2) / 4;

/** Instructions whose handlers change no mode, no translation and no memory, and do nothing before they fault. */
const byHandler = new Set(
	(
		'rdtsc rdtscp rdpid rdrand rdseed cpuid readFsBase readGsBase writeFsBase writeGsBase movFromControl ' +
		'movFromSegment str sldt smsw'
	).split(' '),
);

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

function handled(parts: Parts, instruction: Instruction): WithinBlock | undefined {
	const handler = systemInstructions[instruction.name];
	const usesMemory = instruction.operands.some(({kind}) => kind === 'memory');
	if (handler === undefined || usesMemory) return undefined;
	return () => {
		try {
			handler(parts, instruction);
		} catch (error) {
			if (!(error instanceof GuestFault)) throw error;
			return 'left';
		}
		applyPrivilege(parts.core);
		return 'done';
	};
}

const special: Readonly<Record<string, (parts: Parts, instruction: Instruction) => WithinBlock>> = {
	in: input,
	out: output,
};

/**
 * What carries out an instruction of the system amid its block, a tenth of the cost of leaving generated code. Only while no interrupt waits for the
 * guest, and nothing is watched.
 */
export function withinBlock(parts: Parts, instruction: Instruction): WithinBlock | undefined {
	const {name} = instruction;
	return special[name]?.(parts, instruction) ?? (byHandler.has(name) ? handled(parts, instruction) : undefined);
}
