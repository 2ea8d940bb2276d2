import {readFileSync} from 'node:fs';
import type {SharedMemory} from '#support/shared-memory';
import {buildFormWriter} from './build-form-writer.ts';

/** Set by the bundler: the code runs from a folder where the module lies as the build has made it. */
declare const __OPENVMM_BUNDLED__: boolean | undefined;

/** See {@link buildFormWriter}. */
export type WriteForms = (root: number, resolves: 0 | 1) => number;

/** Node's part of the JavaScript API of WebAssembly; its types come with DOM only. */
declare const WebAssembly: {
	readonly Module: new (bytes: Uint8Array) => object;
	readonly Instance: new (module: object, imports: object) => {readonly exports: {readonly write: WriteForms}};
};

let writer: object | undefined;

/** Makes what writes records into a processor's own memory, by forms of a table. A thread compiles it once. */
export function formWriter(state: SharedMemory, forms: SharedMemory): WriteForms {
	writer ??= new WebAssembly.Module(
		typeof __OPENVMM_BUNDLED__ === 'undefined'
			? buildFormWriter()
			: readFileSync(new URL('./form-writer.wasm', import.meta.url)),
	);
	return new WebAssembly.Instance(writer, {env: {state, forms}}).exports.write;
}
