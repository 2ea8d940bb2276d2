import {type FuncOf, i32, type ModuleBuilder} from '#support/wasm';
import type {Kind} from '#vcpu-worker/software/semantics';
import {CpuState} from '#vcpu-worker/software/state';
import type {Imports} from './guest-access.ts';
import {MemoryRegisters} from './registers.ts';
import {GeneratedStep, type StepFunctions} from './step.ts';
import {RecordFields} from './step-fields.ts';

/** Functions of a module for what its steps seldom have to do, each of which many steps call. */
export class RareFunctions implements StepFunctions {
	readonly #module: ModuleBuilder;
	readonly #imports: Imports;
	readonly #functions = new Map<string, FuncOf<'i32'>>();

	constructor(module: ModuleBuilder, imports: Imports) {
		this.#module = module;
		this.#imports = imports;
	}

	find(key: string, kind: Kind, write: (step: GeneratedStep) => void): FuncOf<'i32'> {
		const known = this.#functions.get(key);
		if (known !== undefined) return known;
		const {state} = this.#imports;
		const func = this.#module.function({parameters: ['i32'], result: 'i32'});
		const {body} = func;
		const fields = new RecordFields(state, body.parameters[0]);
		const tlb = body.let(state.load('i32', 32, i32(0), CpuState.offset('tlb')));
		write(new GeneratedStep(body, kind, this.#imports, fields, new MemoryRegisters(state, body), tlb, undefined));
		body.return(i32(0));
		this.#functions.set(key, func);
		return func;
	}
}
