import type {CodeSize} from '#vcpu-worker/software/decode';

/** A processor's wish for a translation that a block begins: all that one can be made from, wherever that is done. */
export interface TranslationRequest {
	/** By which the processor knows the answer. */
	readonly id: number;
	/** Where in its page the block begins. */
	readonly offset: number;
	/** The bytes of the page. */
	readonly page: Uint8Array;
	readonly codeSize: CodeSize;
	/** What CPUID announces to the guest: see `announcedKey`. */
	readonly features: string;
	/** Where in the page blocks begin that have been executed, and those of them to which code comes often. */
	readonly known: Uint16Array;
	readonly warm: Uint16Array;
	/** It is worth making one; else only what there is is wanted. */
	readonly mayMake: boolean;
}

/** A function of a module: blocks of one page of any guest that has these bytes there. */
export interface MadeRegion {
	/** Where its blocks begin in the page, and the numbers of those at which it can begin. */
	readonly starts: readonly number[];
	readonly entries: readonly number[];
	/** How many records of each block are its own, and what they have: see `imageOf`. */
	readonly counts: readonly number[];
	readonly image: Int32Array;
	/** Begins and ends of the bytes of the page that it was made from, and the bytes. */
	readonly ranges: readonly number[];
	readonly bytes: Uint8Array;
}

/** What has been made of some requests. */
export interface MadeTranslations {
	/** A `WebAssembly.Module` whose functions `0`, `1` and so on are the regions. */
	readonly module: object;
	/** Its bytes of WebAssembly. */
	readonly bytes: number;
	readonly regions: readonly MadeRegion[];
	/** Number of the region of each request. */
	readonly regionOf: readonly number[];
}

/** What a processor is told. */
export type Answer =
	/** A region; of one module come several. */
	| {
			readonly kind: 'made';
			readonly id: number;
			/** Number of the module. */
			readonly number: number;
			readonly module: object;
			/** Bytes of WebAssembly of the whole module. */
			readonly bytes: number;
			readonly region: MadeRegion;
			/** Number of the region in its module. */
			readonly index: number;
	  }
	/** There is none, or the guest asks for more than its share. */
	| {readonly kind: 'refused'; readonly id: number}
	/** A module is to go: there is no room for it any more. */
	| {readonly kind: 'dropped'; readonly number: number};

/** Where a processor's translations come from. */
export interface TranslationSource {
	/** Tells whether a translation that begins like a block may be there already; see `Begins.keyOf`. */
	mayHave(key: number): boolean;
	/** @returns the answers, where translations are made on this thread */
	ask(request: TranslationRequest): readonly Answer[];
	/** The next answer of another thread, if there is one. */
	take(): Answer | undefined;
}
