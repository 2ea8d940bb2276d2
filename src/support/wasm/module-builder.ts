import {ByteWriter} from './byte-writer.ts';
import {type IntType, type ValueType, valueTypes} from './expr.ts';
import {type Func, FunctionBuilder, type Table} from './function-builder.ts';
import {Memory, type MemoryDeclaration} from './memory.ts';

/** Sections, in the order of a module (core specification, 5.5.2). */
const sections = {custom: 0, type: 1, import: 2, function: 3, export: 7, code: 10} as const;
/** Kinds of imports and exports. */
const kinds = {function: 0, table: 1, memory: 2} as const;
/** Type of references to functions. */
const functionReference = 0x70;

/** Type of a function: parameters, and a result if it has one. */
export interface Signature<
	R extends ValueType | undefined = ValueType | undefined,
	P extends readonly IntType[] = readonly IntType[],
> {
	readonly parameters: P;
	readonly result?: R;
}

/** A function with a result of this type. */
export type FuncOf<R extends ValueType | undefined> = Func & {readonly result: R};

/** Writes a module: imports first, then functions. All imports are of the module name `env`. */
export class ModuleBuilder {
	readonly #types = new Map<string, {readonly index: number; readonly code: Uint8Array}>();
	readonly #imports: Uint8Array[] = [];
	readonly #exports: Uint8Array[] = [];
	readonly #functions: {readonly type: number; readonly builder: FunctionBuilder}[] = [];
	#importedFunctions = 0;
	#tables = 0;
	#memories = 0;

	importMemory<A extends IntType>(name: string, declaration: MemoryDeclaration<A>): Memory<A> {
		const entry = new ByteWriter();
		entry.name('env');
		entry.name(name);
		entry.byte(kinds.memory);
		// Limits: a maximum is given, shared, 64-bit addresses (core specification, 5.3.8; threads and memory64 proposals).
		entry.byte(1 | (declaration.isShared ? 2 : 0) | (declaration.address === 'i64' ? 4 : 0));
		entry.unsigned(declaration.minimum);
		entry.unsigned(declaration.maximum);
		this.#imports.push(entry.bytes);
		return new Memory(this.#memories++, declaration);
	}

	importFunction<R extends ValueType | undefined = undefined>(name: string, signature: Signature<R>): FuncOf<R> {
		if (this.#functions.length > 0) throw new RangeError(`import ${name} comes after a function`);
		const entry = new ByteWriter();
		entry.name('env');
		entry.name(name);
		entry.byte(kinds.function);
		entry.unsigned(this.#typeOf(signature));
		this.#imports.push(entry.bytes);
		return funcOf(this.#importedFunctions++, signature);
	}

	/** Declares a table of functions that all have this type. */
	importTable<R extends ValueType>(name: string, signature: Signature<R> & {readonly result: R}): Table<R> {
		const entry = new ByteWriter();
		entry.name('env');
		entry.name(name);
		entry.byte(kinds.table);
		entry.byte(functionReference);
		// Limits: none but that it has no fewer than 0 (core specification, 5.3.9).
		entry.append([0, 0]);
		this.#imports.push(entry.bytes);
		return {index: this.#tables++, type: this.#typeOf(signature), result: signature.result};
	}

	/** Declares a function; its statements may come later, so that functions can call each other. */
	function<const P extends readonly IntType[], R extends ValueType | undefined = undefined>(
		signature: Signature<R, P>,
	): FuncOf<R> & {readonly body: FunctionBuilder<P>} {
		const body = new FunctionBuilder(signature.parameters);
		this.#functions.push({type: this.#typeOf(signature), builder: body as unknown as FunctionBuilder});
		return {...funcOf(this.#importedFunctions + this.#functions.length - 1, signature), body};
	}

	exportFunction(name: string, func: Func): void {
		const entry = new ByteWriter();
		entry.name(name);
		entry.byte(kinds.function);
		entry.unsigned(func.index);
		this.#exports.push(entry.bytes);
	}

	/** The module in WebAssembly's binary format. */
	encode(): Uint8Array<ArrayBuffer> {
		const out = new ByteWriter();
		out.append([0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0]);
		const indices = this.#functions.map(({type}) => {
			const index = new ByteWriter();
			index.unsigned(type);
			return index.bytes;
		});
		const codes = this.#functions.map(({builder}) => {
			const code = new ByteWriter();
			code.sized(builder.encode());
			return code.bytes;
		});
		writeSection(
			out,
			sections.type,
			[...this.#types.values()].map(({code}) => code),
		);
		writeSection(out, sections.import, this.#imports);
		writeSection(out, sections.function, indices);
		writeSection(out, sections.export, this.#exports);
		this.#writeHints(out);
		writeSection(out, sections.code, codes);
		return new Uint8Array(out.bytes);
	}

	/** Says which conditions seldom hold, or mostly do, in a custom section (proposal for branch hinting). */
	#writeHints(out: ByteWriter): void {
		const content = new ByteWriter();
		content.name('metadata.code.branch_hint');
		const functions = [...this.#functions.entries()].filter(([, {builder}]) => builder.hints.length > 0);
		if (functions.length === 0) return;
		content.unsigned(functions.length);
		for (const [index, {builder}] of functions) {
			const {hints} = builder;
			content.unsigned(this.#importedFunctions + index);
			content.unsigned(hints.length);
			for (const {at, isLikely} of hints) {
				content.unsigned(at);
				// As many bytes of hint follow.
				content.append([1, isLikely ? 1 : 0]);
			}
		}
		out.byte(sections.custom);
		out.sized(content.bytes);
	}

	#typeOf({parameters, result}: Signature): number {
		const key = `${parameters.join()}>${result ?? ''}`;
		const known = this.#types.get(key);
		if (known !== undefined) return known.index;
		const results = result === undefined ? [] : [result];
		const code = Uint8Array.from([
			0x60,
			...[parameters, results].flatMap((list) => [list.length, ...list.map((type) => valueTypes[type])]),
		]);
		this.#types.set(key, {index: this.#types.size, code});
		return this.#types.size - 1;
	}
}

const funcOf = <R extends ValueType | undefined>(index: number, signature: Signature<R>): FuncOf<R> => ({
	index,
	parameters: signature.parameters,
	result: signature.result as R,
});

/** A section is a list of entries; an empty one is left out. */
function writeSection(out: ByteWriter, id: number, entries: readonly Uint8Array[]): void {
	if (entries.length === 0) return;
	const content = new ByteWriter();
	content.unsigned(entries.length);
	for (const entry of entries) content.append(entry);
	out.byte(id);
	out.sized(content.bytes);
}
