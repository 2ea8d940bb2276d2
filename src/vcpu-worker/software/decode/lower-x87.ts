import {generalAt, scratchAt} from '#vcpu-worker/software/state';
import type {Instruction, MemoryOperand} from './instruction.ts';
import type {StepWriter} from './lower-vector.ts';
import {type X87Memory, x87MemoryWidths, x87Operations} from './x87-table.ts';

const [low, high] = [scratchAt(0), scratchAt(1)];
/** Takes what a store reads first, to find out whether it may write. */
const tried = scratchAt(2);
const accumulator = generalAt(0);
/** Instructions of control: they leave the pointers to the last other one (Intel SDM volume 1, 8.1.8). */
const control = new Set('fldcw fnstcw fnstsw fnclex fninit'.split(' '));
/** Those of them that do not wait for an exception to be taken. */
const notWaiting = new Set('fnstcw fnstsw fnclex fninit'.split(' '));
const stores = new Set('fst fstp fisttp fnstcw fnstsw'.split(' '));
const flagComparisons = new Set('fcomi fcomip fucomi fucomip'.split(' '));
/** Conditions of FCMOV by the middle bits of ModRM, as those of Jcc have them: CF, ZF, either, PF. */
const conditions = [2, 4, 6, 10];
/** Places of what a step's constant says: operation, what memory holds, number of a register, opcode. */
const at = {memory: 8n, register: 12n, opcode: 16n};

export const x87Memories = Object.keys(x87MemoryWidths) as readonly X87Memory[];

/** Makes steps of an instruction of the x87: checks, loads, what TypeScript computes, stores. False for one that is the system's. */
export function lowerX87(instruction: Instruction, to: StepWriter): boolean {
	const {operands, x87Opcode = 0} = instruction;
	if (instruction.name === 'fwait') {
		to.step('requireWait', 64, {});
		return true;
	}
	const [name = '', memory] = instruction.name.split('.') as [string, X87Memory | undefined];
	if (!x87Operations.includes(name)) return false;
	const [operand] = operands;
	to.step(notWaiting.has(name) ? 'requireX87' : 'requireX87Ready', 64, {});
	const isStore = stores.has(name) && operand?.kind === 'memory';
	const immediate =
		BigInt(operationNumber(name)) |
		(BigInt(memory === undefined ? 0 : x87Memories.indexOf(memory) + 1) << at.memory) |
		(BigInt(operand?.kind === 'immediate' ? operand.value : 0n) << at.register) |
		(BigInt(x87Opcode) << at.opcode);
	const kind = control.has(name) ? 'x87Control' : operand?.kind === 'memory' ? 'x87WithMemory' : 'x87';
	const run = (segment?: number) => to.step(kind, 64, {immediate, ...(segment !== undefined && {segment})});
	if (operand?.kind === 'memory' && memory !== undefined) {
		if (isStore) store(operand, x87MemoryWidths[memory], run, to);
		else load(operand, x87MemoryWidths[memory], run, to);
		return true;
	}
	if (name === 'fcmov' || name === 'fcmovn') {
		const condition = conditions[(x87Opcode >> 3) & 3] as number;
		to.step('setcc', 8, {a: low, scale: condition + (name === 'fcmovn' ? 1 : 0)});
	}
	run();
	if (name === 'fnstsw') to.step('mov', 16, {a: accumulator, b: low});
	if (flagComparisons.has(name)) to.step('setStatusFlags', 64, {b: low});
	return true;
}

const operationNumber = (name: string): number => x87Operations.indexOf(name);

/** The two bytes of a number of 80 bits that are behind the first eight. */
const upper = (operand: MemoryOperand): MemoryOperand => ({
	...operand,
	displacement: operand.displacement + 8n,
	width: 16,
});

function load(operand: MemoryOperand, bits: number, run: (segment: number) => void, to: StepWriter): void {
	const width = bits === 80 ? 64 : (bits as 16 | 32 | 64);
	to.keep({...operand, width}, 'load');
	to.step('load', width, {a: low, segment: operand.segment}, 'kept');
	if (bits === 80) {
		to.access('load', upper(operand), {a: high});
		to.keep({...operand, width}, 'load');
	}
	run(operand.segment);
}

/** All of memory is tried before the state changes. */
function store(operand: MemoryOperand, bits: number, run: (segment: number) => void, to: StepWriter): void {
	const width = bits === 80 ? 64 : (bits as 16 | 32 | 64);
	to.keep({...operand, width}, 'store');
	to.step('loadForWrite', width, {a: tried, segment: operand.segment}, 'kept');
	if (bits === 80) {
		to.access('loadForWrite', upper(operand), {a: tried});
		to.keep({...operand, width}, 'store');
	}
	run(operand.segment);
	to.step('store', width, {a: low, segment: operand.segment}, 'kept');
	if (bits === 80) to.access('store', upper(operand), {a: high});
}
