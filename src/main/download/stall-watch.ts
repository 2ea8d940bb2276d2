import {isVmmError} from '#support/errors';
import {type DownloadFaults, networkFault} from './faults.ts';
import type {Span, Whole} from './patience.ts';

/** Aborts where too little comes: nothing at all, or bytes so few that it would go on for ever; and where all has to have come. */
export class StallWatch {
	readonly #controller = new AbortController();
	readonly #timers: readonly NodeJS.Timeout[];
	readonly #whole: NodeJS.Timeout | undefined;
	#came = 0;

	/** @param whole - undefined where it may take any time, as long as enough comes */
	constructor({href: url}: URL, spans: readonly Span[], faults: DownloadFaults, whole?: Whole) {
		// An answer that nobody takes keeps nobody waiting, and ends here.
		this.#timers = spans.map(({ms, leastBytes}) => {
			let before = 0;
			return setInterval(() => {
				if (this.#came - before < leastBytes) this.#end(faults.stalled(url, leastBytes, ms / 1000));
				before = this.#came;
			}, ms).unref();
		});
		if (whole === undefined) return;
		this.#whole = setTimeout(() => this.#end(whole.late(url, whole.ms / 1000)), whole.ms).unref();
	}

	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	count(bytes: number): void {
		this.#came += bytes;
	}

	close(): void {
		for (const timer of this.#timers) clearInterval(timer);
		clearTimeout(this.#whole);
	}

	#end(error: Error): void {
		this.close();
		this.#controller.abort(error);
	}
}

/** What is downloaded, and who may end it. */
interface WatchedParts {
	readonly url: URL;
	readonly watch: StallWatch;
	/** The watch's, and of whoever asked. */
	readonly signal: AbortSignal;
	readonly faults: DownloadFaults;
}

/** The pieces of a body, counted. @throws VmmError of `faults`; the signal's reason */
export async function* watched(
	body: AsyncIterable<Uint8Array> & {destroy(): unknown},
	{url, watch, signal, faults}: WatchedParts,
): AsyncGenerator<Uint8Array, void> {
	try {
		for await (const piece of body) {
			watch.count(piece.length);
			yield piece;
			signal.throwIfAborted();
		}
	} catch (error) {
		throw downloadError(error, {url, signal, faults});
	} finally {
		watch.close();
		body.destroy();
	}
}

/** What went wrong: what was given up, what a server did, or what the host's network says. */
export function downloadError(error: unknown, {url, signal, faults}: Omit<WatchedParts, 'watch'>): unknown {
	if (signal.aborted) return signal.reason;
	return isVmmError(error) ? error : networkFault(url.href, error, faults);
}
