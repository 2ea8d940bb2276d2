import {
	callIn,
	callOf,
	type FuncOf,
	type FunctionBuilder,
	type Int,
	i32,
	type Label,
	type Local,
	type Memory,
	ModuleBuilder,
} from '#support/wasm';
import {enterPageFault, type Kind, kinds} from '#vcpu-worker/software/semantics';
import {CpuState, MicroOp, memoryMap, Stop, supervisorTlb} from '#vcpu-worker/software/state';
import {cachedBlock, enterPage} from './block-cache.ts';
import type {Imports} from './guest-access.ts';
import {importParts} from './import-parts.ts';
import {poll} from './poll.ts';
import {MemoryRegisters} from './registers.ts';
import {GeneratedStep} from './step.ts';
import {RecordFields} from './step-fields.ts';
import {buildWalkingAccess} from './walking-access.ts';

/** What a kind's function returns that has jumped, to RIP. */
const hasJumped = -1;
/** Stands for the kind of a step that has faulted. */
const faultKind: Kind = {
	...{key: 'fault', meaning: enterPageFault, width: 64, form: undefined},
	...{isHot: false, isJump: true, changesClass: true, isLast: true},
};

/**
 * Builds the interpreter: a module whose function `run` executes records from one address on until something stops it, and
 * returns why (`Stop`). So does `runOn`, which enters handlers of page faults where it can. Its imports are those of `importParts`, and `fill`.
 */
export function buildInterpreter(): Uint8Array<ArrayBuffer> {
	const module = new ModuleBuilder();
	const imports = importParts(module, buildWalkingAccess);
	const run = module.function({parameters: ['i32'], result: 'i32'});
	const cold = new Map(kinds.filter(({isHot}) => !isHot).map((kind) => [kind, coldArm(module, kind, imports)]));
	writeLoop(run.body, imports, cold);
	module.exportFunction('run', run);
	module.exportFunction('runOn', buildRunOn(module, imports, run));
	return module.encode();
}

/** Builds what runs, and goes on in the handler of a page fault as if that were a jump. */
function buildRunOn(module: ModuleBuilder, imports: Imports, run: FuncOf<'i32'>): FuncOf<'i32'> {
	const {state} = imports;
	const enter = armOf(module, faultKind, imports, i32(supervisorTlb));
	const func = module.function({parameters: ['i32'], result: 'i32'});
	const f = func.body;
	const [record] = f.parameters;
	f.loop((again) => {
		const stop = f.let(callOf(run, record));
		f.if(stop.ne(Stop.fault), () => f.return(stop));
		f.set(record, state.load('i32', 32, i32(0), CpuState.offset('record')));
		f.if(callOf(enter, record).ne(hasJumped), () => f.return(stop));
		const target = f.let(state.load('i64', 64, i32(0), CpuState.offset('rip')));
		poll(f, state, record, new RecordFields(state, record).ordinal(), target);
		findBlock(f, state, record, target, i32(0));
		f.br(again);
	});
	f.unreachable();
	return func;
}

/** A kind's arm as a function of the record, which returns why it stops, or 0. */
function coldArm(module: ModuleBuilder, kind: Kind, imports: Imports): FuncOf<'i32'> {
	const tlb = imports.state.load('i32', 32, i32(0), CpuState.offset('tlb'));
	return armOf(module, kind, imports, tlb);
}

/** Writes a meaning as a function. @param entries - address of the TLB entries that its accesses go by */
function armOf(module: ModuleBuilder, kind: Kind, imports: Imports, entries: Int<'i32'>): FuncOf<'i32'> {
	const func = module.function({parameters: ['i32'], result: 'i32'});
	const {body} = func;
	const tlb = body.let(entries);
	const jumps = {
		inPage: () => body.unreachable(),
		to: (address: Int<'i64'>) => {
			body.store(imports.state, 64, i32(0), CpuState.offset('rip'), address);
			body.return(i32(hasJumped));
		},
	};
	kind.meaning(
		new GeneratedStep(
			body,
			kind,
			imports,
			new RecordFields(imports.state, body.parameters[0]),
			new MemoryRegisters(imports.state, body),
			tlb,
			jumps,
		),
	);
	body.return(i32(0));
	return func;
}

function writeLoop(
	f: FunctionBuilder<readonly ['i32']>,
	imports: Imports,
	cold: ReadonlyMap<Kind, FuncOf<'i32'>>,
): void {
	const {state} = imports;
	const [record] = f.parameters;
	const fields = new RecordFields(state, record);
	const registers = new MemoryRegisters(state, f);
	const target = f.local('i64');
	/** The record that jumps within its page, which can be linked to where it goes; or 0. */
	const linkable = f.local('i32');
	const tlb = f.local('i32');
	const field = (name: 'translates' | 'record') => state.load('i32', 32, i32(0), CpuState.offset(name));
	const readTlb = () => f.set(tlb, state.load('i32', 32, i32(0), CpuState.offset('tlb')));
	readTlb();
	const step = (again: Label, linked: Label, elsewhere: Label) => {
		const jumps = {
			inPage: () => f.br(linked),
			to: (address: Int<'i64'>) => {
				f.set(target, address);
				f.set(linkable, 0);
				f.br(elsewhere);
			},
		};
		const arms = kinds.map((kind) => () => {
			const func = cold.get(kind);
			if (func === undefined) kind.meaning(new GeneratedStep(f, kind, imports, fields, registers, tlb, jumps));
			else {
				const stop = f.let(callOf(func, record));
				f.if(stop, () => {
					if (kind.isLast)
						f.if(stop.eq(hasJumped), () => {
							readTlb();
							jumps.to(state.load('i64', 64, i32(0), CpuState.offset('rip')));
						});
					f.return(stop);
				});
				if (kind.changesClass) readTlb();
			}
		});
		const system = () => {
			const next = state.load('i64', 64, i32(0), CpuState.offset('codePageOffset')).add(fields.next());
			f.store(state, 64, i32(0), CpuState.offset('rip'), next);
			const stop = f.let(callOf(imports.system, record));
			f.if(stop.geU(memoryMap.records), () => {
				readTlb();
				f.set(record, stop);
				f.br(again);
			});
			f.if(stop, () => {
				f.store(state, 32, i32(0), CpuState.offset('record'), record);
				f.return(stop);
			});
			readTlb();
		};
		/** Counts until the block is to be translated. */
		const heat = () =>
			f.if(field('translates'), () => {
				const left = f.let(state.load('i32', 32, record, MicroOp.offset('immediate')).sub(1));
				f.store(state, 32, record, MicroOp.offset('immediate'), left);
				f.if(left.isZero(), () => {
					f.store(state, 32, i32(0), CpuState.offset('record'), record);
					f.return(i32(Stop.hot));
				});
			});
		const enter = () =>
			f.if(field('translates'), () => {
				const slot = state.load('i32', 32, record, MicroOp.offset('a'));
				const table = state.load('i32', 32, record, MicroOp.offset('b'));
				const entry = state.load('i32', 32, record, MicroOp.offset('c'));
				const stop = f.let(callIn(imports.translations, slot, table, entry));
				f.if(stop, () => f.return(stop));
				// It may have gone to another privilege.
				readTlb();
				f.set(record, field('record'));
				f.br(again);
			});
		f.switch(state.load('i32', 16, record, MicroOp.offset('kind')), [...arms, system, heat, enter]);
		f.set(record, record.add(MicroOp.size));
		f.br(again);
	};
	f.loop((again) => {
		f.block((elsewhere) => {
			f.block((linked) => step(again, linked, elsewhere));
			const offset = state.load('i64', 64, i32(0), CpuState.offset('codePageOffset'));
			f.set(target, offset.add(state.load('i64', 64, record, MicroOp.offset('immediate'))));
			f.set(linkable, state.load('i32', 32, record, MicroOp.offset('c')));
			f.if(linkable, () => {
				poll(f, state, record, fields.ordinal(), target);
				f.set(record, linkable);
				f.br(again);
			});
			f.set(linkable, record);
		});
		poll(f, state, record, fields.ordinal(), target);
		findBlock(f, state, record, target, linkable);
		f.br(again);
	});
	f.unreachable();
}

/** Goes to the block at `target`, by the cache of blocks; stops where that has none. */
function findBlock(
	f: FunctionBuilder<readonly ['i32']>,
	state: Memory<'i32'>,
	record: Local<'i32'>,
	target: Int<'i64'>,
	linkable: Int<'i32'>,
): void {
	const codePage = state.load('i64', 64, i32(0), CpuState.offset('codePage'));
	const block = cachedBlock(f, state, target);
	f.if(
		block.isKnown,
		() => {
			const found = f.let(block.record);
			f.if(linkable.ne(0).and(block.page.eq(codePage)), () => f.store(state, 32, linkable, MicroOp.offset('c'), found));
			enterPage(f, state, block.page, block.pageOffset);
			f.set(record, found);
		},
		() => {
			f.store(state, 32, i32(0), CpuState.offset('record'), record);
			f.store(state, 64, i32(0), CpuState.offset('rip'), target);
			f.return(i32(Stop.lookup));
		},
	);
}
