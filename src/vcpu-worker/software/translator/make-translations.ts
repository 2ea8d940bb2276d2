import {announcedBy, BlockDecoder, RecordWord} from '#vcpu-worker/software/decode';
import {compile, imageOf} from '#vcpu-worker/software/interpreter';
import {
	type Answer,
	type CodePage,
	isMadeOf,
	type MadeRegion,
	type MadeTranslations,
	pageOf,
	type Serving,
	storeLimits,
	type TranslationRequest,
	type TranslationSource,
	TranslationStore,
} from '#vcpu-worker/software/translation-store';
import {buildRegions} from './build-regions.ts';
import {type KnownStep, knownSteps} from './read-block.ts';
import {formRegion, isFull, type Region, type RegionBlock} from './region.ts';

/** Longest instruction in bytes: so many may have told that there is none. */
const maxLength = 15;

/** A region, and what is told of it. */
interface Formed {
	readonly request: TranslationRequest;
	readonly region: Region;
	readonly made: MadeRegion;
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
	const servings = requests.map((request): Serving => {
		for (const [index, other] of formed.entries()) {
			const begin = servesAt(other, request);
			if (begin !== undefined) return {index, begin};
		}
		return {index: formed.push(form(request)) - 1, begin: request.offset};
	});
	const bytes = buildRegions(formed.map(({region}) => region));
	return {module: compile(bytes), bytes: bytes.length, regions: formed.map(({made}) => made), servings};
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
		hasTime: () => false,
		ask(request) {
			ask(request);
			return answers.splice(0);
		},
		take: () => undefined,
	};
}

/** Where a region that has been made just now begins as another request wants one; undefined where it does not. */
function servesAt({request, made}: Formed, other: TranslationRequest): number | undefined {
	if (request.codeSize !== other.codeSize || request.features !== other.features) return undefined;
	if ((request.looksAlone ?? false) !== (other.looksAlone ?? false)) return undefined;
	return made.entries
		.map((entry) => made.places[entry] as number)
		.find((place) => place - pageOf(place) === other.offset && isMadeOf(made, place, other));
}

function form(request: TranslationRequest): Formed {
	const {pages, codeSize, features, offset, looksAlone, links} = request;
	const decoder = decoderFor(features);
	const decoded = new Map<number, Int32Array>();
	const found = new Map<number, readonly KnownStep[]>();
	const warm = new Set<number>();
	let steps = 0;
	for (const [index, page] of pages.entries()) {
		for (const at of page.warm) warm.add(page.distance + at);
		for (const at of new Set([...(index === 0 ? [offset] : []), ...page.known])) {
			if (isFull(found.size, steps)) break;
			const block = decoder.decode(page.bytes, at, {codeSize});
			const records = decoder.recordsOf(block).slice();
			steps += block.count;
			decoded.set(page.distance + at, records);
			found.set(page.distance + at, knownSteps(records));
		}
	}
	const region = formRegion(found, (place) => warm.has(place), {looksAlone, links, isLong: codeSize === 64});
	return {request, region, made: describe(request, region, decoded)};
}

/** @param decoded - records of the blocks that the region is made of, whole */
function describe(
	{pages, links = []}: TranslationRequest,
	{blocks, entries, pages: distances}: Region,
	decoded: ReadonlyMap<number, Int32Array>,
): MadeRegion {
	const own = ({place, steps}: RegionBlock) =>
		(decoded.get(place) as Int32Array).subarray(0, steps.length * RecordWord.words);
	return {
		places: blocks.map(({place}) => place),
		entries,
		counts: blocks.map(({steps}) => steps.length),
		image: imageOf(blocks.map(own)),
		links,
		pages: distances.map((distance) => {
			const {bytes} = pages.find((page) => page.distance === distance) as CodePage;
			const ranges = blocks.flatMap(({place, steps}) =>
				pageOf(place) === distance ? [place - distance, endOf(place - distance, steps, bytes.length)] : [],
			);
			const parts = ranges.flatMap((begin, index) =>
				index % 2 === 0 ? [bytes.subarray(begin, ranges[index + 1])] : [],
			);
			// To another thread goes all of what lies under an array: of what Node concatenates, 64 KiB that others have parts of.
			return {distance, ranges, bytes: new Uint8Array(Buffer.concat(parts))};
		}),
	};
}

/** Where the bytes end that a block's steps follow from. */
function endOf(start: number, steps: readonly KnownStep[], pageBytes: number): number {
	const {next = start, start: last = start} = steps.at(-1) ?? {};
	// The last step of some has no bytes of its own: those behind it decide what it is.
	return Math.min(next > last ? next : last + maxLength, pageBytes);
}
