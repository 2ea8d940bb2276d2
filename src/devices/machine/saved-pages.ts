import {pageBytes} from '#devices/guest-memory';
import {stateError} from '#support/saved-state';
import type {AttachedPages} from './device-pages.ts';

/** Content of the memory of a device's BARs, by region: pages that are not zero, as offset and base64. */
export type SavedPages = Readonly<Record<string, readonly (readonly [offset: number, bytes: string])[]>>;

/** The memory that is to be kept. For the owner, while nothing runs. */
export function savePages(pages: readonly AttachedPages[]): {readonly pages?: SavedPages} {
	const kept = pages.filter(({placed}) => placed.isSaved);
	return kept.length === 0 ? {} : {pages: Object.fromEntries(kept.map((each) => [each.placed.region, contents(each)]))};
}

function contents({placed, memory}: AttachedPages): [number, string][] {
	const saved: [number, string][] = [];
	const page = Buffer.alloc(pageBytes);
	for (let offset = 0; offset < placed.pages.length; offset += pageBytes) {
		memory.copyOut(offset, page);
		if (page.some((byte) => byte !== 0)) saved.push([offset, page.toString('base64')]);
	}
	return saved;
}

/**
 * Gives memory what {@link savePages} has kept of it. For the owner, while nothing runs.
 * @throws VmmError STATE_FIELD_WRONG
 */
export function restorePages(device: string, pages: readonly AttachedPages[], saved: unknown): void {
	const wrong = () => stateError('STATE_FIELD_WRONG', {struct: device, field: 'pages'});
	const byRegion = saved ?? {};
	if (typeof byRegion !== 'object') throw wrong();
	const kept = pages.filter(({placed}) => placed.isSaved);
	if (Object.keys(byRegion).some((name) => !kept.some(({placed}) => `${placed.region}` === name))) throw wrong();
	for (const {placed, memory} of kept) {
		memory.fill(0, placed.pages.length, 0);
		const list: unknown = (byRegion as Readonly<Record<string, unknown>>)[placed.region];
		if (!Array.isArray(list)) throw wrong();
		for (const [offset, text] of list.map(asPair)) {
			const bytes = typeof text === 'string' ? Buffer.from(text, 'base64') : undefined;
			if (bytes?.length !== pageBytes || !isPageOf(offset, placed.pages.length)) throw wrong();
			memory.copyIn(offset, bytes);
		}
	}
}

const asPair = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

const isPageOf = (offset: unknown, length: number): offset is number =>
	Number.isInteger(offset) &&
	(offset as number) % pageBytes === 0 &&
	(offset as number) >= 0 &&
	(offset as number) < length;
