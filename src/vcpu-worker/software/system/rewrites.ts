import type {Lines} from '#devices/guest-memory';

/** Times that count: with four times as many executions each time, what is executed so often has paid for its translation. */
const maxTimes = 4;
/** Instructions after which one time less counts: half a second or so. */
const forgetAfter = 2 ** 28;
/** Pages that are remembered, those that were rewritten last. */
const maxPages = 4096;
const linesEach = 64;

interface Page {
	/** By line. */
	readonly times: Uint8Array;
	/** Until when times have been forgotten, in the processor's instructions. */
	since: number;
}

/** How often translated code has been rewritten lately, by lines of pages, so that it is translated later. */
export class Rewrites {
	/** By the page's number, those that were rewritten last behind the others. */
	readonly #pages = new Map<number, Page>();

	/**
	 * Times that code of some lines has been rewritten: of that one which has been most often.
	 * @param now - time of the processor, in instructions
	 * @param more - of which there are so many more
	 */
	times(number: number, lines: Lines, now: number, more = 0): number {
		const page = this.#pages.get(number);
		let most = 0;
		if (page !== undefined) {
			forget(page, now);
			for (let line = 0; line < linesEach; line++)
				if (hasLine(lines, line)) most = Math.max(most, page.times[line] as number);
		}
		return Math.min(most + more, maxTimes);
	}

	/** Translated code of these lines has been rewritten. */
	note(number: number, lines: Lines, now: number): void {
		const page = this.#pages.get(number) ?? {times: new Uint8Array(linesEach), since: now};
		forget(page, now);
		for (let line = 0; line < linesEach; line++)
			if (hasLine(lines, line)) page.times[line] = Math.min((page.times[line] as number) + 1, maxTimes);
		this.#pages.delete(number);
		this.#pages.set(number, page);
		const [oldest] = this.#pages.keys();
		if (this.#pages.size > maxPages && oldest !== undefined) this.#pages.delete(oldest);
	}
}

function forget(page: Page, now: number): void {
	const count = Math.floor((now - page.since) / forgetAfter);
	if (count <= 0) return;
	page.since += count * forgetAfter;
	for (const [line, times] of page.times.entries()) page.times[line] = Math.max(times - count, 0);
}

const hasLine = ({low, high}: Lines, line: number): boolean => (((line < 32 ? low : high) >>> (line % 32)) & 1) !== 0;
