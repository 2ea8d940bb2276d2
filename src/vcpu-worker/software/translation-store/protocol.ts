import type {CodeSize} from '#vcpu-worker/software/decode';

const pageBytes = 4096;

/** Code of a page that a translation may have. */
export interface CodePage {
	/** How far it is from the page of the block that is asked for, in bytes. */
	readonly distance: number;
	readonly bytes: Uint8Array;
	/** Where in it the blocks begin that the translation is to have, and those of them to which code comes often. */
	readonly known: Uint16Array;
	readonly warm: Uint16Array;
}

/** A processor's wish for a translation that a block begins: all that one can be made from, wherever that is done. */
export interface TranslationRequest {
	/** By which the processor knows the answer. */
	readonly id: number;
	/** Where in its page the block begins. */
	readonly offset: number;
	/** The block's own page, then others to which it leads. */
	readonly pages: readonly [CodePage, ...CodePage[]];
	readonly codeSize: CodeSize;
	/** What CPUID announces to the guest: see `announcedKey`. */
	readonly features: string;
	/** It is worth making one; else only what there is is wanted. */
	readonly mayMake: boolean;
	/** No accesses have a look into the TLB in common: such of this block's translation were across pages too often. */
	readonly looksAlone?: boolean;
	/**
	 * Where running code often goes by a jump or call that the translation is to have both ends of: distances of the instruction, and of where it goes,
	 * from the begin of the block's page, in turn.
	 */
	readonly links?: readonly number[];
}

/** Bytes that a region was made from, of one of its pages. */
export interface MadePage {
	readonly distance: number;
	/** Begins and ends in the page. */
	readonly ranges: readonly number[];
	readonly bytes: Uint8Array;
}

/**
 * A function of a module: blocks of any guest that has these bytes there, whose pages are as far from each other. A *place* is an offset from where the
 * page begins at which distances do.
 */
export interface MadeRegion {
	/** Places where its blocks begin, and the numbers of those at which it can begin. */
	readonly places: readonly number[];
	readonly entries: readonly number[];
	/** How many records of each block are its own, and what they have: see `imageOf`. */
	readonly counts: readonly number[];
	readonly image: Int32Array;
	/** Those of the request that it was made for, as places. */
	readonly links: readonly number[];
	readonly pages: readonly MadePage[];
}

/** A region for a request, and the place in it where the request's block begins. */
export interface Serving {
	/** Number of the region. */
	readonly index: number;
	readonly begin: number;
}

/** What has been made of some requests. */
export interface MadeTranslations {
	/** A `WebAssembly.Module` whose functions `0`, `1` and so on are the regions. */
	readonly module: object;
	/** Its bytes of WebAssembly. */
	readonly bytes: number;
	readonly regions: readonly MadeRegion[];
	/** For each request. */
	readonly servings: readonly Serving[];
}

/** What a processor is told. */
export type Answer =
	/** A region; of one module come several. */
	| ({
			readonly kind: 'made';
			readonly id: number;
			/** Number of the module. */
			readonly number: number;
			readonly module: object;
			/** Bytes of WebAssembly of the whole module. */
			readonly bytes: number;
			readonly region: MadeRegion;
	  } & Serving)
	/** There is none, or the guest asks for more than its share. */
	| {readonly kind: 'refused'; readonly id: number}
	/** A module is to go: there is no room for it any more. */
	| {readonly kind: 'dropped'; readonly number: number};

/** Where a processor's translations come from. */
export interface TranslationSource {
	/** Tells whether a translation that begins like a block may be there already; see `Begins.keyOf`. */
	mayHave(key: number): boolean;
	/** Tells whether translations can be made now that are worth their while only where this keeps nobody from work. */
	hasTime(): boolean;
	/** @returns the answers, where translations are made on this thread */
	ask(request: TranslationRequest): readonly Answer[];
	/** The next answer of another thread, if there is one. */
	take(): Answer | undefined;
}

/** Where the page of a place begins. */
export const pageOf = (place: number): number => Math.floor(place / pageBytes) * pageBytes;

/**
 * Tells whether a region was made from bytes that the request has too, where both have a page. What only the region has may be anything: whoever takes it
 * goes by what he has decoded.
 * @param begin - place in the region where the request's block begins
 */
export const isMadeOf = ({pages, links}: MadeRegion, begin: number, request: TranslationRequest): boolean =>
	(request.links === undefined || isEqual(links, request.links, pageOf(begin))) &&
	pages.every(({distance, ranges, bytes}) => {
		const page = pageAt(request, distance - pageOf(begin))?.bytes;
		let at = 0;
		for (let index = 0; page !== undefined && index < ranges.length; index += 2) {
			const [from, to] = [ranges[index] as number, ranges[index + 1] as number];
			if (Buffer.compare(page.subarray(from, to), bytes.subarray(at, at + to - from)) !== 0) return false;
			at += to - from;
		}
		return true;
	});

/** Tells whether two requests have the same bytes in each page that both have. */
export const areAlike = (one: TranslationRequest, other: TranslationRequest): boolean =>
	isEqual(one.links ?? [], other.links ?? [], 0) &&
	one.pages.every(({distance, bytes}) => {
		const page = pageAt(other, distance);
		return page === undefined || Buffer.compare(bytes, page.bytes) === 0;
	});

const isEqual = (places: readonly number[], others: readonly number[], distance: number): boolean =>
	places.length === others.length && places.every((place, index) => place === (others[index] as number) + distance);

/** The page of a request at a distance from its block's. */
export const pageAt = ({pages}: TranslationRequest, distance: number): CodePage | undefined =>
	pages.find((page) => page.distance === distance);
