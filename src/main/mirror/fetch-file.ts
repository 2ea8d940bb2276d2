/** Fetches files by HTTP or from folders, bounded in time and bytes. */

import {createReadStream} from 'node:fs';
import {stat} from 'node:fs/promises';
import {setTimeout as delay} from 'node:timers/promises';
import {fileURLToPath} from 'node:url';
import {isVmmError} from '#support/errors';
import {mirrorError} from './errors.ts';

/** How long a mirror is waited for, and how often it is asked. */
export interface Patience {
	/** In each of these spans {@link leastBytes} have to come. */
	readonly spanMs: number;
	/** Waiting times before a file is asked for again: as many as further tries. */
	readonly waitsMs: readonly number[];
}

/** A line that is slower than this is taken for dead. */
const leastBytes = 1024;
const maxRedirects = 5;
const usualPatience: Patience = {spanMs: 30_000, waitsMs: [500, 2000, 8000]};

/** What a try may end with that another one may not: the host's network and a busy mirror. */
const passing = ['MIRROR_UNREACHABLE', 'MIRROR_STALLED', 'MIRROR_FILE_CUT_OFF'];

/** The pieces of a file, from one of its bytes on. */
export interface FetchedPart {
	/** The byte that the first piece begins with: 0 where the mirror does not give parts. */
	readonly start: number;
	readonly pieces: AsyncIterable<Uint8Array>;
}

/** Asks mirrors for files. */
export class FileFetcher {
	readonly #patience: Patience;

	constructor(patience: Patience = usualPatience) {
		this.#patience = patience;
	}

	/**
	 * Does something that fetches, again where it fails by what may pass.
	 * @throws VmmError what the last try throws; the signal's reason
	 */
	async retried<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
		for (const wait of this.#patience.waitsMs) {
			try {
				return await attempt();
			} catch (error) {
				if (!passing.some((code) => isVmmError(error, code))) throw error;
				await delay(wait, undefined, {signal}).catch(() => signal?.throwIfAborted());
			}
		}
		return attempt();
	}

	/**
	 * Fetches a whole file into memory.
	 * @throws VmmError MIRROR_FILE_TOO_LARGE and as {@link part} does
	 */
	bytes(url: URL, most: number, signal?: AbortSignal): Promise<Buffer> {
		return this.retried(signal, async () => {
			const taken: Uint8Array[] = [];
			let length = 0;
			for await (const piece of (await this.part(url, 0, signal)).pieces) {
				length += piece.length;
				if (length > most) throw mirrorError('MIRROR_FILE_TOO_LARGE', {url: url.href, most});
				taken.push(piece);
			}
			return Buffer.concat(taken);
		});
	}

	/**
	 * Asks for a file from one of its bytes on, once.
	 * @throws VmmError MIRROR_FILE_MISSING, MIRROR_UNREACHABLE, MIRROR_STALLED, MIRROR_REDIRECTED, also while pieces are taken;
	 * the signal's reason
	 */
	async part(url: URL, from: number, signal?: AbortSignal): Promise<FetchedPart> {
		signal?.throwIfAborted();
		const watch = new StallWatch(url, this.#patience.spanMs);
		const either = signal === undefined ? watch.signal : AbortSignal.any([signal, watch.signal]);
		try {
			const {start, body} = await (url.protocol === 'file:' ? openFile(url, from) : request(url, from, either));
			return {start, pieces: watched(url, body, watch, either)};
		} catch (error) {
			watch.close();
			throw failure(url, error, either);
		}
	}
}

async function* watched(
	url: URL,
	body: AsyncIterable<Uint8Array>,
	watch: StallWatch,
	signal: AbortSignal,
): AsyncGenerator<Uint8Array, void> {
	try {
		for await (const piece of body) {
			watch.count(piece.length);
			yield piece;
			signal.throwIfAborted();
		}
	} catch (error) {
		throw failure(url, error, signal);
	} finally {
		watch.close();
	}
}

/** What went wrong: what was given up, what a mirror did, or what the host's network says. */
function failure(url: URL, error: unknown, signal: AbortSignal): unknown {
	if (signal.aborted) return signal.reason;
	if (isVmmError(error)) return error;
	const {cause} = error as {cause?: {code?: string; message?: string}};
	const {code, message} = error as NodeJS.ErrnoException;
	const what = cause?.code ?? cause?.message ?? code ?? message;
	return mirrorError('MIRROR_UNREACHABLE', {url: url.href, what}, {cause: error});
}

interface Opened {
	readonly start: number;
	readonly body: AsyncIterable<Uint8Array>;
}

async function openFile(url: URL, from: number): Promise<Opened> {
	const path = fileURLToPath(url);
	const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
		if (error.code !== 'ENOENT' && error.code !== 'ENOTDIR') throw error;
		throw mirrorError('MIRROR_FILE_MISSING', {url: url.href, status: 'there is none'});
	});
	if (!found.isFile()) throw mirrorError('MIRROR_FILE_MISSING', {url: url.href, status: 'it is no plain file'});
	return {start: from, body: createReadStream(path, {start: from})};
}

async function request(first: URL, from: number, signal: AbortSignal): Promise<Opened> {
	let url = first;
	// A mirror that compresses what is compressed already would make lengths wrong.
	const headers = {'accept-encoding': 'identity', ...(from > 0 && {range: `bytes=${from}-`})};
	for (let redirects = 0; ; redirects++) {
		const response = await fetch(url, {redirect: 'manual', headers, signal});
		const {status, body} = response;
		if (status === 200 && body !== null) return {start: 0, body};
		const range = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')?.[1];
		if (status === 206 && body !== null && range === String(from)) return {start: from, body};
		await body?.cancel();
		// What lies there is longer than all of the file: it is asked for from its beginning.
		if (status === 416 && from > 0) return request(first, 0, signal);
		const target = response.headers.get('location');
		if (status < 300 || status >= 400 || target === null) throw refusal(url, status);
		if (redirects === maxRedirects)
			throw mirrorError('MIRROR_REDIRECTED', {url: first.href, what: `more than ${maxRedirects} times`});
		const next = URL.parse(target, url.href);
		if (next === null || !isAtLeastAsSafe(url, next))
			throw mirrorError('MIRROR_REDIRECTED', {url: first.href, what: `to ${target.slice(0, 200)}`});
		url = next;
	}
}

/** No redirection leads from encrypted lines to open ones, nor to files of the host. */
const isAtLeastAsSafe = (from: URL, to: URL): boolean =>
	to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:');

const busyStatuses = [408, 425, 429];

function refusal(url: URL, status: number): Error {
	const isPassing = status >= 500 || busyStatuses.includes(status) || status < 300;
	if (isPassing) return mirrorError('MIRROR_UNREACHABLE', {url: url.href, what: `HTTP status ${status}`});
	return mirrorError('MIRROR_FILE_MISSING', {url: url.href, status: `HTTP status ${status}`});
}

/** Aborts where too little comes: nothing at all, or bytes so few that it would go on for ever. */
class StallWatch {
	readonly #controller = new AbortController();
	readonly #timer: NodeJS.Timeout;
	#came = 0;

	constructor({href: url}: URL, spanMs: number) {
		this.#timer = setInterval(() => {
			if (this.#came < leastBytes)
				this.#controller.abort(mirrorError('MIRROR_STALLED', {url, bytes: leastBytes, seconds: spanMs / 1000}));
			this.#came = 0;
		}, spanMs);
	}

	get signal(): AbortSignal {
		return this.#controller.signal;
	}

	count(bytes: number): void {
		this.#came += bytes;
	}

	close(): void {
		clearInterval(this.#timer);
	}
}
