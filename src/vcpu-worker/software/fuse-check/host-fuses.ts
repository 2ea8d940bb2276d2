import {readFileSync} from 'node:fs';
import {buildFuseCheck} from './build-fuse-check.ts';

/** Set by the bundler: the code runs from a folder where the module lies as the build has made it. */
declare const __OPENVMM_BUNDLED__: boolean | undefined;

/** Node's part of the JavaScript API of WebAssembly; its types come with DOM only. */
declare const WebAssembly: {
	readonly Module: new (bytes: Uint8Array) => object;
	readonly Instance: new (module: object) => {readonly exports: {fuses(one: 1): 0 | 1}};
};

/** Kept, so that V8 has no code to free; see `keepWasmCode`. */
let check: {fuses(one: 1): 0 | 1} | undefined;

/** Whether the host rounds a product with a sum once where generated code asks for it. It takes half a millisecond, once a thread. */
export function hostFuses(): boolean {
	check ??= new WebAssembly.Instance(
		new WebAssembly.Module(
			typeof __OPENVMM_BUNDLED__ === 'undefined'
				? buildFuseCheck()
				: readFileSync(new URL('./fuse-check.wasm', import.meta.url)),
		),
	).exports;
	return check.fuses(1) !== 0;
}
