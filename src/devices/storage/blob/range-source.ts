import {setTimeout as delay} from 'node:timers/promises';
import {isVmmError} from '#support/errors';
import {blobError, toldUrl} from './errors.ts';

/** How long a server is waited for, and how often it is asked. */
export interface Patience {
	/** Time for one part, in milliseconds. */
	readonly partMs: number;
	/** Time for the first answer, which says what the file is. */
	readonly markMs: number;
	/** Waiting times before a part is asked for again: as many as further tries. */
	readonly waitsMs: readonly number[];
}

/** A device has 25 seconds to open its disk: who waits longer never says why. */
export const usualPatience: Patience = {partMs: 30_000, markMs: 7000, waitsMs: [500, 2000]};
const maxRedirects = 5;
const busyStatuses = [408, 425, 429];

/** What a server says a file is; of another one it says something else. */
export interface FileMark {
	readonly bytes: number;
	/** An entity tag, or a date of change. */
	readonly validator: string;
}

/** Parts of a file by HTTP, which has to stay what it was. */
export class RangeSource {
	/** Its address as errors tell it. */
	readonly name: string;
	readonly mark: FileMark;
	readonly #url: string;
	readonly #patience: Patience;
	readonly #leaving: AbortSignal;

	private constructor(url: string, mark: FileMark, patience: Patience, leaving: AbortSignal) {
		this.name = toldUrl(url);
		this.mark = mark;
		this.#url = url;
		this.#patience = patience;
		this.#leaving = leaving;
	}

	/**
	 * Asks what the file is.
	 * @param leaving - ends all that is under way
	 * @throws VmmError DISK_BLOB_UNREACHABLE, DISK_BLOB_REFUSED, DISK_BLOB_SERVER
	 */
	static async open(url: string, patience: Patience, leaving: AbortSignal): Promise<RangeSource> {
		const name = toldUrl(url);
		const mark = await retried(patience.markMs, patience, leaving, async (signal) => {
			const response = await ask(url, {range: 'bytes=0-0'}, signal);
			await response.body?.cancel();
			const range = response.status === 206 ? rangeOf(response) : undefined;
			if (range === undefined) throw lying(name, `it gives no parts (HTTP status ${response.status})`);
			const validator = validatorOf(response);
			if (validator === undefined)
				throw lying(name, 'it says neither by a strong ETag nor by Last-Modified when it changes');
			return {bytes: range.total, validator};
		});
		return new RangeSource(url, mark, patience, leaving);
	}

	/**
	 * Reads a part, which is not empty and within the file.
	 * @throws VmmError DISK_BLOB_; the signal's reason
	 */
	read(offset: number, length: number): Promise<Buffer> {
		return retried(this.#patience.partMs, this.#patience, this.#leaving, (signal) =>
			this.#read(offset, length, signal),
		);
	}

	async #read(offset: number, length: number, signal: AbortSignal): Promise<Buffer> {
		const {bytes, validator} = this.mark;
		const last = offset + length - 1;
		const response = await ask(this.#url, {range: `bytes=${offset}-${last}`, 'if-range': validator}, signal);
		try {
			const url = this.name;
			const found = validatorOf(response);
			if (found !== validator)
				throw blobError('DISK_BLOB_CHANGED', {url, what: `it was ${validator}, and is ${found ?? 'not marked'}`});
			const range = rangeOf(response);
			if (response.status !== 206 || range === undefined)
				throw lying(url, `a part was asked for, and it answered with HTTP status ${response.status}`);
			if (range.total !== bytes)
				throw blobError('DISK_BLOB_CHANGED', {url, what: `it had ${bytes} bytes, and has ${range.total}`});
			if (range.start !== offset || range.end !== last)
				throw lying(url, `bytes ${offset}-${last} were asked for, and it gives ${range.start}-${range.end}`);
			return await bodyOf(url, response, length);
		} finally {
			// What is left of a body that nobody wants ends its connection.
			if (response.body !== null && !response.bodyUsed) await response.body.cancel();
		}
	}
}

/** Takes exactly so many bytes. */
async function bodyOf(url: string, {body}: Response, length: number): Promise<Buffer> {
	const bytes = Buffer.alloc(length);
	let taken = 0;
	try {
		for await (const piece of body as AsyncIterable<Uint8Array>) {
			if (taken + piece.length > length) throw lying(url, `it gives more than the ${length} bytes that were asked for`);
			bytes.set(piece, taken);
			taken += piece.length;
		}
	} catch (error) {
		throw isVmmError(error) ? error : unreachable(url, error);
	}
	if (taken < length)
		throw blobError('DISK_BLOB_UNREACHABLE', {url, what: `it ended after ${taken} of ${length} bytes`});
	return bytes;
}

/** Does something that asks the server, again where it fails by what may pass. */
async function retried<T>(
	limitMs: number,
	{waitsMs}: Patience,
	leaving: AbortSignal,
	attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
	for (let tries = 0; ; tries++) {
		leaving.throwIfAborted();
		try {
			return await limited(limitMs, leaving, attempt);
		} catch (error) {
			leaving.throwIfAborted();
			const wait = waitsMs[tries];
			if (wait === undefined || !isVmmError(error, 'DISK_BLOB_UNREACHABLE')) throw error;
			await delay(wait, undefined, {signal: leaving}).catch(() => {});
		}
	}
}

/** One try. AbortSignal.any would leave something of each in the signal that outlives them all. */
async function limited<T>(
	limitMs: number,
	leaving: AbortSignal,
	attempt: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
	const trying = new AbortController();
	const leave = () => trying.abort(leaving.reason);
	const timer = setTimeout(() => trying.abort(new DOMException('it takes too long', 'TimeoutError')), limitMs);
	leaving.addEventListener('abort', leave);
	try {
		return await attempt(trying.signal);
	} finally {
		clearTimeout(timer);
		leaving.removeEventListener('abort', leave);
	}
}

/** Asks, and follows where the server leads, but from no encrypted line to an open one. */
async function ask(first: string, wanted: Record<string, string>, signal: AbortSignal): Promise<Response> {
	// What is compressed on the way has other lengths.
	const headers = {...wanted, 'accept-encoding': 'identity'};
	const name = toldUrl(first);
	let url = first;
	for (let redirects = 0; redirects <= maxRedirects; redirects++) {
		const response = await fetch(url, {redirect: 'manual', headers, signal}).catch((error) => {
			throw unreachable(name, error);
		});
		const {status} = response;
		const target = response.headers.get('location');
		if (status >= 200 && status < 300) return checkPlain(name, response);
		await response.body?.cancel();
		if (status < 300 || status >= 400 || target === null) throw refusal(name, status);
		const next = URL.parse(target, url);
		const isSafe = next?.protocol === 'https:' || (next?.protocol === 'http:' && url.startsWith('http:'));
		if (next === null || !isSafe || next.username !== '')
			throw lying(name, `it leads to ${JSON.stringify(toldUrl(target).slice(0, 200))}`);
		url = next.href;
	}
	throw lying(name, `it leads elsewhere more than ${maxRedirects} times`);
}

function unreachable(url: string, error: unknown): Error {
	const {cause, name, message} = error as Error & {cause?: {code?: string; message?: string}};
	const what = name === 'TimeoutError' ? 'it does not answer in time' : (cause?.code ?? cause?.message ?? message);
	return blobError('DISK_BLOB_UNREACHABLE', {url, what}, {cause: error});
}

function checkPlain(url: string, response: Response): Response {
	const coding = response.headers.get('content-encoding') ?? 'identity';
	if (coding !== 'identity') throw lying(url, `what it gives is in the coding ${coding.slice(0, 40)}`);
	return response;
}

function refusal(url: string, status: number): Error {
	const what = `HTTP status ${status}`;
	const isPassing = status >= 500 || busyStatuses.includes(status);
	return isPassing ? blobError('DISK_BLOB_UNREACHABLE', {url, what}) : blobError('DISK_BLOB_REFUSED', {url, what});
}

const lying = (url: string, what: string) => blobError('DISK_BLOB_SERVER', {url, what});

/** A strong entity tag, or the next best: a date may stay what it is for a second. A weak tag is none, since bytes may change under it (RFC 9110, 8.8.1). */
function validatorOf({headers}: Response): string | undefined {
	const tag = headers.get('etag');
	const isStrong = tag !== null && !tag.startsWith('W/');
	return (isStrong ? tag : headers.get('last-modified')) ?? undefined;
}

function rangeOf({headers}: Response): {start: number; end: number; total: number} | undefined {
	const [, start, end, total] =
		/^bytes (\d{1,15})-(\d{1,15})\/(\d{1,15})$/.exec(headers.get('content-range') ?? '') ?? [];
	return total === undefined ? undefined : {start: Number(start), end: Number(end), total: Number(total)};
}
