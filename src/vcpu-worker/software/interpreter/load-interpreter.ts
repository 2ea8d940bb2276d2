import {readFileSync} from 'node:fs';
import {setFlagsFromString} from 'node:v8';
import {buildInterpreter} from './build-interpreter.ts';

/** Set by the bundler: the code runs from a folder where the interpreter lies as the build has made it. */
declare const __OPENVMM_BUNDLED__: boolean | undefined;

/** Functions of a module: each executes records from one on. */
type Exports = Readonly<Record<string, (record: number) => number>> & {
	run(record: number): number;
	runOn(record: number): number;
};

/** Node's part of the JavaScript API of WebAssembly; its types come with DOM only. */
declare const WebAssembly: {
	readonly Module: new (bytes: Uint8Array) => object;
	readonly Table: new (limits: {readonly element: 'anyfunc'; readonly initial: number}) => WasmTable;
	readonly Instance: new (module: object, imports: object) => {readonly exports: Exports};
};

/**
 * Has V8 keep code, from before there is any to free, and go by hints of which conditions seldom hold. Not sooner: what Node and programs have
 * compiled beforehand is refused under other flags, so that everything that the process loads from here on takes three times as long. The flags
 * are the whole process's. Without the first V8 13
 * (Node.js 24) now and then ends the process: it takes a function by which an import is called for alive that it is about to free, and
 * frees it twice (nodejs/node issue 66366). Code of modules that are gone is freed nonetheless.
 */
function setFlags(): void {
	if (areSet) return;
	areSet = true;
	setFlagsFromString('--no-wasm-code-gc');
	setFlagsFromString('--experimental-wasm-branch-hinting');
}
let areSet = false;

type TableEntry = ((table: number, entry: number) => number) | null;

/** `WebAssembly.Table`, as far as it is used. */
interface WasmTable {
	readonly length: number;
	set(index: number, entry: TableEntry): void;
	grow(by: number): void;
}

/** Entries that a table begins with. To make it as long as it can become takes longer than most of a processor. */
const firstEntries = 64;

/** Functions that generated code calls by number. */
export class TranslationTable {
	/** What generated code imports. */
	readonly imported: object;
	/** Numbers that there can be. */
	readonly length: number;
	readonly #table = new WebAssembly.Table({element: 'anyfunc', initial: firstEntries});

	constructor(length: number) {
		this.length = length;
		this.imported = this.#table;
	}

	/** Gives a number its function, or takes it away. */
	set(index: number, translation: TableEntry): void {
		const {length} = this.#table;
		if (index >= length) this.#table.grow(Math.min(Math.max(2 * length, index + 1), this.length) - length);
		this.#table.set(index, translation);
	}
}

let interpreter: object | undefined;

/** Gives the interpreter's module, which a thread compiles once. To build it takes longer than Node needs to start. */
export function loadInterpreter(): object {
	interpreter ??= new WebAssembly.Module(
		typeof __OPENVMM_BUNDLED__ === 'undefined'
			? buildInterpreter()
			: readFileSync(new URL('./interpreter.wasm', import.meta.url)),
	);
	return interpreter;
}

/** Makes the functions of a module. @param env - what it imports; see `importParts` */
export function instantiate(module: object, env: object): Exports {
	setFlags();
	return new WebAssembly.Instance(module, {env}).exports;
}

/** Compiles a module. */
export function compile(bytes: Uint8Array): object {
	setFlags();
	return new WebAssembly.Module(bytes);
}
