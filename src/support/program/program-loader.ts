/** What loads a program, as the program has it. */
export interface ProgramLoader {
	/** Imports a module that is not part of the program. */
	importModule(url: string): Promise<unknown>;
	/**
	 * Keeps the code that has been compiled until now for starts to come, where a start has yet to do it: some 20 ms, once. Call when what
	 * every start does has been done, and before V8 throws away what has not been called for long.
	 */
	keepCode(): void;
}

/** Set by what runs a bundle as a script, where `import()` does not work: see `loadProgram`. */
declare const __OPENVMM_LOADER__: ProgramLoader | undefined;

/** The one of this program. Node itself loads sources, libraries and tests. */
export const programLoader: ProgramLoader =
	typeof __OPENVMM_LOADER__ === 'undefined' ? {importModule: (url) => import(url), keepCode() {}} : __OPENVMM_LOADER__;
