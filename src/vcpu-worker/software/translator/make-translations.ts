import {announcedBy, BlockDecoder, RecordWord} from '#vcpu-worker/software/decode';
import {compile, imageOf} from '#vcpu-worker/software/interpreter';
import {
	type Answer,
	type MadeRegion,
	type MadeTranslations,
	storeLimits,
	type TranslationRequest,
	type TranslationSource,
	TranslationStore,
} from '#vcpu-worker/software/translation-store';
import {buildRegions} from './build-regions.ts';
import {knownSteps} from './read-block.ts';
import {formRegion, type Region, type RegionBlock} from './region.ts';

/** Longest instruction in bytes: so many may have told that there is none. */
const maxLength = 15;

/** A region, and the records of the blocks that it is made of, whole. */
interface Formed {
	readonly request: TranslationRequest;
	readonly region: Region;
	readonly decoded: ReadonlyMap<number, Int32Array>;
}

/** Decodes for guests with these features, and knows the forms of their instructions since the last request. */
let last: {readonly features: string; readonly decoder: BlockDecoder} | undefined;

function decoderFor(features: string): BlockDecoder {
	if (last?.features !== features) last = {features, decoder: new BlockDecoder(announcedBy(features))};
	return last.decoder;
}

/** Makes translations: decodes the blocks that the requests know, and compiles a module of the regions that they are. On any thread. */
export function makeTranslations(requests: readonly TranslationRequest[]): MadeTranslations {
	const formed: Formed[] = [];
	const regionOf = requests.map((request) => {
		const begun = formed.findIndex((other) => serves(other, request));
		return begun >= 0 ? begun : formed.push(form(request)) - 1;
	});
	const bytes = buildRegions(formed.map(({region}) => region));
	return {module: compile(bytes), bytes: bytes.length, regions: formed.map(describe), regionOf};
}

/** Makes a processor's translations on its own thread, and for nobody else. */
export function ownTranslations(
	limits: {readonly machineBytes: number; readonly bytes: number} = storeLimits,
): TranslationSource {
	const answers: Answer[] = [];
	const store = new TranslationStore(makeTranslations, limits);
	// Numbers of modules that no other store has.
	const ask = store
		.enter()
		.join((answer) => answers.push(answer.kind === 'refused' ? answer : {...answer, number: -answer.number}));
	return {
		mayHave: (key) => store.begins.has(key),
		ask(request) {
			ask(request);
			return answers.splice(0);
		},
		take: () => undefined,
	};
}

/** A region that has been made just now may begin where another request wants one. */
function serves({request, region}: Formed, other: TranslationRequest): boolean {
	const isThere = region.entries.some((entry) => region.blocks[entry]?.start === other.offset);
	const isAlike = request.codeSize === other.codeSize && request.features === other.features;
	return isThere && isAlike && Buffer.compare(request.page, other.page) === 0;
}

function form(request: TranslationRequest): Formed {
	const {page, codeSize, features, offset} = request;
	const decoder = decoderFor(features);
	const known = new Set(request.known).add(offset);
	const warm = new Set(request.warm);
	const decoded = new Map<number, Int32Array>();
	const stepsAt = (at: number) => {
		if (!known.has(at)) return undefined;
		const block = decoder.decode(page, at, {codeSize});
		decoded.set(at, block.words.slice(0, block.count * RecordWord.words));
		return knownSteps(block);
	};
	return {request, region: formRegion(offset, stepsAt, (at) => warm.has(at)), decoded};
}

function describe({request: {page}, region, decoded}: Formed): MadeRegion {
	const {blocks, entries} = region;
	const ranges = blocks.flatMap((block) => [block.start, endOf(block, page.length)]);
	const bytes = ranges.flatMap((begin, index) => (index % 2 === 0 ? [page.subarray(begin, ranges[index + 1])] : []));
	const own = ({start, steps}: RegionBlock) =>
		(decoded.get(start) as Int32Array).subarray(0, steps.length * RecordWord.words);
	return {
		starts: blocks.map(({start}) => start),
		entries,
		counts: blocks.map(({steps}) => steps.length),
		image: imageOf(blocks.map(own)),
		ranges,
		// To another thread goes all of what lies under an array: of what Node concatenates, 64 KiB that others have parts of.
		bytes: new Uint8Array(Buffer.concat(bytes)),
	};
}

/** Where the bytes end that a block's steps follow from. */
function endOf({start, steps}: RegionBlock, pageBytes: number): number {
	const {next = start, start: last = start} = steps.at(-1) ?? {};
	// The last step of some has no bytes of its own: those behind it decide what it is.
	return Math.min(next > last ? next : last + maxLength, pageBytes);
}
