import {type FunctionBuilder, type Int, i32, ModuleBuilder} from '#support/wasm';
import {GeneratedStep, type Imports, importParts, poll} from '#vcpu-worker/software/interpreter';
import {kindNumber, kinds} from '#vcpu-worker/software/semantics';
import {CpuState, MicroOp, Stop} from '#vcpu-worker/software/state';
import {KnownFields} from './known-fields.ts';
import type {KnownStep} from './read-block.ts';

/**
 * Executes one block, given the address of its first record, and returns the `Stop`: as the interpreter does, which finds no block where this
 * one goes.
 */
export type TranslatedBlock = (record: number) => number;

const next = kindNumber('next.64');

/** Builds a module whose functions `0`, `1` and so on are these blocks. Its imports are the interpreter's. */
export function buildTranslations(blocks: readonly (readonly KnownStep[])[]): Uint8Array<ArrayBuffer> {
	const module = new ModuleBuilder();
	const imports = importParts(module);
	for (const [index, steps] of blocks.entries()) {
		const func = module.function({parameters: ['i32'], result: 'i32'});
		writeBlock(func.body, imports, steps);
		module.exportFunction(`${index}`, func);
	}
	return module.encode();
}

function writeBlock(f: FunctionBuilder<readonly ['i32']>, imports: Imports, steps: readonly KnownStep[]): void {
	const {state} = imports;
	const [first] = f.parameters;
	const recordOf = (index: number) => (index === 0 ? first : first.add(index * MicroOp.size));
	const tlb = f.let(state.load('i32', 32, i32(0), CpuState.offset('tlb')));
	/** @param index - of the step whose record the interpreter would go from */
	const goTo = (index: number, step: KnownStep, address: Int<'i64'>) => {
		const target = f.let(address);
		poll(f, state, recordOf(index), i32(step.ordinal), target);
		f.store(state, 32, i32(0), CpuState.offset('record'), recordOf(index));
		f.store(state, 64, i32(0), CpuState.offset('rip'), target);
		f.return(i32(Stop.lookup));
	};
	const inPage = (offset: bigint) => state.load('i64', 64, i32(0), CpuState.offset('codePageOffset')).add(offset);
	let hasStored = false;
	for (const [index, step] of steps.entries()) {
		const kind = kinds[step.kind];
		if (kind === undefined) {
			f.store(state, 64, i32(0), CpuState.offset('rip'), inPage(BigInt(step.next)));
			f.store(state, 32, i32(0), CpuState.offset('record'), recordOf(index));
			f.return(i32(Stop.system));
			break;
		}
		const jumps = {
			inPage: () => goTo(index, step, inPage(step.immediate)),
			to: (address: Int<'i64'>) => goTo(index, step, address),
		};
		const operation = new GeneratedStep(f, kind, imports, new KnownFields(step, recordOf(index)), tlb, jumps);
		f.scope(() => kind.meaning(operation));
		hasStored ||= operation.hasStored;
		const following = steps[index + 1];
		if (following === undefined || following.ordinal === step.ordinal) continue;
		// The record there says that the instruction has written to the block's own bytes: it ends here.
		if (hasStored && following.kind !== next)
			f.if(state.load('i32', 16, recordOf(index + 1), MicroOp.offset('kind')).ne(following.kind), () =>
				goTo(index + 1, step, inPage(BigInt(following.start))),
			);
		hasStored = false;
	}
	f.unreachable();
}
